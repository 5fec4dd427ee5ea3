//! Gives entries their place in the tree, in the order of the record, and signs the tree. Any number of nodes may do it
//! at the same time: a batch is stored only where the tree still has the size that it goes on from, so that one wins
//! and the others look again. A crash at any moment leaves a batch stored whole or not at all.
//!
//! What nobody with the key wrote gets no place: it is raised, and set aside, so that it keeps nobody waiting.

use super::{RolledBack, ensure_whole, head_of, mark};
use crate::domain::approval::Actor;
use crate::domain::details::Digest;
use crate::domain::ids::ChangeId;
use crate::domain::log::{Checkpoint, Edge, Note};
use crate::ports::log::{Appended, Batch, Signed, Waiting};
use crate::service::{Context, Error, commit};

/// Most entries in one batch.
pub const MOST: u32 = 2000;
/// Entries of one turn that nobody with the key wrote and that are raised one by one.
const RAISED: usize = 10;

/// Places what waits, up to [`MOST`], and gives how many entries it found. Whoever was overtaken found them too.
///
/// # Errors
/// [`Error::RolledBack`] when the record isn't the one that was signed: then nothing is signed. [`Error::Store`],
/// [`Error::Internal`].
pub async fn turn(cx: &Context) -> Result<usize, Error> {
    let marked = cx.log.mark.seen();
    let newest = ensure_whole(cx).await?;
    let (leaves, refused) = next(cx, newest.as_ref().map(|signed| signed.place)).await?;
    let Some((place, _)) = leaves.last().copied() else {
        mark::look(cx).await?;
        return Ok(refused);
    };
    let before = head_of(newest.as_ref());
    if let Some(newest) = &newest {
        // What the database says the tree was is believed only where we signed it.
        let note: Note = newest.note.parse().map_err(|error: crate::domain::log::NoteError| unsigned(error.into()))?;
        let signed = cx.log.signer.keys().open_of_any_time(&note).map_err(unsigned)?;
        if signed.head() != newest.head {
            return Err(RolledBack::Forked.into());
        }
    }
    let tiles = cx.log.store.tiles(&Edge::places(before.size)).await?;
    let mut edge = Edge::read(before.size, &tiles).map_err(RolledBack::Tiles)?;
    if edge.root().map_err(RolledBack::Tiles)? != before.root {
        return Err(RolledBack::Forked.into());
    }
    let hashes: Vec<_> = leaves.iter().map(|(_, leaf)| *leaf).collect();
    let tiles = edge.append(&hashes);
    let root = edge.root().map_err(RolledBack::Tiles)?;
    let checkpoint = Checkpoint { origin: cx.log.signer.keys().origin.clone(), size: edge.size(), root };
    let note = cx.log.signer.sign(&checkpoint).map_err(Error::internal)?.to_string();
    let signed = Signed { head: checkpoint.head(), place, note, signed_at: cx.now() };
    let batch = Batch { previous: before.size, signed, tiles };
    match cx.log.store.append(&batch).await? {
        Appended::Done => {
            metrics::counter!("countersign_log_entries_total").increment(hashes.len() as u64);
            // Stored is signed and may be shown; only now is it the mark.
            mark::raise(cx, marked, &batch.signed).await?;
            if let Some(witnesses) = &cx.log.witnesses {
                witnesses.grown.notify_one();
            }
        }
        Appended::Lost => metrics::counter!("countersign_log_overtaken_total").increment(1),
    }
    Ok(hashes.len())
}

/// The entries that get their place now, and how many were set aside.
async fn next(cx: &Context, after: Option<i64>) -> Result<(Vec<(i64, Digest)>, usize), Error> {
    let waiting = cx.log.store.waiting(after, MOST).await?;
    let (places, ids) = forged(&waiting);
    if places.is_empty() {
        return Ok((ours(waiting), 0));
    }
    for id in &ids {
        tracing::error!(entry = %id, "an audit entry that nobody here wrote waits for its place; it gets none");
    }
    metrics::counter!("countersign_log_refused_total").increment(places.len() as u64);
    cx.log.store.set_aside(&places).await?;
    // Ranks in a batch are counted over all rows, so that nothing may go past one that is still there.
    let waiting = cx.log.store.waiting(after, MOST).await?;
    if waiting.iter().any(|entry| matches!(entry, Waiting::Forged { .. })) {
        return Ok((ours(waiting), 0));
    }
    for id in ids.iter().take(RAISED) {
        commit::refused(cx, "row.forged", Actor::Service, &[id], "audit", cx.now()).await;
    }
    Ok((ours(waiting), places.len()))
}

fn forged(waiting: &[Waiting]) -> (Vec<i64>, Vec<ChangeId>) {
    let forged = |entry: &Waiting| match entry {
        Waiting::Forged { place, id } => Some((*place, *id)),
        Waiting::Ours { .. } => None,
    };
    waiting.iter().filter_map(forged).unzip()
}

/// Those before the first that isn't ours.
fn ours(waiting: Vec<Waiting>) -> Vec<(i64, Digest)> {
    let ours = |entry| match entry {
        Waiting::Ours { place, leaf } => Some((place, leaf)),
        Waiting::Forged { .. } => None,
    };
    waiting.into_iter().map_while(ours).collect()
}

fn unsigned(error: crate::domain::log::CheckpointError) -> RolledBack {
    RolledBack::Unsigned(error)
}
