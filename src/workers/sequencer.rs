//! Gives new audit entries their place in the log and signs it. Any number of nodes run this, and whoever is first wins;
//! a node that only answers requests runs [`follow`], so that it too knows how far the log was signed.

use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::service::{Context, Error, log};

/// At least this long between two batches, so that entries which come one after the other share one.
const GATHER: Duration = Duration::from_millis(40);
/// At most this long until entries are seen that nobody gave notice of: those of other nodes, and refused attempts.
const PERIOD: Duration = Duration::from_millis(200);
/// After a fault that may pass.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs until stopped.
pub async fn run(cx: Context, stop: CancellationToken) {
    loop {
        match log::turn(&cx).await {
            // There is more than one batch: a backlog that must not grow.
            Ok(placed) if placed >= log::MOST as usize => {
                if stop.is_cancelled() {
                    return;
                }
            }
            Ok(_) => {
                if waits(&stop, GATHER).await {
                    return;
                }
                tokio::select! {
                    () = cx.log.wake.notified() => {}
                    () = tokio::time::sleep(PERIOD.saturating_sub(GATHER)) => {}
                    () = stop.cancelled() => return,
                }
            }
            Err(error) => {
                say(&error);
                if waits(&stop, AGAIN).await {
                    return;
                }
            }
        }
    }
}

/// Compares the log with the mark until stopped.
pub async fn follow(cx: Context, stop: CancellationToken) {
    loop {
        if let Err(error) = log::look(&cx).await {
            say(&error);
        }
        if waits(&stop, AGAIN).await {
            return;
        }
    }
}

/// Waits, and gives whether it is over.
async fn waits(stop: &CancellationToken, time: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => false,
        () = stop.cancelled() => true,
    }
}

fn say(error: &Error) {
    metrics::counter!("countersign_log_faults_total").increment(1);
    match error {
        Error::RolledBack(_) => {
            tracing::error!(error = %error, "nothing is approved, released or redeemed; see docs/recovery.md");
        }
        _ => tracing::warn!(error = %error, "the log can't be signed at present"),
    }
}
