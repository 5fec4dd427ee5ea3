//! A sign-in. It lives in SQL and is looked at on every request, so that ending a person ends it at once.

use std::time::Duration;

use crate::domain::details::Digest;
use crate::domain::ids::{SessionId, StaffId};
use crate::domain::time::Timestamp;

/// Without a request for so long a session is over (NIST SP 800-63B-4 section 2.3.3: at most 15 minutes at AAL3).
pub const IDLE: Duration = Duration::from_secs(15 * 60);
/// However busy it is, a session is over after so long (one working day; NIST allows 12 hours).
pub const LONGEST: Duration = Duration::from_secs(8 * 3600);
/// A request moves the end of a session at most this often, so that reading doesn't mean writing.
pub const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// One sign-in as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub staff: StaffId,
    /// SHA-256 of the cookie.
    pub token_hash: Digest,
    /// The challenge that was signed for it. Unique, so that one assertion makes one session.
    pub challenge: Digest,
    pub created_at: Timestamp,
    pub seen_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

impl Session {
    /// Whether it still stands.
    pub fn stands(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.seen_at + IDLE && now < self.created_at + LONGEST
    }

    /// Whether the request of now should be written down.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        now >= self.seen_at + TOUCH_EVERY
    }
}
