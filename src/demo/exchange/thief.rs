//! What a thief inside the exchange might try with one order, for a visitor to try with a button. Every try must be
//! refused; the answer is shown as it came.
//!
//! May import: the exchange's own modules.

use serde_json::json;

use super::book::{Attempt, Placed, Stage, Verdict};
use super::client::ClientError;
use super::desk::Desk;
use super::order::Order;
use super::webhook::{Secret, Signed};

/// One try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trick {
    /// Redeem before anybody approved, or before the hold is over.
    TakeEarly,
    /// Redeem naming another amount than the one approved.
    OtherAmount,
    /// Redeem once more, under another key.
    TakeTwice,
    /// Stop it, then redeem all the same.
    TakeStopped,
    /// Tell the exchange «it is released», signed with a made-up secret.
    ForgeMessage,
    /// Use the receipt of this order for a larger one.
    ReuseReceipt,
}

/// A valid secret that isn't this endpoint's.
pub const MADE_UP: &str = "whsec_bWFkZSB1cCBieSBhIHRoaWVmLCBub3QgYSBzZWNyZXQ=";

impl Trick {
    pub const ALL: [Self; 6] = [
        Self::TakeEarly,
        Self::OtherAmount,
        Self::TakeTwice,
        Self::TakeStopped,
        Self::ForgeMessage,
        Self::ReuseReceipt,
    ];

    /// Name in the address of the button.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::TakeEarly => "take-early",
            Self::OtherAmount => "other-amount",
            Self::TakeTwice => "take-twice",
            Self::TakeStopped => "take-stopped",
            Self::ForgeMessage => "forge-message",
            Self::ReuseReceipt => "reuse-receipt",
        }
    }

    pub fn named(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trick| trick.slug() == slug)
    }

    /// The words on the button.
    pub const fn words(self) -> &'static str {
        match self {
            Self::TakeEarly => "Take the money now",
            Self::OtherAmount => "Take ten times as much",
            Self::TakeTwice => "Take it twice",
            Self::TakeStopped => "Stop it, then take it",
            Self::ForgeMessage => "Forge the message that releases it",
            Self::ReuseReceipt => "Use this receipt for a larger transfer",
        }
    }

    /// The tries that make sense for an order as it stands.
    pub fn offered(stage: &Stage) -> Vec<Self> {
        match stage {
            Stage::Asked | Stage::Cooling => {
                vec![Self::TakeEarly, Self::OtherAmount, Self::ForgeMessage, Self::TakeStopped]
            }
            Stage::Released => vec![Self::OtherAmount],
            Stage::Sent => vec![Self::TakeTwice, Self::OtherAmount, Self::ReuseReceipt],
            Stage::Ended { .. } | Stage::Withheld(_) => vec![Self::TakeEarly, Self::ForgeMessage],
        }
    }
}

/// The same order, ten times as large.
fn larger(order: &Order) -> Order {
    let amount = match order.amount.split_once('.') {
        Some((whole, rest)) => match rest.split_at_checked(1) {
            Some((first, rest)) if !rest.is_empty() => format!("{}{first}.{rest}", whole.trim_start_matches('0')),
            _ => format!("{whole}{rest}").trim_start_matches('0').to_owned(),
        },
        None => format!("{}0", order.amount),
    };
    Order { amount, ..order.clone() }
}

impl Desk {
    /// Tries it, and notes on the order what came of it.
    pub async fn try_trick(&self, placed: &Placed, trick: Trick) -> Attempt {
        let result = match trick {
            Trick::TakeEarly | Trick::TakeTwice => self.take_as_thief(placed, &placed.digest).await,
            Trick::OtherAmount => match self.digest_of_larger(placed).await {
                Ok(digest) => self.take_as_thief(placed, &digest).await,
                Err(error) => Err(error),
            },
            Trick::TakeStopped => match self.client().cancel(&placed.approval).await {
                Ok(_) => self.take_as_thief(placed, &placed.digest).await,
                Err(error) => Err(error.to_string()),
            },
            Trick::ForgeMessage => self.forge(placed),
            Trick::ReuseReceipt => self.reuse(placed).await,
        };
        let (answer, verdict) = match result {
            Ok(answer) => (answer, Verdict::Succeeded),
            Err(answer) => (answer, Verdict::Stopped),
        };
        let attempt = Attempt { what: trick.words().to_owned(), answer, verdict };
        self.note(&placed.order.id, attempt.clone());
        attempt
    }

    async fn take_as_thief(&self, placed: &Placed, digest: &str) -> Result<String, String> {
        match self.client().redeem(&placed.approval, digest, &self.fresh("thief")).await {
            Ok(_) => Ok("a receipt".to_owned()),
            Err(ClientError::Refused(problem)) => Err(format!("{problem}: {}", problem.detail)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The digest of the details on record with the amount changed.
    pub async fn digest_of_larger(&self, placed: &Placed) -> Result<String, String> {
        let mut details = self.client().approval(&placed.approval).await.map_err(|error| error.to_string())?.details;
        let larger = larger(&placed.order);
        details["amount"] = json!(larger.amount);
        larger.digest(&details).map_err(|error| error.to_string())
    }

    fn forge(&self, placed: &Placed) -> Result<String, String> {
        let secret = Secret::parse(MADE_UP).map_err(|error| error.to_string())?;
        let (id, body) = forged(placed);
        let (now, body) = (self.now(), body.as_bytes());
        let (timestamp, signature) = (now.to_string(), secret.sign(&id, now, body));
        let message = Signed { id: &id, timestamp: &timestamp, signature: &signature };
        match self.hear(message, body) {
            Ok(_) => Ok("the message was believed".to_owned()),
            Err(error) => Err(format!("the exchange didn't believe it: {error}")),
        }
    }

    async fn reuse(&self, placed: &Placed) -> Result<String, String> {
        let receipt = placed.receipt.as_deref().ok_or("there is no receipt yet")?;
        let larger = Placed { order: larger(&placed.order), ..placed.clone() };
        self.check(&larger, receipt).await.map(|()| "the receipt was taken".to_owned())
    }
}

/// A message that says «released», with its id.
pub fn forged(placed: &Placed) -> (String, String) {
    let version = placed.version + 10;
    let body = json!({
        "type": "approval.released",
        "timestamp": "2026-11-21T14:32:00Z",
        "data": {
            "approval_id": placed.approval, "version": version, "state": "released", "subject": placed.order.subject,
            "transfer_id": placed.order.id, "digest": placed.digest,
        },
    });
    (format!("msg_forged_{}", placed.order.id), body.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::order::tests::order;
    use super::*;

    #[test]
    fn ten_times_as_much_is_another_amount() {
        let amount = |text: &str| larger(&Order { amount: text.into(), ..order() }).amount;
        assert_eq!(amount("1.85000000"), "18.5000000");
        assert_eq!(amount("0.5"), "5");
        assert_eq!(amount("0.05"), "0.5");
        assert_eq!(amount("12"), "120");
    }

    #[test]
    fn every_trick_has_an_address_and_is_offered_somewhere() {
        let ended = Stage::Ended { state: "rejected".into(), reason: "x".into() };
        let stages = [Stage::Asked, Stage::Cooling, Stage::Released, Stage::Sent, ended];
        for trick in Trick::ALL {
            assert_eq!(Trick::named(trick.slug()), Some(trick));
            assert!(stages.iter().any(|stage| Trick::offered(stage).contains(&trick)));
        }
    }
}
