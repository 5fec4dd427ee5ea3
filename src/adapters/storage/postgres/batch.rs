//! A batch of changes as the arrays that one statement takes: one round trip, and one transaction that the statement
//! itself is. The order of the arrays is the order of the places in [`super::statements::BATCH`].

use sqlx::PgConnection;
use uuid::Uuid;

use super::claims::micros;
use super::{Db, own};
use crate::adapters::storage::at::At;
use crate::adapters::storage::rows::approval::ApprovalRow;
use crate::adapters::storage::rows::outbox::{about, cause};
use crate::adapters::storage::write::{Moved, Prepared, Write};
use crate::domain::backend::Remembered;
use crate::domain::channel::{Notice, Turn};
use crate::domain::holder::PENDING_AT_ONCE;
use crate::domain::webhook::Delivery;

/// Writes the batch and gives the ids of the changes that were stored. Those that are missing met a record that was not
/// as they expected; nothing of them was written.
///
/// # Errors
/// Whatever the database says. Unless the connection was lost, nothing of the whole batch was written.
pub async fn write(connection: &mut PgConnection, writes: &[&Write]) -> Result<Vec<Uuid>, sqlx::Error> {
    let mut opens = Vec::new();
    let mut moves = Vec::new();
    let mut noted = Vec::new();
    for write in writes {
        let id = write.entry.id.uuid();
        match &write.effect {
            Prepared::Open { row, remember } => opens.push((id, row, remember)),
            Prepared::Transition(moved) => moves.push((id, &**moved)),
            Prepared::Noted => noted.push(id),
            // Never part of a batch; left out, it reads as refused.
            Prepared::Rare(_) => {}
        }
    }
    // Every node locks in the same order, so that no two wait for each other.
    opens.sort_unstable_by_key(|(_, row, _)| row.columns.holder_id);
    moves.sort_unstable_by_key(|(_, moved)| moved.row.id);
    let query = sqlx::query_scalar::<Db, Uuid>(own::BATCH);
    let query = bind_opens(query, &opens);
    let query = bind_moves(query, &moves).bind(noted);
    bind_consequences(query, writes).fetch_all(connection).await
}

type Query<'q> = sqlx::query::QueryScalar<'q, Db, Uuid, sqlx::postgres::PgArguments>;

fn bind_opens<'q>(query: Query<'q>, opens: &[(Uuid, &'q ApprovalRow, &'q Remembered)]) -> Query<'q> {
    macro_rules! each {
        (|$id:pat_param, $row:pat_param, $remember:pat_param| $value:expr) => {
            opens.iter().map(|($id, $row, $remember)| $value).collect::<Vec<_>>()
        };
    }
    query
        .bind(each!(|id, _, _| *id))
        .bind(each!(|_, row, _| row.id))
        .bind(each!(|_, row, _| row.columns.backend_id))
        .bind(each!(|_, row, _| row.columns.holder_id))
        .bind(each!(|_, row, _| row.columns.transfer_id.as_str()))
        .bind(each!(|_, row, _| row.columns.subject.as_str()))
        .bind(each!(|_, row, _| row.columns.state.as_str()))
        .bind(each!(|_, row, _| row.columns.reason.as_deref()))
        .bind(each!(|_, row, _| row.columns.version))
        .bind(each!(|_, row, _| row.columns.created_at))
        .bind(each!(|_, row, _| row.columns.expires_at))
        .bind(each!(|_, row, _| row.columns.cooling_until))
        .bind(each!(|_, row, _| row.columns.approved_at))
        .bind(each!(|_, row, _| row.columns.redeem_until))
        .bind(each!(|_, row, _| row.columns.due_at))
        .bind(each!(|_, row, _| row.columns.decided_by))
        .bind(each!(|_, row, _| row.body.as_str()))
        .bind(each!(|_, row, _| row.details.as_str()))
        .bind(each!(|_, row, _| row.seal.as_slice()))
        .bind(each!(|_, _, remember| remember.key.as_str()))
        .bind(each!(|_, _, remember| remember.request.bytes().as_slice()))
        .bind(each!(|_, _, remember| remember.answer.as_str()))
        .bind(each!(|_, _, remember| At(remember.created_at)))
        .bind(i64::from(PENDING_AT_ONCE))
}

fn bind_moves<'q>(query: Query<'q>, moves: &[(Uuid, &'q Moved)]) -> Query<'q> {
    macro_rules! each {
        (|$id:pat_param, $moved:pat_param| $value:expr) => {
            moves.iter().map(|($id, $moved)| $value).collect::<Vec<_>>()
        };
    }
    query
        .bind(each!(|id, _| *id))
        .bind(each!(|_, moved| moved.row.id))
        .bind(each!(|_, moved| moved.from))
        .bind(each!(|_, moved| moved.row.columns.state.as_str()))
        .bind(each!(|_, moved| moved.row.columns.reason.as_deref()))
        .bind(each!(|_, moved| moved.row.columns.version))
        .bind(each!(|_, moved| moved.row.columns.expires_at))
        .bind(each!(|_, moved| moved.row.columns.cooling_until))
        .bind(each!(|_, moved| moved.row.columns.approved_at))
        .bind(each!(|_, moved| moved.row.columns.redeem_until))
        .bind(each!(|_, moved| moved.row.columns.due_at))
        .bind(each!(|_, moved| moved.row.columns.decided_by))
        .bind(each!(|_, moved| moved.row.body.as_str()))
        .bind(each!(|_, moved| moved.row.seal.as_slice()))
        .bind(each!(|_, moved| moved.receipt.as_deref()))
        .bind(each!(|_, moved| moved.guard.not_before.map(At)))
        .bind(each!(|_, moved| moved.guard.before.map(At)))
        .bind(each!(|_, moved| moved.proof.map(|proof| proof.device.uuid())))
        .bind(each!(|_, moved| moved.proof.map(|proof| i64::from(proof.counter))))
}

fn bind_consequences<'q>(query: Query<'q>, writes: &[&'q Write]) -> Query<'q> {
    macro_rules! each {
        (|$write:pat_param| $value:expr) => {
            writes.iter().map(|$write| $value).collect::<Vec<_>>()
        };
    }
    let query = query
        .bind(each!(|write| write.entry.id.uuid()))
        .bind(each!(|write| At(write.entry.at)))
        .bind(each!(|write| write.entry.kind))
        .bind(each!(|write| write.entry.salt.as_slice()))
        .bind(each!(|write| write.entry.canonical.as_str()))
        .bind(each!(|write| write.entry.leaf_hash.bytes().as_slice()));
    let query = bind_evidence(query, writes);
    let notices: Vec<(&Write, &Notice)> =
        writes.iter().flat_map(|write| write.notices.iter().map(|notice| (*write, notice))).collect();
    let deliveries: Vec<(&Write, &Delivery)> =
        writes.iter().flat_map(|write| write.deliveries.iter().map(|delivery| (*write, delivery))).collect();
    bind_deliveries(bind_notices(query, &notices), &deliveries)
        .bind(notices.iter().map(|(write, _)| write.born.fence()).collect::<Vec<_>>())
        .bind(notices.iter().map(|(write, _)| micros(write.born.lease())).collect::<Vec<_>>())
        .bind(deliveries.iter().map(|(write, _)| write.born.fence()).collect::<Vec<_>>())
        .bind(deliveries.iter().map(|(write, _)| micros(write.born.lease())).collect::<Vec<_>>())
        .bind(each!(|write| write.seal.as_slice()))
}

fn bind_evidence<'q>(query: Query<'q>, writes: &[&'q Write]) -> Query<'q> {
    let evidence: Vec<_> =
        writes.iter().filter_map(|write| write.evidence.as_ref().map(|evidence| (&write.entry, evidence))).collect();
    query
        .bind(evidence.iter().map(|(entry, _)| entry.id.uuid()).collect::<Vec<_>>())
        .bind(evidence.iter().map(|(_, evidence)| evidence.approval.map(|id| id.uuid())).collect::<Vec<_>>())
        .bind(evidence.iter().map(|(_, evidence)| evidence.body.as_str()).collect::<Vec<_>>())
        .bind(evidence.iter().map(|(entry, _)| At(entry.at)).collect::<Vec<_>>())
}

fn bind_notices<'q>(query: Query<'q>, notices: &[(&'q Write, &'q Notice)]) -> Query<'q> {
    macro_rules! each {
        (|$write:pat_param, $notice:pat_param| $value:expr) => {
            notices.iter().map(|($write, $notice)| $value).collect::<Vec<_>>()
        };
    }
    query
        .bind(each!(|write, _| write.entry.id.uuid()))
        .bind(each!(|_, notice| notice.id.uuid()))
        .bind(each!(|_, notice| notice.holder.uuid()))
        .bind(each!(|_, notice| notice.channel.uuid()))
        .bind(each!(|_, notice| notice.purpose.as_str()))
        .bind(each!(|_, notice| about(&notice.about).0))
        .bind(each!(|_, notice| about(&notice.about).1))
        .bind(each!(|_, notice| i64::from(notice.rank)))
        .bind(each!(|_, notice| match notice.turn {
            Turn::Now => "queued",
            Turn::AfterFailure => "waiting",
        }))
        .bind(each!(|_, notice| At(notice.created_at)))
        .bind(each!(|_, notice| At(notice.useless_after)))
}

fn bind_deliveries<'q>(query: Query<'q>, deliveries: &[(&'q Write, &'q Delivery)]) -> Query<'q> {
    macro_rules! each {
        (|$write:pat_param, $delivery:pat_param| $value:expr) => {
            deliveries.iter().map(|($write, $delivery)| $value).collect::<Vec<_>>()
        };
    }
    query
        .bind(each!(|write, _| write.entry.id.uuid()))
        .bind(each!(|_, delivery| delivery.id.uuid()))
        .bind(each!(|_, delivery| delivery.endpoint.uuid()))
        .bind(each!(|_, delivery| cause(&delivery.cause).0))
        .bind(each!(|_, delivery| cause(&delivery.cause).1))
        .bind(each!(|_, delivery| delivery.message_id.as_str()))
        .bind(each!(|_, delivery| delivery.body.as_str()))
        .bind(each!(|_, delivery| At(delivery.created_at)))
}
