//! Clocks. The database's is the measure; every other one is off by as much as the run says.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use countersign::domain::Timestamp;
use countersign::ports::Clock;

use crate::support::clock::ManualClock;

/// A clock that is off from the database's.
#[derive(Debug)]
pub struct Skewed {
    measure: Arc<ManualClock>,
    /// Microseconds ahead.
    ahead: AtomicI64,
    /// Everything that it said.
    given: Mutex<BTreeSet<Timestamp>>,
}

impl Skewed {
    pub const fn new(measure: Arc<ManualClock>) -> Self {
        Self { measure, ahead: AtomicI64::new(0), given: Mutex::new(BTreeSet::new()) }
    }

    pub fn set(&self, ahead: i64) {
        self.ahead.store(ahead, Ordering::Relaxed);
    }

    /// Whether it ever said this.
    pub fn gave(&self, at: Timestamp) -> bool {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).contains(&at)
    }
}

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        let now = Timestamp::from_micros(self.measure.now().micros() + self.ahead.load(Ordering::Relaxed));
        self.given.lock().unwrap_or_else(PoisonError::into_inner).insert(now);
        now
    }
}
