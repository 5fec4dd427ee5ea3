//! "This wasn't me": freezes a holder, cancels everything of theirs that isn't final, and stops what staff began for
//! them. From a link in a notice, on an enrolled device, or by staff. Next: [`super::lift`], or an override `unfreeze`.
//!
//! It takes two steps, so that nothing can slip by. The freeze is committed first; from then on no statement that begins
//! opens, approves, enrols, releases or redeems anything of this holder. Then whatever lives is read and cancelled, one
//! commit each, with its webhook. A redeem that began before the freeze was committed saw an approval that the reading
//! sees as well, so one of the two has the row first, and the other meets a newer version. The answer comes after that.
//! What a crash leaves over, or what was being opened at that very moment, [`settle`] cancels.

use std::time::Duration;

use super::override_request::stop;
use super::staff::{SignedIn, look};
use super::{Browser, Context, Error, commit, links, log, notify, release};
use crate::domain::approval::{Actor, CancelReason};
use crate::domain::audit::Facts;
use crate::domain::channel::Purpose;
use crate::domain::freeze::{Freeze, FreezeReason, FreezeState, FreezeStep};
use crate::domain::ids::{FreezeId, HolderId, ViewId};
use crate::domain::staff::Reason;
use crate::domain::time::Timestamp;
use crate::ports::store::{CommitError, Read, StoreError};
use crate::ports::{Change, Effect};

/// Approvals of one holder that are read at once.
const PAGE: u32 = 100;
/// As many are read when rows that aren't believed fill a page.
const MOST: u32 = 50_000;
/// Rows that a worker looks at in one turn.
const BATCH: u32 = 100;
/// No statement takes longer than this: what was being opened when the freeze was committed is to be seen by then.
const SETTLED_AFTER: Duration = Duration::from_secs(60);

/// Whoever holds the link in a notice about an approval says that it wasn't them.
///
/// # Errors
/// [`Error::NotFound`] for anything that isn't a cancel link.
pub async fn by_cancel_link(cx: &Context, token: &str) -> Result<Freeze, Error> {
    let id = links::open_cancel(cx, token)?;
    let approval = cx.store.approval(id).await?.ok_or(Error::NotFound)?;
    freeze(cx, approval.holder, FreezeReason::Link, Actor::Link, Facts::new()).await
}

/// Whoever holds the link in a notice about a freeze locks again.
///
/// # Errors
/// [`Error::NotFound`] for anything that isn't such a link.
pub async fn by_lock_link(cx: &Context, token: &str) -> Result<Freeze, Error> {
    let holder = links::open_lock(cx, token)?;
    cx.store.holder_by_id(holder).await?.ok_or(Error::NotFound)?;
    freeze(cx, holder, FreezeReason::Link, Actor::Link, Facts::new()).await
}

/// The holder locks on an enrolled device; a locked one may, too. No ceremony: tightening is instant.
///
/// # Errors
/// [`Error::UnknownDevice`].
pub async fn by_device(cx: &Context, browser: &Browser) -> Result<Freeze, Error> {
    let device = browser.device(cx).await?;
    let by = Actor::Device(device.body.id);
    freeze(cx, device.body.holder, FreezeReason::Device, by, Facts::new()).await
}

/// An agent freezes the holder whom they look at, with a reason. So many a day.
///
/// # Errors
/// [`Error::NotInRole`] for somebody who isn't an agent; [`Error::NotFound`] without a look at the holder that lasts;
/// [`Error::DailyCap`].
pub async fn by_staff(cx: &Context, by: &SignedIn, view: ViewId, reason: &Reason) -> Result<Freeze, Error> {
    let view = look::own(cx, by, view).await?;
    let facts = by.facts([("said", reason.to_string())]);
    freeze(cx, view.holder, FreezeReason::Staff, by.actor(), facts).await
}

async fn freeze(cx: &Context, holder: HolderId, why: FreezeReason, by: Actor, facts: Facts) -> Result<Freeze, Error> {
    for _ in 0..commit::ATTEMPTS {
        let frozen = begin(cx, holder, why, by, facts.clone()).await?;
        let mut unread = stop_everything(cx, &frozen).await?;
        unread.extend(stop::of_frozen(cx, &frozen, by, None).await?);
        // Somebody acted, so what isn't believed is raised, once.
        for error in unread {
            release::raise(cx, &error).await;
        }
        // What was to unfreeze may have been carried out just before it could be stopped.
        if cx.store.freeze(holder).await?.is_some() {
            return Ok(frozen);
        }
    }
    Err(Error::Conflict)
}

async fn begin(cx: &Context, holder: HolderId, why: FreezeReason, by: Actor, facts: Facts) -> Result<Freeze, Error> {
    for _ in 0..commit::ATTEMPTS {
        // A freeze from a link counts a day from here, and the database's clock ends it: on a node whose clock is behind it
        // would be over before it began. One whose clock is ahead would take a freeze that lies in the future, and whatever
        // was asked for before it, such as its own end, would be stopped until then.
        let theirs = cx.store.now().await?;
        let now = cx.now().clamp(theirs, theirs + release::MAX_SKEW);
        let step = match cx.store.freeze(holder).await? {
            None => Freeze::begin(cx.id(FreezeId::new, now), holder, why, by, now),
            Some(known) => match known.clone().again(why, by, now) {
                Some(step) => step,
                None => return Ok(known),
            },
        };
        // Nobody's brake waits for a row that somebody spoilt.
        let channels = commit::believed(cx, cx.store.channels_one_by_one(holder).await?).await;
        let mut facts = facts.clone();
        // An alert: whoever watches the log is to be woken.
        facts.insert("severity", "high".to_owned());
        facts.insert("why", why.as_str().to_owned());
        let notices = notify::freeze(cx, &step.freeze, Purpose::Frozen, &channels, now);
        let entry = cx.entry("holder.frozen", by, &[&holder, &step.freeze.id], facts, now)?;
        let frozen = step.freeze.clone();
        let mut change = Change::new(entry, Effect::Freeze { step: Box::new(step), proof: None });
        change.notices = notices;
        match cx.store.commit(change).await {
            Ok(()) => {
                tracing::warn!(holder.id = %holder, why = why.as_str(), "a holder was frozen");
                metrics::counter!("countersign_freezes_total", "why" => why.as_str()).increment(1);
                return Ok(frozen);
            }
            Err(CommitError::Conflict) => {}
            Err(CommitError::Cap) => {
                commit::refused(cx, "freeze.refused", by, &[&holder], "daily_cap", now).await;
                return Err(Error::DailyCap);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}

/// Cancels whatever of the holder isn't final. Done when a reading finds nothing. A row that isn't believed is left out,
/// and pushes no other one out of what is read; what was wrong with such rows is given back.
async fn stop_everything(cx: &Context, frozen: &Freeze) -> Result<Vec<StoreError>, Error> {
    let mut page = PAGE;
    loop {
        let (mut live, mut unread, mut count) = (Vec::new(), Vec::new(), 0);
        for row in cx.store.approvals_of_holder(frozen.holder, page).await? {
            count += 1;
            match row {
                Ok(approval) if approval.state.name().is_final() => {}
                Ok(approval) => live.push(approval.id),
                Err(error) => unread.push(error),
            }
        }
        if live.is_empty() && count >= page && !unread.is_empty() && page < MOST {
            page = page.saturating_mul(8);
            continue;
        }
        if live.is_empty() {
            return Ok(unread);
        }
        for id in live {
            let facts = Facts::from([("freeze", frozen.id.to_string())]);
            commit::cancel_living(cx, id, CancelReason::HolderFrozen, frozen.by, &facts).await?;
        }
    }
}

/// A worker's turn: ends what is over, and cancels what a freeze left over. Gives how many freezes moved.
///
/// # Errors
/// [`Error::Store`] when the record can't be read.
pub async fn turn(cx: &Context) -> Result<usize, Error> {
    let mut moved = 0;
    let now = cx.store.now().await?;
    // What tightens comes first, and needs no whole log.
    for frozen in sound(cx.store.freezes_unsettled(BATCH).await?) {
        settle(cx, &frozen, now).await?;
    }
    let due = sound(cx.store.freezes_due(now, BATCH).await?);
    if due.is_empty() || log::loosens_nothing(cx).await? {
        return Ok(moved);
    }
    for frozen in due {
        let told = match frozen.lift() {
            Some(lift) => cx.store.lift_told(frozen.id, lift.device, lift.asked_at).await?,
            None => None,
        };
        if let Some(step) = frozen.fall_due(told.map(|told| told.delivered_at), cx.now()) {
            moved += usize::from(end(cx, step).await?);
        }
    }
    Ok(moved)
}

/// A freeze that isn't believed never ends, and holds up no other. It is met again every few seconds, so it isn't written
/// down each time.
fn sound(rows: Vec<Read<Freeze>>) -> Vec<Freeze> {
    let refused = |error: &StoreError| tracing::error!(error = %error, "a stored freeze was refused");
    rows.into_iter().filter_map(|row| row.inspect_err(refused).ok()).collect()
}

/// Cancels what came to light after a freeze, and after a while takes it off the list.
async fn settle(cx: &Context, frozen: &Freeze, now: Timestamp) -> Result<(), Error> {
    let mut unread = stop_everything(cx, frozen).await?;
    // What was asked for since it was said is how it ends.
    unread.extend(stop::of_frozen(cx, frozen, frozen.by, Some(frozen.said_at())).await?);
    for error in unread {
        // It is met again every few seconds, so it isn't written down each time.
        tracing::error!(error = %error, "a stored row of a frozen holder was refused");
    }
    if now >= frozen.said_at() + SETTLED_AFTER {
        cx.store.settle_freeze(frozen.id, now).await?;
    }
    Ok(())
}

async fn end(cx: &Context, step: FreezeStep) -> Result<bool, Error> {
    let now = cx.now();
    let FreezeState::Ended { how, .. } = step.freeze.state else { return Ok(false) };
    let facts = Facts::from([("how", how.as_str().to_owned())]);
    let objects: [&(dyn std::fmt::Display + Sync); 2] = [&step.freeze.holder, &step.freeze.id];
    let entry = cx.entry("holder.unfrozen", Actor::Service, &objects, facts, now)?;
    let effect = Effect::Freeze { step: Box::new(step), proof: None };
    match cx.store.commit(Change::new(entry, effect)).await {
        Ok(()) => Ok(true),
        // Somebody locked again, or the database's clock is behind: the next turn finds out.
        Err(CommitError::Conflict) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
