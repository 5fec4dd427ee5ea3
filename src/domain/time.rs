//! One point in time, to the microsecond, in UTC. Both databases store exactly this integer, so that no rounding can
//! move a deadline between the code and the record.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// The text was no RFC 3339 timestamp (section 5.6), or lay outside the range of the type.
#[derive(Debug, thiserror::Error)]
#[error("not an RFC 3339 timestamp")]
pub struct BadTimestamp(#[source] Option<time::error::Parse>);

impl Timestamp {
    pub const EPOCH: Self = Self(0);

    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down: the unit of JWT dates (RFC 7519 section 2, NumericDate).
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole milliseconds since the epoch, rounded down: the unit of UUIDv7 (RFC 9562 section 5.7).
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0).try_into().unwrap_or(0))
    }

    /// RFC 3339 text with microseconds, always `Z`.
    pub fn rfc3339(self) -> String {
        let nanos = i128::from(self.0) * 1_000;
        OffsetDateTime::from_unix_timestamp_nanos(nanos)
            .ok()
            .and_then(|at| at.format(&Rfc3339).ok())
            .unwrap_or_else(|| format!("{}us", self.0))
    }

    /// Reads RFC 3339 text.
    ///
    /// # Errors
    /// [`BadTimestamp`] when the text isn't one.
    pub fn parse_rfc3339(text: &str) -> Result<Self, BadTimestamp> {
        let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|e| BadTimestamp(Some(e)))?;
        let micros = at.unix_timestamp_nanos().div_euclid(1_000);
        i64::try_from(micros).map(Self).map_err(|_| BadTimestamp(None))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse_rfc3339(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_number_agree_to_the_microsecond() {
        let at = Timestamp::from_micros(1_795_271_520_000_001);
        assert_eq!(at.rfc3339(), "2026-11-21T14:32:00.000001Z");
        assert_eq!(Timestamp::parse_rfc3339(&at.rfc3339()).unwrap(), at);
        assert!(Timestamp::parse_rfc3339("2026-11-21").is_err());
    }

    #[test]
    fn since_never_goes_below_zero() {
        let early = Timestamp::from_micros(5);
        let late = Timestamp::from_micros(9);
        assert_eq!(late.since(early), Duration::from_micros(4));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}
