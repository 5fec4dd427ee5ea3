//! Pages for what didn't work: what it means, what to do now, how to stop a transfer anyway.
//!
//! Owns their words. They never invent certainty: where the server doesn't know whether a tap counted, the page says
//! so. `web/error.rs` picks one; printed by `templates/error.html`.

use super::clocktext::Moment;
use super::frame::Frame;
use askama::Template;

/// What went wrong, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// 404.
    NotFound,
    /// 410.
    LinkEnded,
    /// 409: somebody else was faster.
    Changed,
    /// 409: cancel came after the money was taken.
    TooLate { taken: Moment },
    /// 403: the device is locked after failed tries (design, §8: five).
    Locked,
    /// 429, and when to come back.
    SlowDown { again: Moment },
    /// 500; the id finds the record of it.
    Wrong { request_id: String },
    /// 503.
    Unavailable,
}

/// Any error, as a page.
#[derive(Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    pub frame: Frame,
    pub trouble: Trouble,
    pub way: Way,
}

/// The one way on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// The holder's own approvals, on a device of theirs.
    Approvals,
    /// Nowhere: this browser is no device of anybody's, and would only be told so.
    Nowhere,
}

impl ErrorPage {
    fn headline(&self) -> &'static str {
        match self.trouble {
            Trouble::NotFound => "We can’t find this page",
            Trouble::LinkEnded => "This link has ended",
            Trouble::Changed => "This changed while you were looking",
            Trouble::TooLate { .. } => "It was already sent",
            Trouble::Locked => "This phone can’t approve any more",
            Trouble::SlowDown { .. } => "Please wait a minute",
            Trouble::Wrong { .. } => "Sorry, something went wrong on our side",
            Trouble::Unavailable => "We can’t take approvals right now",
        }
    }
}
