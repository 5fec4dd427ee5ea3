//! Pages for a browser that can't decide: they say why, name the place where one can, and keep the brake.
//!
//! Owns the reasons. None offers a way around, and a browser we don't know is shown nothing of the transfer. Printed by
//! `templates/device/undecidable.html` and `unknown.html`.

use super::clocktext::{Moment, Timed};
use super::deal::Deal;
use super::frame::Frame;
use super::given::Given;
use super::live::{Deadline, Live};
use askama::Template;

/// Another device of the holder that may decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherDevice {
    pub name: Given,
    /// What helps to find it: «We sent a notice today, 14:02 UTC».
    pub note: Timed,
}

/// Why an enrolled device can't decide this approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undecidable {
    /// This browser opened the waiting page, so it may be the thief's.
    SameBrowser,
    /// Added, or given a new key, too shortly before the transfer was started; it can decide on those started after
    /// `from`.
    TooNew { added: Moment, from: Moment },
    /// Nobody opened the waiting page, so nothing shows that this is another device.
    Unproved,
    /// The amount needs a passkey that never leaves one device, and this one is synced.
    NeedsDeviceBound,
    /// Five failed tries in a row (design, §8).
    Locked,
}

/// Pending, on an enrolled device that can't decide it. Rejecting works all the same.
#[derive(Template)]
#[template(path = "device/undecidable.html")]
pub struct UndecidablePage {
    pub frame: Frame,
    pub live: Live,
    pub deal: Deal,
    pub deadline: Deadline,
    pub reason: Undecidable,
    /// The holder's devices that can decide, if any.
    pub others: Vec<OtherDevice>,
}

impl UndecidablePage {
    fn headline(&self) -> &'static str {
        match self.reason {
            Undecidable::SameBrowser => "You can’t approve it in this browser",
            Undecidable::TooNew { .. } => "This phone is too new to approve it",
            Undecidable::Unproved => "You can’t approve it yet",
            Undecidable::NeedsDeviceBound => "This phone can’t approve this much",
            Undecidable::Locked => "This phone can’t approve any more",
        }
    }
}

/// A browser without the cookie of an enrolled device. It learns nothing, not even whether the address was right.
#[derive(Template)]
#[template(path = "device/unknown.html")]
pub struct UnknownBrowserPage {
    pub frame: Frame,
}
