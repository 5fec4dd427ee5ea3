//! Adds what a change brings with it, row by row, in the transaction of the change.

use super::{Connection, Db, INSERT_AUDIT, sql};
use crate::adapters::storage::at::At;
use crate::adapters::storage::rows::outbox::{about, cause};
use crate::adapters::storage::write::Write;
use crate::domain::backend::Remembered;
use crate::domain::channel::Turn;
use crate::domain::time::Timestamp;

/// The audit entry, the evidence, and what goes out: from `now` on, or after the lease that it is born with.
pub async fn consequences(connection: &mut Connection, write: &Write, now: Timestamp) -> Result<(), sqlx::Error> {
    let entry = &write.entry;
    sqlx::query::<Db>(INSERT_AUDIT)
        .bind(entry.id.uuid())
        .bind(At(entry.at))
        .bind(entry.kind)
        .bind(entry.salt.as_slice())
        .bind(entry.canonical.as_str())
        .bind(entry.leaf_hash.bytes().as_slice())
        .bind(write.seal.as_slice())
        .execute(&mut *connection)
        .await?;
    if let Some(evidence) = &write.evidence {
        sqlx::query::<Db>(sql::INSERT_EVIDENCE)
            .bind(entry.id.uuid())
            .bind(evidence.approval.map(|id| id.uuid()))
            .bind(evidence.body.as_str())
            .bind(At(entry.at))
            .execute(&mut *connection)
            .await?;
    }
    for notice in &write.notices {
        let (about_kind, about_id) = about(&notice.about);
        let (status, next_at) = match notice.turn {
            Turn::Now => ("queued", Some(At(now + write.born.lease()))),
            Turn::AfterFailure => ("waiting", None),
        };
        sqlx::query::<Db>(sql::INSERT_NOTICE)
            .bind(notice.id.uuid())
            .bind(entry.id.uuid())
            .bind(notice.holder.uuid())
            .bind(notice.channel.uuid())
            .bind(notice.purpose.as_str())
            .bind(about_kind)
            .bind(about_id)
            .bind(i64::from(notice.rank))
            .bind(status)
            .bind(At(notice.created_at))
            .bind(At(notice.useless_after))
            .bind(next_at)
            .bind(write.born.fence())
            .execute(&mut *connection)
            .await?;
    }
    for delivery in &write.deliveries {
        let (approval, version) = cause(&delivery.cause);
        sqlx::query::<Db>(sql::INSERT_DELIVERY)
            .bind(delivery.id.uuid())
            .bind(delivery.endpoint.uuid())
            .bind(approval)
            .bind(version)
            .bind(delivery.message_id.as_str())
            .bind(delivery.body.as_str())
            .bind(At(delivery.created_at))
            .bind(At(now + write.born.lease()))
            .bind(write.born.fence())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Remembers an answer; `false` when the key was used before.
pub async fn remembered(connection: &mut Connection, answer: &Remembered) -> Result<bool, sqlx::Error> {
    let done = sqlx::query::<Db>(sql::INSERT_REMEMBERED)
        .bind(answer.backend.uuid())
        .bind(answer.key.as_str())
        .bind(answer.request.bytes().as_slice())
        .bind(answer.answer.as_str())
        .bind(At(answer.created_at))
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}
