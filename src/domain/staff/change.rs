//! What two admins decide: somebody is added, or what was decided about them changes. One admin proposes and signs,
//! another one signs, and then it is done. Ending somebody isn't here: one admin does that alone, at once.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::{Profile, Reason, Role, Staff};
use crate::domain::details::Digest;
use crate::domain::device::Blob;
use crate::domain::ids::{StaffChangeId, StaffId};
use crate::domain::time::Timestamp;

/// A proposal that isn't signed by two in this time is over.
pub const CHANGE_LIFE: Duration = Duration::from_secs(72 * 3600);
/// So many admins must sign.
pub const SIGNATURES: usize = 2;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Proposal {
    Add {
        staff: StaffId,
        profile: Profile,
    },
    Change {
        staff: StaffId,
        /// The record that was looked at; another one by then, and the change is void.
        version: u32,
        before: Profile,
        after: Profile,
    },
}

/// One admin's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    pub by: StaffId,
    /// The signer's record when they signed; a later one and the signature is void.
    pub at: Timestamp,
    /// SHA-256 of what the passkey signed.
    pub challenge: Digest,
}

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ChangeState {
    Waiting,
    Done { at: Timestamp },
    Refused { by: StaffId, at: Timestamp },
}

/// A change of staff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffChange {
    pub id: StaffChangeId,
    pub version: u32,
    pub proposal: Proposal,
    pub reason: Reason,
    pub proposed_by: StaffId,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// 16 random bytes, so that no two changes have one digest.
    pub nonce: Blob,
    pub signatures: Vec<Signature>,
    pub state: ChangeState,
}

/// Why a signature isn't taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRefusal {
    #[error("the change is over")]
    Over,
    #[error("only an admin signs a change of staff")]
    NotAdmin,
    #[error("this admin has signed already")]
    SignedAlready,
    #[error("nobody decides about themselves")]
    Oneself,
    #[error("the record has changed since the change was proposed")]
    Moved,
}

impl ChangeRefusal {
    /// A stable short name for audit entries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Over => "over",
            Self::NotAdmin => "not_admin",
            Self::SignedAlready => "signed_already",
            Self::Oneself => "oneself",
            Self::Moved => "moved",
        }
    }
}

/// What is signed: everything of a change that doesn't move.
#[derive(Serialize)]
struct Signed<'a> {
    v: u8,
    id: StaffChangeId,
    proposal: &'a Proposal,
    reason: &'a Reason,
    proposed_by: StaffId,
    created_at: Timestamp,
    expires_at: Timestamp,
    nonce: &'a Blob,
}

impl Proposal {
    pub const fn staff(&self) -> StaffId {
        match self {
            Self::Add { staff, .. } | Self::Change { staff, .. } => *staff,
        }
    }

    pub const fn after(&self) -> &Profile {
        match self {
            Self::Add { profile, .. } => profile,
            Self::Change { after, .. } => after,
        }
    }
}

impl StaffChange {
    /// The canonical JSON (RFC 8785) whose digest is signed.
    ///
    /// # Errors
    /// When it can't be written, which no value of this type should cause.
    pub fn canonical(&self) -> Result<String, serde_json::Error> {
        serde_json_canonicalizer::to_string(&Signed {
            v: 1,
            id: self.id,
            proposal: &self.proposal,
            reason: &self.reason,
            proposed_by: self.proposed_by,
            created_at: self.created_at,
            expires_at: self.expires_at,
            nonce: &self.nonce,
        })
    }

    /// Whether it still waits for signatures.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.state == ChangeState::Waiting && now < self.expires_at
    }

    /// Whether this admin may sign now.
    ///
    /// # Errors
    /// The first rule that says no.
    pub fn may_sign(&self, admin: &Staff, now: Timestamp) -> Result<(), ChangeRefusal> {
        if !self.is_open(now) {
            return Err(ChangeRefusal::Over);
        }
        if !admin.may(Role::Admin, now) {
            return Err(ChangeRefusal::NotAdmin);
        }
        if admin.id == self.proposal.staff() {
            return Err(ChangeRefusal::Oneself);
        }
        if self.signatures.iter().any(|signature| signature.by == admin.id) {
            return Err(ChangeRefusal::SignedAlready);
        }
        Ok(())
    }

    /// The change with one more signature. `earlier` are those who signed before, as they are now: the signature of
    /// somebody who is no admin any more is dropped, and another one is needed.
    ///
    /// # Errors
    /// As [`StaffChange::may_sign`].
    pub fn signed(
        &self,
        admin: &Staff,
        challenge: Digest,
        earlier: &[Staff],
        now: Timestamp,
    ) -> Result<Self, ChangeRefusal> {
        self.may_sign(admin, now)?;
        let mut next = self.clone();
        next.version += 1;
        next.signatures.retain(|signature| {
            earlier.iter().any(|person| {
                person.id == signature.by
                    && person.may(Role::Admin, now)
                    && person.in_role_since.get(&Role::Admin).is_some_and(|since| *since <= signature.at)
            })
        });
        next.signatures.push(Signature { by: admin.id, at: now, challenge });
        if next.signatures.len() >= SIGNATURES {
            next.state = ChangeState::Done { at: now };
        }
        Ok(next)
    }

    /// The change refused: one is enough, the proposer too.
    ///
    /// # Errors
    /// [`ChangeRefusal::Over`], [`ChangeRefusal::NotAdmin`].
    pub fn refused(&self, admin: &Staff, now: Timestamp) -> Result<Self, ChangeRefusal> {
        if !self.is_open(now) {
            return Err(ChangeRefusal::Over);
        }
        if !admin.may(Role::Admin, now) {
            return Err(ChangeRefusal::NotAdmin);
        }
        let mut next = self.clone();
        next.version += 1;
        next.state = ChangeState::Refused { by: admin.id, at: now };
        Ok(next)
    }

    /// The person's record once the change is done, made from the record as it is now.
    ///
    /// # Errors
    /// [`ChangeRefusal::Moved`] when it isn't the record that was decided on.
    pub fn outcome(&self, current: Option<&Staff>, now: Timestamp) -> Result<Staff, ChangeRefusal> {
        match (&self.proposal, current) {
            (Proposal::Add { staff, profile }, None) => Ok(Staff::new(*staff, profile.clone(), now)),
            (Proposal::Change { version, after, .. }, Some(person))
                if person.version == *version && !matches!(person.status, super::Status::Ended { .. }) =>
            {
                Ok(person.changed(after.clone(), now))
            }
            _ => Err(ChangeRefusal::Moved),
        }
    }
}
