//! The waiting page, in the browser that started the transfer: it hands over to the phone, and can stop.
//!
//! Owns its three faces. It never approves and never links to a page that does. Its script presents every device key
//! this browser holds, so that a device can't approve what it started. Printed by `templates/waiting/*.html`;
//! `static/waiting.js` runs on them.

use super::clocktext::{self, Moment};
use super::deal::Deal;
use super::frame::Frame;
use super::live::{Deadline, HoldClock, Live};
use super::outcome::{Approved, Outcome};
use super::way::Way;
use askama::Template;

/// Waiting for the answer on the phone.
#[derive(Template)]
#[template(path = "waiting/pending.html")]
pub struct WaitingPage {
    frame: Frame,
    live: Live,
    deal: Deal,
    deadline: Deadline,
    way: Way,
    handover: Handover,
}

/// Whether the holder was told. This side learns neither on which channel nor on which device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// A channel took a message.
    Message,
    /// None has yet, as far as is known.
    Nothing,
}

/// How the holder gets from this screen to the phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    pub told: Sent,
    /// What to type on the phone when no notice comes: host, and port where there is one.
    pub address: String,
    /// What this browser's device keys sign to present themselves; one use.
    pub page_token: String,
}

impl WaitingPage {
    /// `hold` is the length of the hold that an approval would start, in microseconds.
    pub fn new(
        frame: Frame,
        live: Live,
        deal: Deal,
        asked: &Moment,
        deadline: Deadline,
        hold: i64,
        handover: Handover,
    ) -> Self {
        Self { way: Way::pending(asked, &deadline, &clocktext::span(hold)), frame, live, deal, deadline, handover }
    }
}

/// Approved on the phone, in its hold.
#[derive(Template)]
#[template(path = "waiting/cooling.html")]
pub struct WaitingCoolingPage {
    frame: Frame,
    live: Live,
    deal: Deal,
    clock: HoldClock,
    way: Way,
}

impl WaitingCoolingPage {
    pub fn new(frame: Frame, live: Live, deal: Deal, asked: &Moment, approved: &Approved, clock: HoldClock) -> Self {
        Self { way: Way::cooling(asked, &approved.at, &clock), frame, live, deal, clock }
    }
}

/// Over, or released and not taken yet.
#[derive(Template)]
#[template(path = "waiting/end.html")]
pub struct WaitingEndPage {
    frame: Frame,
    live: Live,
    deal: Deal,
    way: Way,
    outcome: Outcome,
}

impl WaitingEndPage {
    pub fn new(frame: Frame, live: Live, deal: Deal, asked: &Moment, outcome: Outcome) -> Self {
        Self { way: Way::ended(asked, &outcome), frame, live, deal, outcome }
    }
}
