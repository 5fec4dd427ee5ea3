//! What one try of a delivery or of a notice leaves in its row. May import: `domain`, `ports`.

use uuid::Uuid;

use super::at::At;
use crate::domain::channel::NoticeStatus;
use crate::domain::ids::NoticeId;
use crate::domain::webhook::DeliveryStatus;
use crate::ports::store::{DeliveryNext, DeliveryOutcome, NoticeOutcome};

/// The new columns of a notice.
#[derive(Debug, Clone, Copy)]
pub struct SettledNotice {
    pub id: Uuid,
    pub fence: i64,
    pub status: NoticeStatus,
    /// Tries that this one adds.
    pub tries: i64,
    pub next_at: Option<At>,
    pub delivered_at: Option<At>,
}

impl SettledNotice {
    /// `None` for a failure, which gives another notice its turn and is settled apart.
    pub fn of(id: NoticeId, fence: i64, outcome: &NoticeOutcome) -> Option<Self> {
        let (status, tries, next_at, delivered_at) = match outcome {
            NoticeOutcome::Delivered { at } => (NoticeStatus::Delivered, 1, None, Some(At(*at))),
            NoticeOutcome::RetryAt(at) => (NoticeStatus::Queued, 1, Some(At(*at)), None),
            NoticeOutcome::DeferredTo(at) => (NoticeStatus::Queued, 0, Some(At(*at)), None),
            NoticeOutcome::Dropped => (NoticeStatus::Dropped, 0, None, None),
            NoticeOutcome::Failed { .. } => return None,
        };
        Some(Self { id: id.uuid(), fence, status, tries, next_at, delivered_at })
    }
}

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
