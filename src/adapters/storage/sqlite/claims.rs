//! Leasing and settling on SQLite, where nobody else writes meanwhile.

use std::time::Duration;

use sqlx::{Connection as _, Transaction};
use uuid::Uuid;

use super::{BEGIN, Db, SqliteStore, ids, own};
use crate::adapters::storage::at::At;
use crate::adapters::storage::failure::reading;
use crate::adapters::storage::rows::outbox::{LeasedDelivery, LeasedNotice};
use crate::adapters::storage::settle::{Settled, SettledNotice};
use crate::domain::ids::{ApprovalId, DeliveryId};
use crate::ports::store::{DeliveryOutcome, StoreError};

pub async fn notices(store: &SqliteStore, max: u32, lease: Duration) -> Result<Vec<LeasedNotice>, sqlx::Error> {
    let mut writer = store.write.lock().await;
    let now = store.clock.0.now();
    let query =
        sqlx::query_as::<Db, LeasedNotice>(own::LEASE_NOTICES).bind(i64::from(max)).bind(At(now)).bind(At(now + lease));
    query.fetch_all(&mut *writer).await
}

pub async fn deliveries(
    store: &SqliteStore,
    max: u32,
    per_endpoint: u32,
    busy: &[Uuid],
    lease: Duration,
) -> Result<Vec<LeasedDelivery>, sqlx::Error> {
    let mut writer = store.write.lock().await;
    let now = store.clock.0.now();
    let query = sqlx::query_as::<Db, LeasedDelivery>(own::LEASE_DELIVERIES)
        .bind(i64::from(max))
        .bind(i64::from(per_endpoint))
        .bind(At(now))
        .bind(At(now + lease))
        .bind(ids(busy));
    query.fetch_all(&mut *writer).await
}

/// Settles all but failures, which give another notice its turn. Gives those that were settled.
pub async fn settle_notices(store: &SqliteStore, settled: &[SettledNotice]) -> Result<Vec<Uuid>, sqlx::Error> {
    let mut writer = store.write.lock().await;
    let mut transaction: Transaction<'_, Db> = writer.begin_with(BEGIN).await?;
    let mut done = Vec::with_capacity(settled.len());
    for settled in settled {
        let query = sqlx::query::<Db>(own::SETTLE_NOTICE)
            .bind(settled.id)
            .bind(settled.fence)
            .bind(settled.status.as_str())
            .bind(settled.tries)
            .bind(settled.next_at)
            .bind(settled.delivered_at)
            .bind(At(store.clock.0.now()));
        if query.execute(&mut *transaction).await?.rows_affected() == 1 {
            done.push(settled.id);
        }
    }
    transaction.commit().await?;
    Ok(done)
}

pub async fn past_hold(store: &SqliteStore, wanted: &[ApprovalId]) -> Result<Vec<ApprovalId>, StoreError> {
    let wanted: Vec<Uuid> = wanted.iter().map(|id| id.uuid()).collect();
    let query = sqlx::query_scalar::<Db, Uuid>(own::PAST_HOLD).bind(ids(&wanted)).bind(At(store.clock.0.now()));
    let past = query.fetch_all(&store.reads).await.map_err(reading("approvals"))?;
    Ok(past.into_iter().map(ApprovalId::from_uuid).collect())
}

pub async fn settle_deliveries(
    store: &SqliteStore,
    outcomes: &[(DeliveryId, i64, DeliveryOutcome)],
) -> Result<(), StoreError> {
    if outcomes.is_empty() {
        return Ok(());
    }
    let mut writer = store.write.lock().await;
    let mut transaction: Transaction<'_, Db> = writer.begin_with(BEGIN).await.map_err(reading("deliveries"))?;
    for (id, fence, outcome) in outcomes {
        settle(&mut transaction, *id, *fence, outcome).await.map_err(reading("deliveries"))?;
    }
    transaction.commit().await.map_err(reading("deliveries"))
}

async fn settle(
    transaction: &mut Transaction<'_, Db>,
    id: DeliveryId,
    fence: i64,
    outcome: &DeliveryOutcome,
) -> Result<(), sqlx::Error> {
    let settled = Settled::of(outcome);
    let done = sqlx::query::<Db>(own::SETTLE_DELIVERY)
        .bind(id.uuid())
        .bind(fence)
        .bind(settled.status.as_str())
        .bind(settled.last_status)
        .bind(settled.last_error)
        .bind(settled.next_at)
        .bind(settled.done_at)
        .execute(&mut **transaction)
        .await?;
    if settled.disables && done.rows_affected() == 1 {
        sqlx::query::<Db>(own::DISABLE_ENDPOINT).bind(id.uuid()).execute(&mut **transaction).await?;
    }
    Ok(())
}
