//! Times in the words of a page.
//!
//! Owns how an instant, a deadline and a length are written for a person who may be frightened: a clock time always
//! names its zone, and any day but today is named in full, so that nobody mistakes tomorrow's 02:10 for tonight's. Where
//! scripts run, `static/times.js` says the same by the reader's own clock.
//! Takes unix microseconds and the reader's `now` as arguments; knows no clock. Imports `time` for the calendar and
//! nothing of ours. The texts go into the view models beside this file.

use std::fmt;
use time::{Date, OffsetDateTime};

const MICROS: i64 = 1_000_000;
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// One instant, as a person reads it and as `<time datetime>` wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    iso: String,
    text: String,
}

impl Moment {
    /// RFC 3339 in UTC with milliseconds: the value of a `datetime` attribute, and what the page's script counts down
    /// to.
    pub fn iso(&self) -> &str {
        &self.iso
    }

    /// The text for the start of a sentence or of a table cell: «Today, 14:02 UTC».
    pub fn opening(&self) -> String {
        capitalised(&self.text)
    }
}

/// The text for the middle of a sentence: «tomorrow, Sunday 22 November, 02:10 UTC».
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A few words with a moment in them, kept apart so that a page's script finds the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed {
    pub before: String,
    pub at: Option<Moment>,
    pub after: String,
}

impl Timed {
    /// Words without a moment.
    pub fn plain(words: impl Into<String>) -> Self {
        Self { before: words.into(), at: None, after: String::new() }
    }

    /// «Approved today, 14:02 UTC»; with nothing before it the moment opens the line.
    pub fn at(before: &str, at: &Moment) -> Self {
        Self { before: before.to_owned(), at: Some(at.clone()), after: String::new() }
    }

    #[must_use]
    pub fn then(self, after: &str) -> Self {
        Self { after: after.to_owned(), ..self }
    }
}

/// The moment `at`, told to somebody reading at `now`; both are unix microseconds.
pub fn moment(now: i64, at: i64) -> Moment {
    Moment { iso: iso(at), text: worded(now, at, Precision::Minute) }
}

/// The same to the second, for a moment that people compare with another record, such as a release.
pub fn moment_to_the_second(now: i64, at: i64) -> Moment {
    Moment { iso: iso(at), text: worded(now, at, Precision::Second) }
}

/// The day of `at` without a clock time, for a list of past things: «today», «18 November», «3 January 2025».
pub fn day(now: i64, at: i64) -> String {
    match (calendar(now), calendar(at)) {
        (Some(now), Some(at)) if now.date() == at.date() => "today".to_owned(),
        (Some(now), Some(at)) if now.year() == at.year() => format!("{} {}", at.day(), at.month()),
        (_, Some(at)) => format!("{} {} {}", at.day(), at.month(), at.year()),
        _ => UNKNOWN.to_owned(),
    }
}

/// How long a reader at `now` still has until `at`: «42 minutes left». Rounded down, so that a page never promises time
/// that isn't there.
pub fn left(now: i64, at: i64) -> String {
    let seconds = at.saturating_sub(now).div_euclid(MICROS);
    if seconds <= 0 {
        return "no time left".to_owned();
    }
    format!("{} left", rounded(seconds))
}

/// A length in microseconds, in words: «15 minutes», «24 hours», «1 hour 30 minutes». Rounded down to the two largest
/// units that count.
pub fn span(micros: i64) -> String {
    rounded(micros.div_euclid(MICROS).max(0))
}

/// The face of a running clock: «11:42» below an hour, «23 h 41 m» from there. Rounded up, so that 0:00 means that the
/// time is over.
pub fn face(now: i64, until: i64) -> String {
    let seconds = seconds_until(now, until);
    if seconds < HOUR {
        format!("{}:{:02}", seconds / MINUTE, seconds % MINUTE)
    } else {
        format!("{} h {:02} m", seconds / HOUR, seconds % HOUR / MINUTE)
    }
}

/// Whole seconds from `now` to `until`, rounded up, never below nought.
pub fn seconds_until(now: i64, until: i64) -> i64 {
    let micros = until.saturating_sub(now).max(0);
    micros / MICROS + i64::from(micros % MICROS != 0)
}

/// RFC 3339 in UTC, with milliseconds. An instant outside the calendar gives an empty text, which a browser treats as
/// no date.
pub fn iso(at: i64) -> String {
    let Some(t) = calendar(at) else {
        return String::new();
    };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        t.year(),
        u8::from(t.month()),
        t.day(),
        t.hour(),
        t.minute(),
        t.second(),
        t.millisecond()
    )
}

/// What a page says for an instant that no calendar holds; such a value is a bug elsewhere, and a page must still come
/// up.
const UNKNOWN: &str = "an unknown time";

#[derive(Clone, Copy)]
enum Precision {
    Minute,
    Second,
}

fn worded(now: i64, at: i64, precision: Precision) -> String {
    let Some(t) = calendar(at) else {
        return UNKNOWN.to_owned();
    };
    let clock = match precision {
        Precision::Minute => format!("{:02}:{:02} UTC", t.hour(), t.minute()),
        Precision::Second => format!("{:02}:{:02}:{:02} UTC", t.hour(), t.minute(), t.second()),
    };
    let Some(today) = calendar(now).map(OffsetDateTime::date) else {
        return format!("{}, {clock}", full_day(t.date(), None));
    };
    let day = full_day(t.date(), Some(today));
    match (t.date() - today).whole_days() {
        0 => format!("today, {clock}"),
        1 => format!("tomorrow, {day}, {clock}"),
        -1 => format!("yesterday, {day}, {clock}"),
        _ => format!("{day}, {clock}"),
    }
}

/// «Sunday 22 November», with the year when it isn't the reader's.
fn full_day(date: Date, today: Option<Date>) -> String {
    let day = format!("{} {} {}", date.weekday(), date.day(), date.month());
    if today.is_some_and(|today| today.year() == date.year()) { day } else { format!("{day} {}", date.year()) }
}

fn rounded(seconds: i64) -> String {
    let (large, small) = match seconds {
        ..MINUTE => (counted(seconds, "second"), None),
        MINUTE..HOUR => (counted(seconds / MINUTE, "minute"), None),
        // Up to two days people think in hours: the longest hold is 48 of them.
        HOUR..=172_800 => (counted(seconds / HOUR, "hour"), part(seconds % HOUR / MINUTE, "minute")),
        _ => (counted(seconds / DAY, "day"), part(seconds % DAY / HOUR, "hour")),
    };
    match small {
        Some(small) => format!("{large} {small}"),
        None => large,
    }
}

fn part(count: i64, unit: &str) -> Option<String> {
    (count > 0).then(|| counted(count, unit))
}

fn counted(count: i64, unit: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

fn calendar(micros: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Saturday 21 November 2026, 14:02:07.250 UTC.
    const NOW: i64 = 1_795_269_727_250_000;

    fn after(seconds: i64) -> i64 {
        NOW + seconds * MICROS
    }

    #[test]
    fn today_needs_no_date() {
        let asked = moment(NOW, NOW);
        assert_eq!(asked.to_string(), "today, 14:02 UTC");
        assert_eq!(asked.opening(), "Today, 14:02 UTC");
        assert_eq!(asked.iso(), "2026-11-21T14:02:07.250Z");
        assert_eq!(moment_to_the_second(NOW, NOW).to_string(), "today, 14:02:07 UTC");
    }

    #[test]
    fn every_other_day_is_named_in_full() {
        let tomorrow = after(12 * HOUR + 8 * MINUTE);
        assert_eq!(moment(NOW, tomorrow).to_string(), "tomorrow, Sunday 22 November, 02:10 UTC");
        assert_eq!(moment(NOW, after(-DAY)).opening(), "Yesterday, Friday 20 November, 14:02 UTC");
        assert_eq!(moment(NOW, after(3 * DAY)).opening(), "Tuesday 24 November, 14:02 UTC");
        assert_eq!(moment(NOW, after(45 * DAY)).to_string(), "Tuesday 5 January 2027, 14:02 UTC");
    }

    #[test]
    fn midnight_belongs_to_the_new_day() {
        let midnight = after(9 * HOUR + 57 * MINUTE + 53) - 250_000;
        assert_eq!(moment(NOW, midnight).to_string(), "tomorrow, Sunday 22 November, 00:00 UTC");
        assert_eq!(moment(NOW, midnight - 1).to_string(), "today, 23:59 UTC");
    }

    #[test]
    fn past_days_in_a_list() {
        assert_eq!(day(NOW, after(-HOUR)), "today");
        assert_eq!(day(NOW, after(-3 * DAY)), "18 November");
        assert_eq!(day(NOW, after(-400 * DAY)), "17 October 2025");
    }

    #[test]
    fn time_left_is_never_promised_too_long() {
        assert_eq!(left(NOW, after(42 * MINUTE + 59)), "42 minutes left");
        assert_eq!(left(NOW, after(60) - 1), "59 seconds left");
        assert_eq!(left(NOW, after(1)), "1 second left");
        assert_eq!(left(NOW, after(1) - 1), "no time left");
        assert_eq!(left(NOW, after(-5)), "no time left");
        assert_eq!(left(NOW, after(HOUR)), "1 hour left");
        assert_eq!(left(NOW, after(23 * HOUR + 41 * MINUTE)), "23 hours 41 minutes left");
    }

    #[test]
    fn lengths_in_words() {
        assert_eq!(span(15 * MINUTE * MICROS), "15 minutes");
        assert_eq!(span(24 * HOUR * MICROS), "24 hours");
        assert_eq!(span(48 * HOUR * MICROS), "48 hours");
        assert_eq!(span(90 * MINUTE * MICROS), "1 hour 30 minutes");
        assert_eq!(span(72 * HOUR * MICROS), "3 days");
        assert_eq!(span(20 * MICROS), "20 seconds");
        assert_eq!(span(-1), "0 seconds");
    }

    #[test]
    fn the_clock_reaches_nought_only_at_the_end() {
        assert_eq!(face(NOW, after(11 * MINUTE + 42)), "11:42");
        assert_eq!(face(NOW, after(23 * HOUR + 5 * MINUTE)), "23 h 05 m");
        assert_eq!(face(NOW, NOW + 1), "0:01");
        assert_eq!(face(NOW, NOW), "0:00");
        assert_eq!(face(NOW, NOW - 1), "0:00");
    }

    #[test]
    fn an_instant_outside_the_calendar_still_gives_a_page() {
        assert_eq!(moment(NOW, i64::MAX).to_string(), UNKNOWN);
        assert_eq!(iso(i64::MIN), "");
        assert_eq!(day(NOW, i64::MAX), UNKNOWN);
        assert_eq!(face(i64::MIN, i64::MAX), "2562047788 h 00 m");
    }
}
