//! The log's tree in memory. An entry's place is its number, so that its index is one less.

use async_trait::async_trait;

use countersign::domain::log::note::Signature;
use countersign::domain::log::{TileAt, Tiles, VerifierKey};
use countersign::domain::{ApprovalId, ChangeId};
use countersign::ports::StoreError;
use countersign::ports::log::{Appended, Batch, Leaf, LogStore, LoggedDecision, Signed, Waiting};
use countersign::ports::witness::{CosignatureStore, Cosigned};

use super::{MemoryStore, Record};

impl Record {
    /// Leaves of the signed tree.
    pub fn log_size(&self) -> u64 {
        self.checkpoints.last().map_or(0, |signed| signed.head.size)
    }

    fn leaf_at(&self, position: usize) -> Option<Leaf> {
        let entry = self.entries.get(position).filter(|entry| !entry.canonical.is_empty())?.clone();
        let index = position as u64;
        Some(Leaf { entry, index: (index < self.log_size()).then_some(index) })
    }
}

#[async_trait]
impl LogStore for MemoryStore {
    async fn newest(&self) -> Result<Option<Signed>, StoreError> {
        Ok(self.record().checkpoints.last().cloned())
    }

    async fn checkpoints(&self, size: u64, limit: u32) -> Result<Vec<Signed>, StoreError> {
        let record = self.record();
        let larger = record.checkpoints.iter().filter(|signed| signed.head.size > size);
        Ok(larger.take(limit as usize).cloned().collect())
    }

    async fn waiting(&self, place: Option<i64>, limit: u32) -> Result<Vec<Waiting>, StoreError> {
        let record = self.record();
        let numbered = (1_i64..).zip(record.entries.iter().map(|entry| entry.leaf_hash));
        let after = numbered.filter(|(number, _)| place.is_none_or(|place| *number > place));
        Ok(after.take(limit as usize).map(|(place, leaf)| Waiting::Ours { place, leaf }).collect())
    }

    async fn set_aside(&self, places: &[i64]) -> Result<(), StoreError> {
        assert!(places.is_empty(), "nobody writes here past the port");
        Ok(())
    }

    async fn tiles(&self, places: &[TileAt]) -> Result<Tiles, StoreError> {
        let record = self.record();
        let mut tiles = Tiles::default();
        for at in places {
            if let Some(hashes) = record.tiles.get(*at) {
                tiles.add(*at, hashes.to_vec());
            }
        }
        Ok(tiles)
    }

    async fn append(&self, batch: &Batch) -> Result<Appended, StoreError> {
        let mut record = self.record();
        if record.log_size() != batch.previous {
            return Ok(Appended::Lost);
        }
        record.checkpoints.push(batch.signed.clone());
        for (at, hashes) in batch.tiles.iter() {
            record.tiles.add(at, hashes.to_vec());
        }
        Ok(Appended::Done)
    }

    async fn leaf(&self, id: ChangeId) -> Result<Option<Leaf>, StoreError> {
        let record = self.record();
        let position = record.entries.iter().position(|entry| entry.id == id);
        Ok(position.and_then(|position| record.leaf_at(position)))
    }

    async fn logged_decision(&self, approval: ApprovalId) -> Result<Option<LoggedDecision>, StoreError> {
        let record = self.record();
        let leaf = record.approve_entry(approval).and_then(|position| record.leaf_at(position));
        Ok(leaf.map(|leaf| LoggedDecision { leaf, newest: record.checkpoints.last().cloned() }))
    }
}

#[async_trait]
impl CosignatureStore for MemoryStore {
    async fn add_cosignature(&self, size: u64, cosignature: &Signature) -> Result<(), StoreError> {
        let key = (size, cosignature.name.to_string(), cosignature.id);
        self.record().cosignatures.insert(key, cosignature.clone());
        Ok(())
    }

    async fn cosigned(&self, past: u64, limit: u32) -> Result<Vec<Cosigned>, StoreError> {
        let record = self.record();
        let mut left = limit as usize;
        let larger = record.checkpoints.iter().rev().filter(|signed| signed.head.size > past);
        let with = larger.map(|signed| {
            let of_size = record.cosignatures.iter().filter(|((size, ..), _)| *size == signed.head.size);
            let cosignatures: Vec<_> = of_size.map(|(_, signature)| signature.clone()).take(left).collect();
            left -= cosignatures.len();
            Cosigned { signed: signed.clone(), cosignatures }
        });
        Ok(with.filter(|cosigned| !cosigned.cosignatures.is_empty()).collect())
    }

    async fn cosigned_between(&self, past: u64, to: u64) -> Result<Vec<Cosigned>, StoreError> {
        let all = self.cosigned(past, u32::MAX).await?;
        Ok(all.into_iter().filter(|cosigned| cosigned.signed.head.size <= to).rev().collect())
    }

    async fn quorate(
        &self,
        past: u64,
        witnesses: &[VerifierKey],
        least: usize,
        limit: u32,
    ) -> Result<Vec<Cosigned>, StoreError> {
        let mut cosigned = self.cosigned(past, u32::MAX).await?;
        for checkpoint in &mut cosigned {
            let counts = |line: &Signature| witnesses.iter().any(|key| key.name == line.name && key.id() == line.id);
            checkpoint.cosignatures.retain(counts);
        }
        cosigned.retain(|checkpoint| checkpoint.cosignatures.len() >= least);
        cosigned.truncate(limit as usize);
        Ok(cosigned)
    }
}
