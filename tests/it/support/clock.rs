//! A clock that a test moves: it stands still in between, or goes on beside a server's.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use countersign::domain::Timestamp;
use countersign::ports::Clock;
use tokio::time::Instant;

/// Shows the time it was set to. Several handles may share one through an `Arc`.
#[derive(Debug)]
pub struct ManualClock {
    set: AtomicI64,
    /// Since when it goes; one that doesn't stands still.
    goes_since: Option<Instant>,
}

impl ManualClock {
    pub const fn at(now: Timestamp) -> Self {
        Self { set: AtomicI64::new(now.micros()), goes_since: None }
    }

    /// Goes on from here, because it has to agree with a clock that a test can't stop.
    pub fn going_from(now: Timestamp) -> Self {
        Self { goes_since: Some(Instant::now()), ..Self::at(now) }
    }

    pub fn set(&self, now: Timestamp) {
        self.set.store((now - self.gone()).micros(), Ordering::SeqCst);
    }

    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }

    fn gone(&self) -> Duration {
        self.goes_since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.set.load(Ordering::SeqCst)) + self.gone()
    }
}
