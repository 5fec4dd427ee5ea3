//! The veto: the holder stops an override with one tap, from the link in a notice or on a device; the requester may take
//! it back. Where the override approved a transfer, the transfer itself is stopped, as any other.

use super::{case, change};
use crate::domain::approval::Actor;
use crate::domain::audit::Facts;
use crate::domain::ids::OverrideId;
use crate::domain::override_request::{OverrideRequest, StateName};
use crate::ports::overrides::Also;
use crate::ports::store::CommitError;
use crate::service::staff::SignedIn;
use crate::service::{Browser, Context, Error, commit, links};

/// Whoever holds the link in a notice stops it.
///
/// # Errors
/// [`Error::NotFound`] for anything that isn't such a link; [`Error::Override`] when it is over.
pub async fn by_link(cx: &Context, token: &str) -> Result<OverrideRequest, Error> {
    stop(cx, links::open_override(cx, token)?, Actor::Link, Facts::new()).await
}

/// The holder stops it on an enrolled device.
///
/// # Errors
/// As [`by_link`], and [`Error::UnknownDevice`].
pub async fn by_device(cx: &Context, browser: &Browser, id: OverrideId) -> Result<OverrideRequest, Error> {
    let device = browser.device(cx).await?;
    if case(cx, id).await?.request.holder != device.body.holder {
        return Err(Error::NotFound);
    }
    stop(cx, id, Actor::Device(device.body.id), Facts::new()).await
}

/// Whoever asked takes it back, or one of the two who were drawn stops it in its hold.
///
/// # Errors
/// [`Error::NotFound`] for anybody else; [`Error::Override`] when it is over.
pub async fn by_staff(cx: &Context, by: &SignedIn, id: OverrideId) -> Result<OverrideRequest, Error> {
    let case = case(cx, id).await?;
    if case.request.requester != by.person.id && !case.drawn.contains(&by.person.id) {
        return Err(Error::NotFound);
    }
    stop(cx, id, by.actor(), by.facts([])).await
}

async fn stop(cx: &Context, id: OverrideId, by: Actor, facts: Facts) -> Result<OverrideRequest, Error> {
    for _ in 0..commit::ATTEMPTS {
        let case = case(cx, id).await?;
        if case.state.name() == StateName::Stopped {
            return Ok(case);
        }
        let now = cx.now();
        let step = case.stop(by, now)?;
        let after = step.case.clone();
        match cx.store.commit(change(cx, step, Also::Nothing, by, facts.clone(), now)?).await {
            Ok(()) => return Ok(after),
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}
