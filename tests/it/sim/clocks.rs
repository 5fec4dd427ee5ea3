//! Clocks. The database's is the measure; every other one is off by as much as the run says.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use countersign::domain::Timestamp;
use countersign::ports::Clock;

use crate::support::clock::ManualClock;

/// A clock that is off from the database's.
#[derive(Debug)]
pub struct Skewed {
    measure: Arc<ManualClock>,
    /// Microseconds ahead.
    ahead: AtomicI64,
}

impl Skewed {
    pub const fn new(measure: Arc<ManualClock>) -> Self {
        Self { measure, ahead: AtomicI64::new(0) }
    }

    pub fn set(&self, ahead: i64) {
        self.ahead.store(ahead, Ordering::Relaxed);
    }
}

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.measure.now().micros() + self.ahead.load(Ordering::Relaxed))
    }
}
