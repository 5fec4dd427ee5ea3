//! Which checkpoint the witnesses have seen. With a quorum asked for, receipts and the published checkpoint rest on
//! that one, and lag behind the newest by as long as the witnesses need.
//!
//! What the database says that a witness signed is believed only where it verifies.

use std::time::Duration;

use std::sync::Arc;
use tokio::sync::Notify;

use super::RolledBack;
use crate::domain::log::{Note, NoteError, VerifierKey};
use crate::domain::witness::cosigned_at;
use crate::domain::witness::quorum::{MOST, Quorum, Unmet};
use crate::ports::log::Signed;
use crate::ports::witness::{CosignatureStore, Cosigned};
use crate::service::{Context, Error};

/// Checkpoints that are tried, of those beside which enough cosignatures lie. More than one only where somebody wrote
/// wrong ones into the database.
const TRIED: u32 = 8;
/// Cosignatures that are looked at to tell how many are missing, and to add what there is: those of several checkpoints.
const LOOKED_AT: u32 = 8 * MOST as u32;
/// A checkpoint that waits longer for its witnesses is something to tell the operator.
const LATE: Duration = Duration::from_secs(30);

/// Who else has to see the log, and where it is kept what they signed.
pub struct Witnesses {
    pub quorum: Quorum,
    pub store: Arc<dyn CosignatureStore>,
    /// Notified when this process stored a checkpoint.
    pub grown: Notify,
}

impl Witnesses {
    pub fn new(quorum: Quorum, store: Arc<dyn CosignatureStore>) -> Self {
        Self { quorum, store, grown: Notify::new() }
    }

    /// A checkpoint with the cosignatures that verify, and how many these are, one of each witness at most; those that
    /// don't verify, and those of nobody we know, stay away. Each is verified once.
    fn note_of(&self, cosigned: &Cosigned) -> Result<(Note, usize), Error> {
        let bare = plain(&cosigned.signed)?;
        let mut note = bare.clone();
        let mut left: Vec<&VerifierKey> = self.quorum.witnesses().iter().collect();
        for line in &cosigned.cosignatures {
            let Some(at) = left.iter().position(|key| key.name == line.name && key.id() == line.id) else { continue };
            let mut with = bare.clone();
            with.add(line.clone());
            if cosigned_at(&with, left[at]).is_some() {
                note.add(line.clone());
                left.swap_remove(at);
            }
        }
        Ok((note, self.quorum.witnesses().len() - left.len()))
    }

    /// The newest checkpoint past a size that enough witnesses signed, however many were signed by fewer since.
    async fn newest(&self, past: u64) -> Result<Option<Shown>, Error> {
        let least = self.quorum.least();
        for cosigned in self.store.quorate(past, self.quorum.witnesses(), least, TRIED).await? {
            let (note, have) = self.note_of(&cosigned)?;
            if have >= least {
                return Ok(Some(Shown { signed: cosigned.signed, note }));
            }
        }
        Ok(None)
    }

    /// How near the newest checkpoints past a size have come, where none has enough.
    async fn unmet(&self, past: u64) -> Result<Unmet, Error> {
        let mut nearest = 0;
        for cosigned in self.store.cosigned(past, LOOKED_AT).await? {
            nearest = nearest.max(self.note_of(&cosigned)?.1);
        }
        Ok(Unmet::Missing { have: nearest, least: self.quorum.least() })
    }
}

/// A checkpoint as it is shown: with the cosignatures that count.
#[derive(Debug, Clone)]
pub struct Shown {
    pub signed: Signed,
    pub note: Note,
}

fn plain(signed: &Signed) -> Result<Note, Error> {
    Ok(signed.note.parse().map_err(|error: NoteError| RolledBack::Unsigned(error.into()))?)
}

/// The checkpoint for a receipt about the leaf with this index: the newest, which has it, or the newest that enough
/// witnesses signed.
///
/// # Errors
/// [`Error::Unwitnessed`] while too few witnesses have seen the leaf: it passes as soon as they have.
/// [`Error::RolledBack`], [`Error::Store`].
pub async fn witnessed(cx: &Context, index: u64, newest: Signed) -> Result<Shown, Error> {
    match &cx.log.witnesses {
        Some(witnesses) if witnesses.quorum.least() > 0 => match witnesses.newest(index).await? {
            Some(shown) => Ok(shown),
            None => Err(witnesses.unmet(index).await?.into()),
        },
        Some(witnesses) => with_what_there_is(witnesses, newest).await,
        None => Ok(Shown { note: plain(&newest)?, signed: newest }),
    }
}

/// Nobody has to have signed it; whoever did is in it.
async fn with_what_there_is(witnesses: &Witnesses, newest: Signed) -> Result<Shown, Error> {
    let of_newest = witnesses.store.cosigned(newest.head.size.saturating_sub(1), LOOKED_AT).await?;
    let cosigned = of_newest.into_iter().find(|cosigned| cosigned.signed == newest);
    let cosigned = cosigned.unwrap_or_else(|| Cosigned { signed: newest, cosignatures: Vec::new() });
    Ok(Shown { note: witnesses.note_of(&cosigned)?.0, signed: cosigned.signed })
}

/// The checkpoint that anybody may see; nothing before the first. Where a quorum is asked for it is the newest that has
/// it, so that nobody outside sees a tree that the witnesses didn't; before there is one, the newest of all.
///
/// # Errors
/// [`Error::Store`]; [`Error::RolledBack`] when the stored one isn't a note.
pub async fn shown(cx: &Context) -> Result<Option<Shown>, Error> {
    let Some(newest) = cx.log.store.newest().await? else { return Ok(None) };
    let Some(witnesses) = &cx.log.witnesses else { return Ok(Some(Shown { note: plain(&newest)?, signed: newest })) };
    if witnesses.quorum.least() > 0
        && let Some(shown) = witnesses.newest(0).await?
    {
        return Ok(Some(shown));
    }
    Ok(Some(with_what_there_is(witnesses, newest).await?))
}

/// How far the log was witnessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nobody asks for it, or the witnesses keep up.
    Fine,
    /// A checkpoint waits for its witnesses for longer than they should need: no receipt can rest on it.
    Late,
}

/// Whether the witnesses keep up.
///
/// # Errors
/// [`Error::Store`], [`Error::RolledBack`].
pub async fn standing(cx: &Context) -> Result<Standing, Error> {
    let Some(witnesses) = cx.log.witnesses.as_ref().filter(|witnesses| witnesses.quorum.least() > 0) else {
        return Ok(Standing::Fine);
    };
    let size = witnesses.newest(0).await?.map_or(0, |shown| shown.signed.head.size);
    metrics::gauge!("countersign_log_witnessed_size").set(size as f64);
    let waits = cx.log.store.checkpoints(size, 1).await?;
    let late = waits.first().is_some_and(|first| cx.now().since(first.signed_at) > LATE);
    Ok(if late { Standing::Late } else { Standing::Fine })
}
