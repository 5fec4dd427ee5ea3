//! Asks one witness to cosign a checkpoint, and keeps what it signed once it is known to be right.

use super::witnessed::Witnesses;
use crate::domain::log::tree::{self, TreeError};
use crate::domain::log::{Note, NoteError, TileAt};
use crate::domain::witness::{AddCheckpoint, cosigned_at};
use crate::ports::log::Signed;
use crate::ports::store::StoreError;
use crate::ports::witness::{Cosigner, CosignerAnswer, CosignerError};
use crate::service::Context;

/// Asked anew as often as a witness names another tree as its last, which others may move at the same time.
const ATTEMPTS: u32 = 4;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It signed, and that is kept.
    Cosigned,
    /// It has signed a larger tree, of this size, and signs nothing smaller any more.
    Ahead(u64),
}

/// Why a witness's signature isn't there.
#[derive(Debug, thiserror::Error)]
pub enum CosignError {
    #[error(transparent)]
    Cosigner(#[from] CosignerError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the stored checkpoint isn't a note")]
    Note(#[from] NoteError),
    #[error("the stored tiles give no proof")]
    Tiles(#[from] TreeError),
    /// It says that it has seen another history. Either it lies, or this database isn't the one that was signed.
    #[error("the witness has seen another tree of this log, of {0} entries")]
    Fork(u64),
    #[error("the witness's signature isn't one of its key over this checkpoint")]
    Wrong,
    #[error("the witness names another tree each time")]
    Restless,
}

impl CosignError {
    /// A short stable word for figures.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Cosigner(CosignerError::Unreachable(_)) => "unreachable",
            Self::Cosigner(CosignerError::Status(_)) => "refused",
            Self::Cosigner(CosignerError::Form) | Self::Restless => "unreadable",
            Self::Store(_) | Self::Note(_) | Self::Tiles(_) => "store",
            Self::Fork(_) => "fork",
            Self::Wrong => "wrong_signature",
        }
    }
}

/// Asks a witness to cosign `target`. `last` is the size of the tree that it is thought to have signed last; 0 finds
/// out.
///
/// # Errors
/// [`CosignError`]; nothing was kept then.
pub async fn cosign(
    cx: &Context,
    witnesses: &Witnesses,
    cosigner: &dyn Cosigner,
    target: &Signed,
    last: u64,
) -> Result<Asked, CosignError> {
    let checkpoint: Note = target.note.parse()?;
    let size = target.head.size;
    let mut old = last;
    for _ in 0..ATTEMPTS {
        if old > size {
            return Ok(Asked::Ahead(old));
        }
        let tiles = cx.log.store.tiles(&TileAt::all_of(&tree::consistency_nodes(old, size))).await?;
        let proof = tree::consistency(old, size, &tiles)?;
        let request = AddCheckpoint { old, proof, checkpoint: checkpoint.clone() };
        match cosigner.add_checkpoint(&request).await? {
            CosignerAnswer::Cosigned(lines) => {
                // It may sign with further keys, which nobody here knows.
                let right = lines.into_iter().find(|line| {
                    let mut note = checkpoint.clone();
                    note.add(line.clone());
                    cosigned_at(&note, cosigner.key()).is_some()
                });
                witnesses.store.add_cosignature(size, &right.ok_or(CosignError::Wrong)?).await?;
                return Ok(Asked::Cosigned);
            }
            // What it signed last is what was named, and still it doesn't sign: the same size with another root.
            CosignerAnswer::Last(same) if same == old => return Err(CosignError::Fork(old)),
            CosignerAnswer::Last(other) => old = other,
            CosignerAnswer::Inconsistent => return Err(CosignError::Fork(old)),
        }
    }
    Err(CosignError::Restless)
}
