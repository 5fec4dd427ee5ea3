//! A holder: the person whose money it is.

use super::details::Subject;
use super::ids::{BackendId, HolderId};
use super::time::Timestamp;

/// At most this many approvals of one holder wait for an answer at once (design section 8).
pub const PENDING_AT_ONCE: u32 = 5;

/// A holder of one backend. `subject` is that backend's own opaque id and is never reused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub id: HolderId,
    pub backend: BackendId,
    pub subject: Subject,
    pub created_at: Timestamp,
    /// When the first device was enrolled. That happens once in a holder's life; every later device needs an approval.
    pub enrolled_at: Option<Timestamp>,
}
