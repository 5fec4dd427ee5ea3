//! Notices as the record gives and takes them: shown, leased, settled, and looked up when one comes back.

use crate::domain::channel::{About, ChannelKind, NOTICE_RETRIES, NoticeStatus, Purpose, SealedAddress};
use crate::domain::ids::{BackendId, ChannelId, HolderId, NoticeId};
use crate::domain::time::Timestamp;

/// A notice as shown with its approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeView {
    pub id: NoticeId,
    pub channel: ChannelId,
    pub kind: ChannelKind,
    pub masked: String,
    pub purpose: Purpose,
    pub status: NoticeStatus,
    pub attempts: u32,
    pub delivered_at: Option<Timestamp>,
}

/// A notice that a worker has leased.
#[derive(Debug, Clone)]
pub struct NoticeJob {
    pub id: NoticeId,
    pub holder: HolderId,
    pub channel: ChannelId,
    pub purpose: Purpose,
    pub about: About,
    pub address: SealedAddress,
    pub attempts: u32,
    pub created_at: Timestamp,
    pub useless_after: Timestamp,
    /// Settling is refused once the lease was handed to somebody else.
    pub fence: i64,
}

/// A notice, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentNotice {
    pub backend: BackendId,
    pub holder: HolderId,
    pub about: About,
    pub purpose: Purpose,
    pub status: NoticeStatus,
}

/// How a leased notice ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeOutcome {
    Delivered {
        at: Timestamp,
    },
    RetryAt(Timestamp),
    /// Its turn comes later, and it wasn't tried.
    DeferredTo(Timestamp),
    /// No further try; the next channel in the row has its turn, at once.
    Failed {
        at: Timestamp,
    },
    /// It would mislead by now.
    Dropped,
}

impl NoticeOutcome {
    /// What becomes of a notice after a try that failed and may succeed later, when so many came before it.
    pub fn after(attempts: u32, now: Timestamp) -> Self {
        match NOTICE_RETRIES.get(attempts as usize) {
            Some(delay) => Self::RetryAt(now + *delay),
            None => Self::Failed { at: now },
        }
    }

    /// Its name in the metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Delivered { .. } => "delivered",
            Self::RetryAt(_) => "retry",
            Self::DeferredTo(_) => "deferred",
            Self::Failed { .. } => "failed",
            Self::Dropped => "dropped",
        }
    }
}
