//! Dual sign-off, one verb per file: [`ask`] → [`prompt`] → [`sign`] (twice) → [`carry_out`]; on the side [`draw`] (once
//! more), [`refuse`] and [`stop`]. [`read`] gives the console its pages, and [`open`]
//! writes down who of the drawn saw one.
//!
//! Nothing here approves, unfreezes or resets by itself: that takes a `Carry`, which the domain makes out of two
//! signatures and nothing else.

pub mod ask;
pub mod carry_out;
pub mod draw;
pub mod open;
pub mod prompt;
pub mod read;
pub mod refuse;
pub mod sign;
pub mod stop;

use super::staff::SignedIn;
use super::{Context, Error, commit, notify};
use crate::domain::approval::Actor;
use crate::domain::audit::Facts;
use crate::domain::ids::{HolderId, OverrideId, StaffId};
use crate::domain::override_request::transitions::Step;
use crate::domain::override_request::{OverrideRequest, Refusal};
use crate::domain::staff::Staff;
use crate::domain::time::Timestamp;
use crate::ports::overrides::{Also, OverrideWrite};
use crate::ports::store::CommitError;
use crate::ports::{Change, Effect};
use crate::service::read::whole;

/// A change that stores a step, with its audit entry.
///
/// # Errors
/// [`Error::Internal`] when the entry can't be written.
fn change(cx: &Context, step: Step, also: Also, by: Actor, mut facts: Facts, now: Timestamp) -> Result<Change, Error> {
    let request = &step.case.request;
    facts.insert("kind", request.kind.name().as_str().to_owned());
    facts.insert("version", step.case.version.to_string());
    facts.insert("digest", request.digest().map_err(Error::internal)?.to_string());
    let kind = step.event.as_str();
    let (id, holder) = (request.id, request.holder);
    let entry = match request.kind.approval() {
        Some(approval) => cx.entry(kind, by, &[&id, &holder, &approval], facts, now)?,
        None => cx.entry(kind, by, &[&id, &holder], facts, now)?,
    };
    let tell = notify::drawn(cx, &step, now);
    let write = OverrideWrite { step, caps: cx.settings.override_caps, proof: None, also, tell };
    Ok(Change::new(entry, Effect::Override(Box::new(write))))
}

async fn case(cx: &Context, id: OverrideId) -> Result<OverrideRequest, Error> {
    cx.store.override_request(id).await?.ok_or(Error::NotFound)
}

/// Requests about one holder that may have been asked for lately.
async fn of_the_day(cx: &Context, holder: HolderId) -> Result<Vec<OverrideRequest>, Error> {
    // A row that isn't believed could be the one whose draw stands.
    Ok(whole(cx.store.overrides_of_holder(holder, read::PAGE).await?)?)
}

/// People as they are now.
async fn people(cx: &Context, ids: &[StaffId]) -> Result<Vec<Staff>, Error> {
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found.extend(cx.staff.person(*id).await?);
    }
    Ok(found)
}

/// The signers so far, as they are now.
async fn signers(cx: &Context, case: &OverrideRequest) -> Result<Vec<Staff>, Error> {
    let ids: Vec<StaffId> = case.state.signatures().iter().map(|signature| signature.staff).collect();
    people(cx, &ids).await
}

/// Writes a refused attempt down and gives the refusal.
async fn refused(cx: &Context, by: &SignedIn, case: OverrideId, refusal: Refusal, now: Timestamp) -> Error {
    commit::refused(cx, "override.refused", by.actor(), &[&case, &by.person.id], refusal.as_str(), now).await;
    refusal.into()
}

/// What a failed commit of a step means.
async fn failed(cx: &Context, by: Actor, case: OverrideId, error: CommitError, now: Timestamp) -> Error {
    if matches!(error, CommitError::Cap) {
        commit::refused(cx, "override.refused", by, &[&case], "daily_cap", now).await;
        return Error::DailyCap;
    }
    error.into()
}
