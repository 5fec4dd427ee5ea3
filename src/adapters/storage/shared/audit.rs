//! The reads of those who check, and the cursors of sinks: the [`AuditStore`] and [`CursorStore`] ports.

use async_trait::async_trait;
use std::time::Duration;
use uuid::Uuid;

use super::{Db, TheStore, audit_statements as sql, ids, statements};
use crate::adapters::storage::at::At;
use crate::adapters::storage::failure::{reading, unavailable};
use crate::adapters::storage::rows::approval::ApprovalRow;
use crate::adapters::storage::rows::audit::{CursorRow, EvidenceRow, StoredEntryRow};
use crate::adapters::storage::rows::backend::KeyRow;
use crate::adapters::storage::rows::channel::ChannelRow;
use crate::adapters::storage::rows::corrupt;
use crate::adapters::storage::rows::device::DeviceRow;
use crate::adapters::storage::rows::erasure::ErasureRow;
use crate::adapters::storage::rows::holder::HolderRow;
use crate::adapters::storage::rows::log::read_evidence;
use crate::adapters::storage::rows::overrides::{FreezeRow, OverrideRow};
use crate::domain::evidence::Evidence;
use crate::domain::ids::ChangeId;
use crate::domain::time::Timestamp;
use crate::ports::audit::{AuditStore, Cursor, CursorStore, SealedPage, SealedRow, SealedTable, StoredEntry};
use crate::ports::store::StoreError;

const AUDIT: &str = "audit";
const EVIDENCE: &str = "evidence";
const CURSORS: &str = "export_cursors";

#[async_trait]
impl AuditStore for TheStore {
    async fn stored_entries(
        &self,
        after: Option<i64>,
        up_to: Option<i64>,
        limit: u32,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        let query = sqlx::query_as::<Db, StoredEntryRow>(sql::STORED_ENTRIES)
            .bind(after.unwrap_or(i64::MIN))
            .bind(up_to.unwrap_or(i64::MAX))
            .bind(i64::from(limit));
        let rows = query.fetch_all(self.reads()).await.map_err(reading(AUDIT))?;
        rows.into_iter().map(|row| row.read(self.seals())).collect()
    }

    async fn evidence_with(
        &self,
        changes: &[ChangeId],
    ) -> Result<Vec<(ChangeId, Result<Evidence, StoreError>)>, StoreError> {
        let list: Vec<Uuid> = changes.iter().map(|id| id.uuid()).collect();
        let query = sqlx::query_as::<Db, EvidenceRow>(sql::EVIDENCE_WITH).bind(ids(&list));
        let rows = query.fetch_all(self.reads()).await.map_err(reading(EVIDENCE))?;
        let read = |row: EvidenceRow| (ChangeId::from_uuid(row.change_id), read_evidence(row.change_id, &row.body));
        Ok(rows.into_iter().map(read).collect())
    }

    async fn refused_entries(&self, limit: u32) -> Result<Vec<ChangeId>, StoreError> {
        let query = sqlx::query_scalar::<Db, Uuid>(sql::REFUSED_ENTRIES).bind(i64::from(limit));
        let rows = query.fetch_all(self.reads()).await.map_err(reading(AUDIT))?;
        Ok(rows.into_iter().map(ChangeId::from_uuid).collect())
    }

    async fn sealed_rows(&self, table: SealedTable, after: Option<Uuid>, limit: u32) -> Result<SealedPage, StoreError> {
        let after = after.unwrap_or(Uuid::nil());
        let limit = i64::from(limit);
        // One arm for each table, because each row has a type of its own.
        macro_rules! page {
            ($row:ty, $statement:expr, $table:literal, $keep:expr) => {{
                let query = sqlx::query_as::<Db, $row>($statement).bind(after).bind(limit);
                let rows = query.fetch_all(self.reads()).await.map_err(reading($table))?;
                rows.into_iter().map(|row| (row.id, row.read(self.seals()).map($keep))).collect()
            }};
        }
        Ok(match table {
            SealedTable::Keys => page!(KeyRow, sql::SEALED_KEYS, "api_keys", |key| SealedRow::Key(Box::new(key))),
            SealedTable::Holders => {
                page!(HolderRow, sql::SEALED_HOLDERS, "holders", |holder| SealedRow::Holder(Box::new(holder)))
            }
            SealedTable::Channels => {
                page!(ChannelRow, sql::SEALED_CHANNELS, "channels", |channel| SealedRow::Channel(Box::new(channel)))
            }
            SealedTable::Devices => {
                page!(DeviceRow, sql::SEALED_DEVICES, "devices", |device| SealedRow::Device(Box::new(device)))
            }
            SealedTable::Approvals => {
                let keep = |approval| SealedRow::Approval(Box::new(approval));
                page!(ApprovalRow, sql::SEALED_APPROVALS, "approvals", keep)
            }
            SealedTable::Freezes => {
                page!(FreezeRow, sql::SEALED_FREEZES, "freezes", |freeze| SealedRow::Freeze(Box::new(freeze)))
            }
            SealedTable::Overrides => {
                page!(OverrideRow, sql::SEALED_OVERRIDES, "overrides", |case| SealedRow::Override(Box::new(case)))
            }
            SealedTable::Erasures => page!(ErasureRow, sql::SEALED_ERASURES, "erasures", |_| SealedRow::Erasure),
        })
    }

    async fn entries_before(&self, place: Option<i64>, limit: u32) -> Result<Vec<StoredEntry>, StoreError> {
        let query = sqlx::query_as::<Db, StoredEntryRow>(sql::ENTRIES_BEFORE)
            .bind(place.unwrap_or(i64::MAX))
            .bind(i64::from(limit));
        let rows = query.fetch_all(self.reads()).await.map_err(reading(AUDIT))?;
        rows.into_iter().map(|row| row.read(self.seals())).collect()
    }

    async fn stored_entry(&self, id: ChangeId) -> Result<Option<StoredEntry>, StoreError> {
        let query = sqlx::query_as::<Db, StoredEntryRow>(sql::STORED_ENTRY).bind(id.uuid());
        let row = query.fetch_optional(self.reads()).await.map_err(reading(AUDIT))?;
        row.map(|row| row.read(self.seals())).transpose()
    }

    async fn place_before(&self, at: Timestamp) -> Result<Option<i64>, StoreError> {
        let query = sqlx::query_scalar::<Db, i64>(sql::PLACE_BEFORE).bind(lowest(at));
        query.fetch_optional(self.reads()).await.map_err(reading(AUDIT))
    }

    async fn place_from(&self, at: Timestamp) -> Result<Option<i64>, StoreError> {
        let query = sqlx::query_scalar::<Db, i64>(sql::PLACE_FROM).bind(lowest(at));
        query.fetch_optional(self.reads()).await.map_err(reading(AUDIT))
    }

    async fn leaf_index(&self, place: i64) -> Result<Option<u64>, StoreError> {
        let query = sqlx::query_scalar::<Db, Option<i64>>(statements::LEAF_INDEX).bind(place).bind(i64::MIN);
        let index = query.fetch_one(self.reads()).await.map_err(reading(AUDIT))?;
        Ok(index.and_then(|index| u64::try_from(index).ok()))
    }
}

/// The lowest id that a moment can make.
fn lowest(at: Timestamp) -> Uuid {
    ChangeId::new(at, [0; 10]).uuid()
}

#[async_trait]
impl CursorStore for TheStore {
    async fn claim_cursor(&self, sink: &str, lease: Duration) -> Result<Option<Cursor>, StoreError> {
        let mut writer = self.writer().await?;
        let now = self.clock().now(&mut writer).await.map_err(unavailable)?;
        let add = sqlx::query::<Db>(sql::ADD_CURSOR).bind(sink).bind(At(now));
        add.execute(&mut *writer).await.map_err(unavailable)?;
        let claim = sqlx::query_as::<Db, CursorRow>(sql::CLAIM_CURSOR).bind(sink).bind(At(now)).bind(At(now + lease));
        let row = claim.fetch_optional(&mut *writer).await.map_err(reading(CURSORS))?;
        row.map(|row| row.read().map_err(|source| corrupt(CURSORS, sink, source))).transpose()
    }

    async fn move_cursor(&self, sink: &str, to: Cursor, lease: Duration) -> Result<bool, StoreError> {
        let mut writer = self.writer().await?;
        let now = self.clock().now(&mut writer).await.map_err(unavailable)?;
        let query = sqlx::query::<Db>(sql::MOVE_CURSOR)
            .bind(sink)
            .bind(to.fence)
            .bind(i64::try_from(to.index).map_err(unavailable)?)
            .bind(to.place)
            .bind(At(now + lease));
        Ok(query.execute(&mut *writer).await.map_err(unavailable)?.rows_affected() == 1)
    }

    async fn leave_cursor(&self, sink: &str, fence: i64) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        let now = self.clock().now(&mut writer).await.map_err(unavailable)?;
        let query = sqlx::query::<Db>(sql::LEAVE_CURSOR).bind(sink).bind(fence).bind(At(now));
        query.execute(&mut *writer).await.map_err(unavailable)?;
        Ok(())
    }
}
