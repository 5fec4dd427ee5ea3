//! Brings a record from before audit entries and the standing of devices were under seal up to that. Done before the
//! tables change, and may be done again: whatever was resealed is left alone the second time.

use sqlx::{Connection as _, Transaction};

use super::{BEGIN, Connection, Db, audit_statements as sql};
use crate::adapters::storage::failure::{reading, unavailable};
use crate::adapters::storage::rows::device::DeviceRow;
use crate::adapters::storage::seal::Seals;
use crate::ports::store::StoreError;

/// Why a record can't be brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Unready {
    /// Whoever can write to the database could have added them, and nothing would show it any more.
    #[error(
        "{0} audit entries without a seal wait for their place: run the version before this one until `audit verify` \
         says that none wait, and stop it (docs/operations.md)"
    )]
    Waiting(i64),
}

/// Reseals what has a seal, and makes sure that no entry without one waits for its place in the log. `is_unsealed` asks
/// whether the record is from before.
///
/// # Errors
/// [`StoreError::Unavailable`] when entries wait.
pub async fn to_seals(connection: &mut Connection, is_unsealed: &'static str, seals: &Seals) -> Result<(), StoreError> {
    let older = sqlx::query_scalar::<Db, i64>(is_unsealed).fetch_one(&mut *connection).await.map_err(unavailable)?;
    if older == 0 {
        return Ok(());
    }
    let mut transaction: Transaction<'_, Db> = connection.begin_with(BEGIN).await.map_err(unavailable)?;
    let waiting = sqlx::query_scalar::<Db, i64>(sql::WAITING_UNPLACED).bind(i64::MIN);
    let waiting = waiting.fetch_one(&mut *transaction).await.map_err(unavailable)?;
    if waiting > 0 {
        return Err(unavailable(Unready::Waiting(waiting)));
    }
    let devices = sqlx::query_as::<Db, DeviceRow>(sql::EVERY_DEVICE).fetch_all(&mut *transaction).await;
    for row in devices.map_err(reading("devices"))?.into_iter().filter_map(|row| row.resealed(seals)) {
        let reseal = sqlx::query::<Db>(sql::RESEAL_DEVICE).bind(row.id).bind(row.seal);
        reseal.execute(&mut *transaction).await.map_err(unavailable)?;
    }
    transaction.commit().await.map_err(unavailable)
}
