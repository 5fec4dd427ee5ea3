//! What one person of staff may do to a transfer: stop it, or make its hold longer. Both only tighten, both need a
//! look at its holder and a reason. There is nothing here that approves, shortens or releases.

use std::time::Duration;

use super::{SignedIn, look};
use crate::domain::approval::{Approval, CancelReason, State, StateName};
use crate::domain::ids::{ApprovalId, ViewId};
use crate::domain::staff::{Reason, Role};
use crate::ports::store::Case;
use crate::service::{Context, Error, commit};

/// Stops a transfer of the holder who is looked at.
///
/// # Errors
/// [`Error::NotFound`] for another holder's, [`Error::Refused`] when it is too late.
pub async fn cancel(
    cx: &Context,
    by: &SignedIn,
    view: ViewId,
    id: ApprovalId,
    reason: &Reason,
) -> Result<Approval, Error> {
    for _ in 0..commit::ATTEMPTS {
        let case = case(cx, by, view, id).await?;
        if case.approval.state.name() == StateName::Cancelled {
            return Ok(case.approval);
        }
        let now = cx.now();
        let transition = case.approval.cancel(CancelReason::StaffCancelled, by.actor(), now)?;
        let facts = by.facts([("said", reason.to_string())]);
        let with = commit::With { endpoints: &case.endpoints, facts, ..commit::With::default() };
        match commit::transition(cx, transition, by.actor(), with, now).await {
            Ok(approval) => return Ok(approval),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}

/// Makes the hold of a transfer longer by this much, never past its cap.
///
/// # Errors
/// As [`cancel`]; [`Error::Refused`] past the cap or outside the hold.
pub async fn extend(
    cx: &Context,
    by: &SignedIn,
    view: ViewId,
    id: ApprovalId,
    longer: Duration,
    reason: &Reason,
) -> Result<Approval, Error> {
    let asked = case(cx, by, view, id).await?.approval;
    let State::Cooling { cooling_until, .. } = asked.state else {
        return Err(crate::domain::approval::transitions::Refusal::State(asked.state.name()).into());
    };
    // Fixed before the first try: a retry must not extend twice.
    let until = cooling_until + longer;
    for _ in 0..commit::ATTEMPTS {
        let case = case(cx, by, view, id).await?;
        let now = cx.now();
        let transition = case.approval.extend(until, now)?;
        let facts = by.facts([("said", reason.to_string()), ("until", until.to_string())]);
        let with = commit::With { endpoints: &case.endpoints, facts, ..commit::With::default() };
        match commit::transition(cx, transition, by.actor(), with, now).await {
            Ok(approval) => return Ok(approval),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}

/// The approval, if it is of the holder who is looked at by an agent.
async fn case(cx: &Context, by: &SignedIn, view: ViewId, id: ApprovalId) -> Result<Case, Error> {
    by.needs(Role::Agent)?;
    let view = look::own(cx, by, view).await?;
    let case = cx.store.case(id).await?.ok_or(Error::NotFound)?;
    if case.approval.holder == view.holder { Ok(case) } else { Err(Error::NotFound) }
}
