//! Claims timers that are due and lets `service::release` decide what that means. A claim is a lease: a node that dies
//! loses it, and another takes over.

use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::ClockGate;
use crate::domain::ids::ApprovalId;
use crate::ports::timing::Claim;
use crate::service::Context;
use crate::service::release::{self, Outcome};

/// So many in one claim: what shares one read and one commit.
pub(super) const BATCH: usize = 250;
/// Longer than any commit takes; shorter than anybody wants to wait for a dead node's timers.
const LEASE: Duration = Duration::from_secs(10);
/// A timer whose transition lost a race, or came before the database's clock, is looked at again after this.
const AGAIN: Duration = Duration::from_millis(10);
/// Longest sleep without a signal; a dead node's timers are seen within this.
const IDLE: Duration = Duration::from_millis(500);

/// Batches worked on at once when there is a crowd: while one waits for its commit, the next is read.
const SIDE_BY_SIDE: usize = 3;

/// How long nothing is tried after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs until stopped; what was claimed is finished first.
pub async fn run(cx: Context, gate: ClockGate, stop: CancellationToken) {
    let mut under_way: JoinSet<Result<(), TurnError>> = JoinSet::new();
    let mut was_full = false;
    while !stop.is_cancelled() {
        // A further batch only when the last one was full: else it is cheaper to let a few gather meanwhile.
        let may_claim = under_way.is_empty() || (was_full && under_way.len() < SIDE_BY_SIDE);
        if !may_claim {
            if let Some(ended) = under_way.join_next().await {
                pause_after(ended, &stop).await;
            }
            continue;
        }
        let idle = match claim(&cx, &gate).await {
            Ok(claims) if claims.is_empty() => {
                was_full = false;
                IDLE
            }
            Ok(claims) => {
                was_full = claims.len() == BATCH;
                let cx = cx.clone();
                under_way.spawn(async move { work(&cx, &claims).await });
                continue;
            }
            Err(error) => {
                tracing::warn!(error = %error, "timers can't be worked on at present");
                PAUSE
            }
        };
        tokio::select! {
            Some(ended) = under_way.join_next(), if !under_way.is_empty() => pause_after(ended, &stop).await,
            () = cx.timers.wait(idle) => {}
            () = stop.cancelled() => {}
        }
    }
    while let Some(ended) = under_way.join_next().await {
        pause_after(ended, &stop).await;
    }
}

/// After a failure nothing is tried for a while.
async fn pause_after(ended: Result<Result<(), TurnError>, JoinError>, stop: &CancellationToken) {
    match ended {
        Ok(Ok(())) => return,
        Ok(Err(error)) => tracing::warn!(error = %error, "timers can't be worked on at present"),
        Err(error) => tracing::error!(error = %error, "working on timers ended badly; their leases will end"),
    }
    tokio::select! {
        () = tokio::time::sleep(PAUSE) => {}
        () = stop.cancelled() => {}
    }
}

/// Why a turn failed; its timers come back when their lease ends.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    #[error(transparent)]
    Timers(#[from] crate::ports::timing::PortError),
    #[error(transparent)]
    Service(#[from] crate::service::Error),
}

/// Claims once and does what was claimed. Gives the number of claims. For tests, which drain.
///
/// # Errors
/// [`TurnError`].
pub async fn turn(cx: &Context, gate: &ClockGate) -> Result<usize, TurnError> {
    let claims = claim(cx, gate).await?;
    work(cx, &claims).await?;
    Ok(claims.len())
}

async fn claim(cx: &Context, gate: &ClockGate) -> Result<Vec<Claim>, TurnError> {
    if !gate.is_open() {
        return Ok(Vec::new());
    }
    Ok(cx.timers.claim(BATCH, LEASE).await?)
}

async fn work(cx: &Context, claims: &[Claim]) -> Result<(), TurnError> {
    if claims.is_empty() {
        return Ok(());
    }
    let ids: Vec<ApprovalId> = claims.iter().map(|claim| claim.id).collect();
    let outcomes = match release::fall_due(cx, &ids).await {
        Ok(outcomes) => outcomes,
        Err(error) => {
            give_back(cx, claims).await;
            return Err(error.into());
        }
    };
    let again_at = cx.now() + AGAIN;
    let again: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Again(id) => Some((*id, again_at)),
            Outcome::Moved(_) | Outcome::Later(..) | Outcome::Nothing(_) => None,
        })
        .collect();
    if !again.is_empty() {
        cx.timers.arm(&again).await?;
    }
    cx.timers.ack(claims).await?;
    Ok(())
}

async fn give_back(cx: &Context, claims: &[Claim]) {
    if let Err(error) = cx.timers.release(claims).await {
        tracing::warn!(error = %error, "claimed timers not given back; their lease will end");
    }
}
