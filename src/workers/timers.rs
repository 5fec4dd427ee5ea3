//! Claims timers that are due and lets `service::release` decide what that means. A claim is a lease: a node that dies
//! loses it, and another takes over.

use std::time::Duration;
use tokio_util::sync::CancellationToken;

use super::ClockGate;
use crate::domain::ids::ApprovalId;
use crate::ports::timing::Claim;
use crate::service::Context;
use crate::service::release::{self, Outcome};

/// So many in one claim: what shares one read and one commit.
const BATCH: usize = 250;
/// Longer than any commit takes; shorter than anybody wants to wait for a dead node's timers.
const LEASE: Duration = Duration::from_secs(10);
/// A timer whose transition lost a race, or came before the database's clock, is looked at again after this.
const AGAIN: Duration = Duration::from_millis(10);
/// Longest sleep without a signal; a dead node's timers are seen within this.
const IDLE: Duration = Duration::from_millis(500);

/// Runs until stopped; a claim in hand is finished first.
pub async fn run(cx: Context, gate: ClockGate, stop: CancellationToken) {
    loop {
        let idle = match turn(&cx, &gate).await {
            Ok(0) => IDLE,
            Ok(_) => Duration::ZERO,
            Err(error) => {
                tracing::warn!(error = %error, "timers can't be worked on at present");
                Duration::from_secs(1)
            }
        };
        if stop.is_cancelled() {
            return;
        }
        if !idle.is_zero() {
            tokio::select! {
                () = cx.timers.wait(idle) => {}
                () = stop.cancelled() => return,
            }
        }
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

/// Claims once and does what was claimed. Gives the number of claims.
///
/// # Errors
/// [`TurnError`].
pub async fn turn(cx: &Context, gate: &ClockGate) -> Result<usize, TurnError> {
    if !gate.is_open() {
        return Ok(0);
    }
    let claims = cx.timers.claim(BATCH, LEASE).await?;
    if claims.is_empty() {
        return Ok(0);
    }
    let ids: Vec<ApprovalId> = claims.iter().map(|claim| claim.id).collect();
    let outcomes = match release::fall_due(cx, &ids).await {
        Ok(outcomes) => outcomes,
        Err(error) => {
            give_back(cx, &claims).await;
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
    cx.timers.ack(&claims).await?;
    Ok(claims.len())
}

async fn give_back(cx: &Context, claims: &[Claim]) {
    if let Err(error) = cx.timers.release(claims).await {
        tracing::warn!(error = %error, "claimed timers not given back; their lease will end");
    }
}
