//! Rates counted by this process alone: for a service that is one process, and for a node whose Redis is gone.
//! Imports `domain` and `ports`; the arithmetic is `gcra`.

use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::gcra::{Rate, never};
use crate::domain::time::Timestamp;
use crate::ports::timing::{Clock, Limits, Quota, Verdict};

/// So many takers are remembered, which is about 10 MB.
const TAKERS: usize = 100_000;

/// A taker of a quota; two quotas of one name are two quotas when their numbers differ.
type Taker = (Quota, Box<str>);

/// The limiter of one process.
pub struct MemoryLimits {
    clock: Arc<dyn Clock>,
    capacity: usize,
    arrivals: Mutex<HashMap<Taker, Timestamp>>,
}

impl MemoryLimits {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_capacity(clock, TAKERS)
    }

    /// Remembers `capacity` takers at most.
    fn with_capacity(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        Self { clock, capacity, arrivals: Mutex::default() }
    }

    /// Takes one, now.
    pub(super) fn take_now(&self, quota: Quota, who: &str) -> Verdict {
        let Some(rate) = Rate::of(quota) else { return never(quota) };
        let now = self.clock.now();
        let taker = (quota, Box::from(who));
        // A poisoned map is only one whose last change may be missing.
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        match rate.take(arrivals.get(&taker).copied(), now) {
            Err(wait) => Verdict::Wait(wait),
            Ok(arrival) => {
                if arrivals.len() >= self.capacity && !arrivals.contains_key(&taker) {
                    prune(&mut arrivals, now);
                }
                arrivals.insert(taker, arrival);
                Verdict::Allowed
            }
        }
    }
}

/// Forgets who has nothing left to wait for. If that is not even a quarter, forgets also those who have the least to
/// wait, so that a flood of new names can neither grow the map nor free those whom it refuses the longest.
fn prune(arrivals: &mut HashMap<Taker, Timestamp>, now: Timestamp) {
    let before = arrivals.len();
    arrivals.retain(|_, arrival| *arrival > now);
    if arrivals.len() > before - before / 4 {
        let mut times: Vec<Timestamp> = arrivals.values().copied().collect();
        let middle = times.len() / 2;
        let (_, &mut median, _) = times.select_nth_unstable(middle);
        arrivals.retain(|_, arrival| *arrival > median);
    }
}

#[async_trait]
impl Limits for MemoryLimits {
    async fn take(&self, quota: Quota, who: &str) -> Verdict {
        self.take_now(quota, who)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ONE_AN_HOUR: Quota = Quota { name: "test", burst: 1, per: Duration::from_secs(3600) };

    struct Stopped(Mutex<Timestamp>);

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    fn small(capacity: usize) -> (Arc<Stopped>, MemoryLimits) {
        let clock = Arc::new(Stopped(Mutex::new(Timestamp::from_micros(1_795_271_520_000_000))));
        (clock.clone(), MemoryLimits::with_capacity(clock, capacity))
    }

    fn pass(clock: &Stopped, by: Duration) {
        let mut now = clock.0.lock().unwrap();
        *now = *now + by;
    }

    #[test]
    fn a_flood_of_names_grows_nothing() {
        let (_, limits) = small(100);
        for n in 0..10_000 {
            assert_eq!(limits.take_now(ONE_AN_HOUR, &n.to_string()), Verdict::Allowed);
        }
        assert!(limits.arrivals.lock().unwrap().len() <= 100);
    }

    #[test]
    fn a_flood_does_not_free_the_one_who_waits_longest() {
        let (clock, limits) = small(100);
        let day = Quota { per: Duration::from_secs(86_400), ..ONE_AN_HOUR };
        assert_eq!(limits.take_now(day, "held"), Verdict::Allowed);
        for n in 0..10_000 {
            pass(&clock, Duration::from_millis(1));
            limits.take_now(ONE_AN_HOUR, &n.to_string());
        }
        assert!(matches!(limits.take_now(day, "held"), Verdict::Wait(_)));
    }

    #[test]
    fn who_has_nothing_to_wait_for_is_forgotten_first() {
        let (clock, limits) = small(4);
        for name in ["a", "b", "c"] {
            limits.take_now(ONE_AN_HOUR, name);
        }
        pass(&clock, Duration::from_secs(3601));
        limits.take_now(ONE_AN_HOUR, "d");
        limits.take_now(ONE_AN_HOUR, "e");
        assert_eq!(limits.arrivals.lock().unwrap().len(), 2);
        assert!(matches!(limits.take_now(ONE_AN_HOUR, "d"), Verdict::Wait(_)));
    }
}
