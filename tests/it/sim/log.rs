//! A node's way to the log's tree: every call gives way before and after, may fail, and an append's answer may get
//! lost.

use std::sync::Arc;

use async_trait::async_trait;

use countersign::domain::log::{TileAt, Tiles};
use countersign::domain::{ApprovalId, ChangeId};
use countersign::ports::log::{Appended, Batch, Leaf, LogStore, LoggedDecision, Signed, Waiting};
use countersign::ports::store::StoreError;

use super::faults::{Faults, broken};
use super::tasks::give_way;
use crate::support::memory_store::MemoryStore;

/// The tree as one node sees it.
pub struct NodeLog {
    pub inner: Arc<MemoryStore>,
    pub faults: Arc<Faults>,
}

impl NodeLog {
    async fn reach(&self) -> Result<(), StoreError> {
        give_way().await;
        if self.faults.strike(150) {
            return Err(StoreError::Unavailable(broken("a lost connection")));
        }
        Ok(())
    }
}

macro_rules! reads {
    ($(fn $read:ident($($argument:ident: $type:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl LogStore for NodeLog {
            $(async fn $read(&self, $($argument: $type),*) -> Result<$out, StoreError> {
                self.reach().await?;
                let answer = self.inner.$read($($argument),*).await?;
                give_way().await;
                Ok(answer)
            })*

            async fn append(&self, batch: &Batch) -> Result<Appended, StoreError> {
                self.reach().await?;
                let answer = self.inner.append(batch).await?;
                give_way().await;
                if self.faults.strike(40) {
                    return Err(StoreError::Unavailable(broken("the answer to COMMIT was lost")));
                }
                Ok(answer)
            }
        }
    };
}

reads! {
    fn newest() -> Option<Signed>;
    fn checkpoints(size: u64, limit: u32) -> Vec<Signed>;
    fn waiting(place: Option<i64>, limit: u32) -> Vec<Waiting>;
    fn set_aside(places: &[i64]) -> ();
    fn tiles(places: &[TileAt]) -> Tiles;
    fn leaf(id: ChangeId) -> Option<Leaf>;
    fn logged_decision(approval: ApprovalId) -> Option<LoggedDecision>;
}
