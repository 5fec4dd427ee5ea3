//! Which approval a page shows and how far it was along: what the script needs to notice that something has changed.
//!
//! Owns the paths under an approval or a waiting link, the version the page was made from, and the running clock of a
//! hold. The page never decides: it reloads when the server's version is another. Imports `clocktext`; printed by
//! `templates/parts/live.html` and `clock.html`.

use super::clocktext::{self, Moment};
use askama::Template;

/// The state a page shows, as a word first. Redeemed is shown as released: Countersign knows that the money was
/// cleared, not that it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Pending,
    Cooling,
    Released,
    Rejected,
    Cancelled,
    Expired,
}

impl Stage {
    /// The word on the page.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "Waiting for you",
            Self::Cooling => "Cooling-off",
            Self::Released => "Released",
            Self::Rejected => "Rejected",
            Self::Cancelled => "Cancelled",
            Self::Expired => "Expired",
        }
    }

    /// The name in class attributes.
    pub fn class(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Cooling => "cooling",
            Self::Released => "released",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// The address and the version a page was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    base: String,
    version: i64,
    now: String,
}

impl Live {
    /// A page of an enrolled device: `approval` is the id as it stands in `/a/{approval}`; `now` in unix microseconds.
    pub fn device(approval: &str, version: i64, now: i64) -> Self {
        Self::new("a", approval, version, now)
    }

    /// A page of the initiating side: `token` as it stands in `/w/{token}`.
    pub fn waiting(token: &str, version: i64, now: i64) -> Self {
        Self::new("w", token, version, now)
    }

    /// `/a/{approval}` or `/w/{token}`; actions, events and status hang below it.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn version(&self) -> i64 {
        self.version
    }

    /// The server's time when the page was made, so that a device with a wrong clock still counts down rightly.
    pub fn now(&self) -> &str {
        &self.now
    }

    fn new(kind: &str, id: &str, version: i64, now: i64) -> Self {
        Self { base: format!("/{kind}/{id}"), version, now: clocktext::iso(now) }
    }
}

/// How long an undecided approval lives on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    left: String,
    at: Moment,
    now: String,
}

impl Deadline {
    /// Both in unix microseconds.
    pub fn new(now: i64, expires_at: i64) -> Self {
        Self {
            left: clocktext::left(now, expires_at),
            at: clocktext::moment(now, expires_at),
            now: clocktext::iso(now),
        }
    }

    /// «42 minutes left».
    pub fn left(&self) -> &str {
        &self.left
    }

    pub fn at(&self) -> &Moment {
        &self.at
    }

    /// The server's time when this was made.
    pub fn now(&self) -> &str {
        &self.now
    }
}

/// The running clock of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "parts/clock.html")]
pub struct HoldClock {
    face: String,
    until: Moment,
    total: i64,
    used: i64,
}

impl HoldClock {
    /// The hold began at `from` and ends at `until`; all in unix microseconds.
    pub fn new(now: i64, from: i64, until: i64) -> Self {
        let total = clocktext::seconds_until(from, until).max(1);
        let rest = clocktext::seconds_until(now, until);
        Self {
            face: clocktext::face(now, until),
            until: clocktext::moment(now, until),
            total,
            used: (total - rest).clamp(0, total),
        }
    }

    /// «11:42», or «23 h 41 m».
    pub fn face(&self) -> &str {
        &self.face
    }

    pub fn until(&self) -> &Moment {
        &self.until
    }

    /// Seconds of the whole hold, at least one.
    pub fn total(&self) -> i64 {
        self.total
    }

    /// Seconds of it that are over.
    pub fn used(&self) -> i64 {
        self.used
    }

    /// The time is over, and the server hasn't said yet what came of it.
    pub fn is_over(&self) -> bool {
        self.used == self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROS: i64 = 1_000_000;

    #[test]
    fn a_hold_clock_stays_inside_its_hold() {
        let clock = |now: i64| HoldClock::new(now * MICROS, 100 * MICROS, 1000 * MICROS);
        assert_eq!((clock(298).face(), clock(298).used(), clock(298).total()), ("11:42", 198, 900));
        assert_eq!((clock(50).used(), clock(50).is_over()), (0, false));
        assert_eq!((clock(1000).used(), clock(1000).is_over()), (900, true));
        assert_eq!((clock(5000).used(), clock(5000).face()), (900, "0:00"));
    }

    #[test]
    fn a_hold_without_length_divides_nothing() {
        assert_eq!(HoldClock::new(5, 5, 5).total(), 1);
    }

    #[test]
    fn paths_hang_below_the_approval_or_the_link() {
        assert_eq!(Live::device("01J", 3, 0).base(), "/a/01J");
        assert_eq!(Live::waiting("tok", 3, 0).base(), "/w/tok");
    }
}
