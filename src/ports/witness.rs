//! Witnesses: whom the log asks for cosignatures, where these are kept, and a log of somebody else as it is published.

use async_trait::async_trait;

use super::log::Signed;
use super::store::StoreError;
use crate::domain::log::note::Signature;
use crate::domain::log::{Note, Tile, VerifierKey};
use crate::domain::witness::AddCheckpoint;

/// What a witness answered (C2SP tlog-witness).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CosignerAnswer {
    /// 200: its signature lines, unchecked.
    Cosigned(Vec<Signature>),
    /// 409: the size of the tree that it cosigned last.
    Last(u64),
    /// 422: the tree doesn't contain the one that it cosigned last.
    Inconsistent,
}

/// Why there is no answer that means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CosignerError {
    /// A short stable word (`connect`, `timeout`, …).
    #[error("the witness can't be reached: {0}")]
    Unreachable(&'static str),
    /// 404 where it doesn't know the log, 403 where it doesn't know the log's key.
    #[error("the witness answered with status {0}")]
    Status(u16),
    #[error("the witness's answer doesn't read")]
    Form,
}

/// One witness, as the log speaks to it.
#[async_trait]
pub trait Cosigner: Send + Sync {
    /// What the operator calls it, in figures and logs.
    fn name(&self) -> &str;
    fn key(&self) -> &VerifierKey;
    async fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<CosignerAnswer, CosignerError>;
}

/// A checkpoint with the signatures of witnesses that are kept for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    pub signed: Signed,
    /// None of them is checked: whoever owns the database may have written them.
    pub cosignatures: Vec<Signature>,
}

/// Where cosignatures are kept, beside the checkpoints.
#[async_trait]
pub trait CosignatureStore: Send + Sync {
    /// Keeps a signature on the checkpoint of this size, in place of an earlier one of the same key.
    async fn add_cosignature(&self, size: u64, cosignature: &Signature) -> Result<(), StoreError>;
    /// Checkpoints of trees larger than `past` that have cosignatures, the largest first; as many as have `limit`
    /// cosignatures together, the last of them perhaps not with all of its own.
    async fn cosigned(&self, past: u64, limit: u32) -> Result<Vec<Cosigned>, StoreError>;
    /// Every cosignature on checkpoints of trees larger than `past` and no larger than `to`.
    async fn cosigned_between(&self, past: u64, to: u64) -> Result<Vec<Cosigned>, StoreError>;
    /// Checkpoints of trees larger than `past` for which at least `least` cosignatures in the names of these witnesses
    /// are kept, the largest first, at most `limit` of them. Their other cosignatures may be left out.
    async fn quorate(
        &self,
        past: u64,
        witnesses: &[VerifierKey],
        least: usize,
        limit: u32,
    ) -> Result<Vec<Cosigned>, StoreError>;
}

/// Why a published log can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishedError {
    /// A short stable word (`connect`, `timeout`, …).
    #[error("the log can't be reached: {0}")]
    Unreachable(&'static str),
    #[error("the log answered with status {0}")]
    Status(u16),
    #[error("what the log publishes doesn't read")]
    Form,
}

/// Somebody else's log, as anybody may read it (C2SP tlog-tiles). Nothing of what it gives is checked.
#[async_trait]
pub trait PublishedLog: Send + Sync {
    /// The newest checkpoint.
    async fn checkpoint(&self) -> Result<Note, PublishedError>;
    /// A tile's hashes, one after the other.
    async fn tile(&self, tile: Tile) -> Result<Vec<u8>, PublishedError>;
}
