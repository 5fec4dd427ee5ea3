//! A timer fired: what is due is released, expired or given up. The timer only says "look now"; the domain and the
//! database's clock decide. Next: the webhook, and the backend's [`super::redeem`].

use std::time::Duration;

use super::override_request::carry_out::{Under, is_decider_removed, under};
use super::{Context, Error, commit};
use crate::domain::approval::transitions::{Due, Transition};
use crate::domain::approval::{Actor, Approval, CancelReason, Decision, Logged, StateName};
use crate::domain::audit::Facts;
use crate::domain::ids::ApprovalId;
use crate::domain::override_request::OverrideRequest;
use crate::domain::time::Timestamp;
use crate::ports::store::{CommitError, DueCase, StoreError};

/// Clocks further apart than this: the node releases nothing and says so.
pub use crate::domain::approval::transitions::MAX_SKEW;

/// When an approval in a database that was rolled back is looked at again.
const ROLLED_BACK: Duration = Duration::from_secs(5);

/// What became of one approval that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A transition was stored.
    Moved(Box<Approval>),
    /// Not yet; its timer was set for then.
    Later(ApprovalId, Timestamp),
    /// Nothing to do, or somebody else did it.
    Nothing(ApprovalId),
    /// It couldn't be done now: the timer must come back.
    Again(ApprovalId),
}

/// Looks at approvals whose timers fired, in one read, and stores what is due.
///
/// # Errors
/// [`Error::Store`] when they can't be read: every timer must come back.
pub async fn fall_due(cx: &Context, ids: &[ApprovalId]) -> Result<Vec<Outcome>, Error> {
    // The mark is looked at before the record, because only the other way round could it be ahead of a sound one.
    let mark = cx.log.mark.least();
    let cases = cx.store.due_cases(ids).await?;
    let mut found = Vec::with_capacity(cases.len());
    for case in cases {
        match case {
            Ok(case) => found.push(case),
            // A forged or corrupt row is never released. It is raised here, each time it is met.
            Err(error @ (StoreError::Forged { .. } | StoreError::Corrupt { .. })) => raise(cx, &error).await,
            Err(error) => return Err(error.into()),
        }
    }
    let looked = futures_util::future::join_all(found.into_iter().map(|case| one(cx, case, mark))).await;
    Ok(follow_up(cx, looked).await)
}

/// What a look at one approval gave, before anything was set or told.
enum Looked {
    Moved(Box<Approval>),
    /// Not yet. `Ripe` when only a notice is missing.
    Later(ApprovalId, Timestamp, Ripe),
    Nothing(ApprovalId),
    Again(ApprovalId),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ripe {
    Yes,
    No,
}

async fn one(cx: &Context, case: DueCase, mark: u64) -> Looked {
    let now = cx.now();
    let id = case.approval.id;
    let due_at = case.approval.due_at();
    let before = case.approval.clone();
    // A database from before the mark releases nothing. Whether its log was signed says nothing about it either.
    let logged = match case.logged {
        Some(size) if size >= mark => Logged::Yes,
        Some(_) | None => Logged::NotYet,
    };
    let waits_for_log = case.told.is_some() && logged == Logged::NotYet;
    let transition = match case.approval.fall_due(case.told, logged, now) {
        Due::Never => return Looked::Nothing(id),
        Due::Later(at) => {
            // Nothing but the operator ends this; it isn't looked at twenty times a second until then.
            let at = if case.logged.is_some_and(|size| size < mark) { now + ROLLED_BACK } else { at };
            let is_due = due_at.is_some_and(|due_at| due_at <= now);
            let ripe = if is_due && !waits_for_log { Ripe::Yes } else { Ripe::No };
            return Looked::Later(id, at, ripe);
        }
        Due::Now(transition) => *transition,
    };
    let (transition, signed) = match signed_still(cx, &before, transition, now).await {
        Ok(still) => still,
        Err(error) => {
            tracing::error!(error = %error, approval.id = %id, "the signatures under an approval can't be looked at");
            return Looked::Again(id);
        }
    };
    let with = commit::With { endpoints: &case.endpoints, signed, ..commit::With::default() };
    match commit::store(cx, transition, Actor::Service, with, now).await {
        Ok(approval) => {
            if let Some(due_at) = due_at {
                metrics::histogram!("countersign_timer_lateness_seconds").record(now.since(due_at).as_secs_f64());
            }
            Looked::Moved(Box::new(approval))
        }
        // Somebody else was faster, a signer left in between, or the database's clock is behind ours: looking again
        // finds out which. That the device is gone is found out here.
        Err(error) if error.is_conflict() => match end_without_device(cx, &before).await {
            // Told and counted by what ended it.
            Ok(Some(_)) => Looked::Nothing(id),
            Ok(None) => Looked::Again(id),
            Err(error) => {
                tracing::error!(error = %error, approval.id = %id, "the device that approved can't be looked at");
                Looked::Again(id)
            }
        },
        // Whatever froze the holder cancels it.
        Err(commit::CommitOrFault::Commit(CommitError::Frozen)) => Looked::Again(id),
        Err(commit::CommitOrFault::Commit(CommitError::Duplicate(_) | CommitError::Cap)) => Looked::Nothing(id),
        Err(error) => {
            tracing::error!(error = %error, approval.id = %id, "a due approval could not be stored");
            Looked::Again(id)
        }
    }
}

/// What two staff members approved is released only while both signatures count; else it ends. Gives with it whose
/// signatures the commit has to look at again.
async fn signed_still(
    cx: &Context,
    before: &Approval,
    transition: Transition,
    now: Timestamp,
) -> Result<(Transition, Option<Box<OverrideRequest>>), Error> {
    if transition.approval.state.name() != StateName::Released {
        return Ok((transition, None));
    }
    Ok(match under(cx, before).await? {
        Under::NoStaff => (transition, None),
        Under::Signatures(case) => (transition, Some(case)),
        Under::Void => (before.clone().cancel(CancelReason::SignatureVoid, Actor::Service, now)?, None),
    })
}

/// What a removed device approved is never released, so it ends. Nothing when that isn't why the release was refused.
async fn end_without_device(cx: &Context, refused: &Approval) -> Result<Option<Approval>, Error> {
    let decider = refused.state.decision().and_then(Decision::device);
    if !is_decider_removed(cx, refused.holder, decider).await? {
        return Ok(None);
    }
    commit::cancel_living(cx, refused.id, CancelReason::DeviceRemoved, Actor::Service, &Facts::new()).await
}

/// Sets timers and tells who waits, once for all that were looked at.
async fn follow_up(cx: &Context, looked: Vec<Looked>) -> Vec<Outcome> {
    let moved: Vec<Approval> = looked
        .iter()
        .filter_map(|looked| if let Looked::Moved(approval) = looked { Some((**approval).clone()) } else { None })
        .collect();
    commit::after(cx, &moved).await;
    let (mut later, mut ripe) = (Vec::new(), Vec::new());
    for looked in &looked {
        if let Looked::Later(id, at, is_ripe) = looked {
            later.push((*id, *at));
            if *is_ripe == Ripe::Yes {
                ripe.push(*id);
            }
        }
    }
    if !later.is_empty()
        && let Err(error) = cx.timers.arm(&later).await
    {
        tracing::warn!(error = %error, "timers could not be set; the sweep will");
    }
    // A notice may have been delivered since the case was read, and have armed "now" before we armed "later" over it.
    // Whoever comes second must see the other, so the cases are read once more.
    let told = if ripe.is_empty() { Vec::new() } else { told_by_now(cx, &ripe).await };
    let outcome = |looked| match looked {
        Looked::Moved(approval) => Outcome::Moved(approval),
        Looked::Later(id, ..) if told.contains(&id) => Outcome::Again(id),
        Looked::Later(id, at, _) => Outcome::Later(id, at),
        Looked::Nothing(id) => Outcome::Nothing(id),
        Looked::Again(id) => Outcome::Again(id),
    };
    looked.into_iter().map(outcome).collect()
}

async fn told_by_now(cx: &Context, ids: &[ApprovalId]) -> Vec<ApprovalId> {
    let cases = cx.store.due_cases(ids).await.unwrap_or_default();
    cases.into_iter().flatten().filter(|case| case.told.is_some()).map(|case| case.approval.id).collect()
}

/// Raises a row that carries authority and was not written by us.
pub(super) async fn raise(cx: &Context, error: &StoreError) {
    tracing::error!(error = %error, "a stored row was refused");
    metrics::counter!("countersign_refused_rows_total").increment(1);
    let (kind, table, id) = match error {
        StoreError::Forged { table, id } => ("row.forged", *table, id.clone()),
        StoreError::Corrupt { table, id, .. } => ("row.corrupt", *table, id.clone()),
        StoreError::Unavailable(_) => return,
    };
    commit::refused(cx, kind, Actor::Service, &[&id], table, cx.now()).await;
}

/// What comparing the node's clock with the database's gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clocks {
    Agree,
    /// At least so far apart, which is more than allowed.
    Apart(Duration),
    /// The answer took too long to tell.
    Unsaid,
}

/// Compares the clocks.
///
/// # Errors
/// [`Error::Store`] when the database can't be asked.
pub async fn clocks(cx: &Context) -> Result<Clocks, Error> {
    let before = cx.now();
    let theirs = cx.store.now().await?;
    let after = cx.now();
    // The database was asked at some moment between `before` and `after`; only what lies outside that span is skew. A
    // span that is longer than what is allowed would hide as much.
    let apart = before.since(theirs).max(theirs.since(after));
    Ok(match apart > MAX_SKEW {
        true => Clocks::Apart(apart),
        false if after.since(before) > MAX_SKEW => Clocks::Unsaid,
        false => Clocks::Agree,
    })
}
