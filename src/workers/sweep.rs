//! Every ten seconds: compares clocks, arms timers that were missed, forgets old answers, and measures what waits. While
//! timers can't be armed it looks at what is due itself. With it, losing every timer delays nothing by more than a sweep.

use std::time::Duration;
use tokio_util::sync::CancellationToken;

use super::ClockGate;
use super::timers::BATCH;
use crate::domain::approval::StateName;
use crate::domain::ids::ApprovalId;
use crate::service::{Context, Error, release};

/// Time between two sweeps (design section 4).
pub const PERIOD: Duration = Duration::from_secs(10);
/// Rows read at once.
const PAGE: u32 = 1000;
/// How long an answer under an `Idempotency-Key` is remembered.
const REMEMBER: Duration = Duration::from_secs(48 * 3600);

/// Runs until stopped.
pub async fn run(cx: Context, gate: ClockGate, stop: CancellationToken) {
    loop {
        if let Err(error) = sweep(&cx, &gate).await {
            tracing::warn!(error = %error, "the sweep could not be finished");
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// On a node that doesn't sweep: compares the clocks as often, because its readiness tells of them.
pub async fn compare(cx: Context, gate: ClockGate, stop: CancellationToken) {
    loop {
        match release::clocks(&cx).await {
            Ok(clocks) => gate.set(clocks),
            Err(error) => tracing::warn!(error = %error, "clocks can't be compared at present"),
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// One sweep. Gives how many rows it looked at.
///
/// # Errors
/// [`Error::Store`] when the record can't be read.
pub async fn sweep(cx: &Context, gate: &ClockGate) -> Result<usize, Error> {
    let seen = arm(cx, gate).await?;
    measure(cx).await?;
    cx.store.forget_before(cx.now() - REMEMBER).await?;
    Ok(seen)
}

/// The part of a sweep that nothing may be answered before: compares the clocks, and arms timers that were missed. Gives
/// how many rows it looked at.
///
/// # Errors
/// [`Error::Store`] when the record can't be read.
pub async fn arm(cx: &Context, gate: &ClockGate) -> Result<usize, Error> {
    gate.set(release::clocks(cx).await?);
    // Up to the next sweep but one, so that a timer that was lost is there again before it is due.
    let now = cx.store.now().await?;
    let horizon = now + 2 * PERIOD;
    let mut after = None;
    let mut seen = 0;
    loop {
        let due = cx.store.due_before(horizon, after, PAGE).await?;
        seen += due.len();
        let Some((id, at)) = due.last().copied() else { break };
        // What is late was not looked at, whatever the timers hold: one set for the end of an untold hold, or a lease
        // from before their clock stepped. Looking once more does no harm.
        let late: Vec<_> = due.iter().copied().filter(|(_, at)| *at + PERIOD <= now).collect();
        let armed = match cx.timers.arm_missing(&due).await {
            Ok(()) if late.is_empty() => Ok(()),
            Ok(()) => cx.timers.arm(&late).await,
            Err(error) => Err(error),
        };
        if let Err(error) = armed {
            tracing::warn!(error = %error, "timers can't be armed at present; the sweep looks at what is due itself");
            let ripe: Vec<ApprovalId> = due.iter().filter(|(_, at)| *at <= now).map(|(id, _)| *id).collect();
            look(cx, gate, &ripe).await?;
            // Further pages hold nothing that is due.
            if at > now {
                break;
            }
        }
        after = Some((at, id));
        if due.len() < PAGE as usize {
            break;
        }
    }
    Ok(seen)
}

/// What no timer will fire for is looked at here. Any number of nodes may: a transition is a compare-and-set, and the
/// database's clock decides. What can't be done yet is there again at the next sweep.
async fn look(cx: &Context, gate: &ClockGate, ids: &[ApprovalId]) -> Result<(), Error> {
    for batch in ids.chunks(BATCH) {
        if !gate.is_open() {
            return Ok(());
        }
        release::fall_due(cx, batch).await?;
    }
    Ok(())
}

async fn measure(cx: &Context) -> Result<(), Error> {
    let counts = cx.store.live_counts().await?;
    for state in [StateName::Pending, StateName::Cooling, StateName::Released] {
        let count = counts.iter().find(|(name, _)| *name == state).map_or(0, |(_, count)| *count);
        metrics::gauge!("countersign_approvals", "state" => state.as_str()).set(precise(count));
    }
    let backlog = cx.store.backlog().await?;
    let age = backlog.oldest.map_or(Duration::ZERO, |oldest| cx.now().since(oldest));
    metrics::gauge!("countersign_outbox_age_seconds").set(age.as_secs_f64());
    metrics::gauge!("countersign_outbox_rows", "kind" => "notice").set(precise(backlog.notices));
    metrics::gauge!("countersign_outbox_rows", "kind" => "delivery").set(precise(backlog.deliveries));
    if let Ok(timers) = cx.timers.count().await {
        metrics::gauge!("countersign_timers").set(precise(timers));
    }
    Ok(())
}

// A gauge is a float; counts of rows stay far below where that loses a unit.
fn precise(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}
