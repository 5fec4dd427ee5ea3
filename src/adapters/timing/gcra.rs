//! The generic cell rate algorithm (ITU-T I.371 annex A, virtual scheduling form) as pure arithmetic. The Redis script
//! `take.lua` computes the same. Imports `ports` for the words only.

use std::time::Duration;

use crate::domain::time::Timestamp;
use crate::ports::timing::{Quota, Verdict};

/// What one more costs and how far ahead of the clock a taker may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// The time in which one comes back, in microseconds; at least 1.
    pub interval: i64,
    /// How far the theoretical arrival time may lie ahead before one more is refused, in microseconds.
    pub tolerance: i64,
}

impl Rate {
    /// None when the quota lets nothing through at all.
    pub fn of(quota: Quota) -> Option<Self> {
        let per = micros(quota.per);
        let interval = (per / i64::from(quota.burst.max(1))).max(1);
        (quota.burst > 0).then(|| Self { interval, tolerance: interval.saturating_mul(i64::from(quota.burst) - 1) })
    }

    /// Takes one at `now`. `arrival` is the theoretical arrival time that the one before left. Gives the new one, or
    /// how long to wait, when nothing changes.
    pub fn take(self, arrival: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Duration> {
        // It can't lie further ahead than a full burst; if it does, the clock was set back, and nobody is to wait
        // longer for that.
        let furthest = now.micros().saturating_add(self.tolerance).saturating_add(self.interval);
        let arrival = arrival.map_or(now.micros(), |at| at.micros().clamp(now.micros(), furthest));
        let ahead = arrival - now.micros();
        if ahead > self.tolerance {
            return Err(Duration::from_micros((ahead - self.tolerance).unsigned_abs()));
        }
        Ok(Timestamp::from_micros(arrival.saturating_add(self.interval)))
    }
}

/// The verdict on a quota that lets nothing through.
pub(super) fn never(quota: Quota) -> Verdict {
    Verdict::Wait(quota.per)
}

/// Whole microseconds of a duration, or the most that fit.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE_A_MINUTE: Quota = Quota { name: "test", burst: 5, per: Duration::from_secs(60) };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_795_271_520_000_000 + seconds * 1_000_000)
    }

    #[test]
    fn a_burst_passes_and_then_one_comes_back_at_a_time() {
        let rate = Rate::of(FIVE_A_MINUTE).unwrap();
        let mut arrival = None;
        for _ in 0..5 {
            arrival = Some(rate.take(arrival, at(0)).unwrap());
        }
        assert_eq!(rate.take(arrival, at(0)), Err(Duration::from_secs(12)));
        assert_eq!(rate.take(arrival, at(11)), Err(Duration::from_secs(1)));
        arrival = Some(rate.take(arrival, at(12)).unwrap());
        assert_eq!(rate.take(arrival, at(12)), Err(Duration::from_secs(12)));
        // After a whole period of quiet, the burst is there again.
        for _ in 0..5 {
            arrival = Some(rate.take(arrival, at(200)).unwrap());
        }
        assert!(rate.take(arrival, at(200)).is_err());
    }

    #[test]
    fn a_clock_that_was_set_back_costs_no_more_than_a_period() {
        let rate = Rate::of(FIVE_A_MINUTE).unwrap();
        let wait = rate.take(Some(at(100_000)), at(0)).unwrap_err();
        assert_eq!(wait, Duration::from_secs(12));
    }

    #[test]
    fn odd_quotas_have_an_answer() {
        assert!(Rate::of(Quota { burst: 0, ..FIVE_A_MINUTE }).is_none());
        let free = Rate::of(Quota { per: Duration::ZERO, ..FIVE_A_MINUTE }).unwrap();
        assert!(free.take(None, at(0)).is_ok());
        let endless = Rate::of(Quota { per: Duration::MAX, burst: 1, ..FIVE_A_MINUTE }).unwrap();
        let arrival = endless.take(None, at(0)).unwrap();
        assert!(endless.take(Some(arrival), at(0)).is_err());
    }
}
