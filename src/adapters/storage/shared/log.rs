//! The [`LogStore`] port: the tree's checkpoints and tiles, and where an entry stands in it.

use async_trait::async_trait;
use sqlx::{Connection as _, FromRow, Transaction};

use super::{BEGIN, Db, TheStore, WAITING, audit_statements as checks, sql};
use crate::adapters::storage::at::At;
use crate::adapters::storage::failure::{reading, unavailable};
use crate::adapters::storage::rows::audit::StoredEntryRow;
use crate::adapters::storage::rows::log::AuditRow;
use crate::adapters::storage::rows::{BadRow, corrupt, digest};
use crate::domain::ids::{ApprovalId, ChangeId};
use crate::domain::log::tile::stored;
use crate::domain::log::tree::Head;
use crate::domain::log::{TileAt, Tiles};
use crate::ports::log::{Appended, Batch, Leaf, LogStore, LoggedDecision, Signed, Waiting};
use crate::ports::store::StoreError;

const CHECKPOINTS: &str = "log_checkpoints";
const TILES: &str = "log_tiles";
/// As many as a proof needs in a log of millions; more are fetched in further rounds.
const TILES_AT_ONCE: usize = 4;

#[derive(FromRow)]
pub(super) struct CheckpointRow {
    size: i64,
    place: i64,
    root: Vec<u8>,
    note: String,
    signed_at: At,
}

impl CheckpointRow {
    pub(super) fn read(self) -> Result<Signed, StoreError> {
        let head = head(self.size, &self.root)?;
        Ok(Signed { head, place: self.place, note: self.note, signed_at: self.signed_at.into() })
    }
}

/// The tree of a checkpoint.
pub(super) fn head(size: i64, root: &[u8]) -> Result<Head, StoreError> {
    let wrong = |source| corrupt(CHECKPOINTS, size, source);
    let root = digest("root", root).map_err(wrong)?;
    let size = u64::try_from(size).map_err(|_| wrong(BadRow::Range { column: "size" }))?;
    Ok(Head { size, root })
}

/// A number as the databases have it. Trees and tiles of more than 2^63 can't come to be.
pub(super) fn number(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(unavailable)
}

/// An entry with its index in the tree, if a signed checkpoint has it.
#[derive(FromRow)]
struct LeafRow {
    #[sqlx(flatten)]
    entry: AuditRow,
    leaf_index: Option<i64>,
}

impl LeafRow {
    fn read(self) -> Result<Leaf, StoreError> {
        let (_, entry) = self.entry.read()?;
        Ok(Leaf { entry, index: self.leaf_index.and_then(|index| u64::try_from(index).ok()) })
    }
}

/// The entry of a decision beside the newest checkpoint.
#[derive(FromRow)]
struct DecisionRow {
    #[sqlx(flatten)]
    leaf: LeafRow,
    newest_size: Option<i64>,
    newest_place: Option<i64>,
    newest_root: Option<Vec<u8>>,
    newest_note: Option<String>,
    newest_signed_at: Option<At>,
}

impl DecisionRow {
    fn newest(&mut self) -> Option<CheckpointRow> {
        Some(CheckpointRow {
            size: self.newest_size?,
            place: self.newest_place?,
            root: self.newest_root.take()?,
            note: self.newest_note.take()?,
            signed_at: self.newest_signed_at?,
        })
    }

    fn read(mut self) -> Result<LoggedDecision, StoreError> {
        let newest = self.newest().map(CheckpointRow::read).transpose()?;
        Ok(LoggedDecision { leaf: self.leaf.read()?, newest })
    }
}

#[async_trait]
impl LogStore for TheStore {
    async fn newest(&self) -> Result<Option<Signed>, StoreError> {
        let query = sqlx::query_as::<Db, CheckpointRow>(sql::NEWEST_CHECKPOINT);
        let row = query.fetch_optional(self.reads()).await.map_err(reading(CHECKPOINTS))?;
        row.map(CheckpointRow::read).transpose()
    }

    async fn checkpoints(&self, size: u64, limit: u32) -> Result<Vec<Signed>, StoreError> {
        let size = number(size)?;
        let query = sqlx::query_as::<Db, CheckpointRow>(sql::CHECKPOINTS).bind(size).bind(i64::from(limit));
        let rows = query.fetch_all(self.reads()).await.map_err(reading(CHECKPOINTS))?;
        rows.into_iter().map(CheckpointRow::read).collect()
    }

    async fn waiting(&self, place: Option<i64>, limit: u32) -> Result<Vec<Waiting>, StoreError> {
        let query =
            sqlx::query_as::<Db, StoredEntryRow>(WAITING).bind(place.unwrap_or(i64::MIN)).bind(i64::from(limit));
        let rows = query.fetch_all(self.reads()).await.map_err(reading("audit"))?;
        Ok(rows.into_iter().map(|row| row.waiting(self.seals())).collect())
    }

    async fn set_aside(&self, places: &[i64]) -> Result<(), StoreError> {
        let mut writer = self.durable_writer().await?;
        let mut transaction: Transaction<'_, Db> = writer.begin_with(BEGIN).await.map_err(unavailable)?;
        for place in places {
            for statement in [checks::KEEP_REFUSED, checks::DROP_REFUSED] {
                let query = sqlx::query::<Db>(statement).bind(*place).bind(i64::MIN);
                query.execute(&mut *transaction).await.map_err(unavailable)?;
            }
        }
        transaction.commit().await.map_err(unavailable)
    }

    async fn tiles(&self, places: &[TileAt]) -> Result<Tiles, StoreError> {
        let mut tiles = Tiles::default();
        for places in places.chunks(TILES_AT_ONCE) {
            let mut query = sqlx::query_as::<Db, (i64, i64, Vec<u8>)>(sql::SOME_TILES);
            for place in 0..TILES_AT_ONCE {
                // No tile has a negative number.
                let (level, number) = match places.get(place) {
                    Some(at) => (i64::from(at.level), number(at.number)?),
                    None => (0, -1),
                };
                query = query.bind(level).bind(number);
            }
            for (level, number, hashes) in query.fetch_all(self.reads()).await.map_err(reading(TILES))? {
                let asked = |at: &&TileAt| i64::from(at.level) == level && i64::try_from(at.number) == Ok(number);
                let Some(at) = places.iter().find(asked) else { continue };
                let id = format!("{level}/{number}");
                tiles.add_stored(*at, &hashes).map_err(|source| corrupt(TILES, id, source))?;
            }
        }
        Ok(tiles)
    }

    async fn append(&self, batch: &Batch) -> Result<Appended, StoreError> {
        let (size, previous) = (number(batch.signed.head.size)?, number(batch.previous)?);
        // On the disk before it is shown: a tree that was signed and then lost would be a fork.
        let mut writer = self.durable_writer().await?;
        let mut transaction: Transaction<'_, Db> = writer.begin_with(BEGIN).await.map_err(unavailable)?;
        let added = sqlx::query::<Db>(sql::ADD_CHECKPOINT)
            .bind(size)
            .bind(previous)
            .bind(batch.signed.place)
            .bind(batch.signed.head.root.bytes().as_slice())
            .bind(batch.signed.note.as_str())
            .bind(At(batch.signed.signed_at))
            .execute(&mut *transaction)
            .await
            .map_err(unavailable)?;
        if added.rows_affected() == 0 {
            transaction.rollback().await.map_err(unavailable)?;
            return Ok(Appended::Lost);
        }
        for (at, hashes) in batch.tiles.iter() {
            sqlx::query::<Db>(sql::PUT_TILE)
                .bind(i64::from(at.level))
                .bind(number(at.number)?)
                .bind(stored(hashes))
                .execute(&mut *transaction)
                .await
                .map_err(unavailable)?;
        }
        transaction.commit().await.map_err(unavailable)?;
        Ok(Appended::Done)
    }

    async fn leaf(&self, id: ChangeId) -> Result<Option<Leaf>, StoreError> {
        let query = sqlx::query_as::<Db, LeafRow>(sql::ENTRY).bind(id.uuid()).bind(i64::MIN);
        let row = query.fetch_optional(self.reads()).await.map_err(reading("audit"))?;
        row.map(LeafRow::read).transpose()
    }

    async fn logged_decision(&self, approval: ApprovalId) -> Result<Option<LoggedDecision>, StoreError> {
        let query = sqlx::query_as::<Db, DecisionRow>(sql::APPROVE_ENTRY).bind(approval.uuid()).bind(i64::MIN);
        let row = query.fetch_optional(self.reads()).await.map_err(reading("audit"))?;
        row.map(DecisionRow::read).transpose()
    }
}
