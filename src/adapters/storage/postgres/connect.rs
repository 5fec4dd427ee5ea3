//! How connections are made, and what each kind of them is told about itself.

use std::future::Future;
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection as _, PgConnection, Pool};

use super::Db;

/// How many tasks commit on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Committers {
    /// The cheapest: whatever is queued shares one flush.
    #[default]
    One,
    /// One gathers while the other waits for its flush: more throughput where flushes are slow.
    Two,
}

impl Committers {
    pub const fn number(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }
}

/// How many connections a node takes, and how long it waits.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Connections that read, for each thread that does.
    pub readers: u32,
    /// Connections that lease and settle what goes out.
    pub workers: u32,
    pub committers: Committers,
    /// Changes that may wait for a committer; callers past that wait to queue.
    pub queue: usize,
    /// After this long the server ends a statement.
    pub statement_timeout: Duration,
    /// After this long without a connection a caller is told that the store is unavailable.
    pub connect_timeout: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            readers: 4,
            workers: 4,
            committers: Committers::One,
            queue: 1024,
            statement_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(3),
        }
    }
}

/// A connection that rested longer than this is tried before it is used; the server may have been restarted.
pub const RESTED: Duration = Duration::from_millis(500);

/// The server, and what every connection to it is told.
#[derive(Clone)]
pub struct Target {
    server: PgConnectOptions,
    options: PostgresOptions,
}

impl Target {
    /// # Errors
    /// When the URL doesn't parse.
    pub fn parse(url: &SecretString, options: &PostgresOptions) -> Result<Self, sqlx::Error> {
        let timeout = options.statement_timeout.as_millis().to_string();
        let server = PgConnectOptions::from_str(url.expose_secret())?
            .application_name("countersign")
            .disable_statement_logging()
            // Every statement here has an index to go by, in the order that it asks for. Before a table was first
            // analysed the planner can't know what that is worth, and a plan that it keeps from then would read, or
            // sort, or keep at hand all of a table that has grown meanwhile.
            .options([("enable_seqscan", "off"), ("enable_bitmapscan", "off"), ("enable_material", "off")])
            .options([("jit", "off")])
            .options([
                ("statement_timeout", timeout.as_str()),
                ("idle_in_transaction_session_timeout", timeout.as_str()),
            ]);
        Ok(Self { server, options: options.clone() })
    }

    /// Waits for an answer until the server itself would have ended the statement, and then some. After that the
    /// connection counts as lost.
    ///
    /// # Errors
    /// Those of the work, or an I/O error when the time is over.
    pub async fn in_time<T, E: From<sqlx::Error>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let patience = self.options.statement_timeout + Duration::from_secs(2);
        let result = tokio::time::timeout(patience, work).await;
        result.unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into()).into()))
    }

    pub fn reads(&self) -> Pool<Db> {
        let server = self.server.clone().options([("default_transaction_read_only", "on")]);
        self.pool(self.options.readers).connect_lazy_with(server)
    }

    /// What is leased and settled here needn't reach the disk before it is acted on. Losing it in a crash of the
    /// server only sends a message once more, under the same id; and a release that relies on a notice as delivered
    /// flushes the log up to itself, with that in it.
    pub fn work(&self) -> Pool<Db> {
        let server = self.planned_once().options([("synchronous_commit", "off")]);
        self.pool(self.options.workers).connect_lazy_with(server)
    }

    /// For what is written outside the committers' batches and is relied on at once: the log's checkpoints.
    pub fn durable(&self) -> Pool<Db> {
        self.pool(1).connect_lazy_with(self.planned_once())
    }

    /// For statements that take lists and are written so that one plan serves any of them: planning each time costs as
    /// much as the work.
    fn planned_once(&self) -> PgConnectOptions {
        self.server.clone().options([("plan_cache_mode", "force_generic_plan")])
    }

    fn pool(&self, size: u32) -> PgPoolOptions {
        PgPoolOptions::new()
            .max_connections(size)
            .acquire_timeout(self.options.connect_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > RESTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
    }

    /// A connection for migrations, which may take as long as they need, and wait for those of another node.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn migrator(&self) -> Result<PgConnection, sqlx::Error> {
        self.server.clone().options([("statement_timeout", "0")]).connect().await
    }

    /// A committer's own connection.
    ///
    /// # Errors
    /// When the server can't be reached in time.
    pub async fn committer(&self) -> Result<PgConnection, sqlx::Error> {
        let connected = tokio::time::timeout(self.options.connect_timeout, self.planned_once().connect()).await;
        connected.unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into())))
    }
}
