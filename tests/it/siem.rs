//! The stream of security events: at least once, in order, from a cursor that survives a crash; and that every kind of
//! entry the service writes has a class of its own.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use countersign::adapters::outbound::OutboundConfig;
use countersign::adapters::siem::WebhookSink;
use countersign::domain::approval::Actor;
use countersign::domain::audit::{AuditEntry, AuditEvent, Facts};
use countersign::domain::details::Digest;
use countersign::domain::device::Blob;
use countersign::domain::event::EventKind;
use countersign::domain::evidence::Evidence;
use countersign::domain::ids::{ApprovalId, ChangeId};
use countersign::domain::log::tree::Head;
use countersign::domain::log::{TileAt, Tiles};
use countersign::domain::ocsf::rules;
use countersign::domain::override_request::transitions::Event;
use countersign::domain::time::Timestamp;
use countersign::ports::audit::{AuditStore, Cursor, CursorStore, EntrySeal, SealedPage, SealedTable, StoredEntry};
use countersign::ports::log::{Appended, Batch, Leaf, LogStore, LoggedDecision, Signed, Waiting};
use countersign::ports::siem::{EventSink, SinkError};
use countersign::ports::store::StoreError;
use countersign::workers::siem::{Stream, StreamError, turn};
use secrecy::SecretString;
use serde_json::Value;
use uuid::Uuid;

use crate::outward::receiver::{Answer, Received, Receiver};
use crate::outward::{allowing_loopback, guard};

/// A log of entries that are signed as far as told.
struct Record {
    entries: Mutex<Vec<StoredEntry>>,
    signed: AtomicUsize,
    cursor: Mutex<Cursor>,
    /// The process dies before the cursor is moved.
    dies: AtomicBool,
}

impl Record {
    fn new(count: usize) -> Arc<Self> {
        let record = Self {
            entries: Mutex::default(),
            signed: AtomicUsize::new(count),
            cursor: Mutex::new(Cursor { index: 0, place: None, fence: 0 }),
            dies: AtomicBool::new(false),
        };
        record.add(count, "approval.opened", &"x".repeat(10));
        Arc::new(record)
    }

    fn add(&self, count: usize, kind: &'static str, fact: &str) {
        let mut entries = self.entries.lock().unwrap();
        for _ in 0..count {
            let number = entries.len();
            let at = Timestamp::from_micros(1_795_271_520_000_000 + i64::try_from(number).unwrap());
            let id = ChangeId::new(at, [u8::try_from(number % 256).unwrap(); 10]);
            let facts = Facts::from([("fact", fact.to_owned())]);
            let event = AuditEvent { kind, actor: Actor::Service, object: vec![], facts };
            let entry = AuditEntry::new(id, at, [1; 16], &event).unwrap();
            entries.push(StoredEntry {
                place: i64::try_from(number * 7).unwrap(),
                id,
                at,
                kind: kind.into(),
                salt: Some(Blob(entry.salt.to_vec())),
                canonical: Some(entry.canonical),
                leaf_hash: entry.leaf_hash,
                erased_by: None,
                seal: EntrySeal::Fits,
            });
        }
    }

    fn stream(self: &Arc<Self>) -> Stream {
        Stream { audit: self.clone(), log: self.clone(), cursors: self.clone(), origin: "approve.example/log".into() }
    }
}

#[async_trait]
impl AuditStore for Record {
    async fn stored_entries(
        &self,
        after: Option<i64>,
        up_to: Option<i64>,
        limit: u32,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        let lies = |entry: &&StoredEntry| {
            after.is_none_or(|place| entry.place > place) && up_to.is_none_or(|place| entry.place <= place)
        };
        Ok(self.entries.lock().unwrap().iter().filter(lies).take(limit as usize).cloned().collect())
    }

    async fn evidence_with(&self, _: &[ChangeId]) -> Result<Vec<(ChangeId, Result<Evidence, StoreError>)>, StoreError> {
        Ok(vec![])
    }

    async fn refused_entries(&self, _: u32) -> Result<Vec<ChangeId>, StoreError> {
        Ok(vec![])
    }

    async fn sealed_rows(&self, _: SealedTable, _: Option<Uuid>, _: u32) -> Result<SealedPage, StoreError> {
        Ok(vec![])
    }

    async fn entries_before(&self, _: Option<i64>, _: u32) -> Result<Vec<StoredEntry>, StoreError> {
        Ok(vec![])
    }

    async fn stored_entry(&self, _: ChangeId) -> Result<Option<StoredEntry>, StoreError> {
        Ok(None)
    }

    async fn place_before(&self, _: Timestamp) -> Result<Option<i64>, StoreError> {
        Ok(None)
    }

    async fn place_from(&self, _: Timestamp) -> Result<Option<i64>, StoreError> {
        Ok(None)
    }

    async fn leaf_index(&self, _: i64) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }
}

#[async_trait]
impl LogStore for Record {
    async fn newest(&self) -> Result<Option<Signed>, StoreError> {
        let size = self.signed.load(Ordering::SeqCst);
        let entries = self.entries.lock().unwrap();
        let place = if size == 0 { -1 } else { entries[size - 1].place };
        let head = Head { size: size as u64, root: Digest::of(b"root") };
        Ok(Some(Signed { head, place, note: String::new(), signed_at: Timestamp::EPOCH }))
    }
    async fn checkpoints(&self, _: u64, _: u32) -> Result<Vec<Signed>, StoreError> {
        Ok(vec![])
    }
    async fn waiting(&self, _: Option<i64>, _: u32) -> Result<Vec<Waiting>, StoreError> {
        Ok(vec![])
    }
    async fn set_aside(&self, _: &[i64]) -> Result<(), StoreError> {
        Ok(())
    }
    async fn tiles(&self, _: &[TileAt]) -> Result<Tiles, StoreError> {
        Ok(Tiles::default())
    }
    async fn append(&self, _: &Batch) -> Result<Appended, StoreError> {
        Ok(Appended::Lost)
    }
    async fn leaf(&self, _: ChangeId) -> Result<Option<Leaf>, StoreError> {
        Ok(None)
    }
    async fn logged_decision(&self, _: ApprovalId) -> Result<Option<LoggedDecision>, StoreError> {
        Ok(None)
    }
}

#[async_trait]
impl CursorStore for Record {
    async fn claim_cursor(&self, _: &str, _: Duration) -> Result<Option<Cursor>, StoreError> {
        let mut cursor = self.cursor.lock().unwrap();
        cursor.fence += 1;
        Ok(Some(*cursor))
    }

    async fn move_cursor(&self, _: &str, to: Cursor, _: Duration) -> Result<bool, StoreError> {
        if self.dies.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("killed between accept and cursor".into()));
        }
        let mut cursor = self.cursor.lock().unwrap();
        if cursor.fence != to.fence {
            return Ok(false);
        }
        *cursor = to;
        Ok(true)
    }

    async fn leave_cursor(&self, _: &str, _: i64) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Keeps what it was told, or is down.
struct Collector {
    told: Mutex<Vec<Vec<String>>>,
    down: AtomicBool,
    room: usize,
}

impl Collector {
    fn new(room: usize) -> Self {
        Self { told: Mutex::default(), down: AtomicBool::new(false), room }
    }

    fn sequences(&self) -> Vec<u64> {
        let sequence =
            |event: &String| serde_json::from_str::<Value>(event).unwrap()["metadata"]["sequence"].as_u64().unwrap();
        self.told.lock().unwrap().iter().flatten().map(sequence).collect()
    }
}

#[async_trait]
impl EventSink for Collector {
    fn name(&self) -> &str {
        "collector"
    }

    fn room(&self) -> usize {
        self.room
    }

    async fn accept(&self, events: &[String]) -> Result<(), SinkError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(SinkError { what: "connect", source: None });
        }
        assert!(events.iter().map(|event| event.len() + 1).sum::<usize>() <= self.room);
        self.told.lock().unwrap().push(events.to_vec());
        Ok(())
    }
}

#[tokio::test]
async fn everything_signed_is_told_once_and_in_order() {
    let record = Record::new(1203);
    let sink = Collector::new(20_000);
    assert_eq!(turn(&record.stream(), &sink).await.unwrap(), 1203);
    assert_eq!(sink.sequences(), (0..1203).collect::<Vec<_>>());
    assert_eq!(turn(&record.stream(), &sink).await.unwrap(), 0);
    // What waits for its place isn't told before it has one.
    record.add(2, "approval.cancelled", "late");
    assert_eq!(turn(&record.stream(), &sink).await.unwrap(), 0);
    record.signed.store(1205, Ordering::SeqCst);
    assert_eq!(turn(&record.stream(), &sink).await.unwrap(), 2);
    assert_eq!(sink.sequences(), (0..1205).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_kill_between_accept_and_cursor_repeats_and_loses_nothing() {
    let record = Record::new(90);
    let sink = Collector::new(20_000);
    record.dies.store(true, Ordering::SeqCst);
    assert!(matches!(turn(&record.stream(), &sink).await, Err(StreamError::Store(_))));
    let told_before = sink.sequences();
    assert!(!told_before.is_empty() && told_before.len() < 90);
    record.dies.store(false, Ordering::SeqCst);
    turn(&record.stream(), &sink).await.unwrap();
    let told = sink.sequences();
    assert_eq!(told.len(), 90 + told_before.len(), "the first batch came twice");
    assert_eq!(told.iter().copied().collect::<BTreeSet<_>>(), (0..90).collect());
    let uid = |event: &String| serde_json::from_str::<Value>(event).unwrap()["metadata"]["uid"].clone();
    let batches = sink.told.lock().unwrap();
    assert_eq!(uid(&batches[0][0]), uid(&batches[1][0]), "the receiver knows the repeated event by its uid");
}

#[tokio::test]
async fn a_sink_that_was_down_is_told_from_where_it_stopped() {
    let record = Record::new(5);
    let sink = Collector::new(20_000);
    turn(&record.stream(), &sink).await.unwrap();
    record.add(3, "row.forged", "x");
    record.signed.store(8, Ordering::SeqCst);
    sink.down.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert!(matches!(turn(&record.stream(), &sink).await, Err(StreamError::Sink(_))));
    }
    sink.down.store(false, Ordering::SeqCst);
    assert_eq!(turn(&record.stream(), &sink).await.unwrap(), 3);
    assert_eq!(sink.sequences(), (0..8).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_event_longer_than_the_sink_takes_goes_without_its_text() {
    let record = Record::new(1);
    record.add(1, "staff.ended", &"long ".repeat(1000));
    record.signed.store(2, Ordering::SeqCst);
    let sink = Collector::new(2_000);
    assert_eq!(turn(&record.stream(), &sink).await.unwrap(), 2);
    let told = sink.told.lock().unwrap();
    let last: Value = serde_json::from_str(told.last().unwrap().last().unwrap()).unwrap();
    assert_eq!(
        (last["metadata"]["is_truncated"].as_bool(), last["message"].as_str()),
        (Some(true), Some("staff.ended"))
    );
}

#[tokio::test]
async fn a_log_that_shrank_is_said_and_not_told() {
    let record = Record::new(5);
    let sink = Collector::new(20_000);
    turn(&record.stream(), &sink).await.unwrap();
    record.signed.store(3, Ordering::SeqCst);
    let shrunk = turn(&record.stream(), &sink).await;
    assert!(matches!(shrunk, Err(StreamError::Shrunk { size: 3, told: 5 })), "{shrunk:?}");
}

/// The events that a receiver got in a request, by their index.
fn posted(request: &Received) -> Vec<u64> {
    let text = std::str::from_utf8(&request.body).unwrap();
    let event = |line: &str| serde_json::from_str::<Value>(line).unwrap()["metadata"]["sequence"].as_u64().unwrap();
    text.lines().map(event).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_gets_every_event_and_again_what_it_did_not_accept() {
    let record = Record::new(5);
    let stream = record.stream();
    let sink = |to: &Receiver| {
        let authorization = Some(SecretString::from("Splunk 0123456789"));
        WebhookSink::new("webhook".into(), to.url("/in"), authorization, guard(allowing_loopback()))
    };
    for unwilling in [Answer::Status(503), Answer::Redirect("http://127.0.0.1:9/".to_owned())] {
        let receiver = Receiver::start(unwilling);
        let refused = turn(&stream, &sink(&receiver)).await;
        assert!(refused.is_err(), "{refused:?}");
        assert_eq!(receiver.received().len(), 1, "a redirect isn't followed");
    }
    let receiver = Receiver::start(Answer::Status(204));
    while turn(&stream, &sink(&receiver)).await.unwrap() > 0 {}
    let requests = receiver.received();
    let told: Vec<u64> = requests.iter().flat_map(posted).collect();
    assert_eq!(told, [0, 1, 2, 3, 4]);
    assert_eq!(requests[0].header("content-type"), Some("application/x-ndjson"));
    assert_eq!(requests[0].header("authorization"), Some("Splunk 0123456789"));
    // Nothing is told twice that was accepted.
    turn(&stream, &sink(&receiver)).await.unwrap();
    assert_eq!(receiver.received().len(), requests.len());
    // Where this machine isn't an allowed network, nothing is sent to it.
    record.add(1, "approval.opened", "x");
    record.signed.store(6, Ordering::SeqCst);
    let outside = guard(OutboundConfig::default());
    let sink = WebhookSink::new("webhook".into(), receiver.url("/in"), None, outside);
    assert!(turn(&stream, &sink).await.is_err());
    assert_eq!(receiver.received().len(), requests.len());
}

/// Texts of the form `word.word` in services that are no kinds of entries.
const NO_KINDS: &[&str] = &["endpoint.test", "approval.id", "endpoint.id"];

#[test]
fn every_kind_that_the_service_writes_has_a_class() {
    let mut unknown = BTreeSet::new();
    let mut known = 0;
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/service")];
    let mut files = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain/event.rs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        for literal in text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|l| l.split('"')) {
            let words = literal.split_once('.').is_some_and(|(thing, deed)| {
                let word =
                    |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                word(thing) && word(deed)
            });
            if words && !NO_KINDS.contains(&literal) {
                known += 1;
                if rules::of(literal).class == rules::Class::Base {
                    unknown.insert(literal.to_owned());
                }
            }
        }
    }
    assert!(known > 20, "the kinds weren't found");
    // Those that the domain makes out of its events.
    let made = EventKind::ALL.map(EventKind::as_str).into_iter().chain(Event::ALL.map(Event::as_str));
    unknown.extend(made.filter(|kind| rules::of(kind).class == rules::Class::Base).map(str::to_owned));
    assert!(unknown.is_empty(), "kinds without a class in domain/ocsf/rules.rs: {unknown:?}");
}
