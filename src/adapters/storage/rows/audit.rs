//! Rows as those who check read them: an entry whatever became of it, and how far a sink has been told.

use sqlx::FromRow;
use uuid::Uuid;

use super::{BadRow, corrupt, digest, narrow};
use crate::adapters::storage::at::At;
use crate::domain::device::Blob;
use crate::domain::ids::ChangeId;
use crate::ports::audit::{Cursor, StoredEntry};
use crate::ports::store::StoreError;

#[derive(Debug, Clone, FromRow)]
pub struct StoredEntryRow {
    pub place: i64,
    pub id: Uuid,
    pub at: At,
    pub kind: String,
    pub salt: Vec<u8>,
    pub canonical: String,
    pub leaf_hash: Vec<u8>,
    pub erased_by: Option<Uuid>,
}

impl StoredEntryRow {
    /// Erasing leaves salt and text empty; a salt that isn't sixteen bytes is for the reader to find.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the leaf isn't a hash.
    pub fn read(self) -> Result<StoredEntry, StoreError> {
        let id = ChangeId::from_uuid(self.id);
        Ok(StoredEntry {
            place: self.place,
            id,
            at: self.at.into(),
            kind: self.kind,
            salt: (!self.salt.is_empty()).then_some(Blob(self.salt)),
            canonical: (!self.canonical.is_empty()).then_some(self.canonical),
            leaf_hash: digest("leaf_hash", &self.leaf_hash).map_err(|source| corrupt("audit", id, source))?,
            erased_by: self.erased_by.map(ChangeId::from_uuid),
        })
    }
}

#[derive(Debug, Clone, FromRow)]
pub struct EvidenceRow {
    pub change_id: Uuid,
    pub body: String,
}

#[derive(Debug, Clone, FromRow)]
pub struct CursorRow {
    pub next_index: i64,
    pub place: Option<i64>,
    pub fence: i64,
}

impl CursorRow {
    /// # Errors
    /// [`BadRow::Range`] when the index is below zero.
    pub fn read(self) -> Result<Cursor, BadRow> {
        Ok(Cursor { index: narrow("next_index", self.next_index)?, place: self.place, fence: self.fence })
    }
}
