//! The log's tree: entries get their place and are signed ([`sequence`]), what was signed is remembered outside the
//! database ([`mark`]), others are asked to see it ([`cosign`], [`witnessed`]), and a receipt gets its proof
//! ([`proof`]). Next: `web::log`, which shows all but the entries.

mod cosign;
mod mark;
mod proof;
mod sequence;
mod witnessed;

use std::sync::Arc;
use tokio::sync::Notify;

use super::{Context, Error};
use crate::domain::log::tree::{Head, TreeError};
use crate::domain::log::{CheckpointError, NoteError, Origin};
use crate::ports::log::{CheckpointSigner, LogStore, MarkError, Signed};

pub use cosign::{Asked, CosignError, cosign};
pub use mark::{HighWater, look};
pub use proof::proof_of;
pub use sequence::{MOST, turn};
pub use witnessed::{Shown, Standing, Witnesses, shown, standing};

/// What the log is kept with. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    pub store: Arc<dyn LogStore>,
    pub signer: Arc<dyn CheckpointSigner>,
    pub mark: Arc<HighWater>,
    /// Notified when an entry waits for its place.
    pub wake: Arc<Notify>,
    /// Nothing where no witness is asked.
    pub witnesses: Option<Arc<Witnesses>>,
}

/// The log isn't the one that was signed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RolledBack {
    #[error("it has {size} leaves, and {mark} were signed")]
    Smaller { size: u64, mark: u64 },
    #[error("what was signed isn't in it")]
    Forked,
    /// What was signed and lost can't be signed again under the same name.
    #[error(
        "what was lost was published as {0}: give the log another name with log.origin, and put this one under log.earlier"
    )]
    NameSpent(Origin),
    #[error("its newest checkpoint isn't signed by us")]
    Unsigned(#[source] CheckpointError),
    #[error("its tiles don't make up the tree that was signed")]
    Tiles(#[source] TreeError),
}

/// Why the mark can't be trusted to be what it should.
#[derive(Debug, thiserror::Error)]
pub enum BadMark {
    #[error(transparent)]
    File(#[from] MarkError),
    #[error("the high-water mark isn't a checkpoint")]
    Note(#[from] NoteError),
    #[error("the high-water mark isn't one of this log's checkpoints")]
    Checkpoint(#[from] CheckpointError),
}

/// The newest checkpoint, once it is known that nothing that was signed is missing.
///
/// # Errors
/// [`Error::RolledBack`], [`Error::Store`].
pub async fn ensure_whole(cx: &Context) -> Result<Option<Signed>, Error> {
    // Before the record is read: a mark that is read later may be ahead of what was read of a sound record.
    let mark = cx.log.mark.seen();
    let newest = cx.log.store.newest().await?;
    mark.allows(newest.as_ref().map(|signed| signed.head))?;
    Ok(newest)
}

/// Whether a worker has to leave alone what loosens, because the log isn't the one that was signed. Said each time.
///
/// # Errors
/// [`Error::Store`].
pub async fn loosens_nothing(cx: &Context) -> Result<bool, Error> {
    match ensure_whole(cx).await {
        Ok(_) => Ok(false),
        Err(Error::RolledBack(lost)) => {
            tracing::error!(error = %lost, "the log isn't the one that was signed: nothing ends, is lifted or carried out");
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

/// The head of a tree that may have no checkpoint yet.
fn head_of(newest: Option<&Signed>) -> Head {
    newest.map_or_else(|| Head { size: 0, root: crate::domain::log::tree::empty_root() }, |signed| signed.head)
}
