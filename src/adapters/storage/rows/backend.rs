//! Rows of backends, their API keys, and the answers remembered for them.

use sqlx::FromRow;
use uuid::Uuid;

use super::{BadRow, corrupt, digest, narrow, parsed};
use crate::adapters::storage::at::At;
use crate::adapters::storage::seal::{Sealed, Seals, moment, parts};
use crate::domain::backend::{ApiKey, Backend, IdempotencyKey, Remembered, Scopes};
use crate::domain::ids::{BackendId, KeyId};
use crate::domain::text::Line;
use crate::ports::store::StoreError;

#[derive(Debug, Clone, FromRow)]
pub struct BackendRow {
    pub id: Uuid,
    pub name: String,
    pub created_at: At,
}

impl BackendRow {
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn read(self) -> Result<Backend, StoreError> {
        let id = BackendId::from_uuid(self.id);
        let name = parsed("name", Line::parse(&self.name)).map_err(|source| corrupt("backends", id, source))?;
        Ok(Backend { id, name, created_at: self.created_at.into() })
    }
}

/// A key decides who may redeem, so all of it is sealed, its revocation too.
#[derive(Debug, Clone, FromRow)]
pub struct KeyRow {
    pub id: Uuid,
    pub backend_id: Uuid,
    pub hash: Vec<u8>,
    pub scopes: i64,
    pub created_at: At,
    pub revoked_at: Option<At>,
    pub seal: Vec<u8>,
}

impl KeyRow {
    pub fn of(key: &ApiKey, seals: &Seals) -> Self {
        seals.close(Self {
            id: key.id.uuid(),
            backend_id: key.backend.uuid(),
            hash: key.hash.bytes().to_vec(),
            scopes: i64::from(key.scopes.bits()),
            created_at: At(key.created_at),
            revoked_at: key.revoked_at.map(At),
            seal: Vec::new(),
        })
    }

    /// # Errors
    /// [`StoreError::Forged`], [`StoreError::Corrupt`].
    pub fn read(self, seals: &Seals) -> Result<ApiKey, StoreError> {
        seals.check(&self)?;
        let id = KeyId::from_uuid(self.id);
        let wrong = |source: BadRow| corrupt(Self::TABLE, id, source);
        Ok(ApiKey {
            id,
            backend: BackendId::from_uuid(self.backend_id),
            hash: digest("hash", &self.hash).map_err(wrong)?,
            scopes: Scopes::from_bits(narrow("scopes", self.scopes).map_err(wrong)?),
            created_at: self.created_at.into(),
            revoked_at: self.revoked_at.map(Into::into),
        })
    }
}

impl Sealed for KeyRow {
    const TABLE: &'static str = "api_keys";

    fn id_text(&self) -> String {
        KeyId::from_uuid(self.id).to_string()
    }

    fn covered(&self) -> Vec<u8> {
        parts(
            "api_key",
            &[
                self.id.as_bytes(),
                self.backend_id.as_bytes(),
                &self.hash,
                &self.scopes.to_be_bytes(),
                &moment(Some(self.created_at.into())),
                &moment(self.revoked_at.map(Into::into)),
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

#[derive(Debug, Clone, FromRow)]
pub struct RememberedRow {
    pub backend_id: Uuid,
    pub key: String,
    pub request: Vec<u8>,
    pub answer: String,
    pub created_at: At,
}

impl RememberedRow {
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn read(self) -> Result<Remembered, StoreError> {
        let backend = BackendId::from_uuid(self.backend_id);
        let wrong = |source: BadRow| corrupt("idempotency", backend, source);
        Ok(Remembered {
            backend,
            key: parsed("key", IdempotencyKey::parse(&self.key)).map_err(wrong)?,
            request: digest("request", &self.request).map_err(wrong)?,
            answer: self.answer,
            created_at: self.created_at.into(),
        })
    }
}
