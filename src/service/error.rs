//! Why a use case refused or failed. `web/error.rs` alone turns these into HTTP; nothing of the inside text reaches
//! the outside there.

use std::time::Duration;

use super::log::RolledBack;
use crate::domain::approval::transitions::Refusal;
use crate::domain::backend::Scope;
use crate::domain::link::LinkRefusal;
use crate::domain::staff::Role;
use crate::domain::staff::change::ChangeRefusal;
use crate::domain::staff::invite::InviteRefusal;
use crate::domain::witness::quorum::Unmet;
use crate::ports::outward::CeremonyError;
use crate::ports::store::{CommitError, StoreError};

/// Why a use case refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing of that name is there for this caller.
    #[error("not found")]
    NotFound,
    #[error("the API key lacks the scope {}", .0.as_str())]
    Scope(Scope),
    #[error("the API key isn't known or was revoked")]
    Unauthenticated,
    #[error("the holder isn't known")]
    UnknownHolder,
    #[error("the holder has no device that could approve")]
    NoDevice,
    #[error("the holder has no channel that could tell them")]
    NoChannel,
    /// "This wasn't me" was said: nothing of the holder can be opened, approved, enrolled or redeemed.
    #[error("the holder is frozen")]
    HolderFrozen,
    /// An approval or an override request of the holder lives.
    #[error("something of the holder is still open")]
    HolderBusy,
    #[error("the holder has too many approvals waiting")]
    TooManyPending,
    #[error("this transfer_id lives in another approval")]
    DuplicateTransfer,
    #[error("this subject is taken")]
    DuplicateSubject,
    #[error("the Idempotency-Key was used for another request")]
    IdempotencyMismatch,
    #[error("an endpoint too many")]
    TooManyEndpoints,
    /// A rule of the state machine said no.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    #[error("the link can't be used: {0}")]
    Link(#[from] LinkRefusal),
    #[error("the first device was enrolled before")]
    AlreadyEnrolled,
    #[error("the code is wrong")]
    WrongCode,
    /// This browser isn't an enrolled device.
    #[error("unknown device")]
    UnknownDevice,
    #[error("the device is locked")]
    DeviceLocked,
    /// The prompt is no longer about what the record says; a new one is needed. Nothing was approved.
    #[error("the prompt is stale")]
    PromptStale,
    #[error("the device key's signature doesn't fit")]
    DeviceKey,
    #[error("the ceremony failed")]
    Ceremony(#[source] CeremonyError),
    /// An input that the boundary let through but a rule refuses.
    #[error("invalid {field}")]
    Invalid {
        field: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("too many requests")]
    TooFast(Duration),
    #[error("the freeze: {0}")]
    Freeze(#[from] crate::domain::freeze::FreezeRefusal),
    #[error("the override: {0}")]
    Override(#[from] crate::domain::override_request::Refusal),
    /// A daily cap of a staff member, of a pair, or of all.
    #[error("a daily cap is reached")]
    DailyCap,
    /// Somebody else changed the record at the same time, again and again.
    #[error("the record changed at the same time")]
    Conflict,
    /// Whether the change was stored isn't known.
    #[error("the outcome isn't known yet")]
    Unknown(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database is from before the log's high-water mark, or its log isn't the one that was signed.
    #[error("the log isn't the one that was signed: {0}")]
    RolledBack(#[from] RolledBack),
    /// Too few witnesses have signed the checkpoint that a receipt would rest on. It passes when they have.
    #[error("the log's checkpoint: {0}")]
    Unwitnessed(#[from] Unmet),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody is signed in on the console, or not any more.
    #[error("not signed in")]
    SignedOut,
    /// The staff member isn't in the role that this needs.
    #[error("the role {} is needed", .0.as_str())]
    NotInRole(Role),
    /// The holder is the staff member themself.
    #[error("nobody of staff looks at themself")]
    OwnAccount,
    #[error("the change of staff isn't taken: {0}")]
    StaffChange(#[from] ChangeRefusal),
    #[error("the invite can't be used: {0}")]
    Invite(#[from] InviteRefusal),
    /// A staff member has looked at too many holders in a day.
    #[error("looked at too many holders")]
    TooManyLooks,
    #[error("this deployment has no console; add the section [console]")]
    NoConsole,
    #[error("internal fault")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A fault of our own.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }

    /// A refused input field.
    pub fn invalid(field: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Invalid { field, source: source.into() }
    }
}

impl From<CommitError> for Error {
    /// The plain reading. Use cases that expect a certain duplicate look at it before they come here.
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict | CommitError::Duplicate(_) | CommitError::Cap => Self::Conflict,
            CommitError::Frozen => Self::HolderFrozen,
            CommitError::Unknown(source) => Self::Unknown(source),
            CommitError::Store(source) => Self::Store(source),
        }
    }
}
