//! When there will be something to look at, as far as this node knows: so that it sleeps until then instead of asking.
//! Pure: instants are arguments.

use std::time::Duration;
use tokio::time::Instant;

use crate::domain::time::Timestamp;

/// What the looks at the timers and the timers set here tell of the future.
pub(super) struct Horizon {
    /// How many looks have begun; each is named by its number.
    begun: u64,
    /// The youngest look whose answer counts below.
    latest: u64,
    /// The next time that look saw.
    seen: Option<Instant>,
    /// The earliest timer set on this node, by the number of looks begun when it was set. A look of a higher number
    /// has seen it.
    armed: Vec<(u64, Instant)>,
    /// Nothing is tried before.
    held_until: Option<Instant>,
    /// What the clock of the timers said, and when.
    clock: Option<(Timestamp, Instant)>,
}

/// A look at the timers that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look(u64);

impl Horizon {
    /// Entries kept apart before they are taken together; there are more only while looks fail.
    const APART: usize = 32;

    /// At the beginning, anything may be due.
    pub fn new(now: Instant) -> Self {
        Self { begun: 0, latest: 0, seen: Some(now), armed: Vec::new(), held_until: None, clock: None }
    }

    pub fn begin(&mut self) -> Look {
        self.begun += 1;
        Look(self.begun)
    }

    /// A look has ended: the next time it saw, if any, and the clock of the timers.
    pub fn saw(&mut self, look: Look, next: Option<Instant>, clock: (Timestamp, Instant)) {
        self.armed.retain(|(begun, _)| *begun >= look.0);
        if look.0 > self.latest {
            self.latest = look.0;
            self.seen = next;
            self.held_until = None;
            self.clock = Some(clock);
        }
    }

    /// A look has failed, wholly or in part: none is worth while before `until`.
    pub fn failed(&mut self, until: Instant) {
        self.held_until = Some(until);
    }

    /// Timers were set here, the earliest due at this time. Says whether that is sooner than anything known.
    pub fn armed(&mut self, due_at: Timestamp, now: Instant) -> bool {
        let due = match self.clock {
            Some((told, when)) => now + due_at.since(told + now.saturating_duration_since(when)),
            // Without its clock it may be due at once.
            None => now,
        };
        let is_sooner = self.next().is_none_or(|next| due < next);
        let is_full = self.armed.len() >= Self::APART;
        match self.armed.last_mut() {
            Some((begun, earliest)) if *begun == self.begun || is_full => {
                *begun = self.begun;
                *earliest = due.min(*earliest);
            }
            _ => self.armed.push((self.begun, due)),
        }
        is_sooner
    }

    /// When a timer may be due; None when nothing is known to be set.
    pub fn next(&self) -> Option<Instant> {
        let armed = self.armed.iter().map(|(_, due)| *due).min();
        let next = match (self.seen, armed) {
            (Some(seen), Some(armed)) => Some(seen.min(armed)),
            (seen, armed) => seen.or(armed),
        };
        match (next, self.held_until) {
            (Some(next), Some(held_until)) => Some(next.max(held_until)),
            (next, _) => next,
        }
    }
}

/// The instant that lies so many microseconds ahead; a negative number means never.
pub(super) fn ahead(now: Instant, micros: i64) -> Option<Instant> {
    u64::try_from(micros).ok().map(|micros| now + Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn told(n: u64) -> Timestamp {
        Timestamp::from_micros(1_795_271_520_000_000) + seconds(n)
    }

    #[test]
    fn a_look_tells_how_long_to_sleep() {
        let start = Instant::now();
        let mut horizon = Horizon::new(start);
        assert_eq!(horizon.next(), Some(start));
        let look = horizon.begin();
        horizon.saw(look, Some(start + seconds(9)), (told(0), start));
        assert_eq!(horizon.next(), Some(start + seconds(9)));
        let look = horizon.begin();
        horizon.saw(look, None, (told(0), start));
        assert_eq!(horizon.next(), None);
    }

    #[test]
    fn what_is_set_during_a_look_is_not_forgotten_by_its_answer() {
        let start = Instant::now();
        let mut horizon = Horizon::new(start);
        let look = horizon.begin();
        horizon.saw(look, None, (told(0), start));

        let during = horizon.begin();
        assert!(horizon.armed(told(5), start));
        horizon.saw(during, Some(start + seconds(60)), (told(0), start));
        assert_eq!(horizon.next(), Some(start + seconds(5)));

        let after = horizon.begin();
        horizon.saw(after, Some(start + seconds(60)), (told(0), start));
        assert_eq!(horizon.next(), Some(start + seconds(60)));
    }

    #[test]
    fn an_older_look_that_ends_later_does_not_count() {
        let start = Instant::now();
        let mut horizon = Horizon::new(start);
        let older = horizon.begin();
        let younger = horizon.begin();
        horizon.saw(younger, Some(start + seconds(3)), (told(0), start));
        horizon.saw(older, None, (told(0), start));
        assert_eq!(horizon.next(), Some(start + seconds(3)));
    }

    #[test]
    fn only_something_sooner_wakes() {
        let start = Instant::now();
        let mut horizon = Horizon::new(start);
        let look = horizon.begin();
        horizon.saw(look, Some(start + seconds(10)), (told(0), start));
        assert!(!horizon.armed(told(20), start));
        assert!(horizon.armed(told(7), start));
        // Two seconds later by either clock, the same due time lies two seconds closer.
        assert!(horizon.armed(told(6), start + seconds(2)));
        assert_eq!(horizon.next(), Some(start + seconds(6)));
    }

    #[test]
    fn after_a_failure_nothing_is_tried_for_a_while() {
        let start = Instant::now();
        let mut horizon = Horizon::new(start);
        horizon.failed(start + seconds(1));
        assert_eq!(horizon.next(), Some(start + seconds(1)));
        for _ in 0..100 {
            horizon.begin();
            horizon.armed(told(0), start);
        }
        assert!(horizon.armed.len() <= Horizon::APART);
        assert_eq!(horizon.next(), Some(start + seconds(1)));
        let look = horizon.begin();
        horizon.saw(look, None, (told(0), start));
        assert_eq!(horizon.next(), None);
    }
}
