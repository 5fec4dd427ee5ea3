//! Every few seconds: goes on with the erasures that were begun. Found by the record's own index; a step that another
//! node took is left to it.

use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::service::{Context, erase};

/// Time between two turns.
pub const PERIOD: Duration = Duration::from_secs(5);

/// Runs until stopped.
pub async fn run(cx: Context, stop: CancellationToken) {
    loop {
        if let Err(error) = erase::turn(&cx).await {
            tracing::warn!(error = %error, "erasures could not be gone on with");
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = stop.cancelled() => return,
        }
    }
}
