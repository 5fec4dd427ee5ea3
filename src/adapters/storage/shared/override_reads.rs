//! Reads of freezes and override requests. Every one that leaves this module had its seal checked.

use async_trait::async_trait;
use sqlx::FromRow;
use uuid::Uuid;

use super::approvals::LONG_AGO;
use super::override_sql as own;
use super::{Db, TheStore};
use crate::adapters::storage::at::At;
use crate::adapters::storage::failure::{reading, unavailable};
use crate::adapters::storage::rows::channel::ChannelRow;
use crate::adapters::storage::rows::overrides::{FreezeRow, OverrideRow};
use crate::adapters::storage::seal::Seals;
use crate::domain::approval::Told;
use crate::domain::freeze::Freeze;
use crate::domain::ids::{DeviceId, FreezeId, HolderId, OverrideId};
use crate::domain::override_request::OverrideRequest;
use crate::domain::time::Timestamp;
use crate::ports::overrides::OverrideStore;
use crate::ports::store::{Read, StoreError};

const FREEZES: &str = "freezes";
const OVERRIDES: &str = "overrides";

#[derive(FromRow)]
struct ToldRow {
    told_at: At,
    #[sqlx(flatten)]
    channel: ChannelRow,
}

#[async_trait]
impl OverrideStore for TheStore {
    async fn freeze(&self, holder: HolderId) -> Result<Option<Freeze>, StoreError> {
        let query = sqlx::query_as::<Db, FreezeRow>(own::FREEZE).bind(holder.uuid());
        let row = query.fetch_optional(self.reads()).await.map_err(reading(FREEZES))?;
        row.map(|row| row.read(self.seals())).transpose()
    }

    async fn freezes_due(&self, before: Timestamp, limit: u32) -> Result<Vec<Read<Freeze>>, StoreError> {
        let query = sqlx::query_as::<Db, FreezeRow>(own::FREEZES_DUE).bind(At(before)).bind(i64::from(limit));
        let rows = query.fetch_all(self.reads()).await.map_err(reading(FREEZES))?;
        Ok(rows.into_iter().map(|row| row.read(self.seals())).collect())
    }

    async fn freezes_unsettled(&self, limit: u32) -> Result<Vec<Read<Freeze>>, StoreError> {
        let query = sqlx::query_as::<Db, FreezeRow>(own::FREEZES_UNSETTLED).bind(i64::from(limit));
        let rows = query.fetch_all(self.reads()).await.map_err(reading(FREEZES))?;
        Ok(rows.into_iter().map(|row| row.read(self.seals())).collect())
    }

    async fn settle_freeze(&self, id: FreezeId, at: Timestamp) -> Result<(), StoreError> {
        let query = sqlx::query::<Db>(own::SETTLE_FREEZE).bind(id.uuid()).bind(At(at));
        query.execute(&mut *self.writer().await?).await.map_err(unavailable)?;
        Ok(())
    }

    async fn override_request(&self, id: OverrideId) -> Result<Option<OverrideRequest>, StoreError> {
        let query = sqlx::query_as::<Db, OverrideRow>(own::OVERRIDE).bind(id.uuid());
        let row = query.fetch_optional(self.reads()).await.map_err(reading(OVERRIDES))?;
        row.map(|row| row.read(self.seals())).transpose()
    }

    async fn overrides(&self, limit: u32) -> Result<Vec<OverrideRequest>, StoreError> {
        let query = sqlx::query_as::<Db, OverrideRow>(own::OVERRIDES).bind(i64::from(limit));
        let rows = query.fetch_all(self.reads()).await.map_err(reading(OVERRIDES))?;
        rows.into_iter().map(|row| row.read(self.seals())).collect()
    }

    async fn overrides_of_holder(
        &self,
        holder: HolderId,
        limit: u32,
    ) -> Result<Vec<Read<OverrideRequest>>, StoreError> {
        let query =
            sqlx::query_as::<Db, OverrideRow>(own::OVERRIDES_OF_HOLDER).bind(holder.uuid()).bind(i64::from(limit));
        let rows = query.fetch_all(self.reads()).await.map_err(reading(OVERRIDES))?;
        Ok(rows.into_iter().map(|row| row.read(self.seals())).collect())
    }

    async fn overrides_due(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<Result<OverrideRequest, StoreError>>, StoreError> {
        let query = sqlx::query_as::<Db, OverrideRow>(own::OVERRIDES_DUE).bind(At(before)).bind(i64::from(limit));
        let rows = query.fetch_all(self.reads()).await.map_err(reading(OVERRIDES))?;
        Ok(rows.into_iter().map(|row| row.read(self.seals())).collect())
    }

    async fn override_ids_due(
        &self,
        before: Timestamp,
        after: Option<(Timestamp, OverrideId)>,
        limit: u32,
    ) -> Result<Vec<(OverrideId, Timestamp)>, StoreError> {
        let (after_at, after_id) = after.map_or((LONG_AGO, Uuid::nil()), |(at, id)| (at, id.uuid()));
        let query = sqlx::query_as::<Db, (Uuid, At)>(own::OVERRIDE_IDS_DUE)
            .bind(At(before))
            .bind(At(after_at))
            .bind(after_id)
            .bind(i64::from(limit));
        let rows = query.fetch_all(self.reads()).await.map_err(reading(OVERRIDES))?;
        Ok(rows.into_iter().map(|(id, at)| (OverrideId::from_uuid(id), at.into())).collect())
    }

    async fn lift_told(&self, id: FreezeId, by: DeviceId, since: Timestamp) -> Result<Option<Told>, StoreError> {
        let query = sqlx::query_as::<Db, ToldRow>(own::LIFT_TOLD).bind(id.uuid()).bind(by.uuid()).bind(At(since));
        let rows = query.fetch_all(self.reads()).await.map_err(reading("notices"))?;
        Ok(first_believed(rows, self.seals()))
    }

    async fn override_told(&self, id: OverrideId) -> Result<Option<Told>, StoreError> {
        let query = sqlx::query_as::<Db, ToldRow>(own::OVERRIDE_TOLD).bind(id.uuid());
        let rows = query.fetch_all(self.reads()).await.map_err(reading("notices"))?;
        Ok(first_believed(rows, self.seals()))
    }
}

/// The first notice on a channel whose seal is right.
fn first_believed(rows: Vec<ToldRow>, seals: &Seals) -> Option<Told> {
    rows.into_iter().find_map(|row| match row.channel.read(seals) {
        Ok(channel) => Some(Told { channel: channel.id, delivered_at: row.told_at.into() }),
        Err(error) => {
            tracing::error!(%error, "a channel that seems to have told a holder isn't believed");
            None
        }
    })
}
