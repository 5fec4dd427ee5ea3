//! An approval's row. Body and details are the record; every other column repeats a part of them for searching, is
//! written from them, and has to agree with them when it is read.

use sqlx::FromRow;
use uuid::Uuid;

use super::{BadRow, corrupt};
use crate::adapters::storage::at::At;
use crate::adapters::storage::seal::{Sealed, Seals, forged, parts};
use crate::domain::approval::{Approval, State};
use crate::domain::ids::{ApprovalId, DeviceId};
use crate::ports::store::StoreError;

/// What is searched by.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Columns {
    pub backend_id: Uuid,
    pub holder_id: Uuid,
    pub transfer_id: String,
    pub subject: String,
    pub state: String,
    pub reason: Option<String>,
    pub version: i64,
    pub created_at: At,
    pub expires_at: At,
    pub cooling_until: Option<At>,
    pub approved_at: Option<At>,
    pub redeem_until: Option<At>,
    pub due_at: Option<At>,
    pub decided_by: Option<Uuid>,
}

impl Columns {
    fn of(approval: &Approval) -> Self {
        let transfer = approval.details.transfer();
        let decision = approval.state.decision();
        Self {
            backend_id: approval.backend.uuid(),
            holder_id: approval.holder.uuid(),
            transfer_id: transfer.transfer_id.as_str().to_owned(),
            subject: transfer.subject.as_str().to_owned(),
            state: approval.state.name().as_str().to_owned(),
            reason: approval.state.reason().map(str::to_owned),
            version: i64::from(approval.version),
            created_at: At(approval.created_at),
            expires_at: At(approval.expires_at),
            cooling_until: match &approval.state {
                State::Cooling { cooling_until, .. } => Some(At(*cooling_until)),
                _ => None,
            },
            approved_at: decision.map(|decision| At(decision.approved_at)),
            redeem_until: match &approval.state {
                State::Released { redeem_until, .. } => Some(At(*redeem_until)),
                _ => None,
            },
            due_at: approval.due_at().map(At),
            decided_by: decision.and_then(|decision| decision.device()).map(DeviceId::uuid),
        }
    }
}

/// A whole row, without the receipt.
#[derive(Debug, Clone, FromRow)]
pub struct ApprovalRow {
    pub id: Uuid,
    #[sqlx(flatten)]
    pub columns: Columns,
    pub body: String,
    pub details: String,
    pub seal: Vec<u8>,
}

impl ApprovalRow {
    /// The row of an approval, under seal.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the approval can't be written down, which no value of its type should cause.
    pub fn of(approval: &Approval, seals: &Seals) -> Result<Self, StoreError> {
        let body = approval.to_body().map_err(|source| corrupt(Self::TABLE, approval.id, source))?;
        let row = Self {
            id: approval.id.uuid(),
            columns: Columns::of(approval),
            body,
            details: approval.details.canonical().to_owned(),
            seal: Vec::new(),
        };
        Ok(seals.close(row))
    }

    /// # Errors
    /// [`StoreError::Forged`] when the seal is wrong, or right but of a row with another id;
    /// [`StoreError::Corrupt`] when the parts contradict each other.
    pub fn read(self, seals: &Seals) -> Result<Approval, StoreError> {
        seals.check(&self)?;
        let approval = Approval::from_stored(&self.body, &self.details)
            .map_err(|source| corrupt(Self::TABLE, self.id_text(), source))?;
        if approval.id.uuid() != self.id {
            return Err(forged(&self));
        }
        if Columns::of(&approval) != self.columns {
            return Err(corrupt(Self::TABLE, approval.id, BadRow::Columns));
        }
        Ok(approval)
    }
}

impl Sealed for ApprovalRow {
    const TABLE: &'static str = "approvals";

    fn id_text(&self) -> String {
        ApprovalId::from_uuid(self.id).to_string()
    }

    // The body names the id, so a copy under another id is known when the body is read.
    fn covered(&self) -> Vec<u8> {
        parts("approval", &[self.body.as_bytes(), self.details.as_bytes()])
    }

    fn seal(&self) -> &[u8] {
        &self.seal
    }

    fn set_seal(&mut self, seal: Vec<u8>) {
        self.seal = seal;
    }
}
