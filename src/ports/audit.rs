//! Reading the whole record again, for whoever checks, exports or forwards it: entries as they are stored, whatever
//! became of them, evidence, and every row under seal. And how far each outside log has been told.
//!
//! Unlike [`super::Store`], a row that doesn't read or fit its seal is an answer here and no failure: it is what is
//! looked for.

use async_trait::async_trait;
use std::time::Duration;
use uuid::Uuid;

use super::store::StoreError;
use crate::domain::approval::Approval;
use crate::domain::backend::ApiKey;
use crate::domain::channel::Channel;
use crate::domain::details::Digest;
use crate::domain::device::{Blob, Device};
use crate::domain::evidence::Evidence;
use crate::domain::freeze::Freeze;
use crate::domain::holder::Holder;
use crate::domain::ids::ChangeId;
use crate::domain::override_request::OverrideRequest;
use crate::domain::time::Timestamp;

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    pub place: i64,
    pub id: ChangeId,
    pub at: Timestamp,
    pub kind: String,
    /// Absent once it was erased.
    pub salt: Option<Blob>,
    /// Absent once it was erased.
    pub canonical: Option<String>,
    pub leaf_hash: Digest,
    /// The change of the entry that tells of its erasing.
    pub erased_by: Option<ChangeId>,
    pub seal: EntrySeal,
}

/// Whether an entry is one that we wrote. Entries from before there were seals have none, and are in the signed tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntrySeal {
    Fits,
    Wrong,
}

/// Tables whose rows carry authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedTable {
    Keys,
    Holders,
    Channels,
    Devices,
    Approvals,
    Freezes,
    Overrides,
    Erasures,
}

impl SealedTable {
    pub const ALL: [Self; 8] = [
        Self::Keys,
        Self::Holders,
        Self::Channels,
        Self::Devices,
        Self::Approvals,
        Self::Freezes,
        Self::Overrides,
        Self::Erasures,
    ];
}

/// A row whose seal fits, as far as more than its seal is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealedRow {
    Approval(Box<Approval>),
    Device(Box<Device>),
    Freeze(Box<Freeze>),
    Override(Box<OverrideRequest>),
    Key(Box<ApiKey>),
    Holder(Box<Holder>),
    Channel(Box<Channel>),
    /// What is left of an erased holder.
    Erasure,
}

/// A page of rows, each with its id.
pub type SealedPage = Vec<(Uuid, Result<SealedRow, StoreError>)>;

/// Reads for those who check.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Entries after a place and up to one, in their order.
    async fn stored_entries(
        &self,
        after: Option<i64>,
        up_to: Option<i64>,
        limit: u32,
    ) -> Result<Vec<StoredEntry>, StoreError>;
    /// The evidence that was stored with these changes; at most 1000 are asked for.
    async fn evidence_with(
        &self,
        changes: &[ChangeId],
    ) -> Result<Vec<(ChangeId, Result<Evidence, StoreError>)>, StoreError>;
    /// Rows of a table after an id, in their order.
    async fn sealed_rows(&self, table: SealedTable, after: Option<Uuid>, limit: u32) -> Result<SealedPage, StoreError>;
    /// Entries before a place, newest first; from the newest of all without one.
    async fn entries_before(&self, place: Option<i64>, limit: u32) -> Result<Vec<StoredEntry>, StoreError>;
    /// The entry of a change.
    async fn stored_entry(&self, id: ChangeId) -> Result<Option<StoredEntry>, StoreError>;
    /// The place of the newest entry that was made before a moment, by the time in its id: to the millisecond, by the
    /// clock of the node that made it.
    async fn place_before(&self, at: Timestamp) -> Result<Option<i64>, StoreError>;
    /// The place of the oldest entry that was made at a moment or later, by the same time.
    async fn place_from(&self, at: Timestamp) -> Result<Option<i64>, StoreError>;
    /// The leaf of the entry at a place, from 0; nothing while it isn't in a signed checkpoint.
    async fn leaf_index(&self, place: i64) -> Result<Option<u64>, StoreError>;
    /// Entries that were set aside by [`super::log::LogStore::set_aside`].
    async fn refused_entries(&self, limit: u32) -> Result<Vec<ChangeId>, StoreError>;
}

/// How far a sink has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Index of the next leaf.
    pub index: u64,
    /// Place of the last entry that was told.
    pub place: Option<i64>,
    /// Moving is refused once the lease was handed to somebody else.
    pub fence: i64,
}

/// Cursors of sinks over the log. One node at a time holds one.
#[async_trait]
pub trait CursorStore: Send + Sync {
    /// Leases a sink's cursor; nothing while somebody else has it.
    async fn claim_cursor(&self, sink: &str, lease: Duration) -> Result<Option<Cursor>, StoreError>;
    /// Moves a cursor and keeps its lease; `false` when that had passed to somebody else.
    async fn move_cursor(&self, sink: &str, to: Cursor, lease: Duration) -> Result<bool, StoreError>;
    /// Gives the lease back, so that another node needn't wait for its end.
    async fn leave_cursor(&self, sink: &str, fence: i64) -> Result<(), StoreError>;
}
