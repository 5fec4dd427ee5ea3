//! The record in one SQLite file: no server, one process. One connection writes, everybody waits for their turn at it;
//! others read beside it (write-ahead log, flushed at every commit).
//!
//! SQLite has no clock of its own: what it calls "now" is the host's, which is also the node's. So the guards on time
//! compare with the [`Clock`] port, read inside the write transaction, when nobody else can write any more.

/// An id out of a list that was bound as a JSON array of hex texts.
macro_rules! among {
    ($place:literal) => {
        concat!("IN (SELECT unhex(value) FROM json_each(", $place, "))")
    };
}
/// The active endpoints of an approval's backend, as one text.
macro_rules! endpoint_ids {
    () => {
        "(SELECT group_concat(lower(hex(e.id)), ',') FROM endpoints e WHERE e.backend_id = a.backend_id \
         AND e.status = 'active') AS endpoints"
    };
}
/// Nothing: the one writer keeps the whole file.
macro_rules! for_update {
    () => {
        ""
    };
}

mod claims;
mod lookups;
mod statements;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Pool, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard, Notify};
use uuid::Uuid;

use self::statements as own;
use super::committer::Committer;
use super::failure::{reading, unavailable};
use super::handover::Handover;
use super::rows::log::AuditRow;
use super::seal::Seals;
use crate::domain::audit::AuditEntry;
use crate::domain::time::Timestamp;
use crate::ports::secrets::Secrets;
use crate::ports::store::StoreError;
use crate::ports::timing::Clock;

#[expect(clippy::duplicate_mod, reason = "one source for both databases, compiled once for each with its own types")]
#[path = "../shared/mod.rs"]
mod shared;

type Db = sqlx::Sqlite;
type TheStore = SqliteStore;

/// Takes the right to write at once, so that no transaction fails because another one wrote after it had read.
const BEGIN: &str = "BEGIN IMMEDIATE";
const INSERT_AUDIT: &str = own::INSERT_AUDIT;
const WAITING: &str = own::WAITING;

/// How long a writer waits for another process that holds the file, such as the command line's.
const BUSY: Duration = Duration::from_secs(5);
/// Connections that read. More than the machine has cores only wait for each other.
const READERS: u32 = 4;
/// Changes that may wait for the writer; callers past that wait to queue.
const QUEUE: usize = 1024;

/// A list of ids as one value.
fn ids(list: &[Uuid]) -> String {
    let texts: Vec<String> = list.iter().map(|id| id.simple().to_string()).collect();
    serde_json::Value::from(texts).to_string()
}

/// The clock that the guards on time ask.
#[derive(Clone)]
struct DatabaseClock(Arc<dyn Clock>);

impl DatabaseClock {
    async fn now(&self, _connection: &mut SqliteConnection) -> Result<Timestamp, sqlx::Error> {
        Ok(self.0.now())
    }
}

/// The record in one SQLite file.
pub struct SqliteStore {
    reads: Pool<Db>,
    write: Arc<Mutex<SqliteConnection>>,
    seals: Seals,
    clock: DatabaseClock,
    committer: Committer,
    handover: Arc<Handover>,
}

impl SqliteStore {
    /// Opens the file, and makes it when it isn't there. Nothing can be read before [`SqliteStore::migrate`] ran once.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file can't be opened.
    pub async fn open(path: &Path, secrets: Arc<dyn Secrets>, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        let write = Arc::new(Mutex::new(options.connect().await.map_err(unavailable)?));
        let reads = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY)
            .connect_lazy_with(options.pragma("query_only", "ON"));
        let seals = Seals::new(secrets);
        let clock = DatabaseClock(clock);
        let handover = Arc::new(Handover::default());
        let writer = writer::SqliteWriter::new(Arc::clone(&write), seals.clone(), clock.clone());
        let committer = Committer::start([writer], QUEUE, &handover);
        Ok(Self { reads, write, seals, clock, committer, handover })
    }

    /// Brings the tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when a migration fails, or the file was written by a newer version.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let mut writer = self.write.lock().await;
        shared::upgrade::to_seals(&mut writer, own::IS_UNSEALED, &self.seals).await?;
        sqlx::migrate!("migrations/sqlite").run(&mut *writer).await.map_err(unavailable)
    }

    /// Notified after every commit that left a notice or a delivery to send.
    pub fn outbox_signal(&self) -> Arc<Notify> {
        self.handover.signal()
    }

    /// From now on this node's senders take what its commits leave to send, without a search.
    pub fn hand_over(&self) {
        self.handover.open();
    }

    /// From now on what commits leave to send is for whoever looks first.
    pub fn keep_to_record(&self) {
        self.handover.shut();
    }

    /// Writes what is queued, and takes nothing more.
    pub async fn close(&self) {
        self.handover.shut();
        self.committer.close().await;
        if let Err(error) = shared::outbox::give_back(self).await {
            tracing::warn!(error = %error, "some leases were not given back; they will end");
        }
        self.reads.close().await;
    }

    /// Every statement that this backend uses, with its name.
    pub fn statements() -> Vec<(&'static str, &'static str)> {
        [
            shared::statements::ALL,
            shared::staff_statements::ALL,
            shared::override_sql::ALL,
            shared::audit_statements::ALL,
            shared::erasure_sql::ALL,
            own::ALL,
        ]
        .concat()
    }

    fn reads(&self) -> &Pool<Db> {
        &self.reads
    }

    /// As [`SqliteStore::writer`]: every commit here is flushed.
    async fn durable_writer(&self) -> Result<MutexGuard<'_, SqliteConnection>, StoreError> {
        self.writer().await
    }

    /// Connections for look-ups by lists of ids.
    fn lookups(&self) -> &Pool<Db> {
        &self.reads
    }

    async fn writer(&self) -> Result<MutexGuard<'_, SqliteConnection>, StoreError> {
        Ok(self.write.lock().await)
    }

    fn seals(&self) -> &Seals {
        &self.seals
    }

    fn clock(&self) -> &DatabaseClock {
        &self.clock
    }

    fn committer(&self) -> &Committer {
        &self.committer
    }

    fn handover(&self) -> &Handover {
        &self.handover
    }

    async fn database_now(&self) -> Result<Timestamp, StoreError> {
        Ok(self.clock.0.now())
    }

    async fn log_page(&self, after: Option<i64>, limit: u32) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
        let query =
            sqlx::query_as::<Db, AuditRow>(own::AUDIT_PAGE).bind(after.unwrap_or(i64::MIN)).bind(i64::from(limit));
        let rows = query.fetch_all(&self.reads).await.map_err(reading("audit"))?;
        rows.into_iter().map(AuditRow::read).collect()
    }

    /// Every commit is flushed by the settings that this store opens the file with, so there is nothing to find.
    async fn faults(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}
