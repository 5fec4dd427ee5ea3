//! What workers do with notices and deliveries, and what the API shows of them. Claiming itself is the backend's own
//! ([`super::super::claims`]); this is what comes after it.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::{Connection as _, Transaction};
use uuid::Uuid;

use super::super::claims;
use super::{BEGIN, Connection, Db, TheStore, ids, sql};
use crate::adapters::storage::at::At;
use crate::adapters::storage::committer::wake;
use crate::adapters::storage::failure::{reading, unavailable};
use crate::adapters::storage::rows::channel::ChannelRow;
use crate::adapters::storage::rows::outbox::{DeliveryViewRow, EndpointRow, LeasedDelivery, LeasedNotice};
use crate::domain::ids::{BackendId, DeliveryId, EndpointId, NoticeId};
use crate::domain::webhook::Endpoint;
use crate::ports::store::{DeliveryJob, DeliveryView, NoticeJob, NoticeOutcome, StoreError};

const NOTICES: &str = "notices";
const DELIVERIES: &str = "deliveries";
const ENDPOINTS: &str = "endpoints";

pub async fn claim_notices(store: &TheStore, max: u32, lease: Duration) -> Result<Vec<NoticeJob>, StoreError> {
    let leased = claims::notices(store, max, lease).await.map_err(reading(NOTICES))?;
    if leased.is_empty() {
        return Ok(Vec::new());
    }
    let mut channels: Vec<Uuid> = leased.iter().map(|notice| notice.channel_id).collect();
    channels.sort_unstable();
    channels.dedup();
    let query = sqlx::query_as::<Db, ChannelRow>(sql::CHANNELS_BY_ID).bind(ids(&channels));
    let rows = query.fetch_all(store.reads()).await.map_err(reading("channels"))?;
    let channels: HashMap<Uuid, ChannelRow> = rows.into_iter().map(|row| (row.id, row)).collect();
    let mut jobs = Vec::with_capacity(leased.len());
    for notice in leased {
        let (id, fence) = (NoticeId::from_uuid(notice.id), notice.fence);
        match job(notice, &channels, store) {
            Ok(job) => jobs.push(job),
            // It can't go out on this channel, ever. The next channel in the row gets its turn.
            Err(error) => {
                tracing::error!(%error, notice = %id, "a notice can't be sent");
                let at = store.database_now().await?;
                settle_notice(store, id, fence, NoticeOutcome::Failed { at }).await?;
            }
        }
    }
    jobs.sort_unstable_by_key(|job| job.id);
    Ok(jobs)
}

/// The channel of a notice is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the channel was removed")]
struct Removed;

fn job(notice: LeasedNotice, channels: &HashMap<Uuid, ChannelRow>, store: &TheStore) -> Result<NoticeJob, StoreError> {
    let Some(row) = channels.get(&notice.channel_id).filter(|row| row.removed_at.is_none()) else {
        return Err(unavailable(Removed));
    };
    store.seals().check(row)?;
    notice.read(row.address.clone())
}

pub async fn settle_notice(
    store: &TheStore,
    id: NoticeId,
    fence: i64,
    outcome: NoticeOutcome,
) -> Result<bool, StoreError> {
    let (statement, at) = match outcome {
        NoticeOutcome::Delivered { at } => (sql::NOTICE_DELIVERED, Some(at)),
        NoticeOutcome::RetryAt(at) => (sql::NOTICE_LATER, Some(at)),
        NoticeOutcome::Dropped => (sql::NOTICE_DROPPED, None),
        NoticeOutcome::Failed { .. } => return end_notice(store, id, Some(fence)).await,
    };
    let mut writer = store.writer().await?;
    let mut query = sqlx::query::<Db>(statement).bind(id.uuid()).bind(fence);
    if let Some(at) = at {
        query = query.bind(At(at));
    }
    let done = query.execute(&mut *writer).await.map_err(reading(NOTICES))?;
    Ok(done.rows_affected() == 1)
}

pub async fn notice_bounced(store: &TheStore, id: NoticeId) -> Result<bool, StoreError> {
    end_notice(store, id, None).await
}

/// A notice didn't reach anybody: with a fence, it failed; without, it was delivered and came back. The next one of
/// its row has its turn in the same transaction.
async fn end_notice(store: &TheStore, id: NoticeId, fence: Option<i64>) -> Result<bool, StoreError> {
    let mut writer = store.writer().await?;
    let ended = end_in_row(&mut writer, store, id, fence).await.map_err(reading(NOTICES))?;
    drop(writer);
    if ended == Ended::AnotherQueued {
        wake(store.outbox());
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
    fence: Option<i64>,
) -> Result<Ended, sqlx::Error> {
    let mut transaction: Transaction<'_, Db> = connection.begin_with(BEGIN).await?;
    sqlx::query::<Db>(sql::NOTICE_ROW).bind(id.uuid()).fetch_all(&mut *transaction).await?;
    let end = match fence {
        Some(fence) => sqlx::query::<Db>(sql::NOTICE_FAILED).bind(id.uuid()).bind(fence),
        None => sqlx::query::<Db>(sql::NOTICE_BOUNCED).bind(id.uuid()),
    };
    if end.execute(&mut *transaction).await?.rows_affected() == 0 {
        transaction.rollback().await?;
        return Ok(Ended::NotOurs);
    }
    let now = store.clock().now(&mut transaction).await?;
    let next = sqlx::query::<Db>(sql::NEXT_NOTICE).bind(id.uuid()).bind(At(now)).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(if next.rows_affected() == 0 { Ended::Alone } else { Ended::AnotherQueued })
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
    if leased.is_empty() {
        return Ok(Vec::new());
    }
    let mut wanted: Vec<Uuid> = leased.iter().map(|delivery| delivery.endpoint_id).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let query = sqlx::query_as::<Db, EndpointRow>(sql::ENDPOINTS_BY_ID).bind(ids(&wanted));
    let rows = query.fetch_all(store.reads()).await.map_err(reading(ENDPOINTS))?;
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
            Some(endpoint) => jobs.push(delivery.read(endpoint.clone())?),
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
