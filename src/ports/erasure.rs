//! What the record says of erasures, and which of its rows still are about a holder. What changes them is an
//! [`super::Effect`] like every other write.

use async_trait::async_trait;

use super::store::StoreError;
use crate::domain::details::{Digest, Subject};
use crate::domain::erasure::Erasure;
use crate::domain::freeze::FreezeStep;
use crate::domain::ids::{ApprovalId, BackendId, ChangeId, HolderId};

/// A step of an erasure.
#[derive(Debug, Clone)]
pub struct ErasureWrite {
    /// As it is after the step.
    pub erasure: Erasure,
    pub what: Erase,
}

/// What goes in one step. Each but the first also asks that the erasure has the version before, and isn't finished.
#[derive(Debug, Clone)]
pub enum Erase {
    /// The tombstone and a freeze that nobody can lift are stored; the holder goes, with channels, devices, links,
    /// what staff wrote when they looked, and remembered answers. Conditions: the holder is there, nothing of theirs
    /// lives (approvals, override requests), and nothing is frozen.
    Begin { freeze: Box<FreezeStep> },
    /// These entries lose salt and text, and their evidence goes. Condition: all of them still had their text.
    Entries(Vec<ChangeId>),
    /// These approvals go, with notices, webhooks and remembered answers. Condition: all of them are final.
    Approvals(Vec<ApprovalId>),
    /// Override requests and freezes go, and whatever came in while the erasure began. Condition: no approval is left.
    Finish,
}

/// Whether there is more to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    ToTheEnd,
    More,
}

/// Reads of erasures.
#[async_trait]
pub trait ErasureStore: Send + Sync {
    /// The erasure of a holder, finished ones too.
    async fn erasure(&self, holder: HolderId) -> Result<Option<Erasure>, StoreError>;
    /// The erasure of the holder who had this subject.
    async fn erasure_of(&self, backend: BackendId, subject: &Subject) -> Result<Option<Erasure>, StoreError>;
    /// Erasures that aren't finished, oldest first. A forged or corrupt row doesn't hide its neighbours.
    async fn erasures_open(&self, limit: u32) -> Result<Vec<Result<Erasure, StoreError>>, StoreError>;
    /// Reads on in the signed log and remembers whom each entry is about, `limit` entries at most.
    async fn follow_entries(&self, limit: u32) -> Result<Followed, StoreError>;
    /// Entries about the holder that still have their text, in the order of their places, with their leaf hashes; as
    /// far as [`ErasureStore::follow_entries`] has read.
    async fn entries_about(&self, holder: HolderId, limit: u32) -> Result<Vec<(ChangeId, Digest)>, StoreError>;
    /// Approvals of the holder that are final, oldest first. Rows aren't read: one that is forged goes as well.
    async fn ended_approvals(&self, holder: HolderId, limit: u32) -> Result<Vec<ApprovalId>, StoreError>;
}
