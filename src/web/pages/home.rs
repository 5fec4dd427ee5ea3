//! Home on an enrolled device: what needs an answer, what can still be stopped, what was lately.
//!
//! Owns the rows. No counts, no badges: it says what is there and rests. Printed by `templates/home.html`.

use super::clocktext::{Moment, Timed};
use super::deal::AmountText;
use super::frame::Frame;
use super::given::Given;
use super::live::{Deadline, Stage};
use askama::Template;

/// One transfer in a list; the whole row opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeRow {
    href: String,
    payee: Given,
    amount: String,
    stage: Stage,
    when: Timed,
}

impl HomeRow {
    /// Waiting for an answer.
    pub fn waiting(approval: &str, payee: &str, amount: &AmountText, deadline: &Deadline) -> Self {
        Self::new(approval, payee, amount, Stage::Pending, Timed::plain(deadline.left()))
    }

    /// In its hold.
    pub fn cooling(approval: &str, payee: &str, amount: &AmountText, until: &Moment) -> Self {
        Self::new(approval, payee, amount, Stage::Cooling, Timed::at("Goes ", until))
    }

    /// Over or released; `day` from `clocktext::day`.
    pub fn past(approval: &str, payee: &str, amount: &AmountText, stage: Stage, day: &str) -> Self {
        Self::new(approval, payee, amount, stage, Timed::plain(format!("{} {day}", stage.word())))
    }

    fn new(approval: &str, payee: &str, amount: &AmountText, stage: Stage, when: Timed) -> Self {
        Self { href: format!("/a/{approval}"), payee: Given::new(payee), amount: amount.plain(), stage, when }
    }
}

/// Whether this deployment sends notices to browsers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notices {
    Offered,
    /// Nothing offers what it doesn't have.
    Off,
}

/// Whether "this wasn't me" was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    Open,
    Locked,
}

/// What a holder sees at `/`.
#[derive(Template)]
#[template(path = "home.html")]
pub struct HomePage {
    pub frame: Frame,
    pub waiting: Vec<HomeRow>,
    pub cooling: Vec<HomeRow>,
    pub lately: Vec<HomeRow>,
    pub lock: Lock,
    /// What staff want to do instead of the holder: id, and words.
    pub overrides: Vec<(String, &'static str)>,
    pub notices: Notices,
}
