//! The [`CosignatureStore`] port: what witnesses signed, beside the checkpoints that they signed.

use async_trait::async_trait;
use sqlx::FromRow;

use super::log::{CheckpointRow, number};
use super::{Db, TheStore, sql};
use crate::adapters::storage::failure::{reading, unavailable};
use crate::adapters::storage::rows::{BadRow, corrupt};
use crate::domain::log::note::Signature;
use crate::domain::log::{Origin, VerifierKey};
use crate::ports::store::StoreError;
use crate::ports::witness::{CosignatureStore, Cosigned};

const COSIGNATURES: &str = "log_cosignatures";

#[derive(FromRow)]
struct CosignatureRow {
    #[sqlx(flatten)]
    checkpoint: CheckpointRow,
    name: String,
    key_id: i64,
    signature: Vec<u8>,
}

#[async_trait]
impl CosignatureStore for TheStore {
    async fn add_cosignature(&self, size: u64, cosignature: &Signature) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        let query = sqlx::query::<Db>(sql::ADD_COSIGNATURE)
            .bind(number(size)?)
            .bind(cosignature.name.as_str())
            .bind(i64::from(cosignature.id))
            .bind(cosignature.bytes.as_slice());
        query.execute(&mut *writer).await.map_err(unavailable)?;
        Ok(())
    }

    async fn cosigned(&self, past: u64, limit: u32) -> Result<Vec<Cosigned>, StoreError> {
        let query = sqlx::query_as::<Db, CosignatureRow>(sql::COSIGNED).bind(number(past)?).bind(i64::from(limit));
        beside(query.fetch_all(self.reads()).await.map_err(reading(COSIGNATURES))?)
    }

    async fn cosigned_between(&self, past: u64, to: u64) -> Result<Vec<Cosigned>, StoreError> {
        let query = sqlx::query_as::<Db, CosignatureRow>(sql::COSIGNED_BETWEEN).bind(number(past)?).bind(number(to)?);
        beside(query.fetch_all(self.reads()).await.map_err(reading(COSIGNATURES))?)
    }

    async fn quorate(
        &self,
        past: u64,
        witnesses: &[VerifierKey],
        least: usize,
        limit: u32,
    ) -> Result<Vec<Cosigned>, StoreError> {
        let names: String = witnesses.iter().map(|key| format!("|{}+{}|", key.name, key.id())).collect();
        let query = sqlx::query_as::<Db, CosignatureRow>(sql::QUORATE)
            .bind(number(past)?)
            .bind(names)
            .bind(i64::try_from(least).unwrap_or(i64::MAX))
            .bind(i64::from(limit));
        beside(query.fetch_all(self.reads()).await.map_err(reading(COSIGNATURES))?)
    }
}

/// Cosignatures beside the checkpoint that they lie with. Rows of one checkpoint stand together.
fn beside(rows: Vec<CosignatureRow>) -> Result<Vec<Cosigned>, StoreError> {
    let mut cosigned: Vec<Cosigned> = Vec::new();
    for row in rows {
        let signed = row.checkpoint.read()?;
        let wrong = |column| corrupt(COSIGNATURES, signed.head.size, BadRow::Range { column });
        let name = Origin::parse(&row.name).map_err(|_| wrong("name"))?;
        let id = u32::try_from(row.key_id).map_err(|_| wrong("key_id"))?;
        let signature = Signature { name, id, bytes: row.signature };
        match cosigned.last_mut().filter(|last| last.signed.head.size == signed.head.size) {
            Some(last) => last.cosignatures.push(signature),
            None => cosigned.push(Cosigned { signed, cosignatures: vec![signature] }),
        }
    }
    Ok(cosigned)
}
