//! The veto: the holder stops an override with one tap, from the link in a notice or on a device; the requester may take
//! it back. Where the override approved a transfer, the transfer itself is stopped, as any other.

use super::{case, change, read};
use crate::domain::approval::{Actor, CancelReason};
use crate::domain::audit::Facts;
use crate::domain::freeze::Freeze;
use crate::domain::ids::OverrideId;
use crate::domain::override_request::{OverrideRequest, Refusal, StateName};
use crate::domain::time::Timestamp;
use crate::ports::overrides::Also;
use crate::ports::store::{CommitError, StoreError};
use crate::service::staff::SignedIn;
use crate::service::{Browser, Context, Error, commit, links, release};

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

/// The holder was frozen: what staff asked for is stopped, as everything else is. Gives what was wrong with rows that
/// aren't believed. With `before` only what was asked for
/// earlier than that, because what is asked for later is how a freeze ends. A link may have come from the very channel that a request says
/// is in wrong hands, so those requests are stopped by a device, by staff, or by their own link on another channel.
///
/// # Errors
/// [`Error::Store`]; [`Error::Conflict`] when it can't be done now.
pub async fn of_frozen(
    cx: &Context,
    frozen: &Freeze,
    by: Actor,
    before: Option<Timestamp>,
) -> Result<Vec<StoreError>, Error> {
    let mut unread = Vec::new();
    for case in cx.store.overrides_of_holder(frozen.holder, read::EVERY).await? {
        let case = match case {
            Ok(case) => case,
            Err(error) => {
                unread.push(error);
                continue;
            }
        };
        let asked = before.is_none_or(|before| case.request.created_at < before);
        let lives = case.due_at().is_some() && asked;
        if !lives || (by == Actor::Link && !case.request.disputed.is_empty()) {
            continue;
        }
        match stop(cx, case.id(), by, Facts::from([("freeze", frozen.id.to_string())])).await {
            // It came to its end by itself meanwhile.
            Ok(_) | Err(Error::Override(Refusal::State(_))) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(unread)
}

/// The record was restored: nobody knows whether the holder stopped it since. Gives how many were stopped.
///
/// # Errors
/// As [`of_frozen`].
pub async fn all(cx: &Context, before: Timestamp, page: u32) -> Result<u64, Error> {
    let mut stopped = 0;
    let mut after = None;
    loop {
        let due = cx.store.override_ids_due(before, after, page).await?;
        let Some((id, at)) = due.last().copied() else { return Ok(stopped) };
        for (id, _) in due {
            let facts = Facts::from([("reason", CancelReason::Recovered.as_str().to_owned())]);
            match stop(cx, id, Actor::Operator, facts).await {
                Ok(_) => stopped += 1,
                Err(Error::Override(Refusal::State(_))) => {}
                // Whatever it is, it is never carried out, and keeps no other from being stopped.
                Err(Error::Store(error @ (StoreError::Forged { .. } | StoreError::Corrupt { .. }))) => {
                    release::raise(cx, &error).await;
                }
                Err(error) => return Err(error),
            }
        }
        after = Some((at, id));
    }
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
