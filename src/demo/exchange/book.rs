//! The exchange's own record of its orders: what it has heard about each, and whether the money went.
//!
//! Pure: no clock, no network. A message changes an order once, and never back: doubles are known by `webhook-id`, late
//! ones by `version`. May import: the exchange's order and webhook.

use std::collections::HashSet;
use url::Url;

use super::order::Order;
use super::webhook::Event;

/// Where an order stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The holder is asked.
    Asked,
    /// Approved; the hold runs.
    Cooling,
    /// Cleared, and not yet taken.
    Released,
    /// Taken, with a receipt that is right: the money goes.
    Sent,
    /// Something didn't fit. No money goes, and a person has to look.
    Withheld(String),
    /// Over: rejected, cancelled or expired, and why.
    Ended { state: String, reason: String },
}

impl Stage {
    /// One word for it.
    pub fn word(&self) -> &str {
        match self {
            Self::Asked => "asked",
            Self::Cooling => "cooling",
            Self::Released => "released",
            Self::Sent => "sent",
            Self::Withheld(_) => "withheld",
            Self::Ended { state, .. } => state,
        }
    }

    /// Nothing more will come.
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Sent | Self::Withheld(_) | Self::Ended { .. })
    }
}

/// An order that was put up for approval.
#[derive(Debug, Clone)]
pub struct Placed {
    pub order: Order,
    /// Countersign's id of the approval.
    pub approval: String,
    /// The digest that the exchange worked out itself.
    pub digest: String,
    pub waiting_url: Url,
    pub stage: Stage,
    /// Newest version heard of.
    pub version: u32,
    /// States in the order in which signed messages told them.
    pub told: Vec<String>,
    /// The receipt, as it came.
    pub receipt: Option<String>,
    pub attempts: Vec<Attempt>,
    /// Rises with every change, so that a page knows when to reload.
    pub changes: u32,
}

/// Something that a thief tried, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub what: String,
    pub answer: String,
    pub verdict: Verdict,
}

/// Whether the thief got anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Stopped,
    Succeeded,
}

/// What a believed message led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The order changed.
    News,
    /// The same message again.
    Double,
    /// An older message than the last.
    Late,
    /// No order of ours.
    Stranger,
}

/// All orders, in the order in which they were placed.
#[derive(Debug, Default)]
pub struct Book {
    orders: Vec<Placed>,
    seen: HashSet<String>,
}

impl Book {
    pub fn add(&mut self, placed: Placed) {
        self.orders.push(placed);
    }

    pub fn orders(&self) -> &[Placed] {
        &self.orders
    }

    pub fn find(&self, id: &str) -> Option<&Placed> {
        self.orders.iter().find(|placed| placed.order.id == id)
    }

    pub fn find_mut(&mut self, id: &str) -> Option<&mut Placed> {
        self.orders.iter_mut().find(|placed| placed.order.id == id)
    }

    /// Takes in an event whose signature was right.
    pub fn hear(&mut self, message_id: &str, event: &Event) -> Heard {
        if !self.seen.insert(message_id.to_owned()) {
            return Heard::Double;
        }
        let data = &event.data;
        let ours = |placed: &&mut Placed| placed.approval == data.approval_id && placed.order.id == data.transfer_id;
        let Some(placed) = self.orders.iter_mut().find(ours) else { return Heard::Stranger };
        if data.version <= placed.version {
            return Heard::Late;
        }
        placed.version = data.version;
        placed.told.push(data.state.clone());
        placed.changes += 1;
        placed.stage = match data.state.as_str() {
            // What was sent or withheld was settled by the exchange itself.
            _ if matches!(placed.stage, Stage::Sent | Stage::Withheld(_)) => return Heard::News,
            _ if data.digest != placed.digest => Stage::Withheld("the message names another digest".into()),
            "cooling" => Stage::Cooling,
            "released" => Stage::Released,
            "rejected" | "cancelled" | "expired" => {
                Stage::Ended { state: data.state.clone(), reason: data.reason.clone().unwrap_or_default() }
            }
            // «redeemed» tells of what the exchange does itself.
            _ => return Heard::News,
        };
        Heard::News
    }
}

impl Placed {
    /// Notes what came of taking it.
    pub fn settle(&mut self, result: Result<String, String>) {
        self.changes += 1;
        self.stage = match result {
            Ok(receipt) => {
                self.receipt = Some(receipt);
                Stage::Sent
            }
            Err(why) => Stage::Withheld(why),
        };
    }

    pub fn tried(&mut self, attempt: Attempt) {
        self.changes += 1;
        self.attempts.push(attempt);
    }
}

#[cfg(test)]
mod tests {
    use super::super::order::tests::order;
    use super::super::webhook::EventData;
    use super::*;

    fn book() -> Book {
        let mut book = Book::default();
        book.add(Placed {
            order: order(),
            approval: "apr_1".into(),
            digest: "9f".into(),
            waiting_url: Url::parse("http://localhost/w/x").unwrap(),
            stage: Stage::Asked,
            version: 1,
            told: vec![],
            receipt: None,
            attempts: vec![],
            changes: 0,
        });
        book
    }

    fn event(version: u32, state: &str) -> Event {
        Event {
            kind: format!("approval.{state}"),
            data: EventData {
                approval_id: "apr_1".into(),
                version,
                state: state.into(),
                reason: Some("holder_stopped".into()),
                transfer_id: "hb-1".into(),
                digest: "9f".into(),
            },
        }
    }

    fn stage(book: &Book) -> &Stage {
        &book.find("hb-1").unwrap().stage
    }

    #[test]
    fn a_message_counts_once() {
        let mut book = book();
        assert_eq!(book.hear("msg_3", &event(3, "cooling")), Heard::News);
        assert_eq!(book.hear("msg_3", &event(3, "cooling")), Heard::Double);
        assert_eq!(book.find("hb-1").unwrap().told, ["cooling"]);
    }

    #[test]
    fn a_late_message_undoes_nothing() {
        let mut book = book();
        assert_eq!(book.hear("msg_4", &event(4, "cancelled")), Heard::News);
        assert_eq!(book.hear("msg_3", &event(3, "released")), Heard::Late);
        assert_eq!(stage(&book), &Stage::Ended { state: "cancelled".into(), reason: "holder_stopped".into() });
    }

    #[test]
    fn messages_about_others_change_nothing() {
        let mut book = book();
        let mut other_approval = event(3, "released");
        other_approval.data.approval_id = "apr_2".into();
        let mut other_order = event(3, "released");
        other_order.data.transfer_id = "hb-2".into();
        assert_eq!(book.hear("msg_a", &other_approval), Heard::Stranger);
        assert_eq!(book.hear("msg_b", &other_order), Heard::Stranger);
        assert_eq!(stage(&book), &Stage::Asked);
    }

    #[test]
    fn another_digest_holds_the_money_back_for_good() {
        let mut book = book();
        let mut other = event(3, "released");
        other.data.digest = "00".into();
        book.hear("msg_3", &other);
        assert!(matches!(stage(&book), Stage::Withheld(_)));
        book.hear("msg_4", &event(4, "released"));
        assert!(matches!(stage(&book), Stage::Withheld(_)));
    }

    #[test]
    fn what_was_sent_stays_sent() {
        let mut book = book();
        book.hear("msg_4", &event(4, "released"));
        assert_eq!(stage(&book), &Stage::Released);
        book.find_mut("hb-1").unwrap().settle(Ok("jws".into()));
        book.hear("msg_5", &event(5, "redeemed"));
        assert_eq!(stage(&book), &Stage::Sent);
    }
}
