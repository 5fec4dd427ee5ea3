//! The ends of an approval, on an enrolled device: released, rejected, cancelled, expired.
//!
//! Owns the page; the words of each end are in `outcome`. Printed by `templates/device/end.html`.

use super::deal::Deal;
use super::frame::Frame;
use super::live::Live;
use super::outcome::{Lapse, Outcome, Stopper};
use askama::Template;

/// Over, or released and not taken yet.
#[derive(Template)]
#[template(path = "device/end.html")]
pub struct EndPage {
    frame: Frame,
    live: Live,
    deal: Deal,
    outcome: Outcome,
}

impl EndPage {
    pub fn new(frame: Frame, live: Live, deal: Deal, outcome: Outcome) -> Self {
        Self { frame, live, deal: outcome.rows().into_iter().fold(deal, Deal::row), outcome }
    }
}
