//! The exchange's pages as view models, each knowing its template. Everything is escaped by the templates.

use askama::Template;

use crate::demo::exchange::Letter;
use crate::demo::exchange::book::{Placed, Stage, Verdict};
use crate::demo::exchange::order::{Draft, FieldFault, UNITS, Unit};
use crate::demo::exchange::thief::Trick;

/// Withdraw: the form, its total, the way on, and what a thief would try.
#[derive(Template)]
#[template(path = "demo/withdraw.html")]
pub struct WithdrawPage {
    pub person: &'static str,
    pub draft: Draft,
    pub faults: Vec<FieldFault>,
    /// What went wrong beyond one field.
    pub trouble: Option<String>,
    pub has_phone: bool,
    pub orders: Vec<Row>,
}

impl WithdrawPage {
    fn units(&self) -> &'static [Unit] {
        &UNITS
    }

    fn fault(&self, field: &str) -> Option<&str> {
        self.faults.iter().find(|fault| fault.field == field).map(|fault| fault.words.as_str())
    }

    fn has_faults(&self) -> bool {
        !self.faults.is_empty() || self.trouble.is_some()
    }
}

/// One order in the list.
pub struct Row {
    pub id: String,
    pub payee: String,
    pub amount: String,
    pub words: &'static str,
    pub class: &'static str,
}

impl Row {
    pub fn of(placed: &Placed) -> Self {
        let order = &placed.order;
        Self {
            id: order.id.clone(),
            payee: order.payee.clone(),
            amount: format!("{} {}", order.amount, order.unit.code),
            words: words(&placed.stage),
            class: class(&placed.stage),
        }
    }
}

/// One order, and the tricks to try on it.
#[derive(Template)]
#[template(path = "demo/order.html")]
pub struct OrderPage {
    pub person: &'static str,
    pub row: Row,
    pub placed: Placed,
    pub total: String,
    /// Countersign's page for this approval, which only a device can use.
    pub device_page: String,
}

impl OrderPage {
    fn tricks(&self) -> Vec<Trick> {
        Trick::offered(&self.placed.stage)
    }

    fn why(&self) -> Option<String> {
        match &self.placed.stage {
            Stage::Withheld(why) => Some(why.clone()),
            Stage::Ended { reason, .. } => Some(reason.replace('_', " ")),
            Stage::Asked | Stage::Cooling | Stage::Released | Stage::Sent => None,
        }
    }
}

/// The person's phone: a link to add one, or that there is one.
#[derive(Template)]
#[template(path = "demo/phone.html")]
pub struct PhonePage {
    pub person: &'static str,
    pub has_phone: bool,
    pub invitation: Option<Invitation>,
}

/// A link for a phone, as text and as a picture.
pub struct Invitation {
    pub url: String,
    /// The API's SVG as a `data:` URL: as a picture nothing in it can run.
    pub picture: String,
}

/// The demo's inbox: what would stand in the person's mailbox.
#[derive(Template)]
#[template(path = "demo/inbox.html")]
pub struct InboxPage {
    pub person: &'static str,
    /// By which the exchange and Countersign know them.
    pub number: String,
    pub letters: Vec<Letter>,
    /// What the exchange's own staff were sent, with their names.
    pub signers: Vec<(&'static str, Letter)>,
}

/// What can't be shown, and why.
#[derive(Template)]
#[template(path = "demo/trouble.html")]
pub struct TroublePage {
    pub person: &'static str,
    pub title: &'static str,
    pub words: String,
}

const fn words(stage: &Stage) -> &'static str {
    match stage {
        Stage::Asked => "Waiting for the phone",
        Stage::Cooling => "Cooling-off",
        Stage::Released => "Released",
        Stage::Sent => "Sent",
        Stage::Withheld(_) => "Held back",
        Stage::Ended { .. } => "Not sent",
    }
}

const fn class(stage: &Stage) -> &'static str {
    match stage {
        Stage::Asked => "pending",
        Stage::Cooling => "cooling",
        Stage::Released | Stage::Sent => "released",
        Stage::Withheld(_) | Stage::Ended { .. } => "cancelled",
    }
}
