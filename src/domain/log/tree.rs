//! The Merkle tree of RFC 6962 section 2.1: which hashes a root, an inclusion proof and a consistency proof are made
//! of, and how both proofs are checked (RFC 9162 sections 2.1.3.2 and 2.1.4.2, which spell the checks out).
//!
//! Where the hashes come from is the caller's business, behind [`Nodes`]; the tiles of [`super::tile`] are the one
//! source that the service has.

use std::ops::Range;

use crate::domain::details::Digest;

/// The hash of a perfect part of the tree: of the `2^level` leaves from `index * 2^level` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    pub level: u8,
    pub index: u64,
}

/// Why a proof can't be made, or doesn't prove what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    #[error("leaf {index} isn't in a tree of {size} leaves")]
    NotInTree { index: u64, size: u64 },
    #[error("a tree of {old} leaves can't grow into one of {new}")]
    Shrunk { old: u64, new: u64 },
    #[error("hash {index} of level {level} is missing")]
    Missing { level: u8, index: u64 },
    #[error("the proof has the wrong length for this tree")]
    Length,
    #[error("the proof leads to another root")]
    OtherRoot,
}

/// Where hashes of perfect parts come from.
pub trait Nodes {
    /// # Errors
    /// [`TreeError::Missing`].
    fn node(&self, node: Node) -> Result<Digest, TreeError>;
}

/// RFC 6962 section 2.1: SHA-256 of 0x01 and both children.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut both = [0; 65];
    both[0] = 1;
    both[1..33].copy_from_slice(left.bytes());
    both[33..].copy_from_slice(right.bytes());
    Digest::of(&both)
}

/// The root of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Digest {
    Digest::of(&[])
}

/// The largest power of two below `width`, which is at least 2.
const fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

/// The perfect parts that a part of the tree consists of, from left to right. `range` must be a part that the
/// recursion of RFC 6962 visits; those begin where all their perfect parts fit.
fn cover(range: &Range<u64>) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut from = range.start;
    while from < range.end {
        let level = (range.end - from).ilog2();
        nodes.push(Node { level: u8::try_from(level).unwrap_or(u8::MAX), index: from >> level });
        from += 1 << level;
    }
    nodes
}

/// The hash of a part of the tree.
fn hash_of(range: &Range<u64>, nodes: &impl Nodes) -> Result<Digest, TreeError> {
    let mut hashes = Vec::new();
    for node in cover(range) {
        hashes.push(nodes.node(node)?);
    }
    let mut hashes = hashes.into_iter().rev();
    let Some(last) = hashes.next() else { return Ok(empty_root()) };
    Ok(hashes.fold(last, |right, left| node_hash(&left, &right)))
}

/// Parts whose hashes prove that the leaf is in the tree, from the leaf's sibling up (RFC 6962 section 2.1.1).
fn inclusion_parts(index: u64, size: u64) -> Vec<Range<u64>> {
    let mut parts = Vec::new();
    let mut part = 0..size;
    while part.end - part.start > 1 {
        let middle = part.start + split(part.end - part.start);
        if index < middle {
            parts.push(middle..part.end);
            part.end = middle;
        } else {
            parts.push(part.start..middle);
            part.start = middle;
        }
    }
    parts.reverse();
    parts
}

/// Parts whose hashes prove that the tree of `old` leaves is a beginning of the tree of `new` (RFC 6962 section
/// 2.1.2).
fn consistency_parts(old: u64, new: u64) -> Vec<Range<u64>> {
    let mut parts = Vec::new();
    if old == 0 {
        return parts;
    }
    let mut part = 0..new;
    // Whether the part is a whole tree that the verifier knows the hash of.
    let mut known = true;
    while part.end != old {
        let middle = part.start + split(part.end - part.start);
        if old <= middle {
            parts.push(middle..part.end);
            part.end = middle;
        } else {
            parts.push(part.start..middle);
            part.start = middle;
            known = false;
        }
    }
    if !known {
        parts.push(part);
    }
    parts.reverse();
    parts
}

/// The root of the tree of `size` leaves.
///
/// # Errors
/// [`TreeError::Missing`].
pub fn root(size: u64, nodes: &impl Nodes) -> Result<Digest, TreeError> {
    hash_of(&(0..size), nodes)
}

/// The nodes that [`root`] asks for.
pub fn root_nodes(size: u64) -> Vec<Node> {
    cover(&(0..size))
}

/// The inclusion path of a leaf, from its sibling up.
///
/// # Errors
/// [`TreeError::NotInTree`], [`TreeError::Missing`].
pub fn inclusion(index: u64, size: u64, nodes: &impl Nodes) -> Result<Vec<Digest>, TreeError> {
    if index >= size {
        return Err(TreeError::NotInTree { index, size });
    }
    inclusion_parts(index, size).iter().map(|part| hash_of(part, nodes)).collect()
}

/// The nodes that [`inclusion`] asks for; none for a leaf that isn't in the tree.
pub fn inclusion_nodes(index: u64, size: u64) -> Vec<Node> {
    if index >= size { Vec::new() } else { inclusion_parts(index, size).iter().flat_map(cover).collect() }
}

/// The proof that the tree of `old` leaves is a beginning of the tree of `new`.
///
/// # Errors
/// [`TreeError::Shrunk`], [`TreeError::Missing`].
pub fn consistency(old: u64, new: u64, nodes: &impl Nodes) -> Result<Vec<Digest>, TreeError> {
    if old > new {
        return Err(TreeError::Shrunk { old, new });
    }
    consistency_parts(old, new).iter().map(|part| hash_of(part, nodes)).collect()
}

/// The nodes that [`consistency`] asks for; none for a tree that shrank.
pub fn consistency_nodes(old: u64, new: u64) -> Vec<Node> {
    if old > new { Vec::new() } else { consistency_parts(old, new).iter().flat_map(cover).collect() }
}

/// The way from a leaf to the root of its tree, by the bits of the leaf's index.
struct Climb {
    at: u64,
    last: u64,
}

/// On which side the next hash of a proof belongs.
enum Side {
    Left,
    Right,
}

impl Climb {
    /// The side of the next hash, one step up; nothing when the root has been reached.
    const fn step(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.at & 1 == 1 || self.at == self.last {
            // Levels on which this part stands alone at the right edge have no hash in the proof.
            while self.at & 1 == 0 && self.at != 0 {
                self.up();
            }
            Side::Left
        } else {
            Side::Right
        };
        self.up();
        Some(side)
    }

    const fn up(&mut self) {
        self.at >>= 1;
        self.last >>= 1;
    }
}

/// Checks that `leaf` is the leaf at `index` of the tree with this size and root (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// [`TreeError::NotInTree`], [`TreeError::Length`], [`TreeError::OtherRoot`].
pub fn verify_inclusion(leaf: &Digest, index: u64, size: u64, path: &[Digest], root: &Digest) -> Result<(), TreeError> {
    if index >= size {
        return Err(TreeError::NotInTree { index, size });
    }
    let mut climb = Climb { at: index, last: size - 1 };
    let mut hash = *leaf;
    for other in path {
        hash = match climb.step().ok_or(TreeError::Length)? {
            Side::Left => node_hash(other, &hash),
            Side::Right => node_hash(&hash, other),
        };
    }
    if climb.last != 0 {
        return Err(TreeError::Length);
    }
    if hash == *root { Ok(()) } else { Err(TreeError::OtherRoot) }
}

/// A tree as a verifier knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub size: u64,
    pub root: Digest,
}

/// Checks that the older tree is a beginning of the newer one (RFC 9162 section 2.1.4.2).
///
/// # Errors
/// [`TreeError::Shrunk`], [`TreeError::Length`], [`TreeError::OtherRoot`].
pub fn verify_consistency(old: &Head, new: &Head, proof: &[Digest]) -> Result<(), TreeError> {
    if old.size > new.size {
        return Err(TreeError::Shrunk { old: old.size, new: new.size });
    }
    let same = |fits: bool| if fits { Ok(()) } else { Err(TreeError::OtherRoot) };
    if old.size == 0 || old.size == new.size {
        if !proof.is_empty() {
            return Err(TreeError::Length);
        }
        return same(if old.size == 0 { old.root == empty_root() } else { old.root == new.root });
    }
    let mut climb = Climb { at: old.size - 1, last: new.size - 1 };
    while climb.at & 1 == 1 {
        climb.up();
    }
    // When the old tree is one perfect part, its root is where the proof begins, and the proof leaves it out.
    let (first, rest) = if old.size.is_power_of_two() {
        (old.root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(TreeError::Length)?;
        (*first, rest)
    };
    let (mut before, mut after) = (first, first);
    for other in rest {
        match climb.step().ok_or(TreeError::Length)? {
            Side::Left => {
                before = node_hash(other, &before);
                after = node_hash(other, &after);
            }
            Side::Right => after = node_hash(&after, other),
        }
    }
    if climb.last != 0 {
        return Err(TreeError::Length);
    }
    same(before == old.root && after == new.root)
}

#[cfg(test)]
#[path = "tree/tests.rs"]
mod tests;
