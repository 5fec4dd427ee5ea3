//! The record in PostgreSQL 14 or newer, for any number of nodes. Committers have connections of their own; reads have
//! a pool, and the workers that lease and settle have another, so that none of them waits for the others.

/// An id out of a list that was bound as an array.
macro_rules! among {
    ($place:literal) => {
        concat!("= ANY(", $place, ")")
    };
}
/// The active endpoints of an approval's backend, as one text.
macro_rules! endpoint_ids {
    () => {
        "(SELECT string_agg(e.id::text, ',') FROM endpoints e WHERE e.backend_id = a.backend_id \
         AND e.status = 'active') AS endpoints"
    };
}
/// Keeps the row until the transaction ends.
macro_rules! for_update {
    () => {
        " FOR UPDATE"
    };
}

mod batch;
mod claims;
mod connect;
mod durability;
mod gathered;
mod lookups;
mod readers;
mod resolve;
mod statements;
mod writer;

use std::sync::Arc;

use secrecy::SecretString;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Pool};
use tokio::sync::Notify;
use uuid::Uuid;

pub use self::connect::{Committers, PostgresOptions};
use self::lookups::Lookups;
use self::readers::Readers;
use self::statements as own;
use super::at::At;
use super::committer::Committer;
use super::failure::{reading, unavailable};
use super::handover::Handover;
use super::rows::log::AuditRow;
use super::seal::Seals;
use crate::domain::audit::AuditEntry;
use crate::domain::time::Timestamp;
use crate::ports::secrets::Secrets;
use crate::ports::store::StoreError;

#[expect(clippy::duplicate_mod, reason = "one source for both databases, compiled once for each with its own types")]
#[path = "../shared/mod.rs"]
mod shared;

type Db = sqlx::Postgres;
type TheStore = PostgresStore;

const BEGIN: &str = "BEGIN";
const INSERT_AUDIT: &str = own::INSERT_AUDIT;
const WAITING: &str = own::WAITING;

/// A list of ids as one value.
fn ids(list: &[Uuid]) -> Vec<Uuid> {
    list.to_vec()
}

/// The clock that the guards on time ask: the server's.
#[derive(Clone, Copy)]
struct DatabaseClock;

impl DatabaseClock {
    async fn now(self, connection: &mut PgConnection) -> Result<Timestamp, sqlx::Error> {
        let now: At = sqlx::query_scalar::<Db, At>(own::NOW).fetch_one(connection).await?;
        Ok(now.into())
    }
}

/// The record in PostgreSQL.
pub struct PostgresStore {
    target: connect::Target,
    reads: Readers,
    lookups: Lookups,
    work: Pool<Db>,
    durable: Pool<Db>,
    seals: Seals,
    committer: Committer,
    handover: Arc<Handover>,
}

impl PostgresStore {
    /// Connects, and fails when nobody answers. Nothing can be read before [`PostgresStore::migrate`] ran once.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the URL doesn't parse or the server can't be reached.
    pub async fn connect(
        url: &SecretString,
        options: &PostgresOptions,
        secrets: Arc<dyn Secrets>,
    ) -> Result<Self, StoreError> {
        let target = connect::Target::parse(url, options).map_err(unavailable)?;
        let (reads, work, durable) = (Readers::new(target.clone()), target.work(), target.durable());
        let seals = Seals::new(secrets);
        let handover = Arc::new(Handover::default());
        let writer = || writer::PostgresWriter::new(target.clone(), seals.clone());
        let writers: Vec<_> = std::iter::repeat_with(writer).take(options.committers.number()).collect();
        let committer = Committer::start(writers, options.queue, &handover);
        let store = Self { target, reads, lookups: Lookups::default(), work, durable, seals, committer, handover };
        store.database_now().await?;
        Ok(store)
    }

    /// Brings the tables up to date. Nodes that start together take turns.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when a migration fails, or the database was written by a newer version.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let mut connection = self.target.migrator().await.map_err(unavailable)?;
        shared::upgrade::to_seals(&mut connection, own::IS_UNSEALED, &self.seals).await?;
        sqlx::migrate!("migrations/postgres").run(&mut connection).await.map_err(unavailable)?;
        let raise = sqlx::query::<Db>(own::RAISE_AUDIT_BASE);
        raise.execute(&mut connection).await.map_err(unavailable)?;
        Ok(())
    }

    /// Notified after every commit on this node that left a notice or a delivery to send.
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
        self.work.close().await;
        self.durable.close().await;
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
        self.reads.here()
    }

    /// A connection whose commits are on the disk when they are answered, as the committer's are.
    async fn durable_writer(&self) -> Result<PoolConnection<Db>, StoreError> {
        self.durable.acquire().await.map_err(unavailable)
    }

    /// Connections for look-ups by lists of ids.
    fn lookups(&self) -> &Pool<Db> {
        &self.work
    }

    async fn writer(&self) -> Result<PoolConnection<Db>, StoreError> {
        self.work.acquire().await.map_err(unavailable)
    }

    fn seals(&self) -> &Seals {
        &self.seals
    }

    const fn clock(&self) -> DatabaseClock {
        DatabaseClock
    }

    fn committer(&self) -> &Committer {
        &self.committer
    }

    fn handover(&self) -> &Handover {
        &self.handover
    }

    async fn database_now(&self) -> Result<Timestamp, StoreError> {
        let now: At = sqlx::query_scalar::<Db, At>(own::NOW).fetch_one(self.reads()).await.map_err(unavailable)?;
        Ok(now.into())
    }

    async fn log_page(&self, after: Option<i64>, limit: u32) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
        let query =
            sqlx::query_as::<Db, AuditRow>(own::AUDIT_PAGE).bind(after.unwrap_or(i64::MIN)).bind(i64::from(limit));
        let rows = query.fetch_all(self.reads()).await.map_err(reading("audit"))?;
        rows.into_iter().map(AuditRow::read).collect()
    }
}
