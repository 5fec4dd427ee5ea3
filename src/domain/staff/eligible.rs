//! Who may sign an override. Asked when signers are drawn, when one signs, and again at every use of a signature.

use std::time::Duration;

use super::{Gone, Role, Staff};
use crate::domain::ids::{HolderId, StaffId};
use crate::domain::time::Timestamp;

/// A signer signs only after so long in the role (design section 3), so that nobody is made one for a case.
pub const SIGNER_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

/// Why a person may not sign. The page says which rule it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ineligible {
    #[error("{0}")]
    Gone(#[from] Gone),
    #[error("an admin can't sign")]
    Admin,
    #[error("the person isn't a signer")]
    NotSigner,
    #[error("who asks can't sign")]
    Requester,
    #[error("the person has been a signer for less than 7 days")]
    TooNew,
    #[error("it is about the person's own account")]
    Own,
}

impl Ineligible {
    /// A stable short name for audit entries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone(Gone::NotEnrolled) => "not_enrolled",
            Self::Gone(Gone::Ended) => "ended",
            Self::Gone(Gone::Expired) => "contract_over",
            Self::Admin => "admin",
            Self::NotSigner => "not_signer",
            Self::Requester => "requester",
            Self::TooNew => "too_new",
            Self::Own => "own_account",
        }
    }
}

/// Whether a person may sign what `requester` asks for.
///
/// # Errors
/// The first rule that they break.
pub fn signer(person: &Staff, requester: StaffId, now: Timestamp) -> Result<(), Ineligible> {
    person.check(now)?;
    if person.profile.roles.has(Role::Admin) {
        return Err(Ineligible::Admin);
    }
    if !person.profile.roles.has(Role::Signer) {
        return Err(Ineligible::NotSigner);
    }
    if person.id == requester {
        return Err(Ineligible::Requester);
    }
    match person.in_role_since.get(&Role::Signer) {
        Some(since) if now >= *since + SIGNER_AFTER => Ok(()),
        _ => Err(Ineligible::TooNew),
    }
}

/// Whether a person may sign what `requester` asks for about this holder.
///
/// # Errors
/// As [`signer`], and [`Ineligible::Own`].
pub fn signer_about(person: &Staff, requester: StaffId, holder: HolderId, now: Timestamp) -> Result<(), Ineligible> {
    signer(person, requester, now)?;
    if person.profile.is(holder) { Err(Ineligible::Own) } else { Ok(()) }
}
