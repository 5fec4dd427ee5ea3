//! The ends of an approval, on an enrolled device: released, rejected, cancelled, expired.
//!
//! Owns the page; the words of each end are in `outcome`. Printed by `templates/device/end.html`.

use super::deal::{Deal, Row};
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
        Self {
            frame,
            live,
            deal: with_rows(deal, outcome.rows()),
            outcome,
        }
    }
}

/// Adds the lines of an outcome below the account.
pub(super) fn with_rows(deal: Deal, rows: Vec<Row>) -> Deal {
    rows.into_iter().fold(deal, Deal::row)
}
