//! A webhook comes in: the check that every receiver must make before it believes a word (Standard Webhooks 1.0,
//! "Verifying webhook authenticity"), and the thin body.
//!
//! Written as a customer would write it, from the standard and with nothing of Countersign's own. May import:
//! aws-lc-rs, data-encoding, serde.

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use serde::Deserialize;

/// How far the sender's clock may be from ours, in seconds (Standard Webhooks 1.0 leaves the choice; its libraries take
/// five minutes).
pub const TOLERANCE: i64 = 300;

/// Why a message isn't believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadWebhook {
    #[error("a webhook header is missing")]
    Header,
    #[error("the timestamp isn't a number of seconds")]
    Timestamp,
    #[error("the timestamp is more than five minutes away")]
    TooFar,
    #[error("no signature fits")]
    Signature,
    #[error("the signed body isn't an event")]
    Body,
}

/// The three headers.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    pub id: &'a str,
    pub timestamp: &'a str,
    pub signature: &'a str,
}

/// The secret that signs this endpoint's webhooks.
pub struct Secret(hmac::Key);

/// The text isn't `whsec_` and base64.
#[derive(Debug, thiserror::Error)]
#[error("not a webhook secret")]
pub struct BadSecret;

impl Secret {
    /// # Errors
    /// [`BadSecret`].
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let encoded = text.strip_prefix("whsec_").ok_or(BadSecret)?;
        let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| BadSecret)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// Checks one message. `now` in seconds since the epoch. The comparison takes the same time wherever it differs.
    ///
    /// # Errors
    /// [`BadWebhook`].
    pub fn check(&self, message: Signed<'_>, body: &[u8], now: i64) -> Result<(), BadWebhook> {
        let sent_at: i64 = message.timestamp.parse().map_err(|_| BadWebhook::Timestamp)?;
        if now.abs_diff(sent_at) > TOLERANCE.unsigned_abs() {
            return Err(BadWebhook::TooFar);
        }
        let signed = [message.id.as_bytes(), b".", message.timestamp.as_bytes(), b".", body].concat();
        // There is more than one signature while the secret is being rotated; any one of them will do.
        let mut candidates = message.signature.split(' ').filter_map(|one| one.strip_prefix("v1,"));
        let fits = candidates.any(|encoded| {
            BASE64.decode(encoded.as_bytes()).is_ok_and(|tag| hmac::verify(&self.0, &signed, &tag).is_ok())
        });
        if fits { Ok(()) } else { Err(BadWebhook::Signature) }
    }

    /// Signs a message: what only the sender should be able to do. The demo's forger does it with a made-up secret.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signed = [id.as_bytes(), b".", timestamp.to_string().as_bytes(), b".", body].concat();
        format!("v1,{}", BASE64.encode(hmac::sign(&self.0, &signed).as_ref()))
    }
}

/// The thin body of an event; whatever else is in it is passed over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Event {
    #[serde(rename = "type")]
    pub kind: String,
    pub data: EventData,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EventData {
    pub approval_id: String,
    pub version: u32,
    pub state: String,
    pub reason: Option<String>,
    pub transfer_id: String,
    pub digest: String,
}

impl Event {
    /// Reads a body whose signature fitted.
    ///
    /// # Errors
    /// [`BadWebhook::Body`].
    pub fn read(body: &[u8]) -> Result<Self, BadWebhook> {
        serde_json::from_slice(body).map_err(|_| BadWebhook::Body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn secret() -> Secret {
        Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()
    }

    /// The example that the Standard Webhooks libraries share in their tests.
    const MESSAGE: Signed<'_> = Signed {
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp: "1614265330",
        signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    };

    #[test]
    fn believes_the_standards_own_example() {
        assert_eq!(secret().check(MESSAGE, BODY, NOW), Ok(()));
        assert_eq!(secret().sign(MESSAGE.id, NOW, BODY), MESSAGE.signature);
        let rotated = format!("v1,AAAA v2,else {}", MESSAGE.signature);
        assert_eq!(secret().check(Signed { signature: &rotated, ..MESSAGE }, BODY, NOW), Ok(()));
    }

    #[test]
    fn believes_nothing_that_was_changed() {
        let refused = |message, body: &[u8]| assert_eq!(secret().check(message, body, NOW), Err(BadWebhook::Signature));
        refused(MESSAGE, br#"{"test": 2432232315}"#);
        refused(Signed { id: "msg_other", ..MESSAGE }, BODY);
        refused(Signed { timestamp: "1614265331", ..MESSAGE }, BODY);
        refused(Signed { signature: "v1,AAAA", ..MESSAGE }, BODY);
        refused(Signed { signature: "", ..MESSAGE }, BODY);
        refused(Signed { signature: "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", ..MESSAGE }, BODY);
        let other = Secret::parse("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        assert_eq!(other.check(MESSAGE, BODY, NOW), Err(BadWebhook::Signature));
    }

    #[test]
    fn believes_nothing_old_or_early() {
        assert_eq!(secret().check(MESSAGE, BODY, NOW + TOLERANCE), Ok(()));
        assert_eq!(secret().check(MESSAGE, BODY, NOW + TOLERANCE + 1), Err(BadWebhook::TooFar));
        assert_eq!(secret().check(MESSAGE, BODY, NOW - TOLERANCE - 1), Err(BadWebhook::TooFar));
        for odd in ["", "soon", "1614265330.0", "9223372036854775808"] {
            let message = Signed { timestamp: odd, ..MESSAGE };
            assert_eq!(secret().check(message, BODY, NOW), Err(BadWebhook::Timestamp), "{odd:?}");
        }
    }

    #[test]
    fn secrets_have_one_form() {
        for bad in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_?"] {
            assert!(Secret::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn reads_an_event_and_nothing_less() {
        let body = br#"{"type":"approval.released","timestamp":"2026-11-21T14:32:00Z","data":{"approval_id":"apr_1",
            "version":4,"state":"released","transfer_id":"hb-1","subject":"u-1","digest":"00"}}"#;
        let event = Event::read(body).unwrap();
        assert_eq!((event.kind.as_str(), event.data.version, event.data.reason), ("approval.released", 4, None));
        assert_eq!(Event::read(b"{}"), Err(BadWebhook::Body));
    }
}
