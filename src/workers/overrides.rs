//! Every ten seconds: freezes whose time is over end, what a freeze left over is cancelled, and override requests whose
//! time has come go on. Found by the record's own index, not by timers: none of it is in a hurry.

use std::time::Duration;
use tokio_util::sync::CancellationToken;

use super::ClockGate;
use crate::service::override_request::carry_out;
use crate::service::{Context, Error, freeze};

/// Time between two turns.
pub const PERIOD: Duration = Duration::from_secs(10);

/// Runs until stopped.
pub async fn run(cx: Context, gate: ClockGate, stop: CancellationToken) {
    loop {
        if let Err(error) = turn(&cx, &gate).await {
            tracing::warn!(error = %error, "freezes and overrides could not be looked at");
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// One turn. Gives how many moved. Nothing loosens while the clocks disagree.
///
/// # Errors
/// [`Error::Store`] when the record can't be read.
pub async fn turn(cx: &Context, gate: &ClockGate) -> Result<usize, Error> {
    if !gate.is_open() {
        return Ok(0);
    }
    Ok(freeze::turn(cx).await? + carry_out::turn(cx).await?)
}
