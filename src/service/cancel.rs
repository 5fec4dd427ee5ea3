//! Stop. Anyone entitled can, at once, and it wins until redeem commits: the holder on a device, whoever holds a
//! cancel link, the browser that started the transfer, the backend.

use super::request::caller_has;
use super::watch::Waiting;
use super::{Browser, Context, Error, commit, links, watch};
use crate::domain::approval::{Actor, Approval, CancelReason, StateName};
use crate::domain::backend::{Caller, Scope};
use crate::domain::ids::{ApprovalId, BackendId, HolderId};

/// Whose approval it must be.
#[derive(Debug, Clone, Copy)]
enum Of {
    Holder(HolderId),
    Backend(BackendId),
    Anyone,
}

/// The backend cancels.
///
/// # Errors
/// [`Error::Refused`] with `redeemed_at` when it is too late, or in another final state.
pub async fn by_backend(cx: &Context, caller: &Caller, id: ApprovalId) -> Result<Approval, Error> {
    caller_has(caller, Scope::Cancel)?;
    let of = Of::Backend(caller.backend);
    cancel(cx, id, of, CancelReason::BackendCancelled, Actor::Backend(caller.key)).await
}

/// The holder stops it on an enrolled device; a locked one may, too.
///
/// # Errors
/// As [`by_backend`], and [`Error::UnknownDevice`].
pub async fn by_device(cx: &Context, browser: &Browser, id: ApprovalId) -> Result<Approval, Error> {
    let device = browser.device(cx).await?;
    let of = Of::Holder(device.body.holder);
    cancel(cx, id, of, CancelReason::HolderStopped, Actor::Device(device.body.id)).await
}

/// Whoever holds the link in a notice stops it.
///
/// # Errors
/// As [`by_backend`], and [`Error::NotFound`] for anything that isn't a cancel link.
pub async fn by_link(cx: &Context, token: &str) -> Result<Approval, Error> {
    let id = links::open_cancel(cx, token)?;
    cancel(cx, id, Of::Anyone, CancelReason::LinkStopped, Actor::Link).await
}

/// The browser that started the transfer stops it.
///
/// # Errors
/// As [`by_backend`], and [`Error::NotFound`] for a browser that didn't open the waiting page.
pub async fn by_initiator(cx: &Context, token: &str, browser: &Browser) -> Result<Approval, Error> {
    match watch::look(cx, token, browser).await? {
        Waiting::Own(approval) | Waiting::Fresh(approval) => {
            cancel(cx, approval.id, Of::Anyone, CancelReason::InitiatorStopped, Actor::Initiator).await
        }
        Waiting::Ended => Err(Error::NotFound),
    }
}

async fn cancel(cx: &Context, id: ApprovalId, of: Of, reason: CancelReason, by: Actor) -> Result<Approval, Error> {
    for _ in 0..commit::ATTEMPTS {
        let case = cx.store.case(id).await?.ok_or(Error::NotFound)?;
        let theirs = match of {
            Of::Holder(holder) => case.approval.holder == holder,
            Of::Backend(backend) => case.approval.backend == backend,
            Of::Anyone => true,
        };
        if !theirs {
            return Err(Error::NotFound);
        }
        if case.approval.state.name() == StateName::Cancelled {
            return Ok(case.approval);
        }
        let now = cx.now();
        let transition = case.approval.cancel(reason, by, now)?;
        let with = commit::With { endpoints: &case.endpoints, ..commit::With::default() };
        match commit::transition(cx, transition, by, with, now).await {
            Ok(approval) => return Ok(approval),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}
