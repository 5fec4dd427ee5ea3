//! The two pages of an enrolled device on which something can still be decided: approve or reject, and stop during the
//! hold.
//!
//! Owns what they are made of. Approving needs the page's script and a passkey; rejecting and stopping are plain forms.
//! Printed by `templates/device/*.html`; `static/device.js` runs on them.

use super::clocktext;
use super::deal::Deal;
use super::frame::Frame;
use super::live::{Deadline, HoldClock, Live};
use super::outcome::{Approved, Told};
use askama::Template;

/// Names the words and the order of the approve page. A signature commits to it; any change to
/// `templates/device/approve.html` or to the parts it prints raises it.
pub const APPROVE_TEMPLATE: &str = "device/approve/4";

/// Pending, on a device that may decide: read what is sent, then approve below or reject in the bar.
#[derive(Template)]
#[template(path = "device/approve.html")]
pub struct ApprovePage {
    pub frame: Frame,
    pub live: Live,
    pub deal: Deal,
    pub deadline: Deadline,
    /// The length of the hold that starts with the approval, in microseconds.
    pub hold: i64,
    /// The thumbprint (RFC 7638) of this device's key, by which the script finds the key to sign with.
    pub thumbprint: String,
    /// What the device key signs to get a prompt.
    pub page_token: String,
}

impl ApprovePage {
    fn hold_text(&self) -> String {
        clocktext::span(self.hold)
    }
}

/// Approved and in its hold: a clock, and the brake.
#[derive(Template)]
#[template(path = "device/cooling.html")]
pub struct CoolingPage {
    frame: Frame,
    live: Live,
    deal: Deal,
    clock: HoldClock,
}

impl CoolingPage {
    pub fn new(frame: Frame, live: Live, deal: Deal, clock: HoldClock, approved: &Approved, told: &Told) -> Self {
        Self { frame, live, deal: deal.row(approved.row()).row(told.row()), clock }
    }
}
