//! What became of changes whose answer was lost. A change is stored exactly when its audit entry is, so that is looked
//! up; but only after the server process that had it is gone, because until then it may still store it. A change that
//! isn't there is then written again. What can't be found out in time is unknown, and so is what a process still waits to
//! hear of from its standby: nobody sees it before, and whoever asks again waits behind it.

use std::time::Duration;

use tokio::time::Instant;

use super::shared::statements as sql;
use super::writer::{PostgresWriter, Process, Tried};
use super::{Db, own};
use crate::adapters::storage::committer::Outcome;
use crate::adapters::storage::failure::{Failure, outcome};
use crate::adapters::storage::write::Write;
use crate::ports::store::CommitError;

/// So long a caller waits for the truth before it is told that nobody knows.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// The change before it in the batch couldn't be looked up in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody answers")]
struct NobodyAnswers;

/// The process that had the change is still at it, perhaps because its standby is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server process that had the change couldn't be ended")]
struct StillRunning;

impl PostgresWriter {
    /// Finds out, or writes again, each of the changes.
    pub(super) async fn resolve(&mut self, writes: &[&Write], error: sqlx::Error, process: Process) -> Vec<Outcome> {
        tracing::warn!(%error, changes = writes.len(), "the answer to a commit was lost; looking it up");
        let until = Instant::now() + PATIENCE;
        let mut outcomes = Vec::with_capacity(writes.len());
        let mut last = process;
        for write in writes {
            let outcome = self.resolve_one(write, &mut last, until).await;
            let lost = matches!(&outcome, Err(CommitError::Unknown(_)));
            outcomes.push(outcome);
            if lost {
                break;
            }
        }
        // Nobody answers: those behind it needn't find that out one by one.
        outcomes.resize_with(writes.len(), || Err(CommitError::Unknown(Box::new(NobodyAnswers))));
        outcomes
    }

    async fn resolve_one(&mut self, write: &Write, process: &mut Process, until: Instant) -> Outcome {
        loop {
            let error: Box<dyn std::error::Error + Send + Sync> = match self.stored(write, *process).await {
                Tried::Answered(true) => return Ok(()),
                Tried::Answered(false) => match self.single(write).await {
                    Tried::Answered(outcome) => return outcome,
                    Tried::Failed(failure) => return outcome(Err(failure)),
                    Tried::Unreached(error) => error.into(),
                    Tried::Lost(error, again) => {
                        *process = again;
                        error.into()
                    }
                },
                Tried::Failed(failure) => failure.into(),
                Tried::Unreached(error) | Tried::Lost(error, _) => error.into(),
            };
            if Instant::now() + PAUSE > until {
                return Err(CommitError::Unknown(error));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether the change is stored, for good and, where there is a synchronous standby, there too.
    async fn stored(&mut self, write: &Write, process: Process) -> Tried<bool> {
        let (pid, started) = process;
        let id = write.entry.id.uuid();
        self.run(async |connection| {
            let end = sqlx::query_scalar::<Db, bool>(own::END_PROCESS).bind(pid).bind(started);
            if !end.fetch_one(&mut *connection).await? {
                return Err(Failure::Sql(sqlx::Error::Io(std::io::Error::other(StillRunning))));
            }
            let found = sqlx::query_scalar::<Db, i64>(sql::STORED).bind(id).fetch_one(&mut *connection).await?;
            if found > 0 {
                sqlx::query::<Db>(own::CONFIRM).execute(connection).await?;
            }
            Ok(found > 0)
        })
        .await
    }
}
