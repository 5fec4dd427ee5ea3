//! The log's tree beside the record of entries: its checkpoints and tiles, who signs, and the mark that is kept
//! outside the database.
//!
//! Entries are only ever added by [`super::store::Store::commit`]; here they get their place in the tree.

use async_trait::async_trait;

use super::secrets::SignError;
use super::store::StoreError;
use crate::domain::audit::AuditEntry;
use crate::domain::details::Digest;
use crate::domain::ids::{ApprovalId, ChangeId};
use crate::domain::log::tree::Head;
use crate::domain::log::{Checkpoint, LogKeys, Note, TileAt, Tiles};
use crate::domain::time::Timestamp;

/// What the log signed after a batch of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub head: Head,
    /// Place of the last entry in the tree (see `Store::audit_page`).
    pub place: i64,
    /// The signed note, as it is shown.
    pub note: String,
    pub signed_at: Timestamp,
}

/// Entries that get their place in the tree together, with everything that follows.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The tree's size before.
    pub previous: u64,
    pub signed: Signed,
    /// Tiles that are new or wider.
    pub tiles: Tiles,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is stored, all of it.
    Done,
    /// Somebody else went on from the same size; nothing of it is stored.
    Lost,
}

/// An entry that waits for its place in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    Ours {
        place: i64,
        leaf: Digest,
    },
    /// Nobody with the key wrote it, or its text isn't what it was written with.
    Forged {
        place: i64,
        id: ChangeId,
    },
}

/// An entry with its place in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    pub entry: AuditEntry,
    /// From 0. Nothing while the entry isn't in a signed checkpoint.
    pub index: Option<u64>,
}

/// The entry of a decision, and the tree at the same moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedDecision {
    pub leaf: Leaf,
    /// The newest checkpoint; nothing before the first.
    pub newest: Option<Signed>,
}

/// The tree as it is stored.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// The newest checkpoint; nothing before the first.
    async fn newest(&self) -> Result<Option<Signed>, StoreError>;
    /// Checkpoints of trees larger than `size`, smallest first.
    async fn checkpoints(&self, size: u64, limit: u32) -> Result<Vec<Signed>, StoreError>;
    /// Entries after a place, in their order, each looked at for who wrote it; only such that none can come between.
    async fn waiting(&self, place: Option<i64>, limit: u32) -> Result<Vec<Waiting>, StoreError>;
    /// Moves entries at these places out of the log, and keeps them. One that is in the tree stays where it is.
    async fn set_aside(&self, places: &[i64]) -> Result<(), StoreError>;
    /// The tiles at these places; those that don't exist are left out.
    async fn tiles(&self, places: &[TileAt]) -> Result<Tiles, StoreError>;
    /// Stores a batch in one transaction, if the tree still has the size that it goes on from.
    async fn append(&self, batch: &Batch) -> Result<Appended, StoreError>;
    /// An entry with its place in the tree; nothing once its text was erased.
    async fn leaf(&self, id: ChangeId) -> Result<Option<Leaf>, StoreError>;
    /// The entry of the decision that approved this approval: the one of kind `approval.approved` whose change brought
    /// evidence about it. Nothing once its text was erased.
    async fn logged_decision(&self, approval: ApprovalId) -> Result<Option<LoggedDecision>, StoreError>;
}

/// Signs checkpoints, with a key that isn't in the database.
pub trait CheckpointSigner: Send + Sync {
    /// # Errors
    /// [`SignError`] when the key can't sign.
    fn sign(&self, checkpoint: &Checkpoint) -> Result<Note, SignError>;
    /// The log's name and public keys, retired ones with their time.
    fn keys(&self) -> &LogKeys;
}

/// The mark can't be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the log's high-water mark can't be {what}")]
pub struct MarkError {
    pub what: &'static str,
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Keeps the newest checkpoint outside the database, so that a database from before it is known by its smaller tree.
#[async_trait]
pub trait MarkFile: Send + Sync {
    /// The signed note; nothing when there is none yet.
    async fn read(&self) -> Result<Option<String>, MarkError>;
    /// Replaces it; when this returns, it outlives a power cut.
    async fn write(&self, note: &str) -> Result<(), MarkError>;
}
