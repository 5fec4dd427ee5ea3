//! Override requests: a row of the list, and one case with everything to decide on, on one page.

use super::frame::Frame;
use super::refused::{Form, Refused, Wrong};
use super::staff::MaySign;
use crate::web::pages::clocktext::Moment;
use crate::web::pages::deal::{Deal, MaskedDeal};
use crate::web::pages::live::Stage;
use askama::Template;

/// One case in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseRow {
    pub id: String,
    /// What is asked for: «Approve for the holder».
    pub what: String,
    /// Amount, where it is about a transfer.
    pub amount: Option<String>,
    pub stage: Stage,
    /// Where it stands, in words.
    pub state: String,
    pub signed: usize,
    /// What ends next, or when it ended.
    pub ends: String,
}

/// A step that was taken, or is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayStep {
    pub what: String,
    pub when: Option<String>,
    /// Somebody's own words.
    pub said: Option<String>,
    pub pace: Pace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    Done,
    Now,
    Later,
}

/// The transfer: whole for those who decide, masked for everybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transfer {
    Whole(Deal),
    Masked(MaskedDeal),
}

/// A fact that needs care, or one that only informs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub name: &'static str,
    pub flag: Option<&'static str>,
    pub text: String,
}

/// What somebody may do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acts {
    /// `None` for whoever wasn't drawn and for what is over.
    pub sign: Option<MaySign>,
    pub redraw: Offer,
    pub stop: Offer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    Yes,
    No,
}

#[derive(Template)]
#[template(path = "console/case.html")]
pub struct CasePage {
    pub frame: Frame,
    pub row: CaseRow,
    pub version: String,
    pub headline: &'static str,
    /// Who asks: name, group and employer.
    pub requester: String,
    pub asked: Moment,
    /// What two signatures start.
    pub does: Vec<String>,
    pub transfer: Option<Transfer>,
    pub facts: Vec<Fact>,
    pub reason: String,
    pub digest: String,
    pub way: Vec<WayStep>,
    pub acts: Acts,
    /// The form that was refused.
    pub refused: Option<Refused>,
}

impl CasePage {
    fn refusing(&self) -> Form<'_> {
        Form::of(self.refused.as_ref(), "refuse")
    }
}
