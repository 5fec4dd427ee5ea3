//! An erasure's row. It says whose entries a worker empties, and which subject is never to be used again: all of it is
//! sealed, so that nobody has an honest holder's evidence erased by writing a row.

use sqlx::FromRow;
use uuid::Uuid;

use super::{corrupt, narrow};
use crate::adapters::storage::at::At;
use crate::adapters::storage::seal::{Sealed, Seals, moment, parts};
use crate::domain::erasure::Erasure;
use crate::domain::ids::{BackendId, ChangeId, HolderId, KeyId};
use crate::ports::store::StoreError;

#[derive(Debug, Clone, FromRow)]
pub struct ErasureRow {
    pub id: Uuid,
    pub backend_id: Uuid,
    pub subject_tag: Vec<u8>,
    pub version: i64,
    pub key_id: Uuid,
    pub begun_at: At,
    pub last_entry: Uuid,
    pub finished_at: Option<At>,
    pub seal: Vec<u8>,
}

impl ErasureRow {
    pub fn of(erasure: &Erasure, subject_tag: Vec<u8>, seals: &Seals) -> Self {
        seals.close(Self {
            id: erasure.holder.uuid(),
            backend_id: erasure.backend.uuid(),
            subject_tag,
            version: i64::from(erasure.version),
            key_id: erasure.by.uuid(),
            begun_at: At(erasure.begun_at),
            last_entry: erasure.last.uuid(),
            finished_at: erasure.finished_at.map(At),
            seal: Vec::new(),
        })
    }

    /// # Errors
    /// [`StoreError::Forged`], [`StoreError::Corrupt`].
    pub fn read(self, seals: &Seals) -> Result<Erasure, StoreError> {
        seals.check(&self)?;
        let holder = HolderId::from_uuid(self.id);
        Ok(Erasure {
            holder,
            backend: BackendId::from_uuid(self.backend_id),
            version: narrow("version", self.version).map_err(|source| corrupt(Self::TABLE, holder, source))?,
            by: KeyId::from_uuid(self.key_id),
            begun_at: self.begun_at.into(),
            last: ChangeId::from_uuid(self.last_entry),
            finished_at: self.finished_at.map(Into::into),
        })
    }
}

impl Sealed for ErasureRow {
    const TABLE: &'static str = "erasures";

    fn id_text(&self) -> String {
        HolderId::from_uuid(self.id).to_string()
    }

    fn covered(&self) -> Vec<u8> {
        parts(
            "erasure",
            &[
                self.id.as_bytes(),
                self.backend_id.as_bytes(),
                &self.subject_tag,
                &self.version.to_be_bytes(),
                self.key_id.as_bytes(),
                &moment(Some(self.begun_at.into())),
                self.last_entry.as_bytes(),
                &moment(self.finished_at.map(Into::into)),
            ],
        )
    }

    fn seal(&self) -> &[u8] {
        &self.seal
    }

    fn set_seal(&mut self, seal: Vec<u8>) {
        self.seal = seal;
    }
}
