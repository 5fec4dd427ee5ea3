//! Rows of freezes and override requests. The body is the record and is sealed; every other column repeats a part of it
//! for searching, and has to agree with it when it is read.

use sqlx::FromRow;
use uuid::Uuid;

use super::{BadRow, corrupt, json};
use crate::adapters::storage::at::At;
use crate::adapters::storage::seal::{Sealed, Seals, forged, parts};
use crate::domain::approval::Actor;
use crate::domain::freeze::{Freeze, FreezeState};
use crate::domain::ids::{FreezeId, OverrideId, StaffId};
use crate::domain::override_request::{Kind, OverrideRequest};
use crate::ports::store::StoreError;

/// A freeze without what only the record's own work needs.
#[derive(Debug, Clone, FromRow)]
pub struct FreezeRow {
    pub id: Uuid,
    pub holder_id: Uuid,
    pub version: i64,
    pub began_at: At,
    pub due_at: Option<At>,
    pub ended_at: Option<At>,
    pub body: String,
    pub seal: Vec<u8>,
}

impl FreezeRow {
    /// # Errors
    /// [`StoreError::Corrupt`] when the freeze can't be written down, which no value of its type should cause.
    pub fn of(freeze: &Freeze, seals: &Seals) -> Result<Self, StoreError> {
        let row = Self {
            id: freeze.id.uuid(),
            holder_id: freeze.holder.uuid(),
            version: i64::from(freeze.version),
            began_at: At(freeze.at),
            due_at: freeze.due_at().map(At),
            ended_at: match freeze.state {
                FreezeState::Ended { at, .. } => Some(At(at)),
                FreezeState::Holds { .. } => None,
            },
            body: json(Self::TABLE, freeze.id, freeze)?,
            seal: Vec::new(),
        };
        Ok(seals.close(row))
    }

    /// # Errors
    /// [`StoreError::Forged`], [`StoreError::Corrupt`].
    pub fn read(self, seals: &Seals) -> Result<Freeze, StoreError> {
        seals.check(&self)?;
        let freeze: Freeze =
            serde_json::from_str(&self.body).map_err(|source| corrupt(Self::TABLE, self.id_text(), source))?;
        if freeze.id.uuid() != self.id {
            return Err(forged(&self));
        }
        let expected = Self::of(&freeze, seals)?;
        let agrees = (self.holder_id, self.version, self.began_at, self.due_at, self.ended_at)
            == (expected.holder_id, expected.version, expected.began_at, expected.due_at, expected.ended_at);
        if agrees { Ok(freeze) } else { Err(corrupt(Self::TABLE, freeze.id, BadRow::Columns)) }
    }

    /// The staff member whose daily number this freeze counts in, if one asked for it.
    pub const fn staff(freeze: &Freeze) -> Option<StaffId> {
        match freeze.by {
            Actor::Staff(staff) => Some(staff),
            _ => None,
        }
    }
}

impl Sealed for FreezeRow {
    const TABLE: &'static str = "freezes";

    fn id_text(&self) -> String {
        FreezeId::from_uuid(self.id).to_string()
    }

    fn covered(&self) -> Vec<u8> {
        parts("freeze", &[self.body.as_bytes()])
    }

    fn seal(&self) -> &[u8] {
        &self.seal
    }

    fn set_seal(&mut self, seal: Vec<u8>) {
        self.seal = seal;
    }
}

/// An override request.
#[derive(Debug, Clone, FromRow)]
pub struct OverrideRow {
    pub id: Uuid,
    pub holder_id: Uuid,
    pub target_id: Uuid,
    pub kind: String,
    pub state: String,
    pub version: i64,
    pub requester_id: Uuid,
    pub created_at: At,
    pub due_at: Option<At>,
    pub body: String,
    pub seal: Vec<u8>,
}

impl OverrideRow {
    /// # Errors
    /// [`StoreError::Corrupt`] when the request can't be written down, which no value of its type should cause.
    pub fn of(case: &OverrideRequest, seals: &Seals) -> Result<Self, StoreError> {
        let request = &case.request;
        let row = Self {
            id: request.id.uuid(),
            holder_id: request.holder.uuid(),
            target_id: match request.kind {
                Kind::ApproveForHolder { approval, .. } => approval.uuid(),
                Kind::Unfreeze { freeze } => freeze.uuid(),
                Kind::ResetDevices => request.holder.uuid(),
            },
            kind: request.kind.name().as_str().to_owned(),
            state: case.state.name().as_str().to_owned(),
            version: i64::from(case.version),
            requester_id: request.requester.uuid(),
            created_at: At(request.created_at),
            due_at: case.due_at().map(At),
            body: json(Self::TABLE, request.id, case)?,
            seal: Vec::new(),
        };
        Ok(seals.close(row))
    }

    /// # Errors
    /// [`StoreError::Forged`], [`StoreError::Corrupt`].
    pub fn read(self, seals: &Seals) -> Result<OverrideRequest, StoreError> {
        seals.check(&self)?;
        let case: OverrideRequest =
            serde_json::from_str(&self.body).map_err(|source| corrupt(Self::TABLE, self.id_text(), source))?;
        if case.id().uuid() != self.id {
            return Err(forged(&self));
        }
        let expected = Self::of(&case, seals)?;
        let searched = |row: &Self| {
            let ids = (row.holder_id, row.target_id, row.requester_id);
            (ids, row.kind.clone(), row.state.clone(), row.version, row.created_at, row.due_at)
        };
        if searched(&self) == searched(&expected) {
            Ok(case)
        } else {
            Err(corrupt(Self::TABLE, case.id(), BadRow::Columns))
        }
    }
}

impl Sealed for OverrideRow {
    const TABLE: &'static str = "overrides";

    fn id_text(&self) -> String {
        OverrideId::from_uuid(self.id).to_string()
    }

    fn covered(&self) -> Vec<u8> {
        parts("override", &[self.body.as_bytes()])
    }

    fn seal(&self) -> &[u8] {
        &self.seal
    }

    fn set_seal(&mut self, seal: Vec<u8>) {
        self.seal = seal;
    }
}
