//! The high-water mark: the newest checkpoint, kept outside the database. A database that was restored, or rolled back
//! by whoever owns it, has a smaller tree than the mark, or one that doesn't contain it, and can't pass for the present
//! one (design section 4).

use std::sync::{Arc, PoisonError, RwLock};

use super::{BadMark, RolledBack, head_of};
use crate::domain::log::tree::{self, Head};
use crate::domain::log::{LogKeys, Note, Origin, TileAt};
use crate::ports::log::{MarkFile, Signed};
use crate::service::{Context, Error};

/// What this node knows of the mark.
pub struct HighWater {
    file: Arc<dyn MarkFile>,
    seen: RwLock<Seen>,
}

/// The mark as it was at one moment.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    head: Option<Head>,
    /// What the log was called when it was marked.
    name: Option<Origin>,
    /// Whether the record was found not to contain the mark. It doesn't pass by itself.
    is_forked: bool,
}

impl Seen {
    /// The tree that was marked, and what the log was called then.
    pub fn marked(&self) -> Option<(&Origin, Head)> {
        self.name.as_ref().zip(self.head)
    }

    /// Leaves of the tree that was marked.
    pub fn size(&self) -> u64 {
        self.head.map_or(0, |head| head.size)
    }

    /// Whether a tree can be the one that was signed. A larger one is compared in [`look`], which every node does as
    /// soon as it sees one.
    ///
    /// # Errors
    /// [`RolledBack`].
    pub fn allows(&self, newest: Option<Head>) -> Result<(), RolledBack> {
        if self.is_forked {
            return Err(RolledBack::Forked);
        }
        let Some(mark) = self.head else { return Ok(()) };
        match newest {
            Some(head) if head.size == mark.size && head.root != mark.root => Err(RolledBack::Forked),
            Some(head) if head.size >= mark.size => Ok(()),
            other => Err(RolledBack::Smaller { size: other.map_or(0, |head| head.size), mark: mark.size }),
        }
    }
}

impl HighWater {
    /// Reads the mark. Signatures count whenever they were made: a mark only ever makes the node more careful.
    ///
    /// # Errors
    /// [`BadMark`] when there is one and it can't be believed; the operator has to look at it.
    pub async fn open(file: Arc<dyn MarkFile>, keys: &LogKeys) -> Result<Self, BadMark> {
        let seen = match file.read().await? {
            Some(text) => {
                let note: Note = text.parse()?;
                let checkpoint = keys.open_of_any_time(&note)?;
                Seen { head: Some(checkpoint.head()), name: Some(checkpoint.origin), is_forked: false }
            }
            None => Seen::default(),
        };
        Ok(Self { file, seen: RwLock::new(seen) })
    }

    /// The mark as it stands.
    pub fn seen(&self) -> Seen {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The smallest tree that may be believed; no tree is large enough once the record was found not to contain it.
    pub fn least(&self) -> u64 {
        let seen = self.seen();
        if seen.is_forked { u64::MAX } else { seen.head.map_or(0, |head| head.size) }
    }

    fn set(&self, seen: Seen) {
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    /// Forgets the mark in this process: there is no checkpoint to set it to. The next one replaces the file.
    pub fn forget(&self) {
        self.set(Seen::default());
    }

    /// Moves the mark to this checkpoint, whatever it was before.
    ///
    /// # Errors
    /// [`BadMark::File`]; then the mark stays where it was.
    pub async fn set_anew(&self, signed: &Signed) -> Result<(), BadMark> {
        self.file.write(&signed.note).await?;
        let name = signed.note.lines().next().and_then(|name| Origin::parse(name).ok());
        self.set(Seen { head: Some(signed.head), name, is_forked: false });
        Ok(())
    }
}

/// Compares the record's newest checkpoint with the mark, and moves the mark up to it.
///
/// # Errors
/// [`Error::RolledBack`] when the record isn't the one that was signed; [`Error::Store`]; [`Error::Internal`] when the
/// mark can't be written.
pub async fn look(cx: &Context) -> Result<(), Error> {
    let mark = cx.log.mark.seen();
    let newest = cx.log.store.newest().await?;
    mark.allows(newest.as_ref().map(|signed| signed.head))?;
    match newest {
        Some(newest) if mark.head != Some(newest.head) => raise(cx, mark, &newest).await,
        Some(_) | None => Ok(()),
    }
}

/// Moves the mark up to a checkpoint whose tree has to contain the one that was marked.
pub async fn raise(cx: &Context, mark: Seen, newest: &Signed) -> Result<(), Error> {
    let old = mark.head.unwrap_or_else(|| head_of(None));
    let places = TileAt::all_of(&tree::consistency_nodes(old.size, newest.head.size));
    let tiles = cx.log.store.tiles(&places).await?;
    let grown = tree::consistency(old.size, newest.head.size, &tiles)
        .and_then(|proof| tree::verify_consistency(&old, &newest.head, &proof));
    if grown.is_err() {
        cx.log.mark.set(Seen { is_forked: true, ..mark });
        return Err(RolledBack::Forked.into());
    }
    // Somebody else on this node may have gone further meanwhile.
    if cx.log.mark.least() < newest.head.size {
        cx.log.mark.set_anew(newest).await.map_err(Error::internal)?;
    }
    Ok(())
}
