//! The third-party report of `domain::report`, from the record.

use std::time::Duration;

use super::{PAGE, Record};
use crate::domain::audit::reading::Reading;
use crate::domain::report::{Range, Reader, ThirdParty};
use crate::domain::time::Timestamp;
use crate::ports::store::StoreError;

/// Reads the log from its beginning, and counts what lies in the range. What waits for its place in the tree counts too.
///
/// # Errors
/// [`StoreError`].
pub async fn third_party(record: &Record, range: Range) -> Result<ThirdParty, StoreError> {
    read(record, Reader::new(range), None, None).await
}

/// The same from what lies in the range alone, with `slack` for entries that got their place late; what it costs is the
/// length of the range and not that of the log. Entries name the employer of whoever acted; for those that don't, it is
/// the one that the person has now.
///
/// # Errors
/// [`StoreError`].
pub async fn of_range(record: &Record, range: Range, slack: Duration) -> Result<ThirdParty, StoreError> {
    let people = record.staff.everybody().await?;
    let employers = people.iter().map(|person| (person.id.to_string(), person.profile.employer.to_string()));
    let reader = Reader::knowing(range, employers);
    let place = record.audit.place_before(range.from - slack).await?;
    read(record, reader, place, Some(range.to + slack)).await
}

async fn read(
    record: &Record,
    mut reader: Reader,
    mut place: Option<i64>,
    until: Option<Timestamp>,
) -> Result<ThirdParty, StoreError> {
    loop {
        let page = record.audit.stored_entries(place, None, PAGE).await?;
        let Some(last) = page.last() else { return Ok(reader.finish()) };
        let over = until.is_some_and(|until| last.at >= until);
        place = Some(last.place);
        for entry in page {
            match entry.canonical.as_deref().map(Reading::of) {
                Some(Ok(reading)) => reader.take(&reading),
                // A text that doesn't read can't be counted either; `audit verify` says what is wrong with it.
                Some(Err(_)) | None => reader.take_erased(entry.at),
            }
        }
        if over {
            return Ok(reader.finish());
        }
    }
}
