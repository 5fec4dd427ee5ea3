//! Time as the load generator measures it.

use std::future::Future;
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "to measure time is what a load generator is for")]
pub fn now() -> Instant {
    Instant::now()
}

/// Looks every few milliseconds until `probe` gives something, for at most `limit`.
///
/// # Errors
/// When it never did, with what was waited for.
pub async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> F,
) -> anyhow::Result<T> {
    let end = now() + limit;
    while now() < end {
        if let Some(found) = probe().await {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    anyhow::bail!("waited {limit:?} in vain for {what}")
}
