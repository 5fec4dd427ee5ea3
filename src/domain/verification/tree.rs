//! The root over a growing row of leaves, with a logarithm of memory: RFC 6962 section 2.1, as a stack of perfect
//! subtrees. Also the root of a tree of which only a part is read, given the subtrees before and after that part.

use serde::{Deserialize, Serialize};

use crate::domain::details::Digest;

/// A perfect subtree: its height and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subtree {
    pub level: u8,
    pub hash: Digest,
}

/// Subtrees that can't stand where they are put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a subtree doesn't fit at leaf {0}")]
pub struct Misplaced(pub u64);

/// The perfect subtrees of a tree, the largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    stack: Vec<Subtree>,
    size: u64,
}

impl Frontier {
    /// A tree of which only its subtrees are known.
    ///
    /// # Errors
    /// [`Misplaced`].
    pub fn of(subtrees: &[Subtree]) -> Result<Self, Misplaced> {
        let mut tree = Self::default();
        for subtree in subtrees {
            tree.put(*subtree)?;
        }
        Ok(tree)
    }

    /// How many leaves there are.
    pub const fn size(&self) -> u64 {
        self.size
    }

    pub fn subtrees(&self) -> &[Subtree] {
        &self.stack
    }

    /// Adds one leaf.
    pub fn push(&mut self, leaf_hash: Digest) {
        self.carry(Subtree { level: 0, hash: leaf_hash });
    }

    /// Adds a whole subtree; its place has to be a multiple of its own size.
    ///
    /// # Errors
    /// [`Misplaced`].
    pub fn put(&mut self, subtree: Subtree) -> Result<(), Misplaced> {
        let fits = 1_u64
            .checked_shl(subtree.level.into())
            .is_some_and(|width| self.size.is_multiple_of(width) && self.size.checked_add(width).is_some());
        if !fits {
            return Err(Misplaced(self.size));
        }
        self.carry(subtree);
        Ok(())
    }

    fn carry(&mut self, mut subtree: Subtree) {
        self.size += 1 << subtree.level;
        while let Some(left) = self.stack.pop_if(|left| left.level == subtree.level) {
            subtree = Subtree { level: left.level + 1, hash: node(&left.hash, &subtree.hash) };
        }
        self.stack.push(subtree);
    }

    /// The root: the smaller subtrees are joined first. Of an empty tree it is the hash of nothing.
    pub fn root(&self) -> Digest {
        let hashes = self.stack.iter().rev().map(|subtree| subtree.hash);
        hashes.reduce(|right, left| node(&left, &right)).unwrap_or_else(|| Digest::of(b""))
    }
}

/// The subtrees that fill a row of leaves from `from` up to `to`, as (first leaf, level), in order.
pub fn covering(mut from: u64, to: u64) -> Vec<(u64, u8)> {
    let mut out = Vec::new();
    while from < to {
        let mut level = 0;
        while level < 63 && from.is_multiple_of(2 << level) && from + (2 << level) <= to {
            level += 1;
        }
        out.push((from, level));
        from += 1 << level;
    }
    out
}

fn node(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left.bytes());
    bytes[33..].copy_from_slice(right.bytes());
    Digest::of(&bytes)
}

/// RFC 6962 section 2.1 over the salted commitment: both written down a second time here.
pub fn leaf(salt: &[u8], canonical: &str) -> Digest {
    let mut bytes = Vec::with_capacity(canonical.len() + 64);
    for part in [b"countersign/audit/v1".as_slice(), salt, canonical.as_bytes()] {
        bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(part);
    }
    let mut leaf = [0; 33];
    leaf[1..].copy_from_slice(Digest::of(&bytes).bytes());
    Digest::of(&leaf)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(at: u64) -> Digest {
        Digest::of(&at.to_be_bytes())
    }

    /// The definition of RFC 6962 section 2.1, word for word.
    fn by_definition(from: u64, to: u64) -> Digest {
        match to - from {
            0 => Digest::of(b""),
            1 => some(from),
            n => {
                let mut k = 1;
                while k * 2 < n {
                    k *= 2;
                }
                node(&by_definition(from, from + k), &by_definition(from + k, to))
            }
        }
    }

    #[test]
    fn every_root_is_the_definitions() {
        let mut tree = Frontier::default();
        for size in 0..130 {
            assert_eq!(tree.root(), by_definition(0, size), "{size}");
            tree.push(some(size));
        }
    }

    #[test]
    fn a_part_and_what_lies_around_it_give_the_same_root() {
        let subtrees = |from, to| {
            let hash = |(first, level): (u64, u8)| Subtree { level, hash: by_definition(first, first + (1 << level)) };
            covering(from, to).into_iter().map(hash).collect::<Vec<_>>()
        };
        for size in 1..40 {
            for from in 0..size {
                for to in from..=size {
                    let mut tree = Frontier::of(&subtrees(0, from)).unwrap();
                    (from..to).for_each(|at| tree.push(some(at)));
                    subtrees(to, size).into_iter().for_each(|subtree| tree.put(subtree).unwrap());
                    assert_eq!((tree.size(), tree.root()), (size, by_definition(0, size)), "{from}..{to} of {size}");
                }
            }
        }
    }

    #[test]
    fn a_subtree_in_a_wrong_place_is_refused() {
        let mut tree = Frontier::default();
        tree.push(some(0));
        assert_eq!(tree.put(Subtree { level: 1, hash: some(1) }), Err(Misplaced(1)));
        assert_eq!(tree.put(Subtree { level: 64, hash: some(1) }), Err(Misplaced(1)));
        assert!(tree.put(Subtree { level: 0, hash: some(1) }).is_ok());
    }
}
