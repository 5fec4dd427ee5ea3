//! The committer's writes on SQLite: one transaction for a batch, a savepoint for each change in it, so that a change
//! that is refused takes nothing of the others with it.

use std::sync::Arc;

use sqlx::{Connection as _, SqliteConnection, Transaction};
use tokio::sync::Mutex;

use super::shared::add::{consequences, remembered};
use super::shared::{override_sql as overrides_sql, rare, statements as sql};
use super::{BEGIN, DatabaseClock, Db, own};
use crate::adapters::storage::at::At;
use crate::adapters::storage::committer::{Outcome, Writer};
use crate::adapters::storage::failure::{Failure, Refused, outcome, touched};
use crate::adapters::storage::rows::approval::ApprovalRow;
use crate::adapters::storage::seal::Seals;
use crate::adapters::storage::write::{Moved, Prepared, Write};
use crate::domain::backend::Remembered;
use crate::domain::holder::PENDING_AT_ONCE;
use crate::domain::time::Timestamp;
use crate::ports::store::Unique;

/// Writes through the store's one writing connection.
pub struct SqliteWriter {
    write: Arc<Mutex<SqliteConnection>>,
    seals: Seals,
    clock: DatabaseClock,
}

impl SqliteWriter {
    pub fn new(write: Arc<Mutex<SqliteConnection>>, seals: Seals, clock: DatabaseClock) -> Self {
        Self { write, seals, clock }
    }

    async fn batch(&self, writes: &[&Write]) -> Result<Vec<Result<(), Refused>>, Failure> {
        let mut connection = self.write.lock().await;
        let mut transaction: Transaction<'_, Db> = connection.begin_with(BEGIN).await?;
        if let [write] = writes {
            let now = self.clock.now(&mut transaction).await?;
            let answer = apply(&mut transaction, write, now).await;
            return match answer {
                Ok(()) => transaction.commit().await.map(|()| vec![Ok(())]).map_err(Into::into),
                Err(failure) => {
                    transaction.rollback().await?;
                    match failure {
                        Failure::Refused(refused) => Ok(vec![Err(refused)]),
                        other => Err(other),
                    }
                }
            };
        }
        let mut answers = Vec::with_capacity(writes.len());
        for write in writes {
            let mut savepoint = transaction.begin().await?;
            let now = self.clock.now(&mut savepoint).await?;
            match apply(&mut savepoint, write, now).await {
                Ok(()) => {
                    savepoint.commit().await?;
                    answers.push(Ok(()));
                }
                Err(Failure::Refused(refused)) => {
                    savepoint.rollback().await?;
                    answers.push(Err(refused));
                }
                // Whatever else it is may be another change's doing; the whole batch goes, and each is tried alone.
                Err(other) => return Err(other),
            }
        }
        transaction.commit().await?;
        Ok(answers)
    }
}

impl Writer for SqliteWriter {
    async fn together(&mut self, writes: &[&Write]) -> Vec<Outcome> {
        match self.batch(writes).await {
            Ok(answers) => answers.into_iter().map(|answer| answer.map_err(Into::into)).collect(),
            Err(failure) if writes.len() == 1 => vec![outcome(Err(failure))],
            Err(failure) => {
                tracing::warn!(error = %failure, changes = writes.len(), "a batch failed; each change is tried alone");
                let mut outcomes = Vec::with_capacity(writes.len());
                for write in writes {
                    let alone = self.batch(&[*write]).await;
                    outcomes
                        .push(outcome(alone.and_then(|answers| Ok(answers.into_iter().collect::<Result<_, _>>()?))));
                }
                outcomes
            }
        }
    }

    async fn alone(&mut self, write: &Write) -> Outcome {
        let Prepared::Rare(effect) = &write.effect else {
            return self.together(&[write]).await.pop().unwrap_or(Ok(()));
        };
        let mut connection = self.write.lock().await;
        outcome(rare::write(&mut connection, write, effect, &self.seals, &self.clock).await)
    }
}

async fn apply(connection: &mut SqliteConnection, write: &Write, now: Timestamp) -> Result<(), Failure> {
    match &write.effect {
        Prepared::Noted => {}
        Prepared::Open { row, remember } => open(connection, row, remember).await?,
        Prepared::Transition(moved) => transition(connection, moved, now).await?,
        Prepared::Rare(_) => return Err(Refused::Conflict.into()),
    }
    Ok(consequences(connection, write, now).await?)
}

async fn open(connection: &mut SqliteConnection, row: &ApprovalRow, remember: &Remembered) -> Result<(), Failure> {
    let new = remembered(connection, remember).await?;
    if !new {
        return Err(Refused::Duplicate(Unique::IdempotencyKey).into());
    }
    let columns = &row.columns;
    let opened = sqlx::query::<Db>(own::OPEN)
        .bind(row.id)
        .bind(columns.backend_id)
        .bind(columns.holder_id)
        .bind(columns.transfer_id.as_str())
        .bind(columns.subject.as_str())
        .bind(columns.state.as_str())
        .bind(columns.reason.as_deref())
        .bind(columns.version)
        .bind(columns.created_at)
        .bind(columns.expires_at)
        .bind(columns.cooling_until)
        .bind(columns.approved_at)
        .bind(columns.redeem_until)
        .bind(columns.due_at)
        .bind(columns.decided_by)
        .bind(row.body.as_str())
        .bind(row.details.as_str())
        .bind(row.seal.as_slice())
        .bind(i64::from(PENDING_AT_ONCE))
        .execute(&mut *connection)
        .await?;
    if opened.rows_affected() == 1 {
        return Ok(());
    }
    let taken = sqlx::query_scalar::<Db, i64>(sql::TRANSFER_TAKEN)
        .bind(columns.backend_id)
        .bind(columns.transfer_id.as_str())
        .fetch_one(&mut *connection)
        .await?;
    if taken > 0 {
        return Err(Refused::Duplicate(Unique::TransferId).into());
    }
    let frozen = sqlx::query_scalar::<Db, i64>(overrides_sql::HOLDING).bind(columns.holder_id);
    if frozen.fetch_one(&mut *connection).await? > 0 {
        return Err(Refused::Frozen.into());
    }
    let pending = sqlx::query_scalar::<Db, i64>(sql::PENDING).bind(columns.holder_id).fetch_one(connection).await?;
    let full = pending >= i64::from(PENDING_AT_ONCE);
    Err(if full { Refused::Cap } else { Refused::Duplicate(Unique::Other) }.into())
}

async fn transition(connection: &mut SqliteConnection, moved: &Moved, now: Timestamp) -> Result<(), Failure> {
    let (row, columns) = (&moved.row, &moved.row.columns);
    let changed = sqlx::query::<Db>(own::MOVE)
        .bind(row.id)
        .bind(moved.from)
        .bind(columns.state.as_str())
        .bind(columns.reason.as_deref())
        .bind(columns.version)
        .bind(columns.expires_at)
        .bind(columns.cooling_until)
        .bind(columns.approved_at)
        .bind(columns.redeem_until)
        .bind(columns.due_at)
        .bind(columns.decided_by)
        .bind(row.body.as_str())
        .bind(row.seal.as_slice())
        .bind(moved.receipt.as_deref())
        .bind(moved.guard.not_before.map(At))
        .bind(moved.guard.before.map(At))
        .bind(At(now))
        .execute(&mut *connection)
        .await?;
    touched(changed.rows_affected())?;
    if let Some(proof) = moved.proof {
        let proved =
            sqlx::query::<Db>(overrides_sql::PROVE_BESIDE).bind(proof.device.uuid()).bind(i64::from(proof.counter));
        touched(proved.execute(connection).await?.rows_affected())?;
    }
    Ok(())
}
