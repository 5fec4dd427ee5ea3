//! What runs beside the requests: timers, notices, webhooks, and the sweep that makes up for whatever was missed.
//!
//! Each worker is idempotent and takes no input: it leases what is due, does it, and settles it. Signals wake it, a
//! period wakes it too. May import: `service`, `ports`, `domain`.

pub mod deliveries;
pub mod erasures;
pub mod notices;
pub mod overrides;
mod places;
pub mod prune;
pub mod sequencer;
pub mod siem;
pub mod staff_notices;
pub mod sweep;
pub mod timers;
pub mod witnesses;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::service::release::Clocks;

/// Whether this node's clock and the database's agree. While they don't, or nobody has compared them yet, the node
/// releases nothing.
#[derive(Debug, Clone, Default)]
pub struct ClockGate(Arc<AtomicBool>);

impl ClockGate {
    /// That of a node whose clock is known to agree.
    pub fn open() -> Self {
        let gate = Self::default();
        gate.set(Clocks::Agree);
        gate
    }

    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Opens or shuts the gate, or leaves it as it is, and says so when it changes.
    pub fn set(&self, clocks: Clocks) {
        let open = match clocks {
            Clocks::Agree => true,
            Clocks::Apart(_) => false,
            Clocks::Unsaid => {
                tracing::warn!("the database took too long to tell its time; what was known of the clocks stands");
                return;
            }
        };
        let was = self.0.swap(open, Ordering::Relaxed);
        metrics::gauge!("countersign_clock_agrees").set(if open { 1.0 } else { 0.0 });
        match (was, clocks) {
            (true, Clocks::Apart(apart)) => {
                tracing::error!(apart_ms = apart.as_millis(), "clocks disagree: this node releases nothing");
            }
            (false, Clocks::Agree) => tracing::info!("clocks agree"),
            _ => {}
        }
    }
}

/// How long what was sent waits for others before it is settled with them.
const GATHER: Duration = Duration::from_millis(5);

/// Sleeps until then; for ever without a time.
async fn at(time: Option<tokio::time::Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
