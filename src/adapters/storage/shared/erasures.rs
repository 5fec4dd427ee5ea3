//! Erasures: the [`ErasureStore`] port, and the writes of each step, which are alone in their transaction.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Connection as _, Transaction};
use uuid::Uuid;

use super::erasure_sql as own;
use super::{BEGIN, Connection, Db, TheStore, ids, override_writes, sql};
use crate::adapters::storage::at::At;
use crate::adapters::storage::failure::{Failure, Refused, reading, touched, unavailable};
use crate::adapters::storage::rows::erasure::ErasureRow;
use crate::adapters::storage::rows::holder::HolderRow;
use crate::adapters::storage::rows::{corrupt, digest};
use crate::adapters::storage::seal::Seals;
use crate::domain::audit::reading::Reading;
use crate::domain::details::{Digest, Subject};
use crate::domain::erasure::{self, Erasure, Subjects};
use crate::domain::freeze::FreezeStep;
use crate::domain::holder::Holder;
use crate::domain::ids::{ApprovalId, BackendId, ChangeId, HolderId};
use crate::domain::time::Timestamp;
use crate::ports::erasure::{Erase, ErasureStore, ErasureWrite, Followed};
use crate::ports::store::StoreError;

const ERASURES: &str = "erasures";
const AUDIT: &str = "audit";
/// Longer than an answer is remembered.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);

#[async_trait]
impl ErasureStore for TheStore {
    async fn erasure(&self, holder: HolderId) -> Result<Option<Erasure>, StoreError> {
        let query = sqlx::query_as::<Db, ErasureRow>(own::ERASURE).bind(holder.uuid());
        let row = query.fetch_optional(self.reads()).await.map_err(reading(ERASURES))?;
        row.map(|row| row.read(self.seals())).transpose()
    }

    async fn erasure_of(&self, backend: BackendId, subject: &Subject) -> Result<Option<Erasure>, StoreError> {
        let tag = self.seals().tombstone(backend, subject);
        let query = sqlx::query_as::<Db, ErasureRow>(own::ERASURE_OF).bind(backend.uuid()).bind(tag.as_slice());
        let row = query.fetch_optional(self.reads()).await.map_err(reading(ERASURES))?;
        row.map(|row| row.read(self.seals())).transpose()
    }

    async fn erasures_open(&self, limit: u32) -> Result<Vec<Result<Erasure, StoreError>>, StoreError> {
        let query = sqlx::query_as::<Db, ErasureRow>(own::ERASURES_OPEN).bind(i64::from(limit));
        let rows = query.fetch_all(self.reads()).await.map_err(reading(ERASURES))?;
        Ok(rows.into_iter().map(|row| row.read(self.seals())).collect())
    }

    async fn follow_entries(&self, limit: u32) -> Result<Followed, StoreError> {
        let mut writer = self.writer().await?;
        let mut transaction: Transaction<'_, Db> = writer.begin_with(BEGIN).await.map_err(unavailable)?;
        let read = follow(&mut transaction, limit).await.map_err(reading(AUDIT))?;
        transaction.commit().await.map_err(unavailable)?;
        Ok(if read == limit as usize { Followed::More } else { Followed::ToTheEnd })
    }

    async fn entries_about(&self, holder: HolderId, limit: u32) -> Result<Vec<(ChangeId, Digest)>, StoreError> {
        let query =
            sqlx::query_as::<Db, (Uuid, Vec<u8>)>(own::ENTRIES_ABOUT).bind(holder.uuid()).bind(i64::from(limit));
        let rows = query.fetch_all(self.reads()).await.map_err(reading(AUDIT))?;
        let read = |(id, leaf): (Uuid, Vec<u8>)| {
            let id = ChangeId::from_uuid(id);
            digest("leaf_hash", &leaf).map(|leaf| (id, leaf)).map_err(|source| corrupt(AUDIT, id, source))
        };
        rows.into_iter().map(read).collect()
    }

    async fn ended_approvals(&self, holder: HolderId, limit: u32) -> Result<Vec<ApprovalId>, StoreError> {
        let query = sqlx::query_scalar::<Db, Uuid>(own::ENDED_APPROVALS).bind(holder.uuid()).bind(i64::from(limit));
        let rows = query.fetch_all(self.reads()).await.map_err(reading("approvals"))?;
        Ok(rows.into_iter().map(ApprovalId::from_uuid).collect())
    }
}

/// Reads on from where the last reader stopped; gives how many entries there were.
async fn follow(connection: &mut Connection, limit: u32) -> Result<usize, sqlx::Error> {
    let from: i64 = sqlx::query_scalar::<Db, i64>(own::FOLLOWED).fetch_one(&mut *connection).await?;
    let further = sqlx::query_as::<Db, (i64, String)>(own::FURTHER).bind(from).bind(i64::from(limit));
    let further = further.fetch_all(&mut *connection).await?;
    let Some((last, _)) = further.last() else { return Ok(0) };
    let last = *last;
    let mut about: Vec<(Uuid, i64)> = Vec::new();
    let mut belongings: Vec<(Uuid, i64)> = Vec::new();
    for (place, text) in &further {
        // A text that doesn't read, or is gone, is about nobody that could be known.
        match Reading::of(text).as_ref().map(erasure::subjects) {
            Ok(Subjects::Holder(holder)) => about.push((holder.uuid(), *place)),
            Ok(Subjects::Belongings(ids)) => belongings.extend(ids.into_iter().map(|id| (id, *place))),
            Err(_) => {}
        }
    }
    if !belongings.is_empty() {
        let named: Vec<Uuid> = belongings.iter().map(|(id, _)| *id).collect();
        let whose = sqlx::query_as::<Db, (Uuid, Uuid)>(own::WHOSE).bind(ids(&named));
        let whose: std::collections::HashMap<Uuid, Uuid> =
            whose.fetch_all(&mut *connection).await?.into_iter().collect();
        about.extend(belongings.iter().filter_map(|(id, place)| Some((*whose.get(id)?, *place))));
    }
    for (holder, place) in about {
        sqlx::query::<Db>(own::ADD_HOLDER_ENTRY).bind(holder).bind(place).execute(&mut *connection).await?;
    }
    sqlx::query::<Db>(own::FOLLOW).bind(last).execute(connection).await?;
    Ok(further.len())
}

/// Whether no erased holder had this subject. Asked after the holder was inserted: whoever erases one keeps the
/// inserting waiting until the tombstone can be seen.
///
/// # Errors
/// [`Failure::Sql`].
pub async fn never_erased(connection: &mut Connection, holder: &Holder, seals: &Seals) -> Result<bool, Failure> {
    let tag = seals.tombstone(holder.backend, &holder.subject);
    let query = sqlx::query_scalar::<Db, i64>(own::TOMBSTONES).bind(holder.backend.uuid()).bind(tag.as_slice());
    Ok(query.fetch_one(connection).await? == 0)
}

/// A step of an erasure.
///
/// # Errors
/// As [`crate::ports::change::Effect::Erase`].
pub async fn step(
    connection: &mut Connection,
    write: &ErasureWrite,
    entry: ChangeId,
    seals: &Seals,
    now: Timestamp,
) -> Result<(), Failure> {
    let erasure = &write.erasure;
    match &write.what {
        Erase::Begin { freeze } => return begin(connection, erasure, freeze, seals, now).await,
        Erase::Entries(entries) => empty(connection, erasure.holder, entries, entry).await?,
        Erase::Approvals(approvals) => drop_approvals(connection, erasure, approvals, now).await?,
        Erase::Finish => finish(connection, erasure.holder).await?,
    }
    let row = sqlx::query_as::<Db, ErasureRow>(own::ERASURE).bind(erasure.holder.uuid());
    let row = row.fetch_optional(&mut *connection).await?.ok_or(Refused::Conflict)?;
    let tag = row.subject_tag.clone();
    row.read(seals)?;
    let row = ErasureRow::of(erasure, tag, seals);
    let set = sqlx::query::<Db>(own::SET_ERASURE)
        .bind(row.id)
        .bind(row.version - 1)
        .bind(row.version)
        .bind(row.last_entry)
        .bind(row.finished_at)
        .bind(row.seal);
    Ok(touched(set.execute(connection).await?.rows_affected())?)
}

async fn begin(
    connection: &mut Connection,
    erasure: &Erasure,
    freeze: &FreezeStep,
    seals: &Seals,
    now: Timestamp,
) -> Result<(), Failure> {
    // Whoever enrols, invites or freezes takes this row too, so none slips by the other.
    let row = sqlx::query_as::<Db, HolderRow>(sql::HOLDER_TO_CHANGE).bind(erasure.holder.uuid());
    let holder = row.fetch_optional(&mut *connection).await?.ok_or(Refused::Conflict)?.read(seals)?;
    let living = sqlx::query_scalar::<Db, i64>(own::LIVING).bind(erasure.holder.uuid());
    if living.fetch_one(&mut *connection).await? > 0 {
        return Err(Refused::Conflict.into());
    }
    override_writes::not_frozen(connection, erasure.holder).await?;
    override_writes::store_freeze(connection, freeze, None, seals, now).await?;
    forget(connection, holder.backend, holder.id, holder.created_at).await?;
    let since = At(now - REMEMBERED);
    let links = sqlx::query_as::<Db, (Uuid, At)>(own::LINKS_SINCE).bind(holder.id.uuid()).bind(since);
    for (_, at) in links.fetch_all(&mut *connection).await? {
        let query = sqlx::query::<Db>(own::FORGET_SEALED).bind(at).bind(holder.backend.uuid());
        query.execute(&mut *connection).await?;
    }
    drop_person(connection, holder.id).await?;
    let tag = seals.tombstone(holder.backend, &holder.subject).to_vec();
    let row = ErasureRow::of(erasure, tag, seals);
    let added = sqlx::query::<Db>(own::INSERT_ERASURE)
        .bind(row.id)
        .bind(row.backend_id)
        .bind(row.subject_tag)
        .bind(row.version)
        .bind(row.key_id)
        .bind(row.begun_at)
        .bind(row.last_entry)
        .bind(row.finished_at)
        .bind(row.seal);
    Ok(touched(added.execute(connection).await?.rows_affected())?)
}

/// Forgets the answer that told of something's making.
async fn forget(
    connection: &mut Connection,
    backend: BackendId,
    what: impl std::fmt::Display,
    at: Timestamp,
) -> Result<(), Failure> {
    let query = sqlx::query::<Db>(own::FORGET_ANSWER).bind(At(at)).bind(backend.uuid()).bind(format!("%{what}%"));
    query.execute(connection).await?;
    Ok(())
}

async fn each(connection: &mut Connection, statements: &[&'static str], holder: HolderId) -> Result<(), Failure> {
    for statement in statements {
        sqlx::query::<Db>(*statement).bind(holder.uuid()).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn drop_person(connection: &mut Connection, holder: HolderId) -> Result<(), Failure> {
    let statements = [
        own::DROP_NOTICES_OF_DEVICES,
        own::DROP_NOTICES_OF_LINKS,
        own::DROP_CHANNELS,
        own::DROP_DEVICES,
        own::DROP_LINKS,
        own::DROP_HOLDER_VIEWS,
        own::EMPTY_VIEWS,
        own::DROP_HOLDER,
    ];
    each(connection, &statements, holder).await
}

async fn empty(
    connection: &mut Connection,
    holder: HolderId,
    entries: &[ChangeId],
    told_by: ChangeId,
) -> Result<(), Failure> {
    let list: Vec<Uuid> = entries.iter().map(|id| id.uuid()).collect();
    let emptied = sqlx::query::<Db>(own::EMPTY_ENTRIES).bind(ids(&list)).bind(&b""[..]).bind(told_by.uuid());
    if emptied.execute(&mut *connection).await?.rows_affected() != list.len() as u64 {
        return Err(Refused::Conflict.into());
    }
    sqlx::query::<Db>(own::DROP_EVIDENCE_OF_ENTRIES).bind(ids(&list)).execute(&mut *connection).await?;
    let known = sqlx::query::<Db>(own::DROP_HOLDER_ENTRIES).bind(ids(&list)).bind(holder.uuid());
    known.execute(connection).await?;
    Ok(())
}

async fn drop_approvals(
    connection: &mut Connection,
    erasure: &Erasure,
    approvals: &[ApprovalId],
    now: Timestamp,
) -> Result<(), Failure> {
    let list: Vec<Uuid> = approvals.iter().map(|id| id.uuid()).collect();
    let since = At(now - REMEMBERED);
    let young = sqlx::query_as::<Db, (Uuid, At)>(own::APPROVALS_SINCE).bind(ids(&list)).bind(since);
    for (approval, at) in young.fetch_all(&mut *connection).await? {
        forget(connection, erasure.backend, ApprovalId::from_uuid(approval), at.into()).await?;
    }
    for statement in [own::DROP_EVIDENCE_OF_APPROVALS, own::DROP_NOTICES, own::DROP_DELIVERIES] {
        sqlx::query::<Db>(statement).bind(ids(&list)).execute(&mut *connection).await?;
    }
    let gone = sqlx::query::<Db>(own::DROP_APPROVALS).bind(ids(&list)).bind(erasure.holder.uuid());
    let all = gone.execute(connection).await?.rows_affected() == list.len() as u64;
    if all { Ok(()) } else { Err(Refused::Conflict.into()) }
}

async fn finish(connection: &mut Connection, holder: HolderId) -> Result<(), Failure> {
    let left = sqlx::query_scalar::<Db, i64>(own::APPROVALS_LEFT).bind(holder.uuid());
    if left.fetch_one(&mut *connection).await? > 0 {
        return Err(Refused::Conflict.into());
    }
    drop_person(connection, holder).await?;
    let statements =
        [own::DROP_NOTICES_OF_OVERRIDES, own::DROP_NOTICES_OF_FREEZES, own::DROP_OVERRIDES, own::DROP_FREEZES];
    each(connection, &statements, holder).await
}
