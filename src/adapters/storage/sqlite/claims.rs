//! Leasing and settling on SQLite, where nobody else writes meanwhile.

use std::time::Duration;

use sqlx::{Connection as _, Transaction};
use uuid::Uuid;

use super::{BEGIN, Db, SqliteStore, ids, own};
use crate::adapters::storage::at::At;
use crate::adapters::storage::failure::reading;
use crate::adapters::storage::rows::outbox::{LeasedDelivery, LeasedNotice};
use crate::adapters::storage::settle::Settled;
use crate::domain::ids::DeliveryId;
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
