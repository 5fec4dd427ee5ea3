//! Rows of holders and of the links by which they enrol.

use sqlx::FromRow;
use uuid::Uuid;

use super::{BadRow, corrupt, digest, narrow, parsed};
use crate::adapters::storage::at::At;
use crate::adapters::storage::seal::{Sealed, Seals, moment, parts};
use crate::domain::details::Subject;
use crate::domain::holder::Holder;
use crate::domain::ids::{BackendId, HolderId, LinkId};
use crate::domain::link::EnrolLink;
use crate::ports::store::StoreError;

/// A holder's row says whose devices answer for a subject, and whether a first device may still be enrolled. Both are
/// authority, so all of it is sealed.
#[derive(Debug, Clone, FromRow)]
pub struct HolderRow {
    pub id: Uuid,
    pub backend_id: Uuid,
    pub subject: String,
    pub created_at: At,
    pub enrolled_at: Option<At>,
    pub seal: Vec<u8>,
}

impl HolderRow {
    pub fn of(holder: &Holder, seals: &Seals) -> Self {
        seals.close(Self {
            id: holder.id.uuid(),
            backend_id: holder.backend.uuid(),
            subject: holder.subject.as_str().to_owned(),
            created_at: At(holder.created_at),
            enrolled_at: holder.enrolled_at.map(At),
            seal: Vec::new(),
        })
    }

    /// # Errors
    /// [`StoreError::Forged`], [`StoreError::Corrupt`].
    pub fn read(self, seals: &Seals) -> Result<Holder, StoreError> {
        seals.check(&self)?;
        let id = HolderId::from_uuid(self.id);
        let subject =
            parsed("subject", Subject::parse(&self.subject)).map_err(|source| corrupt(Self::TABLE, id, source))?;
        Ok(Holder {
            id,
            backend: BackendId::from_uuid(self.backend_id),
            subject,
            created_at: self.created_at.into(),
            enrolled_at: self.enrolled_at.map(Into::into),
        })
    }
}

impl Sealed for HolderRow {
    const TABLE: &'static str = "holders";

    fn id_text(&self) -> String {
        HolderId::from_uuid(self.id).to_string()
    }

    fn covered(&self) -> Vec<u8> {
        parts(
            "holder",
            &[
                self.id.as_bytes(),
                self.backend_id.as_bytes(),
                self.subject.as_bytes(),
                &moment(Some(self.created_at.into())),
                &moment(self.enrolled_at.map(Into::into)),
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

/// What never changes is sealed: whom a link enrols, and until when. Tries and end stand beside it, because an old row
/// would bring old ones back with a seal that fits: tries are limited outside the database too.
#[derive(Debug, Clone, FromRow)]
pub struct LinkRow {
    pub id: Uuid,
    pub holder_id: Uuid,
    pub token_hash: Vec<u8>,
    pub created_at: At,
    pub expires_at: At,
    pub tries: i64,
    pub ended_at: Option<At>,
    pub seal: Vec<u8>,
}

impl LinkRow {
    pub fn of(link: &EnrolLink, seals: &Seals) -> Self {
        seals.close(Self {
            id: link.id.uuid(),
            holder_id: link.holder.uuid(),
            token_hash: link.token_hash.bytes().to_vec(),
            created_at: At(link.created_at),
            expires_at: At(link.expires_at),
            tries: i64::from(link.tries),
            ended_at: link.ended_at.map(At),
            seal: Vec::new(),
        })
    }

    /// # Errors
    /// [`StoreError::Forged`], [`StoreError::Corrupt`].
    pub fn read(self, seals: &Seals) -> Result<EnrolLink, StoreError> {
        seals.check(&self)?;
        let id = LinkId::from_uuid(self.id);
        let wrong = |source: BadRow| corrupt(Self::TABLE, id, source);
        Ok(EnrolLink {
            id,
            holder: HolderId::from_uuid(self.holder_id),
            token_hash: digest("token_hash", &self.token_hash).map_err(wrong)?,
            created_at: self.created_at.into(),
            expires_at: self.expires_at.into(),
            tries: narrow("tries", self.tries).map_err(wrong)?,
            ended_at: self.ended_at.map(Into::into),
        })
    }
}

impl Sealed for LinkRow {
    const TABLE: &'static str = "enrol_links";

    fn id_text(&self) -> String {
        LinkId::from_uuid(self.id).to_string()
    }

    fn covered(&self) -> Vec<u8> {
        parts(
            "enrol_link",
            &[
                self.id.as_bytes(),
                self.holder_id.as_bytes(),
                &self.token_hash,
                &moment(Some(self.created_at.into())),
                &moment(Some(self.expires_at.into())),
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
