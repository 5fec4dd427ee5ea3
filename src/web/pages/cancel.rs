//! The page behind a link in a notice. It can stop a transfer and do nothing else: no sign-in, no script, no whole
//! values.
//!
//! Owns its three faces. Reading it never acts; the one form posts back to the link. Printed by
//! `templates/cancel/*.html`.

use super::clocktext::Moment;
use super::deal::MaskedDeal;
use super::frame::Frame;
use super::live::{Deadline, Stage};
use askama::Template;

/// How far a transfer is that can still be stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stoppable {
    Pending(Deadline),
    /// In its hold, until then.
    Cooling(Moment),
    /// Released, not known to be taken: stopping may come too late.
    Released(Moment),
}

/// Asks once, with the brake right below what it stops.
#[derive(Template)]
#[template(path = "cancel/ask.html")]
pub struct CancelPage {
    pub frame: Frame,
    /// As it stands in `/c/{token}`.
    pub token: String,
    pub deal: MaskedDeal,
    pub stoppable: Stoppable,
}

/// What there was left to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEnd {
    /// Stopped, by this tap or before it.
    Stopped(Moment),
    Rejected(Moment),
    Expired(Moment),
    /// Its backend took it; the moment is that of the release.
    TooLate(Moment),
}

/// Nothing left to stop here: stopped, over already, or too late.
#[derive(Template)]
#[template(path = "cancel/over.html")]
pub struct CancelOverPage {
    pub frame: Frame,
    pub deal: MaskedDeal,
    pub end: LinkEnd,
}

impl CancelOverPage {
    fn stage(&self) -> Stage {
        match self.end {
            LinkEnd::Stopped(_) => Stage::Cancelled,
            LinkEnd::Rejected(_) => Stage::Rejected,
            LinkEnd::Expired(_) => Stage::Expired,
            LinkEnd::TooLate(_) => Stage::Released,
        }
    }

    fn headline(&self) -> &'static str {
        match self.end {
            LinkEnd::Stopped(_) => "Stopped. Nothing was sent",
            LinkEnd::Rejected(_) => "Not sent. It was rejected already",
            LinkEnd::Expired(_) => "Time ran out. Nothing was sent",
            LinkEnd::TooLate(_) => "It is too late to stop it here",
        }
    }
}
