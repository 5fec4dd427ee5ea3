//! The record of staff: who there is, their passkeys and sign-ins, what waits for two admins, and who looked at whom.
//!
//! Reads are here; what changes goes as a [`StaffEffect`] inside a [`super::Change`], with its audit entry.

use std::time::Duration;

use async_trait::async_trait;

use super::store::{NoticeOutcome, StoreError};
use crate::domain::details::Digest;
use crate::domain::device::Blob;
use crate::domain::ids::{DirectoryKeyId, HolderId, InviteId, SessionId, StaffChangeId, StaffId, ViewId};
use crate::domain::staff::change::StaffChange;
use crate::domain::staff::directory::DirectoryKey;
use crate::domain::staff::invite::Invite;
use crate::domain::staff::notice::StaffNotice;
use crate::domain::staff::passkey::Passkey;
use crate::domain::staff::session::Session;
use crate::domain::staff::view::View;
use crate::domain::staff::{ExternalId, Role, Staff, UserName};
use crate::domain::time::Timestamp;

/// Somebody who acts, to be looked at again in the same commit: they stand, by the database's clock, and have the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acting {
    pub staff: StaffId,
    pub role: Role,
}

/// A passkey that signed, to be looked at again in the same commit: the person stands, the passkey is theirs, and its
/// counter is above the stored one, or both are 0 (WebAuthn L3 section 6.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyProof {
    pub staff: StaffId,
    pub credential_id: Blob,
    pub counter: u32,
    /// The role in which they signed; none for a sign-in.
    pub role: Option<Role>,
}

/// What a change of staff comes to, once two have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub staff: Staff,
    /// The version that the record must have; none for somebody new.
    pub from: Option<u32>,
    pub invite: Option<Invite>,
}

/// What a change does to the record of staff, and on which condition. A person's end also ends their sessions and
/// invites in the same commit.
#[derive(Debug, Clone)]
pub enum StaffEffect {
    /// Inserts a person with their invite. Conditions: the names at the identity provider are free, and for a founding
    /// invite fewer than two admins have ever been.
    Add {
        staff: Box<Staff>,
        invite: Invite,
    },
    /// Takes one of an invite's tries. Condition: `tries` were taken before, and it hasn't ended.
    CountInviteTry {
        invite: InviteId,
        tries: u32,
    },
    /// Spends the invite, stores the passkey and the person with it. Conditions: the invite can be used, by the
    /// database's clock; the person has version `from`; the credential is new.
    Enrol {
        invite: InviteId,
        staff: Box<Staff>,
        from: u32,
        passkey: Passkey,
    },
    /// Inserts a session. Conditions: the proof, and that the challenge was never signed in with before.
    SignIn {
        session: Session,
        proof: PasskeyProof,
    },
    /// Ends a session. Condition: it hadn't ended.
    SignOut {
        session: SessionId,
        at: Timestamp,
    },
    /// Ends a person with everything that is theirs. Conditions: version `from`, and whoever does it, if it is a
    /// person, may.
    End {
        staff: Box<Staff>,
        from: u32,
        by: Option<Acting>,
    },
    /// Inserts a proposal with its first signature.
    Propose {
        change: Box<StaffChange>,
        proof: PasskeyProof,
    },
    /// Stores a further signature, and what comes of it when it was the last. Conditions: version `from`, the proof,
    /// and that everybody else whose signature counts still is an admin; those of [`Outcome`].
    Sign {
        change: Box<StaffChange>,
        from: u32,
        proof: PasskeyProof,
        outcome: Option<Box<Outcome>>,
    },
    /// Stores a refusal. Condition: version `from`, and whoever refuses may.
    Refuse {
        change: Box<StaffChange>,
        from: u32,
        by: Acting,
    },
    /// Writes down a look at a holder. Conditions: the person may, and has looked less often than the caps of
    /// `domain::staff::view` in the day before, by the database's clock.
    Look {
        view: View,
        by: Acting,
    },
    AddDirectoryKey(DirectoryKey),
    /// Revokes a key. Condition: it wasn't revoked.
    RevokeDirectoryKey {
        key: DirectoryKeyId,
        at: Timestamp,
    },
}

impl StaffEffect {
    /// Whether it takes somebody's power away, and so goes before others in the queue.
    pub const fn tightens(&self) -> bool {
        matches!(
            self,
            Self::End { .. }
                | Self::SignOut { .. }
                | Self::Refuse { .. }
                | Self::CountInviteTry { .. }
                | Self::RevokeDirectoryKey { .. }
        )
    }
}

/// Reads of staff.
#[async_trait]
pub trait StaffStore: Send + Sync {
    /// Everybody who ever was, in the order in which they came.
    async fn everybody(&self) -> Result<Vec<Staff>, StoreError>;
    async fn person(&self, id: StaffId) -> Result<Option<Staff>, StoreError>;
    /// Whoever has this name at the identity provider; somebody who ended keeps it.
    async fn person_by_user_name(&self, name: &UserName) -> Result<Option<Staff>, StoreError>;
    async fn person_by_external_id(&self, id: &ExternalId) -> Result<Option<Staff>, StoreError>;

    async fn passkey(&self, credential_id: &Blob) -> Result<Option<Passkey>, StoreError>;
    async fn passkeys(&self, staff: StaffId) -> Result<Vec<Passkey>, StoreError>;

    /// The session of this cookie and the person as they are now; ended ones too.
    async fn session(&self, token_hash: &Digest) -> Result<Option<(Session, Staff)>, StoreError>;
    /// Moves the end of a session that stands.
    async fn touch_session(&self, id: SessionId, at: Timestamp) -> Result<(), StoreError>;

    async fn invite(&self, token_hash: &Digest) -> Result<Option<Invite>, StoreError>;
    /// Invites that haven't ended; their time may be over.
    async fn open_invites(&self) -> Result<Vec<Invite>, StoreError>;

    async fn change(&self, id: StaffChangeId) -> Result<Option<StaffChange>, StoreError>;
    /// The newest changes, `limit` at most.
    async fn changes(&self, limit: u32) -> Result<Vec<StaffChange>, StoreError>;

    async fn view(&self, id: ViewId) -> Result<Option<View>, StoreError>;
    /// Who looked at a holder, newest first, `limit` at most.
    async fn views_of_holder(&self, holder: HolderId, limit: u32) -> Result<Vec<View>, StoreError>;
    /// When staff last looked at a holder: a fact for rules.
    async fn last_viewed_by_staff(&self, holder: HolderId) -> Result<Option<Timestamp>, StoreError>;

    async fn directory_key(&self, hash: &Digest) -> Result<Option<DirectoryKey>, StoreError>;
    async fn directory_keys(&self) -> Result<Vec<DirectoryKey>, StoreError>;

    /// Leases notices to staff whose time has come, oldest first.
    async fn claim_staff_notices(&self, limit: u32, lease: Duration) -> Result<Vec<StaffNoticeJob>, StoreError>;
    /// Records how a leased one ended; `false` when the lease had passed to somebody else.
    async fn settle_staff_notice(&self, job: &StaffNoticeJob, outcome: &NoticeOutcome) -> Result<bool, StoreError>;
}

/// A leased notice to a person of staff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffNoticeJob {
    pub notice: StaffNotice,
    /// How often it was leased before.
    pub attempts: u32,
    pub fence: i64,
}
