//! Tells sinks of security events what the log says, as OCSF, in the order of the leaves.
//!
//! At least once: a sink's cursor is moved after the sink accepted, so that a crash between tells the same again; by
//! `metadata.uid` the receiver knows it. One node at a time tells a sink, under a lease. Only what is in a signed
//! checkpoint is told, because only that has a place.

use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::domain::audit::reading::Reading;
use crate::domain::ocsf::{self, Seen};
use crate::ports::audit::{AuditStore, Cursor, CursorStore, StoredEntry};
use crate::ports::log::LogStore;
use crate::ports::siem::{EventSink, SinkError};
use crate::ports::store::StoreError;

/// Longer than the longest batch takes (the guard gives up after 15 s).
const LEASE: Duration = Duration::from_secs(60);
const PERIOD: Duration = Duration::from_secs(1);
/// Longest wait after a sink refused.
const LONGEST: Duration = Duration::from_secs(60);
/// Entries read at once.
const PAGE: u32 = 500;

/// What sinks are told of, and where it is remembered how far.
#[derive(Clone)]
pub struct Stream {
    pub audit: Arc<dyn AuditStore>,
    pub log: Arc<dyn LogStore>,
    pub cursors: Arc<dyn CursorStore>,
    /// Name of the log.
    pub origin: String,
}

/// Why a turn ended early. What wasn't told is told at the next.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error("an event can't be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The record is older than what was told: it was restored or rolled back.
    #[error("the log has {size} entries, and {told} were told")]
    Shrunk { size: u64, told: u64 },
}

/// Runs until stopped.
pub async fn run(stream: Stream, sink: Arc<dyn EventSink>, stop: CancellationToken) {
    let mut pause = PERIOD;
    loop {
        match turn(&stream, sink.as_ref()).await {
            Ok(_) => pause = PERIOD,
            Err(error) => {
                tracing::warn!(error = %error, sink = sink.name(), "security events wait");
                metrics::counter!("countersign_siem_failures_total", "sink" => sink.name().to_owned()).increment(1);
                pause = (pause * 2).min(LONGEST);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Tells one sink all that it hasn't been told yet, and gives how many entries that were. Nothing while another node
/// does it.
///
/// # Errors
/// [`StreamError`].
pub async fn turn(stream: &Stream, sink: &dyn EventSink) -> Result<u64, StreamError> {
    let Some(cursor) = stream.cursors.claim_cursor(sink.name(), LEASE).await? else { return Ok(0) };
    let told = tell(stream, sink, cursor).await;
    stream.cursors.leave_cursor(sink.name(), cursor.fence).await?;
    told
}

async fn tell(stream: &Stream, sink: &dyn EventSink, mut cursor: Cursor) -> Result<u64, StreamError> {
    let mut told = 0;
    let Some(newest) = stream.log.newest().await? else { return Ok(0) };
    let size = newest.head.size;
    if size < cursor.index {
        return Err(StreamError::Shrunk { size, told: cursor.index });
    }
    loop {
        let page = stream.audit.stored_entries(cursor.place, Some(newest.place), PAGE).await?;
        if page.is_empty() {
            return Ok(told);
        }
        let mut batch = Batch::default();
        for entry in page {
            let event = event(&entry, cursor.index + batch.places.len() as u64, stream, sink.room())?;
            if batch.bytes + event.len() + 1 > sink.room() && !batch.events.is_empty() {
                told += batch.events.len() as u64;
                let Some(next) = hand_over(stream, sink, cursor, std::mem::take(&mut batch)).await? else {
                    return Ok(told);
                };
                cursor = next;
            }
            batch.bytes += event.len() + 1;
            batch.events.push(event);
            batch.places.push(entry.place);
        }
        told += batch.events.len() as u64;
        let Some(next) = hand_over(stream, sink, cursor, batch).await? else { return Ok(told) };
        cursor = next;
    }
}

/// Events that go together.
#[derive(Default)]
struct Batch {
    events: Vec<String>,
    places: Vec<i64>,
    bytes: usize,
}

/// First the sink, then the cursor. Gives the cursor as moved; nothing once another node has it.
async fn hand_over(
    stream: &Stream,
    sink: &dyn EventSink,
    cursor: Cursor,
    batch: Batch,
) -> Result<Option<Cursor>, StreamError> {
    sink.accept(&batch.events).await?;
    let count = batch.events.len() as u64;
    let place = batch.places.last().copied().or(cursor.place);
    let next = Cursor { index: cursor.index + count, place, ..cursor };
    metrics::counter!("countersign_siem_events_total", "sink" => sink.name().to_owned()).increment(count);
    Ok(stream.cursors.move_cursor(sink.name(), next, LEASE).await?.then_some(next))
}

/// An entry as a line. One that is longer than the sink takes goes without its text, and says so: none is left out.
fn event(entry: &StoredEntry, index: u64, stream: &Stream, room: usize) -> Result<String, serde_json::Error> {
    let reading = entry.canonical.as_deref().and_then(|text| Reading::of(text).ok());
    let seen = Seen {
        index,
        id: entry.id,
        at: entry.at,
        kind: &entry.kind,
        leaf_hash: entry.leaf_hash,
        reading: reading.as_ref(),
    };
    let whole = serde_json::to_string(&ocsf::event(&seen, &stream.origin))?;
    if whole.len() < room {
        return Ok(whole);
    }
    let mut short = ocsf::event(&Seen { reading: None, ..seen }, &stream.origin);
    (short.metadata.is_truncated, short.unmapped.erased) = (Some(true), None);
    serde_json::to_string(&short)
}
