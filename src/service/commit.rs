//! The end of every transition: store it, then set the timer and tell who waits. What comes after the commit may fail
//! without harm; the sweep and the pages' own looking make up for it.

use std::time::Duration;

use super::{Context, Error};
use crate::domain::approval::transitions::Transition;
use crate::domain::approval::{Actor, Approval, CancelReason, State};
use crate::domain::audit::Facts;
use crate::domain::channel::Notice;
use crate::domain::evidence::Evidence;
use crate::domain::ids::{ApprovalId, EndpointId};
use crate::domain::override_request::OverrideRequest;
use crate::domain::time::Timestamp;
use crate::ports::change::DeviceProof;
use crate::ports::store::{CommitError, Read};
use crate::ports::timing::{Quota, Verdict};
use crate::ports::{Change, Effect};

/// How often a tightening is tried again when the record moved under it.
pub const ATTEMPTS: usize = 8;

/// What a transition is stored with.
#[derive(Default)]
pub struct With<'a> {
    pub endpoints: &'a [EndpointId],
    pub notices: Vec<Notice>,
    pub evidence: Option<Evidence>,
    pub proof: Option<DeviceProof>,
    pub receipt: Option<String>,
    pub facts: Facts,
    /// The override whose signatures must still count when what it approved is released or redeemed.
    pub signed: Option<Box<OverrideRequest>>,
}

/// Stores a transition with its audit entry, webhooks and the rest, and arms its next timer.
///
/// # Errors
/// What [`crate::ports::Store::commit`] answers; nothing was stored then, unless it says that it doesn't know.
pub async fn transition(
    cx: &Context,
    transition: Transition,
    by: Actor,
    with: With<'_>,
    now: Timestamp,
) -> Result<Approval, CommitOrFault> {
    let approval = store(cx, transition, by, with, now).await?;
    after(cx, std::slice::from_ref(&approval)).await;
    Ok(approval)
}

/// Stores a transition as [`transition`] does. What comes after it is left to the caller, who has several and calls
/// [`after`] once for all of them.
///
/// # Errors
/// As [`transition`].
pub async fn store(
    cx: &Context,
    transition: Transition,
    by: Actor,
    with: With<'_>,
    now: Timestamp,
) -> Result<Approval, CommitOrFault> {
    let approval = transition.approval.clone();
    let mut facts = with.facts;
    facts.insert("version", approval.version.to_string());
    facts.insert("digest", approval.digest().to_string());
    if let Some(reason) = approval.state.reason() {
        facts.insert("reason", reason.to_owned());
    }
    let entry = cx.entry(transition.event.as_str(), by, &[&approval.id, &approval.holder], facts, now)?;
    let deliveries = super::notify::webhooks(cx, &transition, with.endpoints, now)?;
    let transition = Box::new(transition);
    let effect = match with.signed {
        Some(case) => Effect::MoveSigned { transition, case, receipt: with.receipt },
        None => Effect::Transition { transition, proof: with.proof, receipt: with.receipt },
    };
    let mut change = Change::new(entry, effect);
    change.notices = with.notices;
    change.deliveries = deliveries;
    change.evidence = with.evidence;
    cx.store.commit(change).await.map_err(CommitOrFault::Commit)?;
    Ok(approval)
}

/// Cancels an approval if it still lives, however often it moves meanwhile. Nothing when it is gone, or came to its end by
/// itself.
///
/// # Errors
/// [`Error::Conflict`] when it moved more often than [`ATTEMPTS`], and then it may live; [`Error::Store`].
pub async fn cancel_living(
    cx: &Context,
    id: ApprovalId,
    reason: CancelReason,
    by: Actor,
    facts: &Facts,
) -> Result<Option<Approval>, Error> {
    for _ in 0..ATTEMPTS {
        let Some(case) = cx.store.case(id).await? else { return Ok(None) };
        if case.approval.state.name().is_final() {
            return Ok(None);
        }
        let now = cx.now();
        let cancelled = case.approval.cancel(reason, by, now)?;
        let with = With { endpoints: &case.endpoints, facts: facts.clone(), ..With::default() };
        match transition(cx, cancelled, by, with, now).await {
            Ok(approval) => return Ok(Some(approval)),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}

/// Counts a stored transition, and writes the one line that the log has of it.
fn stored(approval: &Approval) {
    let (state, reason) = (approval.state.name().as_str(), approval.state.reason().unwrap_or(""));
    metrics::counter!("countersign_transitions_total", "state" => state, "reason" => reason).increment(1);
    tracing::info!(approval.id = %approval.id, state, reason, version = approval.version, "stored");
}

/// A commit that failed, or a fault before it.
#[derive(Debug, thiserror::Error)]
pub enum CommitOrFault {
    #[error(transparent)]
    Commit(CommitError),
    #[error(transparent)]
    Fault(#[from] Error),
}

impl CommitOrFault {
    /// Whether the record moved on and looking again may help.
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Commit(CommitError::Conflict))
    }
}

impl From<CommitOrFault> for Error {
    fn from(error: CommitOrFault) -> Self {
        match error {
            CommitOrFault::Commit(error) => error.into(),
            CommitOrFault::Fault(error) => error,
        }
    }
}

/// A released transfer that isn't due sooner than this is left to the sweep, which looks further ahead than that. Its
/// end is a day away and takes no hurry; a timer for each would only fill the timers' memory.
const SOON: Duration = Duration::from_secs(15);

/// Tells of stored transitions: in figures, in the log, to whoever waits; and arms or removes their timers. Failures are
/// logged and left to the sweep.
pub async fn after(cx: &Context, approvals: &[Approval]) {
    if approvals.is_empty() {
        return;
    }
    let soon = cx.now() + SOON;
    let (mut news, mut arm, mut done) = (Vec::with_capacity(approvals.len()), Vec::new(), Vec::new());
    for approval in approvals {
        stored(approval);
        news.push((approval.id, approval.version));
        match (&approval.state, approval.due_at()) {
            (State::Released { .. }, Some(due_at)) if due_at > soon => {}
            (_, Some(due_at)) => arm.push((approval.id, due_at)),
            // Its timer fired when it was released. One that is set again will find nothing to do.
            (State::Redeemed { .. }, None) => {}
            (_, None) => done.push(approval.id),
        }
    }
    if !arm.is_empty()
        && let Err(error) = cx.timers.arm(&arm).await
    {
        tracing::warn!(error = %error, "timers not armed; the sweep will");
    }
    if !done.is_empty()
        && let Err(error) = cx.timers.disarm(&done).await
    {
        tracing::debug!(error = %error, "timers not removed; they will find nothing to do");
    }
    cx.live.publish(&news).await;
}

/// The rows of a list that can be believed, for what tightens and must not wait for the others. Those are raised.
pub async fn believed<T>(cx: &Context, rows: Vec<Read<T>>) -> Vec<T> {
    let mut good = Vec::with_capacity(rows.len());
    for row in rows {
        match row {
            Ok(row) => good.push(row),
            Err(error) => super::release::raise(cx, &error).await,
        }
    }
    good
}

/// Refused attempts of one sender that are written down. Whoever tries more often says nothing new, and must not fill the
/// log.
const WRITTEN: Quota = Quota { name: "refused", burst: 5, per: Duration::from_secs(60) };

/// As [`refused`], of somebody who may try it as often as they like.
pub async fn refused_again(
    cx: &Context,
    sender: &(dyn std::fmt::Display + Sync),
    kind: &'static str,
    by: Actor,
    object: &[&(dyn std::fmt::Display + Sync)],
    why: &str,
    now: Timestamp,
) {
    if cx.limits.take(WRITTEN, &sender.to_string()).await == Verdict::Allowed {
        refused(cx, kind, by, object, why, now).await;
    }
}

/// Writes down a refused attempt. That it can't be written must not hide the refusal, so a failure is only logged.
pub async fn refused(
    cx: &Context,
    kind: &'static str,
    by: Actor,
    object: &[&(dyn std::fmt::Display + Sync)],
    why: &str,
    now: Timestamp,
) {
    let facts = Facts::from([("why", why.to_owned())]);
    match cx.entry(kind, by, object, facts, now) {
        Ok(entry) => {
            if let Err(error) = cx.store.commit(Change::new(entry, Effect::Noted)).await {
                tracing::error!(error = %error, "a refused attempt could not be written to the audit log");
            }
        }
        Err(error) => tracing::error!(error = %error, "a refused attempt could not be put into an audit entry"),
    }
}
