//! The committer's writes on PostgreSQL. A batch is one statement; when it fails, each of its changes is tried alone;
//! when its answer is lost, [`super::resolve`] finds out what became of each.

use sqlx::postgres::{PgDatabaseError, PgSeverity};
use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;
use uuid::Uuid;

use super::connect::{RESTED, Target};
use super::shared::rare;
use super::{DatabaseClock, Db, batch, own};
use crate::adapters::storage::at::At;
use crate::adapters::storage::committer::{Outcome, Writer};
use crate::adapters::storage::failure::{Failure, Refused, outcome, unavailable};
use crate::adapters::storage::seal::Seals;
use crate::adapters::storage::write::{Prepared, Write};
use crate::domain::holder::PENDING_AT_ONCE;
use crate::ports::store::{CommitError, Unique};

/// So often a change is tried alone when the reason for its failure may have passed: another node took the same place
/// for a pending approval, or two transactions waited for each other.
const TRIES: u32 = 3;

/// What names one server process, so that it can be ended and nobody else's is.
pub type Process = (i64, At);

/// A connection and the process that serves it.
struct Link {
    connection: PgConnection,
    process: Process,
    used: Instant,
}

/// Writes through a connection of its own, and makes a new one when it is lost.
pub struct PostgresWriter {
    target: Target,
    seals: Seals,
    link: Option<Link>,
}

/// What came of one try.
pub enum Tried<T> {
    /// The server answered.
    Answered(T),
    /// The server refused the whole statement or transaction, and nothing of it was stored.
    Failed(Failure),
    /// Nothing was sent: the server can't be reached.
    Unreached(sqlx::Error),
    /// Something was sent, and the answer is lost. The process may still be at it.
    Lost(sqlx::Error, Process),
}

impl<T> Tried<T> {
    fn map<U>(self, with: impl FnOnce(T) -> U) -> Tried<U> {
        match self {
            Self::Answered(value) => Tried::Answered(with(value)),
            Self::Failed(failure) => Tried::Failed(failure),
            Self::Unreached(error) => Tried::Unreached(error),
            Self::Lost(error, process) => Tried::Lost(error, process),
        }
    }
}

impl PostgresWriter {
    pub fn new(target: Target, seals: Seals) -> Self {
        Self { target, seals, link: None }
    }

    /// The connection, made now if there is none. One that rested is tried first: what is sent into a connection that
    /// died meanwhile would have to be looked up, although it never arrived.
    async fn connected(&mut self) -> Result<Link, sqlx::Error> {
        if let Some(mut link) = self.link.take()
            && (link.used.elapsed() < RESTED || self.target.in_time(link.connection.ping()).await.is_ok())
        {
            return Ok(link);
        }
        let mut connection = self.target.committer().await?;
        let who = sqlx::query_as::<Db, Process>(own::WHO_AM_I).fetch_one(&mut connection);
        let process = self.target.in_time(who).await?;
        Ok(Link { connection, process, used: Instant::now() })
    }

    /// Runs something on the connection. A connection that fails, or that doesn't answer in time, is thrown away.
    pub(super) async fn run<T>(&mut self, work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Failure>) -> Tried<T> {
        let mut link = match self.connected().await {
            Ok(link) => link,
            Err(error) => return Tried::Unreached(error),
        };
        let process = link.process;
        match self.target.in_time(work(&mut link.connection)).await {
            Ok(value) => {
                self.link = Some(Link { used: Instant::now(), ..link });
                Tried::Answered(value)
            }
            Err(Failure::Sql(error)) if is_lost(&error) => Tried::Lost(error, process),
            Err(failure) => {
                // A server that turned into a standby answers, but writes nothing any more: look for the new one.
                if !matches!(&failure, Failure::Sql(error) if code(error) == Some("25006")) {
                    self.link = Some(link);
                }
                Tried::Failed(failure)
            }
        }
    }

    /// One change alone, tried again while the reason may have passed.
    pub(super) async fn single(&mut self, write: &Write) -> Tried<Outcome> {
        for last in (0..TRIES).map(|number| number + 1 == TRIES) {
            let tried = match &write.effect {
                Prepared::Rare(effect) => {
                    let seals = self.seals.clone();
                    let work = async |connection: &mut PgConnection| {
                        rare::write(connection, write, effect, &seals, &DatabaseClock).await
                    };
                    self.run(work).await.map(Some)
                }
                Prepared::Noted | Prepared::Open { .. } | Prepared::Transition(_) => {
                    let work = async |connection: &mut PgConnection| Ok(batch::write(connection, &[write]).await?);
                    self.run(work).await.map(|done| done.first().map(|_| ()))
                }
            };
            match tried {
                Tried::Answered(Some(())) => return Tried::Answered(Ok(())),
                Tried::Answered(None) => match self.diagnosed(write).await {
                    Tried::Answered(Some(refused)) => return Tried::Answered(Err(refused.into())),
                    Tried::Answered(None) if last => return Tried::Answered(Err(CommitError::Conflict)),
                    Tried::Answered(None) => {}
                    // The change itself is known not to be stored; only the reason isn't known.
                    Tried::Failed(failure) => return Tried::Answered(outcome(Err(failure))),
                    Tried::Unreached(error) | Tried::Lost(error, _) => {
                        return Tried::Answered(Err(CommitError::Store(unavailable(error))));
                    }
                },
                Tried::Failed(Failure::Sql(error)) if may_pass(&error) && !last => {}
                Tried::Failed(failure) => return Tried::Answered(outcome(Err(known(failure)))),
                Tried::Unreached(error) => return Tried::Unreached(error),
                Tried::Lost(error, process) => return Tried::Lost(error, process),
            }
        }
        Tried::Answered(Err(CommitError::Conflict))
    }

    /// Why a change that the statement passed over wasn't stored; nothing when the reason is gone by now.
    async fn diagnosed(&mut self, write: &Write) -> Tried<Option<Refused>> {
        let Prepared::Open { row, remember } = &write.effect else {
            return Tried::Answered(Some(Refused::Conflict));
        };
        let columns = &row.columns;
        let (key, id) = (remember.key.as_str(), row.id);
        let found = self
            .run(async |connection| {
                let query = sqlx::query_as::<Db, (bool, bool, i64, bool, bool)>(own::DIAGNOSE)
                    .bind(columns.backend_id)
                    .bind(key)
                    .bind(columns.transfer_id.as_str())
                    .bind(columns.holder_id)
                    .bind(id);
                Ok(query.fetch_one(connection).await?)
            })
            .await;
        found.map(|(key, transfer, pending, id, frozen)| {
            if key {
                Some(Refused::Duplicate(Unique::IdempotencyKey))
            } else if transfer {
                Some(Refused::Duplicate(Unique::TransferId))
            } else if frozen {
                Some(Refused::Frozen)
            } else if id {
                Some(Refused::Duplicate(Unique::Other))
            } else {
                (pending >= i64::from(PENDING_AT_ONCE)).then_some(Refused::Cap)
            }
        })
    }

    /// The outcome of one change, whatever it takes.
    async fn one(&mut self, write: &Write) -> Outcome {
        match self.single(write).await {
            Tried::Answered(outcome) => outcome,
            Tried::Failed(failure) => outcome(Err(failure)),
            Tried::Unreached(error) => Err(CommitError::Store(unavailable(error))),
            Tried::Lost(error, process) => {
                self.resolve(&[write], error, process).await.pop().unwrap_or(Err(CommitError::Conflict))
            }
        }
    }

    async fn each_alone(&mut self, writes: &[&Write]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(writes.len());
        for write in writes {
            outcomes.push(self.one(write).await);
        }
        outcomes
    }

    /// Outcomes of a batch of which these changes were stored.
    async fn answers(&mut self, writes: &[&Write], done: &[Uuid]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(writes.len());
        for write in writes {
            let stored = done.contains(&write.entry.id.uuid());
            outcomes.push(match (&write.effect, stored) {
                (_, true) => Ok(()),
                (Prepared::Open { .. }, false) => match self.diagnosed(write).await {
                    Tried::Answered(Some(refused)) => Err(refused.into()),
                    Tried::Answered(None) => self.one(write).await,
                    Tried::Failed(failure) => outcome(Err(failure)),
                    Tried::Unreached(error) | Tried::Lost(error, _) => Err(CommitError::Store(unavailable(error))),
                },
                (_, false) => Err(CommitError::Conflict),
            });
        }
        outcomes
    }
}

impl Writer for PostgresWriter {
    async fn together(&mut self, writes: &[&Write]) -> Vec<Outcome> {
        let done = self.run(async |connection| Ok(batch::write(connection, writes).await?)).await;
        match done {
            Tried::Answered(done) => self.answers(writes, &done).await,
            Tried::Failed(failure) => {
                if writes.len() > 1 {
                    let changes = writes.len();
                    tracing::warn!(error = %failure, changes, "a batch failed; each change is tried alone");
                }
                self.each_alone(writes).await
            }
            Tried::Unreached(error) => {
                tracing::warn!(%error, "the database can't be reached");
                let outcome = |_| Err(CommitError::Store(unavailable(error.to_string())));
                writes.iter().map(outcome).collect()
            }
            Tried::Lost(error, process) => self.resolve(writes, error, process).await,
        }
    }

    async fn alone(&mut self, write: &Write) -> Outcome {
        self.one(write).await
    }
}

fn code(error: &sqlx::Error) -> Option<&str> {
    server_error(error).map(PgDatabaseError::code)
}

fn server_error(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
}

/// Whether the answer may have been lost. A server that ends a connection says so with an error, but a commit that
/// waits for a standby is ended with the same words when it is already stored here.
fn is_lost(error: &sqlx::Error) -> bool {
    match server_error(error) {
        Some(error) => {
            matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic) || error.code().starts_with("57P")
        }
        None => !matches!(
            error,
            sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::Decode(_)
                | sqlx::Error::Encode(_)
                | sqlx::Error::RowNotFound
        ),
    }
}

/// Serialization failures and deadlocks (SQLSTATE class 40): the same again may succeed. So may an insert that lost a
/// race for an idempotency key: the second time it sees whose key it is.
fn may_pass(error: &sqlx::Error) -> bool {
    let Some(error) = server_error(error) else { return false };
    error.code().starts_with("40") || (error.code() == "23505" && error.constraint() == Some("idempotency_pkey"))
}

/// Errors of the statement that stand for something the change was wrong about.
fn known(failure: Failure) -> Failure {
    let Failure::Sql(error) = &failure else { return failure };
    let Some(server) = server_error(error) else { return failure };
    match (server.code(), server.table()) {
        // The device was locked or removed, or its counter rose, while the statement ran.
        ("23502", Some("devices")) => Refused::Conflict.into(),
        ("23505", _) => Refused::Duplicate(Unique::Other).into(),
        _ => failure,
    }
}
