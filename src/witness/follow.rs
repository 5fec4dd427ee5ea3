//! A witness that looks by itself: reads a log as it is published, checks it against what it saw before, writes it down,
//! and cosigns it. Nothing that the log's server says is believed but what the log's key signed, and of that only what
//! the tiles bear out.
//!
//! A log that shows another history, or a smaller tree than before, is told of loudly, and both checkpoints are kept.

use std::path::PathBuf;

use super::state::StateError;
use super::{Witness, WitnessError};
use crate::domain::details::Digest;
use crate::domain::log::tile::BadHashes;
use crate::domain::log::tree::{self, Head, TreeError};
use crate::domain::log::{CheckpointError, Note, Origin, Tile, TileAt, Tiles};
use crate::domain::time::Timestamp;
use crate::domain::witness::AddCheckpoint;
use crate::ports::witness::{PublishedError, PublishedLog};

/// Why a look at a log ended without a cosignature.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    #[error("this log isn't witnessed here")]
    UnknownLog,
    #[error(transparent)]
    Published(#[from] PublishedError),
    #[error("the checkpoint isn't the log's: {0}")]
    Checkpoint(#[from] CheckpointError),
    #[error("a tile of the log doesn't read")]
    Tile(#[from] BadHashes),
    #[error(transparent)]
    History(#[from] OtherHistory),
    #[error(transparent)]
    Witness(#[from] WitnessError),
    #[error(transparent)]
    State(#[from] StateError),
}

/// The log signed a tree that can't follow on the one that was seen before.
#[derive(Debug, thiserror::Error)]
#[error("{origin} shows another history: {what}; both checkpoints are kept in {}", kept.display())]
pub struct OtherHistory {
    pub origin: Origin,
    pub what: Break,
    /// File with both.
    pub kept: PathBuf,
}

/// What is wrong with the newer checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    #[error("it had {had} entries, and has {has}")]
    Smaller { had: u64, has: u64 },
    #[error("two roots for its {0} entries")]
    TwoRoots(u64),
    #[error("its tiles don't show that its {has} entries go on from the {had} it had: {source}")]
    Inconsistent { had: u64, has: u64, source: TreeError },
}

impl Witness {
    /// Looks at a log once: gives its checkpoint, cosigned.
    ///
    /// # Errors
    /// [`FollowError`]; [`FollowError::History`] is the one that somebody has to be told of.
    pub async fn follow(&self, origin: &Origin, log: &dyn PublishedLog, now: Timestamp) -> Result<Note, FollowError> {
        let keys = self.logs.iter().find(|log| log.origin == *origin).ok_or(FollowError::UnknownLog)?;
        let note = log.checkpoint().await?;
        let checkpoint = keys.open_of_any_time(&note)?;
        let last = self.seen().of(origin);
        let had = last.map_or(0, |head| head.size);
        let has = checkpoint.size;
        if has < had {
            return Err(self.history(origin, Break::Smaller { had, has }, &note)?);
        }
        if last.is_some_and(|last| has == had && last.root != checkpoint.root) {
            return Err(self.history(origin, Break::TwoRoots(has), &note)?);
        }
        let old = last.unwrap_or_else(|| Head { size: 0, root: tree::empty_root() });
        let proof = match shown(log, &old, &checkpoint.head()).await? {
            Ok(proof) => proof,
            Err(source) => return Err(self.history(origin, Break::Inconsistent { had, has, source }, &note)?),
        };
        // Judged once more against what is in the memory by now, then written down, then signed.
        let request = AddCheckpoint { old: had, proof, checkpoint: note.clone() };
        let signature = self.add(&request, now)?;
        let mut cosigned = note;
        cosigned.add(signature);
        Ok(cosigned)
    }

    fn history(&self, origin: &Origin, what: Break, newer: &Note) -> Result<FollowError, StateError> {
        let kept = self.seen().keep_evidence(origin, newer)?;
        Ok(OtherHistory { origin: origin.clone(), what, kept }.into())
    }
}

/// The proof that the new tree goes on from the old one, made and checked from the tiles, whose right edge has to make
/// up the root that was signed.
async fn shown(log: &dyn PublishedLog, old: &Head, new: &Head) -> Result<Result<Vec<Digest>, TreeError>, FollowError> {
    let mut nodes = tree::root_nodes(new.size);
    nodes.extend(tree::consistency_nodes(old.size, new.size));
    let mut tiles = Tiles::default();
    for at in TileAt::all_of(&nodes) {
        // A tile has at most 256 hashes.
        let width = u16::try_from(at.width(new.size)).map_err(|_| PublishedError::Form)?;
        tiles.add_stored(at, &log.tile(Tile { at, width }).await?)?;
    }
    let proved = || {
        if tree::root(new.size, &tiles)? != new.root {
            return Err(TreeError::OtherRoot);
        }
        let proof = tree::consistency(old.size, new.size, &tiles)?;
        tree::verify_consistency(old, new, &proof)?;
        Ok(proof)
    };
    Ok(proved())
}
