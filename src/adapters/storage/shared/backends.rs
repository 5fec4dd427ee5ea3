//! Reads of backends, their keys, what is remembered for them, and the log.

use sqlx::FromRow;

use super::{Db, TheStore, sql};
use crate::adapters::storage::at::At;
use crate::adapters::storage::failure::reading;
use crate::adapters::storage::rows::backend::{BackendRow, KeyRow, RememberedRow};
use crate::domain::approval::StateName;
use crate::domain::backend::{ApiKey, Backend, IdempotencyKey, Remembered};
use crate::domain::details::Digest;
use crate::domain::ids::{BackendId, KeyId};
use crate::domain::time::Timestamp;
use crate::ports::store::{Backlog, StoreError};

const KEYS: &str = "api_keys";
/// So many answers are forgotten in one statement.
const FORGOTTEN_AT_ONCE: u32 = 1_000;

pub async fn key_by_hash(store: &TheStore, hash: &Digest) -> Result<Option<ApiKey>, StoreError> {
    let rows = store.key_rows(hash).await.map_err(reading(KEYS))?;
    let row = rows.first().map(KeyRow::from_row).transpose().map_err(reading(KEYS))?;
    row.map(|row| row.read(store.seals())).transpose()
}

pub async fn key(store: &TheStore, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
    let query = sqlx::query_as::<Db, KeyRow>(sql::KEY).bind(id.uuid());
    let row = query.fetch_optional(store.reads()).await.map_err(reading(KEYS))?;
    row.map(|row| row.read(store.seals())).transpose()
}

pub async fn keys(store: &TheStore, backend: BackendId) -> Result<Vec<ApiKey>, StoreError> {
    let query = sqlx::query_as::<Db, KeyRow>(sql::KEYS).bind(backend.uuid());
    let rows = query.fetch_all(store.reads()).await.map_err(reading(KEYS))?;
    rows.into_iter().map(|row| row.read(store.seals())).collect()
}

pub async fn backends(store: &TheStore) -> Result<Vec<Backend>, StoreError> {
    let query = sqlx::query_as::<Db, BackendRow>(sql::BACKENDS);
    let rows = query.fetch_all(store.reads()).await.map_err(reading("backends"))?;
    rows.into_iter().map(BackendRow::read).collect()
}

pub async fn remembered(
    store: &TheStore,
    backend: BackendId,
    key: &IdempotencyKey,
) -> Result<Option<Remembered>, StoreError> {
    let query = sqlx::query_as::<Db, RememberedRow>(sql::REMEMBERED).bind(backend.uuid()).bind(key.as_str());
    let row = query.fetch_optional(store.reads()).await.map_err(reading("idempotency"))?;
    row.map(RememberedRow::read).transpose()
}

pub async fn forget_before(store: &TheStore, before: Timestamp) -> Result<u64, StoreError> {
    let mut forgotten = 0;
    loop {
        // Taken anew each time, so that whoever waits to write gets a turn in between.
        let mut writer = store.writer().await?;
        let query = sqlx::query::<Db>(sql::FORGET).bind(At(before)).bind(i64::from(FORGOTTEN_AT_ONCE));
        let gone = query.execute(&mut *writer).await.map_err(reading("idempotency"))?.rows_affected();
        forgotten += gone;
        if gone < u64::from(FORGOTTEN_AT_ONCE) {
            return Ok(forgotten);
        }
    }
}

#[derive(FromRow)]
struct BacklogRow {
    notices: i64,
    oldest_notice: Option<At>,
    deliveries: i64,
    oldest_delivery: Option<At>,
}

pub async fn backlog(store: &TheStore) -> Result<Backlog, StoreError> {
    let now = store.database_now().await?;
    let query = sqlx::query_as::<Db, BacklogRow>(sql::BACKLOG).bind(At(now));
    let row = query.fetch_one(store.reads()).await.map_err(reading("notices"))?;
    let oldest = [row.oldest_notice, row.oldest_delivery].into_iter().flatten().min();
    Ok(Backlog {
        notices: u64::try_from(row.notices).unwrap_or(0),
        deliveries: u64::try_from(row.deliveries).unwrap_or(0),
        oldest: oldest.map(Into::into),
    })
}

pub async fn live_counts(store: &TheStore) -> Result<Vec<(StateName, u64)>, StoreError> {
    let query = sqlx::query_as::<Db, (String, i64)>(sql::LIVE_COUNTS);
    let rows = query.fetch_all(store.reads()).await.map_err(reading("approvals"))?;
    let named = rows.into_iter().filter_map(|(state, number)| {
        StateName::parse(&state).map(|state| (state, u64::try_from(number).unwrap_or(0)))
    });
    Ok(named.collect())
}
