//! Leasing and settling on PostgreSQL, where other nodes do the same: what another one has locked is passed over.

use std::time::Duration;

use uuid::Uuid;

use super::{Db, PostgresStore, own};
use crate::adapters::storage::at::At;
use crate::adapters::storage::failure::reading;
use crate::adapters::storage::rows::outbox::{LeasedDelivery, LeasedNotice};
use crate::adapters::storage::settle::{Settled, SettledNotice};
use crate::domain::ids::{ApprovalId, DeliveryId};
use crate::ports::store::{DeliveryOutcome, StoreError};

pub fn micros(lease: Duration) -> i64 {
    i64::try_from(lease.as_micros()).unwrap_or(i64::MAX)
}

pub async fn notices(store: &PostgresStore, max: u32, lease: Duration) -> Result<Vec<LeasedNotice>, sqlx::Error> {
    let query = sqlx::query_as::<Db, LeasedNotice>(own::LEASE_NOTICES).bind(i64::from(max)).bind(micros(lease));
    query.fetch_all(&store.work).await
}

pub async fn deliveries(
    store: &PostgresStore,
    max: u32,
    per_endpoint: u32,
    busy: &[Uuid],
    lease: Duration,
) -> Result<Vec<LeasedDelivery>, sqlx::Error> {
    let query = sqlx::query_as::<Db, LeasedDelivery>(own::LEASE_DELIVERIES)
        .bind(i64::from(max))
        .bind(i64::from(per_endpoint))
        .bind(busy)
        .bind(micros(lease));
    query.fetch_all(&store.work).await
}

/// Settles all but failures, which give another notice its turn. Gives those that were settled.
pub async fn settle_notices(store: &PostgresStore, settled: &[SettledNotice]) -> Result<Vec<Uuid>, sqlx::Error> {
    macro_rules! each {
        ($member:ident) => {
            settled.iter().map(|settled| settled.$member).collect::<Vec<_>>()
        };
    }
    sqlx::query_scalar::<Db, Uuid>(own::SETTLE_NOTICES)
        .bind(each!(id))
        .bind(each!(fence))
        .bind(settled.iter().map(|settled| settled.status.as_str()).collect::<Vec<_>>())
        .bind(each!(tries))
        .bind(each!(next_at))
        .bind(each!(delivered_at))
        .fetch_all(&store.work)
        .await
}

pub async fn past_hold(store: &PostgresStore, ids: &[ApprovalId]) -> Result<Vec<ApprovalId>, StoreError> {
    let wanted: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let query = sqlx::query_scalar::<Db, Uuid>(own::PAST_HOLD).bind(wanted);
    let past = query.fetch_all(&store.work).await.map_err(reading("approvals"))?;
    Ok(past.into_iter().map(ApprovalId::from_uuid).collect())
}

pub async fn settle_deliveries(
    store: &PostgresStore,
    outcomes: &[(DeliveryId, i64, DeliveryOutcome)],
) -> Result<(), StoreError> {
    if outcomes.is_empty() {
        return Ok(());
    }
    let settled: Vec<Settled> = outcomes.iter().map(|(_, _, outcome)| Settled::of(outcome)).collect();
    let ids: Vec<Uuid> = outcomes.iter().map(|(id, _, _)| id.uuid()).collect();
    let fences: Vec<i64> = outcomes.iter().map(|(_, fence, _)| *fence).collect();
    let statuses: Vec<&str> = settled.iter().map(|settled| settled.status.as_str()).collect();
    let last_statuses: Vec<Option<i64>> = settled.iter().map(|settled| settled.last_status).collect();
    let last_errors: Vec<Option<&str>> = settled.iter().map(|settled| settled.last_error).collect();
    let nexts: Vec<Option<At>> = settled.iter().map(|settled| settled.next_at).collect();
    let dones: Vec<Option<At>> = settled.iter().map(|settled| settled.done_at).collect();
    let disables: Vec<bool> = settled.iter().map(|settled| settled.disables).collect();
    sqlx::query::<Db>(own::SETTLE_DELIVERIES)
        .bind(ids)
        .bind(fences)
        .bind(statuses)
        .bind(last_statuses)
        .bind(last_errors)
        .bind(nexts)
        .bind(dones)
        .bind(disables)
        .execute(&store.work)
        .await
        .map_err(reading("deliveries"))?;
    Ok(())
}
