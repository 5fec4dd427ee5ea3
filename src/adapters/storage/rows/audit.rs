//! Rows as those who check read them: an entry whatever became of it, and how far a sink has been told.

use sqlx::FromRow;
use uuid::Uuid;

use super::{BadRow, corrupt, digest, narrow};
use crate::adapters::storage::at::At;
use crate::adapters::storage::seal::{Seals, moment, parts};
use crate::domain::audit::{AuditEntry, commits_to};
use crate::domain::device::Blob;
use crate::domain::ids::ChangeId;
use crate::ports::audit::{Cursor, EntrySeal, StoredEntry};
use crate::ports::log::Waiting;
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
    pub seal: Vec<u8>,
}

/// What an entry's seal covers: not salt and text, which may be erased, and which the leaf commits to anyway.
fn covered(id: Uuid, at: At, kind: &str, leaf: &[u8]) -> Vec<u8> {
    parts("audit", &[id.as_bytes(), &moment(Some(at.into())), kind.as_bytes(), leaf])
}

/// The seal of a new entry.
pub fn seal_of(entry: &AuditEntry, seals: &Seals) -> [u8; 32] {
    seals.over(&covered(entry.id.uuid(), At(entry.at), entry.kind, entry.leaf_hash.bytes()))
}

impl StoredEntryRow {
    fn is_sealed(&self, seals: &Seals) -> bool {
        seals.fits(&covered(self.id, self.at, &self.kind, &self.leaf_hash), &self.seal)
    }

    /// The entry as the sequencer takes it. What has lost its text is known by its seal alone.
    pub fn waiting(self, seals: &Seals) -> Waiting {
        let forged = Waiting::Forged { place: self.place, id: ChangeId::from_uuid(self.id) };
        let Ok(leaf) = digest("leaf_hash", &self.leaf_hash) else { return forged };
        let erased = self.salt.is_empty() && self.canonical.is_empty();
        let committed = commits_to(&leaf, &self.salt, &self.canonical);
        if self.is_sealed(seals) && (erased || committed) { Waiting::Ours { place: self.place, leaf } } else { forged }
    }

    /// Erasing leaves salt and text empty; a salt that isn't sixteen bytes is for the reader to find.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the leaf isn't a hash.
    pub fn read(self, seals: &Seals) -> Result<StoredEntry, StoreError> {
        let seal = if self.is_sealed(seals) { EntrySeal::Fits } else { EntrySeal::Wrong };
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
            seal,
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
