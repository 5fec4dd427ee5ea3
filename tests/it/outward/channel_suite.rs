//! What every channel has to do, whatever it is made of. A channel passes when its bench does.

use std::sync::Arc;

use countersign::domain::channel::Address;
use countersign::ports::outward::{ChannelSender, Message, SendError};

use super::{everything_said, message};

/// A channel set up for the suite.
#[derive(Clone)]
pub struct Bench {
    pub sender: Arc<dyn ChannelSender>,
    /// Takes what is sent to it.
    pub good: Address,
    /// The other side refuses these for good.
    pub refused: Vec<Address>,
    /// Sending there fails now and may work later.
    pub unreachable: Vec<(Arc<dyn ChannelSender>, Address)>,
    /// Texts that no error may show: parts of addresses, passwords, and what the other side said.
    pub secrets: Vec<String>,
}

/// Sends through the channel in every way that the suite knows. What arrived is for the caller to look at, with
/// [`assert_words`]: two messages, numbered 1 and 2.
pub async fn run(bench: &Bench) {
    assert_eq!(bench.sender.kind(), bench.good.kind());
    bench.sender.send(&bench.good, &message(1)).await.unwrap();

    for address in addresses_of_every_kind().into_iter().filter(|other| other.kind() != bench.good.kind()) {
        let error = bench.sender.send(&address, &message(3)).await.unwrap_err();
        assert!(matches!(error, SendError::Gone { .. }), "{address:?}: {error:?}");
        assert_silent(bench, &error);
    }
    for address in &bench.refused {
        let error = bench.sender.send(address, &message(4)).await.unwrap_err();
        assert!(matches!(error, SendError::Gone { .. }), "{error:?}");
        assert_silent(bench, &error);
    }
    for (sender, address) in &bench.unreachable {
        let error = sender.send(address, &message(5)).await.unwrap_err();
        assert!(matches!(error, SendError::Again { .. }), "{error:?}");
        assert_silent(bench, &error);
    }
    // A failure spoils nothing for the next one.
    bench.sender.send(&bench.good, &message(2)).await.unwrap();
}

/// The text that a person gets says what the message says.
pub fn assert_words(text: &str, message: &Message) {
    for paragraph in &message.body {
        assert!(text.contains(paragraph.as_str()), "{paragraph}\n{text}");
    }
    assert!(text.contains(message.open.as_ref().unwrap().as_str()), "{text}");
}

/// Errors are logged, and a log holds neither addresses nor links nor codes (invariant 9 of the design).
fn assert_silent(bench: &Bench, error: &SendError) {
    let said = everything_said(error);
    let mut kept = vec!["approve.harbour.example", "tokenthatstops", "apr_", "http://", "https://", "@"];
    kept.extend(bench.secrets.iter().map(String::as_str));
    for secret in kept {
        assert!(!said.contains(secret), "{secret} is in: {said}");
    }
}

fn addresses_of_every_kind() -> Vec<Address> {
    let bytes = |length| data_encoding::BASE64URL_NOPAD.encode(&vec![4; length]);
    vec![
        Address::email("marta@example.org").unwrap(),
        Address::web_push("https://fcm.googleapis.com/fcm/send/x", &bytes(65), &bytes(16)).unwrap(),
        Address::inbox("marta").unwrap(),
    ]
}
