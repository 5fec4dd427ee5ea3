//! What one try of a delivery leaves in its row. May import: `domain`, `ports`.

use super::at::At;
use crate::domain::webhook::DeliveryStatus;
use crate::ports::store::{DeliveryNext, DeliveryOutcome};

/// The new columns of a delivery.
#[derive(Debug, Clone, Copy)]
pub struct Settled {
    pub status: DeliveryStatus,
    pub last_status: Option<i64>,
    pub last_error: Option<&'static str>,
    pub next_at: Option<At>,
    pub done_at: Option<At>,
    /// Whether its endpoint is switched off. What else is queued for it stays, and isn't claimed while it is off.
    pub disables: bool,
}

impl Settled {
    pub fn of(outcome: &DeliveryOutcome) -> Self {
        let (status, next_at) = match &outcome.next {
            DeliveryNext::Done => (DeliveryStatus::Delivered, None),
            DeliveryNext::RetryAt(at) => (DeliveryStatus::Queued, Some(At(*at))),
            DeliveryNext::GiveUp | DeliveryNext::Disable => (DeliveryStatus::Failed, None),
        };
        Self {
            status,
            last_status: outcome.status.map(i64::from),
            last_error: outcome.error,
            next_at,
            done_at: next_at.is_none().then_some(At(outcome.at)),
            disables: outcome.next == DeliveryNext::Disable,
        }
    }
}
