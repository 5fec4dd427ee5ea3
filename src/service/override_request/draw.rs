//! Draws the signers once more, because one of them can't or won't. Once: whoever could draw again and again would
//! choose.

use super::{case, change, failed, of_the_day, refused};
use crate::domain::ids::OverrideId;
use crate::domain::override_request::{OverrideRequest, Refusal, draw};
use crate::ports::overrides::Also;
use crate::service::staff::SignedIn;
use crate::service::{Context, Error};

/// Draws once more, for the requester or somebody who was drawn.
///
/// # Errors
/// [`Error::Override`] by the rules; [`Error::NotFound`] for anybody else.
pub async fn redraw(cx: &Context, by: &SignedIn, id: OverrideId) -> Result<OverrideRequest, Error> {
    let case = case(cx, id).await?;
    let concerned = case.request.requester == by.person.id || case.drawn.contains(&by.person.id);
    if !concerned {
        return Err(Error::NotFound);
    }
    let now = cx.now();
    if draw::redrawn_elsewhere(&of_the_day(cx, case.request.holder).await?, &case.request, now) {
        return Err(refused(cx, by, id, Refusal::RedrawnAlready, now).await);
    }
    let everybody = cx.staff.everybody().await?;
    let lot = draw::lot(cx.random(), &case.request.digest().map_err(Error::internal)?);
    let step = match case.redraw(&everybody, lot, now) {
        Ok(step) => step,
        Err(refusal @ Refusal::TimeOver) => return Err(refusal.into()),
        Err(refusal) => return Err(refused(cx, by, id, refusal, now).await),
    };
    let drawn = step.case.clone();
    let [first, second] = drawn.drawn;
    let facts = by.facts([("drawn", format!("{first} {second}"))]);
    let change = change(cx, step, Also::Nothing, by.actor(), facts, now)?;
    match cx.store.commit(change).await {
        Ok(()) => Ok(drawn),
        Err(error) => Err(failed(cx, by.actor(), id, error, now).await),
    }
}
