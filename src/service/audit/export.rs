//! Writes the log down as `domain::export` has it, from the record, page by page.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::{PAGE, Record};
use crate::domain::details::Digest;
use crate::domain::evidence::Evidence;
use crate::domain::export::{CheckpointLine, End, EntryLine, EvidenceLine, FORMAT, Header, Line};
use crate::domain::ids::ChangeId;
use crate::domain::log::tree::{self, Node, Nodes, TreeError};
use crate::domain::log::{Note, NoteError, TileAt, Tiles, TlogProof};
use crate::domain::time::Timestamp;
use crate::domain::verification::tree::{Subtree, covering};
use crate::ports::audit::StoredEntry;
use crate::ports::log::Signed;
use crate::ports::store::StoreError;

/// How much earlier than asked the search for the first entry begins: entries carry the times of the nodes' clocks,
/// checkpoints that of the node which signed.
const MARGIN: Duration = Duration::from_secs(60);

/// Whether each entry comes with its proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proofs {
    With,
    Without,
}

/// What to export: from the first entry at or after `from`, up to the first one at or after `to`.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub proofs: Proofs,
}

impl Asked {
    /// All of it.
    pub const EVERYTHING: Self = Self { from: None, to: None, proofs: Proofs::Without };
}

/// Why an export wasn't finished. `E` is what the reader of its lines says.
#[derive(Debug, thiserror::Error)]
pub enum Failure<E> {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the stored tree isn't whole")]
    Tree(#[from] TreeError),
    #[error("the newest checkpoint doesn't read")]
    Note(#[from] NoteError),
    #[error("{0}")]
    Reader(E),
}

/// A line, with what is only in the record.
#[derive(Debug, Clone)]
pub struct Out {
    pub line: Line,
    /// The leaf as the entry's own row has it; the line has what the tree has.
    pub row_leaf: Option<Digest>,
}

/// How far an export went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    pub entries: u64,
    /// Place of the newest entry that is signed; what comes after it waits for its place.
    pub signed_place: Option<i64>,
}

/// Gives the lines of an export to `reader`, one after the other.
///
/// # Errors
/// [`Failure`].
pub async fn export<E>(
    record: &Record,
    asked: &Asked,
    now: Timestamp,
    mut reader: impl FnMut(Out) -> Result<(), E>,
) -> Result<Exported, Failure<E>> {
    let mut give = |line, row_leaf| reader(Out { line, row_leaf }).map_err(Failure::Reader);
    let newest = record.log.newest().await?;
    let (first, after) = match &newest {
        Some(newest) => first(record, asked.from, newest).await?,
        None => (0, None),
    };
    let before = subtrees(record, 0, first).await?;
    give(Line::Header(Box::new(header(record, asked, now, first, before))), None)?;
    let Some(newest) = newest else {
        give(Line::End(End { entries: 0, after: vec![], checkpoint: None }), None)?;
        return Ok(Exported { entries: 0, signed_place: None });
    };
    let mut walk = Walk { index: first, place: after, checkpoints: VecDeque::new() };
    let note: Note = newest.note.parse()?;
    let mut stopped = false;
    while !stopped {
        let page = record.audit.stored_entries(walk.place, Some(newest.place), PAGE).await?;
        if page.is_empty() {
            break;
        }
        let prepared = prepare(record, asked, &page, walk.index, newest.head.size).await?;
        let Prepared { leaves, nodes, mut evidence } = prepared;
        for entry in page {
            if asked.to.is_some_and(|to| entry.at >= to) {
                stopped = true;
                break;
            }
            let id = entry.id;
            let row_leaf = entry.leaf_hash;
            let place = entry.place;
            let mut line = line(entry, walk.index, &leaves);
            if asked.proofs == Proofs::With {
                let path = tree::inclusion(walk.index, newest.head.size, &nodes)?;
                let proof = TlogProof { extra: None, index: walk.index, path, checkpoint: note.clone() };
                line.proof = Some(proof.to_string());
            }
            give(Line::Entry(line), Some(row_leaf))?;
            if let Some(evidence) = evidence.remove(&id) {
                give(Line::Evidence(Box::new(EvidenceLine { change: id, evidence: evidence? })), None)?;
            }
            walk.index += 1;
            walk.place = Some(place);
            for signed in walk.signed_here(record, newest.head.size).await? {
                give(Line::Checkpoint(checkpoint(signed)), None)?;
            }
        }
    }
    // What the tree has and the record doesn't is never made up from the tree: the reader has to find it missing.
    let after = if stopped { subtrees(record, walk.index, newest.head.size).await? } else { vec![] };
    let (entries, signed_place) = (walk.index - first, Some(newest.place));
    give(Line::End(End { entries, after, checkpoint: Some(checkpoint(newest)) }), None)?;
    Ok(Exported { entries, signed_place })
}

fn header(record: &Record, asked: &Asked, now: Timestamp, first: u64, before: Vec<Subtree>) -> Header {
    Header {
        format: FORMAT.to_owned(),
        log: record.keys.clone(),
        sites: record.sites.clone(),
        exported_at: now,
        from: asked.from,
        to: asked.to,
        first,
        before,
    }
}

fn checkpoint(signed: Signed) -> CheckpointLine {
    CheckpointLine { at: signed.signed_at, note: signed.note }
}

/// The line of an entry; its leaf is the tree's, where the tree has one.
fn line(entry: StoredEntry, index: u64, leaves: &Tiles) -> EntryLine {
    let leaf_hash = leaves.node(Node { level: 0, index }).unwrap_or(entry.leaf_hash);
    EntryLine {
        index,
        id: entry.id,
        at: entry.at,
        kind: entry.kind,
        salt: entry.salt,
        canonical: entry.canonical,
        leaf_hash,
        erased_by: entry.erased_by,
        proof: None,
    }
}

/// What a page of entries needs besides itself.
struct Prepared {
    leaves: Tiles,
    nodes: Tiles,
    evidence: HashMap<ChangeId, Result<Evidence, StoreError>>,
}

async fn prepare(
    record: &Record,
    asked: &Asked,
    page: &[StoredEntry],
    index: u64,
    size: u64,
) -> Result<Prepared, StoreError> {
    let indexes = index..index + page.len() as u64;
    let leaves: Vec<Node> = indexes.clone().map(|index| Node { level: 0, index }).collect();
    let leaves = record.log.tiles(&TileAt::all_of(&leaves)).await?;
    let nodes = match asked.proofs {
        Proofs::With => {
            let nodes: Vec<Node> = indexes.flat_map(|index| tree::inclusion_nodes(index, size)).collect();
            record.log.tiles(&TileAt::all_of(&nodes)).await?
        }
        Proofs::Without => Tiles::default(),
    };
    let changes: Vec<ChangeId> = page.iter().map(|entry| entry.id).collect();
    let evidence = record.audit.evidence_with(&changes).await?.into_iter().collect();
    Ok(Prepared { leaves, nodes, evidence })
}

/// Where the walk through the entries is.
struct Walk {
    index: u64,
    place: Option<i64>,
    checkpoints: VecDeque<Signed>,
}

impl Walk {
    /// Checkpoints over exactly the entries so far; the newest is left for the end.
    async fn signed_here(&mut self, record: &Record, newest: u64) -> Result<Vec<Signed>, StoreError> {
        if self.checkpoints.is_empty() && self.index < newest {
            self.checkpoints = record.log.checkpoints(self.index - 1, PAGE).await?.into();
        }
        let mut here = Vec::new();
        while let Some(signed) = self.checkpoints.pop_front_if(|signed| signed.head.size <= self.index) {
            if signed.head.size == self.index && self.index < newest {
                here.push(signed);
            }
        }
        Ok(here)
    }
}

/// Index of the first entry at or after a time, and the place of the one before it.
async fn first(record: &Record, from: Option<Timestamp>, newest: &Signed) -> Result<(u64, Option<i64>), StoreError> {
    let Some(from) = from else { return Ok((0, None)) };
    let (mut index, mut place) = (0, None);
    'checkpoints: loop {
        let page = record.log.checkpoints(index, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for signed in page {
            if signed.signed_at + MARGIN >= from {
                break 'checkpoints;
            }
            (index, place) = (signed.head.size, Some(signed.place));
        }
    }
    loop {
        let page = record.audit.stored_entries(place, Some(newest.place), PAGE).await?;
        if page.is_empty() {
            return Ok((index, place));
        }
        for entry in page {
            if entry.at >= from {
                return Ok((index, place));
            }
            (index, place) = (index + 1, Some(entry.place));
        }
    }
}

/// The subtrees that cover the leaves from one up to another.
async fn subtrees<E>(record: &Record, from: u64, to: u64) -> Result<Vec<Subtree>, Failure<E>> {
    let nodes: Vec<Node> =
        covering(from, to).into_iter().map(|(first, level)| Node { level, index: first >> level }).collect();
    let tiles = record.log.tiles(&TileAt::all_of(&nodes)).await?;
    nodes.iter().map(|node| Ok(Subtree { level: node.level, hash: tiles.node(*node)? })).collect()
}
