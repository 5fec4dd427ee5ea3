//! The clock of the machine. The only place that asks it what time it is; everybody else takes `now` as an argument or
//! asks the port. Imports `domain` and `ports`.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::time::Timestamp;
use crate::ports::timing::Clock;

/// The system clock in UTC, as NTP keeps it: it may step.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the adapter that the lint points to")]
        let now = SystemTime::now();
        // A machine whose clock stands before 1970 reads as 1970: too early never releases anything.
        Timestamp::EPOCH + now.duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_a_time_after_this_was_written() {
        let written = Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
        assert!(SystemClock.now() > written);
    }
}
