//! The demo's inbox, which can neither refuse anybody nor be away.

use std::sync::Arc;

use countersign::adapters::channels::inbox::Inbox;
use countersign::domain::channel::Address;

use super::channel_suite::{self, Bench, assert_words};
use super::message;

#[tokio::test]
async fn conforms() {
    let inbox = Arc::new(Inbox::new());
    let bench = Bench {
        sender: Arc::<Inbox>::clone(&inbox),
        good: Address::inbox("marta").unwrap(),
        refused: Vec::new(),
        unreachable: Vec::new(),
        secrets: vec!["marta".to_owned()],
    };
    channel_suite::run(&bench).await;

    let shown = inbox.messages("marta");
    assert_eq!(shown.iter().map(|kept| kept.notice).collect::<Vec<_>>(), [message(2).notice, message(1).notice]);
    for kept in shown {
        assert_words(&format!("{}\n{}", kept.body.join("\n"), kept.open.as_ref().unwrap()), &message(1));
    }
    assert!(inbox.messages("lars").is_empty());
}
