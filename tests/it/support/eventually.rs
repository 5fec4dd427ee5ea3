//! Waiting for a state that comes by itself, in an async test.

use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Far more than anything here takes on a busy machine, and what a person still waits for.
pub const BOUND: Duration = Duration::from_secs(30);

/// Looks every 10 ms whether `probe` has an answer, and panics with `what` when it had none in 30 s.
pub async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = probe().await {
                return found;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(BOUND, looking).await.unwrap_or_else(|_| panic!("waited 30 s in vain for: {what}"))
}
