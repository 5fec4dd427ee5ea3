//! What looking at a holder leaves behind. The holder sees every view: who (role and employer, no name), when and why.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::{Employer, Reason, Roles};
use crate::domain::ids::{ApprovalId, HolderId, OverrideId, StaffId, ViewId};
use crate::domain::time::Timestamp;

/// So many views of holders one person has in a day, reveals with them. Past it nothing is shown.
pub const VIEWS_A_DAY: u32 = 40;
/// What "a day" is: the last 24 hours, so that no midnight helps.
pub const DAY: Duration = Duration::from_secs(24 * 3600);
/// So many reveals of a whole account one person has in a day.
pub const REVEALS_A_DAY: u32 = 5;

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Seen {
    /// The holder's page, with everything masked.
    Masked,
    /// The whole account of one approval, for an override request of the same holder.
    Account { approval: ApprovalId, case: OverrideId },
    /// The page of an override request on which a drawn signer decides.
    Case { case: OverrideId },
}

impl Seen {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Masked => "masked",
            Self::Account { .. } => "account",
            Self::Case { .. } => "case",
        }
    }
}

/// One look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    pub id: ViewId,
    pub staff: StaffId,
    pub holder: HolderId,
    pub at: Timestamp,
    pub seen: Seen,
    pub reason: Reason,
    /// As they were then.
    pub roles: Roles,
    pub employer: Employer,
}
