//! What workers do with notices and deliveries, and what the API shows of them. Claiming itself is the backend's own
//! ([`super::super::claims`]); this is what comes after it.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::{Connection as _, Transaction};
use uuid::Uuid;

use super::super::claims;
use super::{BEGIN, Connection, Db, TheStore, ids, sql};
use crate::adapters::storage::at::At;
use crate::adapters::storage::failure::{reading, unavailable};
use crate::adapters::storage::handover::{Born, Taken};
use crate::adapters::storage::rows::channel::ChannelRow;
use crate::adapters::storage::rows::outbox::{DeliveryViewRow, EndpointRow, LeasedDelivery, SentNoticeRow};
use crate::adapters::storage::settle::SettledNotice;
use crate::domain::channel::SealedAddress;
use crate::domain::ids::{BackendId, DeliveryId, EndpointId, NoticeId};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Endpoint, EndpointStatus};
use crate::ports::store::{
    DeliveryJob, DeliveryView, NoticeJob, NoticeOutcome, Outgoing, Pruned, SentNotice, StoreError,
};

const NOTICES: &str = "notices";
const DELIVERIES: &str = "deliveries";
const ENDPOINTS: &str = "endpoints";
const STAFF_NOTICES: &str = "staff_notices";

/// The lease of a notice that was handed over: the first one.
const FIRST: i64 = Born::Leased.fence();

pub async fn claim_notices(store: &TheStore, max: u32, lease: Duration) -> Result<Vec<NoticeJob>, StoreError> {
    let leased = claims::notices(store, max, lease).await.map_err(reading(NOTICES))?;
    let mut jobs = Vec::with_capacity(leased.len());
    for notice in leased {
        let (id, fence) = (NoticeId::from_uuid(notice.id), notice.fence);
        match notice.read() {
            Ok(job) => jobs.push(job),
            Err(error) => unsendable(store, id, fence, &error).await?,
        }
    }
    addressed(store, jobs).await
}

pub async fn fresh_notices(store: &TheStore, max: u32, lease: Duration) -> Result<Vec<NoticeJob>, StoreError> {
    let Taken { rows, more_stored } = store.handover().take_notices(max);
    let room = max.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
    let jobs = rows.into_iter().map(|notice| NoticeJob {
        id: notice.id,
        holder: notice.holder,
        channel: notice.channel,
        purpose: notice.purpose,
        about: notice.about,
        address: notice.address,
        attempts: 0,
        created_at: notice.created_at,
        useless_after: notice.useless_after,
        fence: FIRST,
    });
    // Their addresses came with the channels that they were planned on, a few milliseconds ago.
    let mut jobs: Vec<NoticeJob> = jobs.collect();
    jobs.sort_unstable_by_key(|job| job.id);
    if more_stored && room > 0 {
        jobs.extend(claim_notices(store, room, lease).await?);
    }
    Ok(jobs)
}

/// Looks up the addresses of leased notices.
async fn addressed(store: &TheStore, leased: Vec<NoticeJob>) -> Result<Vec<NoticeJob>, StoreError> {
    if leased.is_empty() {
        return Ok(leased);
    }
    let mut channels: Vec<Uuid> = leased.iter().map(|notice| notice.channel.uuid()).collect();
    channels.sort_unstable();
    channels.dedup();
    let query = sqlx::query_as::<Db, ChannelRow>(sql::CHANNELS_BY_ID).bind(ids(&channels));
    let rows = query.fetch_all(store.lookups()).await.map_err(reading("channels"))?;
    let channels: HashMap<Uuid, ChannelRow> = rows.into_iter().map(|row| (row.id, row)).collect();
    let mut jobs = Vec::with_capacity(leased.len());
    for mut job in leased {
        match address(&job, &channels, store) {
            Ok(address) => {
                job.address = address;
                jobs.push(job);
            }
            Err(error) => unsendable(store, job.id, job.fence, &error).await?,
        }
    }
    jobs.sort_unstable_by_key(|job| job.id);
    Ok(jobs)
}

/// A notice can't go out on its channel, ever. The next channel in the row gets its turn.
async fn unsendable(store: &TheStore, id: NoticeId, fence: i64, error: &StoreError) -> Result<(), StoreError> {
    tracing::error!(%error, notice = %id, "a notice can't be sent");
    end_notice(store, id, fence).await?;
    Ok(())
}

/// The channel of a notice is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the channel was removed")]
struct Removed;

fn address(
    job: &NoticeJob,
    channels: &HashMap<Uuid, ChannelRow>,
    store: &TheStore,
) -> Result<SealedAddress, StoreError> {
    let Some(row) = channels.get(&job.channel.uuid()).filter(|row| row.removed_at.is_none()) else {
        return Err(unavailable(Removed));
    };
    store.seals().check(row)?;
    Ok(row.address.clone().into())
}

pub async fn settle_notices(
    store: &TheStore,
    outcomes: &[(NoticeId, i64, NoticeOutcome)],
) -> Result<Vec<NoticeId>, StoreError> {
    let settled: Vec<SettledNotice> =
        outcomes.iter().filter_map(|(id, fence, outcome)| SettledNotice::of(*id, *fence, outcome)).collect();
    let mut done = Vec::with_capacity(outcomes.len());
    if !settled.is_empty() {
        let ids = claims::settle_notices(store, &settled).await.map_err(reading(NOTICES))?;
        done.extend(ids.into_iter().map(NoticeId::from_uuid));
    }
    for (id, fence, outcome) in outcomes {
        if matches!(outcome, NoticeOutcome::Failed { .. }) && end_notice(store, *id, *fence).await? {
            done.push(*id);
        }
    }
    Ok(done)
}

pub async fn notice(store: &TheStore, id: NoticeId) -> Result<Option<SentNotice>, StoreError> {
    let query = sqlx::query_as::<Db, SentNoticeRow>(sql::NOTICE).bind(id.uuid());
    let row = query.fetch_optional(store.reads()).await.map_err(reading(NOTICES))?;
    row.map(|row| row.read(id)).transpose()
}

/// A delivered notice came back. The next one of its row has its turn with it. Gives how many rows that concerned:
/// none when it wasn't delivered.
///
/// # Errors
/// Whatever the database says.
pub async fn bounce(connection: &mut Connection, id: NoticeId, now: Timestamp) -> Result<u64, sqlx::Error> {
    lock_row(connection, id).await?;
    let bounced = sqlx::query::<Db>(sql::NOTICE_BOUNCED).bind(id.uuid()).execute(&mut *connection).await?;
    if bounced.rows_affected() > 0 {
        next_in_row(connection, id, now).await?;
    }
    Ok(bounced.rows_affected())
}

/// A leased notice didn't reach anybody. The next one of its row has its turn in the same transaction.
async fn end_notice(store: &TheStore, id: NoticeId, fence: i64) -> Result<bool, StoreError> {
    let mut writer = store.writer().await?;
    let ended = end_in_row(&mut writer, store, id, fence).await.map_err(reading(NOTICES))?;
    drop(writer);
    if ended == Ended::AnotherQueued {
        store.handover().notice_queued();
    }
    Ok(ended != Ended::NotOurs)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    NotOurs,
    Alone,
    AnotherQueued,
}

async fn end_in_row(
    connection: &mut Connection,
    store: &TheStore,
    id: NoticeId,
    fence: i64,
) -> Result<Ended, sqlx::Error> {
    let mut transaction: Transaction<'_, Db> = connection.begin_with(BEGIN).await?;
    lock_row(&mut transaction, id).await?;
    let end = sqlx::query::<Db>(sql::NOTICE_FAILED).bind(id.uuid()).bind(fence);
    if end.execute(&mut *transaction).await?.rows_affected() == 0 {
        transaction.rollback().await?;
        return Ok(Ended::NotOurs);
    }
    let now = store.clock().now(&mut transaction).await?;
    let next = next_in_row(&mut transaction, id, now).await?;
    transaction.commit().await?;
    Ok(if next == 0 { Ended::Alone } else { Ended::AnotherQueued })
}

async fn lock_row(connection: &mut Connection, id: NoticeId) -> Result<(), sqlx::Error> {
    sqlx::query::<Db>(sql::NOTICE_ROW).bind(id.uuid()).fetch_all(connection).await.map(drop)
}

/// Gives the notice after a failed one its turn; how many there were.
async fn next_in_row(connection: &mut Connection, id: NoticeId, now: Timestamp) -> Result<u64, sqlx::Error> {
    let next = sqlx::query::<Db>(sql::NEXT_NOTICE).bind(id.uuid()).bind(At(now)).execute(connection).await?;
    Ok(next.rows_affected())
}

pub async fn claim_deliveries(
    store: &TheStore,
    max: u32,
    per_endpoint: u32,
    busy: &[EndpointId],
    lease: Duration,
) -> Result<Vec<DeliveryJob>, StoreError> {
    let busy: Vec<Uuid> = busy.iter().map(|id| id.uuid()).collect();
    let leased = claims::deliveries(store, max, per_endpoint, &busy, lease).await.map_err(reading(DELIVERIES))?;
    directed(store, leased).await
}

pub async fn fresh_deliveries(
    store: &TheStore,
    max: u32,
    per_endpoint: u32,
    busy: &[EndpointId],
    lease: Duration,
) -> Result<Vec<DeliveryJob>, StoreError> {
    let Taken { rows, more_stored } = store.handover().take_deliveries(max, per_endpoint, busy);
    let room = max.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
    let leased = rows.into_iter().map(|delivery| LeasedDelivery {
        id: delivery.id.uuid(),
        endpoint_id: delivery.endpoint.uuid(),
        message_id: delivery.message_id,
        body: delivery.body,
        attempts: 0,
        fence: FIRST,
        created_at: At(delivery.created_at),
    });
    let mut jobs = directed(store, leased.collect()).await?;
    if more_stored && room > 0 {
        jobs.extend(claim_deliveries(store, room, per_endpoint, busy, lease).await?);
    }
    Ok(jobs)
}

/// Looks up the endpoints of leased deliveries.
async fn directed(store: &TheStore, leased: Vec<LeasedDelivery>) -> Result<Vec<DeliveryJob>, StoreError> {
    if leased.is_empty() {
        return Ok(Vec::new());
    }
    let mut wanted: Vec<Uuid> = leased.iter().map(|delivery| delivery.endpoint_id).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let query = sqlx::query_as::<Db, EndpointRow>(sql::ENDPOINTS_BY_ID).bind(ids(&wanted));
    let rows = query.fetch_all(store.lookups()).await.map_err(reading(ENDPOINTS))?;
    let mut endpoints: HashMap<Uuid, Endpoint> = HashMap::new();
    for row in rows {
        let id = row.id;
        match row.read() {
            Ok(endpoint) => drop(endpoints.insert(id, endpoint)),
            Err(error) => tracing::error!(%error, "an endpoint can't be used"),
        }
    }
    let mut jobs = Vec::with_capacity(leased.len());
    for delivery in leased {
        match endpoints.get(&delivery.endpoint_id) {
            Some(endpoint) if endpoint.status == EndpointStatus::Active => jobs.push(delivery.read(endpoint.clone())?),
            // Its queue waits until it is active again.
            Some(_) => {}
            None => give_up(store, &delivery).await?,
        }
    }
    jobs.sort_unstable_by_key(|job| job.id);
    Ok(jobs)
}

/// Ends a delivery whose endpoint is gone or unusable, so that it isn't leased for ever.
async fn give_up(store: &TheStore, delivery: &LeasedDelivery) -> Result<(), StoreError> {
    let now = store.database_now().await?;
    let mut writer = store.writer().await?;
    let query = sqlx::query::<Db>(sql::GIVE_UP_DELIVERY).bind(delivery.id).bind(delivery.fence).bind(At(now));
    query.execute(&mut *writer).await.map_err(reading(DELIVERIES))?;
    Ok(())
}

/// Ends the leases of what was handed over and nobody took, so that another node needn't wait for their end.
pub async fn give_back(store: &TheStore) -> Result<(), StoreError> {
    let (notices, deliveries) = store.handover().left();
    let now = store.database_now().await?;
    let notices: Vec<Uuid> = notices.iter().map(|id| id.uuid()).collect();
    let deliveries: Vec<Uuid> = deliveries.iter().map(|id| id.uuid()).collect();
    for (statement, table, left) in
        [(sql::FREE_NOTICES, NOTICES, notices), (sql::FREE_DELIVERIES, DELIVERIES, deliveries)]
    {
        if left.is_empty() {
            continue;
        }
        let mut writer = store.writer().await?;
        let query = sqlx::query::<Db>(statement).bind(ids(&left)).bind(FIRST).bind(At(now));
        query.execute(&mut *writer).await.map_err(reading(table))?;
    }
    Ok(())
}

pub async fn endpoints(store: &TheStore, backend: BackendId) -> Result<Vec<Endpoint>, StoreError> {
    let query = sqlx::query_as::<Db, EndpointRow>(sql::ENDPOINTS).bind(backend.uuid());
    let rows = query.fetch_all(store.reads()).await.map_err(reading(ENDPOINTS))?;
    rows.into_iter().map(EndpointRow::read).collect()
}

pub async fn endpoint(store: &TheStore, backend: BackendId, id: EndpointId) -> Result<Option<Endpoint>, StoreError> {
    let query = sqlx::query_as::<Db, EndpointRow>(sql::ENDPOINT).bind(backend.uuid()).bind(id.uuid());
    let row = query.fetch_optional(store.reads()).await.map_err(reading(ENDPOINTS))?;
    row.map(EndpointRow::read).transpose()
}

pub async fn deliveries(
    store: &TheStore,
    endpoint: EndpointId,
    before: Option<DeliveryId>,
    limit: u32,
) -> Result<Vec<DeliveryView>, StoreError> {
    let query = sqlx::query_as::<Db, DeliveryViewRow>(sql::DELIVERIES)
        .bind(endpoint.uuid())
        .bind(before.map_or(Uuid::max(), DeliveryId::uuid))
        .bind(i64::from(limit));
    let rows = query.fetch_all(store.reads()).await.map_err(reading(DELIVERIES))?;
    rows.into_iter().map(DeliveryViewRow::read).collect()
}

pub async fn delivery_message(
    store: &TheStore,
    endpoint: EndpointId,
    id: DeliveryId,
) -> Result<Option<(String, String)>, StoreError> {
    let query = sqlx::query_as::<Db, (String, String)>(sql::DELIVERY_MESSAGE).bind(endpoint.uuid()).bind(id.uuid());
    query.fetch_optional(store.reads()).await.map_err(reading(DELIVERIES))
}

pub async fn prune(
    store: &TheStore,
    what: Outgoing,
    before: Timestamp,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Pruned, StoreError> {
    let (table, old, delete) = match what {
        Outgoing::Notices => (NOTICES, sql::OLD_NOTICES, sql::PRUNE_NOTICES),
        Outgoing::Deliveries => (DELIVERIES, sql::OLD_DELIVERIES, sql::PRUNE_DELIVERIES),
        Outgoing::StaffNotices => (STAFF_NOTICES, sql::OLD_STAFF_NOTICES, sql::PRUNE_STAFF_NOTICES),
    };
    // The least id of that moment, of whatever kind.
    let bound = NoticeId::new(before, [0; 10]).uuid();
    let old = sqlx::query_scalar::<Db, Uuid>(old).bind(after.unwrap_or(Uuid::nil())).bind(bound).bind(i64::from(limit));
    let list = old.fetch_all(store.reads()).await.map_err(reading(table))?;
    let whole = list.len() == limit as usize;
    let last = list.last().copied().filter(|_| whole);
    if list.is_empty() {
        return Ok(Pruned { deleted: 0, last });
    }
    let mut writer = store.writer().await?;
    let delete = sqlx::query::<Db>(delete).bind(ids(&list)).bind(At(before));
    let deleted = delete.execute(&mut *writer).await.map_err(unavailable)?.rows_affected();
    Ok(Pruned { deleted, last })
}
