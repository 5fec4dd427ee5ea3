//! Rows of staff. What gives somebody power is sealed: the person, their passkey, their session, their invite, what two
//! admins decide, and the identity provider's key.

use serde::de::DeserializeOwned;
use sqlx::FromRow;
use uuid::Uuid;

use super::{BadRow, corrupt, digest, json, narrow};
use crate::adapters::storage::at::At;
use crate::adapters::storage::seal::{Sealed, Seals, forged, moment, parts};
use crate::domain::ids::{DirectoryKeyId, InviteId, NoticeId, OverrideId, SessionId, StaffChangeId, StaffId, ViewId};
use crate::domain::staff::Staff;
use crate::domain::staff::change::StaffChange;
use crate::domain::staff::directory::DirectoryKey;
use crate::domain::staff::invite::Invite;
use crate::domain::staff::notice::StaffNotice;
use crate::domain::staff::passkey::{Passkey, PasskeyBody};
use crate::domain::staff::session::Session;
use crate::domain::staff::view::View;
use crate::ports::staff::StaffNoticeJob;
use crate::ports::store::StoreError;

/// The parts of [`Sealed`] that are the same for each row.
macro_rules! under_seal {
    ($row:ident, $table:literal, $id:ident, |$this:ident| $covered:expr) => {
        impl Sealed for $row {
            const TABLE: &'static str = $table;

            fn id_text(&self) -> String {
                $id::from_uuid(self.id).to_string()
            }

            fn covered(&self) -> Vec<u8> {
                let $this = self;
                parts($table, $covered)
            }

            fn seal(&self) -> &[u8] {
                &self.seal
            }

            fn set_seal(&mut self, seal: Vec<u8>) {
                self.seal = seal;
            }
        }
    };
}

fn body<T: DeserializeOwned>(table: &'static str, id: impl ToString, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| corrupt(table, id, source))
}

#[derive(Debug, Clone, FromRow)]
pub struct StaffRow {
    pub id: Uuid,
    pub version: i64,
    pub user_name: Option<String>,
    pub external_id: Option<String>,
    pub body: String,
    pub seal: Vec<u8>,
}
under_seal!(StaffRow, "staff", StaffId, |row| &[row.body.as_bytes()]);

impl StaffRow {
    /// # Errors
    /// [`StoreError::Corrupt`] when the person can't be written down, which no value should cause.
    pub fn of(staff: &Staff, seals: &Seals) -> Result<Self, StoreError> {
        let profile = &staff.profile;
        Ok(seals.close(Self {
            id: staff.id.uuid(),
            version: i64::from(staff.version),
            user_name: profile.user_name.as_ref().map(|name| name.as_str().to_owned()),
            external_id: profile.external_id.as_ref().map(|id| id.as_str().to_owned()),
            body: json(Self::TABLE, staff.id, staff)?,
            seal: Vec::new(),
        }))
    }

    /// # Errors
    /// [`StoreError::Forged`], [`StoreError::Corrupt`].
    pub fn read(self, seals: &Seals) -> Result<Staff, StoreError> {
        seals.check(&self)?;
        let staff: Staff = body(Self::TABLE, self.id_text(), &self.body)?;
        if staff.id.uuid() != self.id {
            return Err(forged(&self));
        }
        let again = Self::of(&staff, seals)?;
        let agrees =
            again.version == self.version && again.user_name == self.user_name && again.external_id == self.external_id;
        if agrees { Ok(staff) } else { Err(corrupt(Self::TABLE, staff.id, BadRow::Columns)) }
    }
}

/// A notice to a person of staff. It carries no authority, so it has no seal.
#[derive(Debug, Clone, FromRow)]
pub struct StaffNoticeRow {
    pub id: Uuid,
    pub staff_id: Uuid,
    pub case_id: Uuid,
    pub attempts: i64,
    pub fence: i64,
    pub created_at: At,
    pub useless_after: At,
}

impl StaffNoticeRow {
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn read(self) -> Result<StaffNoticeJob, StoreError> {
        let id = NoticeId::from_uuid(self.id);
        let attempts = narrow("attempts", self.attempts).map_err(|source| corrupt("staff_notices", id, source))?;
        let notice = StaffNotice {
            id,
            staff: StaffId::from_uuid(self.staff_id),
            case: OverrideId::from_uuid(self.case_id),
            created_at: self.created_at.into(),
            useless_after: self.useless_after.into(),
        };
        Ok(StaffNoticeJob { notice, attempts, fence: self.fence })
    }
}

#[derive(Debug, Clone, FromRow)]
pub struct PasskeyRow {
    pub credential_id: Vec<u8>,
    pub staff_id: Uuid,
    pub body: String,
    pub counter: i64,
    pub seal: Vec<u8>,
}

impl Sealed for PasskeyRow {
    const TABLE: &'static str = "staff_passkeys";

    fn id_text(&self) -> String {
        data_encoding::BASE64URL_NOPAD.encode(&self.credential_id)
    }

    fn covered(&self) -> Vec<u8> {
        parts(Self::TABLE, &[self.body.as_bytes()])
    }

    fn seal(&self) -> &[u8] {
        &self.seal
    }

    fn set_seal(&mut self, seal: Vec<u8>) {
        self.seal = seal;
    }
}

impl PasskeyRow {
    /// # Errors
    /// As [`StaffRow::of`].
    pub fn of(passkey: &Passkey, seals: &Seals) -> Result<Self, StoreError> {
        let body = &passkey.body;
        Ok(seals.close(Self {
            credential_id: body.credential_id.0.clone(),
            staff_id: body.staff.uuid(),
            body: json(Self::TABLE, body.staff, body)?,
            counter: i64::from(passkey.counter),
            seal: Vec::new(),
        }))
    }

    /// # Errors
    /// [`StoreError::Forged`], [`StoreError::Corrupt`].
    pub fn read(self, seals: &Seals) -> Result<Passkey, StoreError> {
        seals.check(&self)?;
        let read: PasskeyBody = body(Self::TABLE, self.id_text(), &self.body)?;
        if read.credential_id.0 != self.credential_id || read.staff.uuid() != self.staff_id {
            return Err(forged(&self));
        }
        let wrong = |source: BadRow| corrupt(Self::TABLE, self.id_text(), source);
        Ok(Passkey { counter: narrow("counter", self.counter).map_err(wrong)?, body: read })
    }
}

#[derive(Debug, Clone, FromRow)]
pub struct SessionRow {
    pub id: Uuid,
    pub staff_id: Uuid,
    pub token_hash: Vec<u8>,
    pub challenge: Vec<u8>,
    pub created_at: At,
    pub seen_at: At,
    pub ended_at: Option<At>,
    pub seal: Vec<u8>,
}
under_seal!(SessionRow, "staff_sessions", SessionId, |row| &[
    row.id.as_bytes(),
    row.staff_id.as_bytes(),
    &row.token_hash,
    &row.challenge,
    &moment(Some(row.created_at.into())),
]);

impl SessionRow {
    pub fn of(session: &Session, seals: &Seals) -> Self {
        seals.close(Self {
            id: session.id.uuid(),
            staff_id: session.staff.uuid(),
            token_hash: session.token_hash.bytes().to_vec(),
            challenge: session.challenge.bytes().to_vec(),
            created_at: At(session.created_at),
            seen_at: At(session.seen_at),
            ended_at: session.ended_at.map(At),
            seal: Vec::new(),
        })
    }

    /// # Errors
    /// [`StoreError::Forged`], [`StoreError::Corrupt`].
    pub fn read(self, seals: &Seals) -> Result<Session, StoreError> {
        seals.check(&self)?;
        let id = SessionId::from_uuid(self.id);
        let wrong = |source: BadRow| corrupt(Self::TABLE, id, source);
        Ok(Session {
            id,
            staff: StaffId::from_uuid(self.staff_id),
            token_hash: digest("token_hash", &self.token_hash).map_err(wrong)?,
            challenge: digest("challenge", &self.challenge).map_err(wrong)?,
            created_at: self.created_at.into(),
            seen_at: self.seen_at.into(),
            ended_at: self.ended_at.map(Into::into),
        })
    }
}

#[derive(Debug, Clone, FromRow)]
pub struct InviteRow {
    pub id: Uuid,
    pub staff_id: Uuid,
    pub token_hash: Vec<u8>,
    pub body: String,
    pub tries: i64,
    pub ended_at: Option<At>,
    pub seal: Vec<u8>,
}
under_seal!(InviteRow, "staff_invites", InviteId, |row| &[row.body.as_bytes()]);

impl InviteRow {
    /// # Errors
    /// As [`StaffRow::of`].
    pub fn of(invite: &Invite, seals: &Seals) -> Result<Self, StoreError> {
        // What changes stands in columns of its own; the body has it as it was at the beginning.
        let fixed = Invite { tries: 0, ended_at: None, ..invite.clone() };
        Ok(seals.close(Self {
            id: invite.id.uuid(),
            staff_id: invite.staff.uuid(),
            token_hash: invite.token_hash.bytes().to_vec(),
            body: json(Self::TABLE, invite.id, &fixed)?,
            tries: i64::from(invite.tries),
            ended_at: invite.ended_at.map(At),
            seal: Vec::new(),
        }))
    }

    /// # Errors
    /// [`StoreError::Forged`], [`StoreError::Corrupt`].
    pub fn read(self, seals: &Seals) -> Result<Invite, StoreError> {
        seals.check(&self)?;
        let read: Invite = body(Self::TABLE, self.id_text(), &self.body)?;
        let own = read.id.uuid() == self.id
            && read.staff.uuid() == self.staff_id
            && read.token_hash.bytes()[..] == self.token_hash;
        if !own {
            return Err(forged(&self));
        }
        let wrong = |source: BadRow| corrupt(Self::TABLE, read.id, source);
        let tries = narrow("tries", self.tries).map_err(wrong)?;
        Ok(Invite { tries, ended_at: self.ended_at.map(Into::into), ..read })
    }
}

#[derive(Debug, Clone, FromRow)]
pub struct ChangeRow {
    pub id: Uuid,
    pub version: i64,
    pub body: String,
    pub seal: Vec<u8>,
}
under_seal!(ChangeRow, "staff_changes", StaffChangeId, |row| &[row.body.as_bytes()]);

impl ChangeRow {
    /// # Errors
    /// As [`StaffRow::of`].
    pub fn of(change: &StaffChange, seals: &Seals) -> Result<Self, StoreError> {
        Ok(seals.close(Self {
            id: change.id.uuid(),
            version: i64::from(change.version),
            body: json(Self::TABLE, change.id, change)?,
            seal: Vec::new(),
        }))
    }

    /// # Errors
    /// [`StoreError::Forged`], [`StoreError::Corrupt`].
    pub fn read(self, seals: &Seals) -> Result<StaffChange, StoreError> {
        seals.check(&self)?;
        let change: StaffChange = body(Self::TABLE, self.id_text(), &self.body)?;
        if change.id.uuid() != self.id || i64::from(change.version) != self.version {
            return Err(forged(&self));
        }
        Ok(change)
    }
}

#[derive(Debug, Clone, FromRow)]
pub struct ViewRow {
    pub id: Uuid,
    pub body: String,
}

impl ViewRow {
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn read(self) -> Result<View, StoreError> {
        body("staff_views", ViewId::from_uuid(self.id), &self.body)
    }
}

#[derive(Debug, Clone, FromRow)]
pub struct DirectoryKeyRow {
    pub id: Uuid,
    pub hash: Vec<u8>,
    pub created_at: At,
    pub revoked_at: Option<At>,
    pub seal: Vec<u8>,
}
under_seal!(DirectoryKeyRow, "directory_keys", DirectoryKeyId, |row| &[
    row.id.as_bytes(),
    &row.hash,
    &moment(Some(row.created_at.into())),
    &moment(row.revoked_at.map(Into::into)),
]);

impl DirectoryKeyRow {
    pub fn of(key: &DirectoryKey, seals: &Seals) -> Self {
        seals.close(Self {
            id: key.id.uuid(),
            hash: key.hash.bytes().to_vec(),
            created_at: At(key.created_at),
            revoked_at: key.revoked_at.map(At),
            seal: Vec::new(),
        })
    }

    /// # Errors
    /// [`StoreError::Forged`], [`StoreError::Corrupt`].
    pub fn read(self, seals: &Seals) -> Result<DirectoryKey, StoreError> {
        seals.check(&self)?;
        let id = DirectoryKeyId::from_uuid(self.id);
        Ok(DirectoryKey {
            id,
            hash: digest("hash", &self.hash).map_err(|source| corrupt(Self::TABLE, id, source))?,
            created_at: self.created_at.into(),
            revoked_at: self.revoked_at.map(Into::into),
        })
    }
}
