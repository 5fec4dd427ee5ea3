//! "Don't send it", on an enrolled device. No ceremony: tightening is instant.

use super::{Browser, Context, Error, commit};
use crate::domain::approval::{Actor, Approval, StateName};
use crate::domain::ids::ApprovalId;

/// Rejects a pending approval. Rejecting a rejected one is done already.
///
/// # Errors
/// [`Error::UnknownDevice`], [`Error::NotFound`], and [`Error::Refused`] when it is past answering.
pub async fn reject(cx: &Context, browser: &Browser, id: ApprovalId) -> Result<Approval, Error> {
    let device = browser.device(cx).await?;
    for _ in 0..commit::ATTEMPTS {
        let case = cx.store.case(id).await?.ok_or(Error::NotFound)?;
        if case.approval.holder != device.body.holder {
            return Err(Error::NotFound);
        }
        if case.approval.state.name() == StateName::Rejected {
            return Ok(case.approval);
        }
        let now = cx.now();
        let by = Actor::Device(device.body.id);
        let transition = case.approval.reject(by, now)?;
        let with = commit::With { endpoints: &case.endpoints, ..commit::With::default() };
        match commit::transition(cx, transition, by, with, now).await {
            Ok(approval) => return Ok(approval),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}
