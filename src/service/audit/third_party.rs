//! The third-party report of `domain::report`, from the record.

use super::{PAGE, Record};
use crate::domain::audit::reading::Reading;
use crate::domain::report::{Range, Reader, ThirdParty};
use crate::ports::store::StoreError;

/// Reads the log from its beginning, and counts what lies in the range. What waits for its place in the tree counts too.
///
/// # Errors
/// [`StoreError`].
pub async fn third_party(record: &Record, range: Range) -> Result<ThirdParty, StoreError> {
    let mut reader = Reader::new(range);
    let mut place = None;
    loop {
        let page = record.audit.stored_entries(place, None, PAGE).await?;
        let Some(last) = page.last() else { return Ok(reader.finish()) };
        place = Some(last.place);
        for entry in page {
            match entry.canonical.as_deref().map(Reading::of) {
                Some(Ok(reading)) => reader.take(&reading),
                // A text that doesn't read can't be counted either; `audit verify` says what is wrong with it.
                Some(Err(_)) | None => reader.take_erased(entry.at),
            }
        }
    }
}
