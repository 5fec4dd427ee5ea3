//! How the tree's hashes are stored and served: tiles of height 8 (C2SP tlog-tiles). A tile holds up to 256 hashes of
//! one level; tiles at level `l` hold the hashes of perfect parts of `256^l` leaves. What lies between is recomputed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::tree::{self, Node, Nodes, TreeError, node_hash};
use crate::domain::details::Digest;

/// Levels of the tree in one tile.
const HEIGHT: u8 = 8;
/// Hashes in a full tile.
pub const FULL: usize = 256;
/// The topmost level that a path may name.
const MAX_LEVEL: u8 = 63;

/// A tile's place, however wide it is by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileAt {
    pub level: u8,
    pub number: u64,
}

/// A tile of a certain width, as its path names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    pub at: TileAt,
    /// From 1 to 256.
    pub width: u16,
}

/// The text isn't the path of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the path of a tile")]
pub struct BadTile;

/// Stored hashes of a tile that aren't whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tile holds 1 to 256 hashes of 32 bytes")]
pub struct BadHashes;

impl TileAt {
    /// The tile from which a node is computed.
    pub const fn of(node: Node) -> Self {
        let inside = node.level % HEIGHT;
        Self { level: node.level / HEIGHT, number: node.index >> (HEIGHT - inside) }
    }

    /// The places of the tiles from which these nodes are computed, each once.
    pub fn all_of(nodes: &[Node]) -> Vec<Self> {
        let mut places: Vec<Self> = nodes.iter().map(|node| Self::of(*node)).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// How many hashes the tile has in a tree of `size` leaves.
    pub fn width(self, size: u64) -> u64 {
        let hashes = size.checked_shr(u32::from(self.level) * u32::from(HEIGHT)).unwrap_or(0);
        let before = self.number.saturating_mul(FULL as u64);
        hashes.saturating_sub(before).min(FULL as u64)
    }
}

impl fmt::Display for Tile {
    /// `0/x001/234.p/17`: groups of three digits, all but the last after an `x`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups = vec![self.at.number % 1000];
        let mut rest = self.at.number / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        write!(f, "{}", self.at.level)?;
        for (at, group) in groups.iter().enumerate().rev() {
            let mark = if at == 0 { "" } else { "x" };
            write!(f, "/{mark}{group:03}")?;
        }
        if usize::from(self.width) < FULL {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl FromStr for Tile {
    type Err = BadTile;

    /// Reads exactly what [`Tile`]'s `Display` writes.
    fn from_str(text: &str) -> Result<Self, BadTile> {
        let (place, width) = match text.split_once(".p/") {
            Some((place, width)) => (place, width.parse().map_err(|_| BadTile)?),
            None => (text, FULL as u16),
        };
        let (level, number) = place.split_once('/').ok_or(BadTile)?;
        let level = level.parse().map_err(|_| BadTile)?;
        let mut sum: u64 = 0;
        for group in number.split('/') {
            let group: u64 = group.trim_start_matches('x').parse().map_err(|_| BadTile)?;
            sum = sum.checked_mul(1000).and_then(|sum| sum.checked_add(group)).ok_or(BadTile)?;
        }
        let tile = Self { at: TileAt { level, number: sum }, width };
        let fits = level <= MAX_LEVEL && (1..=FULL).contains(&usize::from(width));
        // Whatever else could be read as a number, there is one spelling of each tile.
        if fits && tile.to_string() == text { Ok(tile) } else { Err(BadTile) }
    }
}

/// Tiles that were loaded, from which nodes are computed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tiles(BTreeMap<TileAt, Vec<Digest>>);

impl Tiles {
    /// Adds a tile as it is stored: its hashes one after the other.
    ///
    /// # Errors
    /// [`BadHashes`].
    pub fn add_stored(&mut self, at: TileAt, bytes: &[u8]) -> Result<(), BadHashes> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        if hashes.is_empty() || hashes.len() > FULL || !rest.is_empty() {
            return Err(BadHashes);
        }
        self.0.insert(at, hashes.iter().map(|hash| Digest::from_bytes(*hash)).collect());
        Ok(())
    }

    /// Adds a tile.
    pub fn add(&mut self, at: TileAt, hashes: Vec<Digest>) {
        self.0.insert(at, hashes);
    }

    /// The hashes of a tile, if it is here.
    pub fn get(&self, at: TileAt) -> Option<&[Digest]> {
        self.0.get(&at).map(Vec::as_slice)
    }

    /// A tile of this width as it is served; nothing when there are fewer hashes.
    pub fn served(&self, tile: Tile) -> Option<Vec<u8>> {
        let hashes = self.get(tile.at)?.get(..usize::from(tile.width))?;
        Some(stored(hashes))
    }

    /// All tiles that are here.
    pub fn iter(&self) -> impl Iterator<Item = (TileAt, &[Digest])> {
        self.0.iter().map(|(at, hashes)| (*at, hashes.as_slice()))
    }
}

impl Nodes for Tiles {
    fn node(&self, node: Node) -> Result<Digest, TreeError> {
        let missing = TreeError::Missing { level: node.level, index: node.index };
        let inside = node.level % HEIGHT;
        let width = 1_usize << inside;
        let first = (node.index & ((1 << (HEIGHT - inside)) - 1)) << inside;
        let first = usize::try_from(first).map_err(|_| missing)?;
        let hashes = self.get(TileAt::of(node)).ok_or(missing)?;
        hashes.get(first..first + width).map(perfect).ok_or(missing)
    }
}

/// The root over hashes whose number is a power of two.
fn perfect(hashes: &[Digest]) -> Digest {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    row.first().copied().unwrap_or_else(tree::empty_root)
}

/// Hashes as they are stored and served: one after the other.
pub fn stored(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.bytes()).collect()
}

/// The right edge of a tree, to which leaves are added: at each level the hashes that don't fill a tile yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// From the leaves up; each has fewer than 256 hashes, and the topmost isn't empty.
    levels: Vec<Vec<Digest>>,
}

impl Edge {
    /// The places of the tiles that [`Edge::read`] needs.
    pub fn places(size: u64) -> Vec<TileAt> {
        let mut places = Vec::new();
        let (mut level, mut hashes) = (0, size);
        while hashes > 0 {
            if hashes % FULL as u64 > 0 {
                places.push(TileAt { level, number: hashes / FULL as u64 });
            }
            (level, hashes) = (level + 1, hashes / FULL as u64);
        }
        places
    }

    /// The edge of the tree of `size` leaves. Tiles may be wider than that tree: what goes beyond isn't looked at.
    ///
    /// # Errors
    /// [`TreeError::Missing`].
    pub fn read(size: u64, tiles: &Tiles) -> Result<Self, TreeError> {
        let mut levels = Vec::new();
        let (mut level, mut hashes) = (0, size);
        while hashes > 0 {
            let missing = TreeError::Missing { level: level * HEIGHT, index: hashes - 1 };
            let width = usize::try_from(hashes % FULL as u64).map_err(|_| missing)?;
            let at = TileAt { level, number: hashes / FULL as u64 };
            levels.push(match width {
                0 => Vec::new(),
                width => tiles.get(at).and_then(|hashes| hashes.get(..width)).ok_or(missing)?.to_vec(),
            });
            (level, hashes) = (level + 1, hashes / FULL as u64);
        }
        Ok(Self { size, levels })
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The tree's root.
    ///
    /// # Errors
    /// None that an edge of [`Edge::read`] or [`Edge::append`] causes.
    pub fn root(&self) -> Result<Digest, TreeError> {
        let mut tiles = Tiles::default();
        for (level, hashes) in self.levels.iter().enumerate().filter(|(_, hashes)| !hashes.is_empty()) {
            let level = u8::try_from(level).unwrap_or(MAX_LEVEL);
            tiles.add(TileAt { level, number: self.tiles_before(level) }, hashes.clone());
        }
        tree::root(self.size, &tiles)
    }

    /// Full tiles at this level.
    fn tiles_before(&self, level: u8) -> u64 {
        self.size.checked_shr((u32::from(level) + 1) * u32::from(HEIGHT)).unwrap_or(0)
    }

    /// Adds leaves, and gives the tiles that are new or wider by them.
    pub fn append(&mut self, leaves: &[Digest]) -> Tiles {
        let mut changed = Tiles::default();
        let mut touched = 0;
        for leaf in leaves {
            let mut hash = *leaf;
            let mut level = 0;
            self.size += 1;
            loop {
                if self.levels.len() == level {
                    self.levels.push(Vec::with_capacity(FULL));
                }
                touched = touched.max(level + 1);
                let row = &mut self.levels[level];
                row.push(hash);
                if row.len() < FULL {
                    break;
                }
                let full = std::mem::replace(row, Vec::with_capacity(FULL));
                hash = perfect(&full);
                let at = u8::try_from(level).unwrap_or(MAX_LEVEL);
                // The tile that has just become full is the last one of its level.
                changed.add(TileAt { level: at, number: self.tiles_before(at) - 1 }, full);
                level += 1;
            }
        }
        for (level, row) in self.levels.iter().enumerate().take(touched).filter(|(_, row)| !row.is_empty()) {
            let level = u8::try_from(level).unwrap_or(MAX_LEVEL);
            changed.add(TileAt { level, number: self.tiles_before(level) }, row.clone());
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u32) -> Vec<Digest> {
        (0..count).map(|number| Digest::of(&[&[0][..], &number.to_be_bytes()].concat())).collect()
    }

    #[test]
    fn paths_have_one_spelling() {
        let tile = |level, number, width| Tile { at: TileAt { level, number }, width };
        for (tile, path) in [
            (tile(0, 0, 256), "0/000"),
            (tile(1, 5, 17), "1/005.p/17"),
            (tile(0, 1_234_067, 256), "0/x001/x234/067"),
            (tile(63, 999, 255), "63/999.p/255"),
            (tile(2, 1000, 1), "2/x001/000.p/1"),
        ] {
            assert_eq!(tile.to_string(), path);
            assert_eq!(path.parse::<Tile>(), Ok(tile), "{path}");
        }
        for bad in [
            "",
            "0",
            "0/",
            "0/0",
            "0/0000",
            "0/x000/001",
            "0/001/001",
            "00/001",
            "64/001",
            "0/001.p/0",
            "0/001.p/256",
            "0/001.p/01",
            "0/001.p/",
            "0/+01",
            "0/x001",
            "entries/000",
            "0/x018/x446/x744/x073/x709/x551/616",
        ] {
            assert_eq!(bad.parse::<Tile>(), Err(BadTile), "{bad}");
        }
    }

    /// The example of C2SP tlog-tiles, "Partial Tiles".
    #[test]
    fn seventy_thousand_leaves_have_the_tiles_of_the_example() {
        let width = |level, number| TileAt { level, number }.width(70_000);
        assert_eq!((width(0, 272), width(0, 273), width(0, 274)), (256, 112, 0));
        assert_eq!((width(1, 0), width(1, 1), width(2, 0), width(3, 0)), (256, 17, 1, 0));
        let edge: Vec<_> = Edge::places(70_000).iter().map(|at| (at.level, at.number)).collect();
        assert_eq!(edge, [(0, 273), (1, 1), (2, 0)]);
    }

    #[test]
    fn batches_of_any_size_make_the_same_tiles() {
        let leaves = leaves(66_000);
        let mut whole = Edge::read(0, &Tiles::default()).unwrap();
        let mut at_once = Tiles::default();
        at_once.0.extend(whole.append(&leaves).0);
        let mut stored = Tiles::default();
        let mut done = 0;
        for batch in [1, 1, 2, 251, 1, 256, 257, 1000, 64_000, 231] {
            // Every batch begins from what is stored, as a sequencer that has just started does.
            let mut edge = Edge::read(done as u64, &stored).unwrap();
            assert_eq!(edge.root(), tree::root(done as u64, &stored));
            stored.0.extend(edge.append(&leaves[done..done + batch]).0);
            done += batch;
        }
        assert_eq!(done, leaves.len());
        assert_eq!(stored, at_once);
        assert_eq!(whole.root(), tree::root(66_000, &stored));
        for (at, hashes) in stored.iter() {
            assert_eq!(hashes.len() as u64, at.width(66_000), "{at:?}");
        }
    }

    #[test]
    fn proofs_come_from_the_tiles_that_are_named() {
        let leaves = leaves(66_000);
        let mut edge = Edge::read(0, &Tiles::default()).unwrap();
        let all = edge.append(&leaves);
        let root = edge.root().unwrap();
        for index in [0, 1, 255, 256, 65_535, 65_536, 65_999] {
            let mut some = Tiles::default();
            for at in TileAt::all_of(&tree::inclusion_nodes(index, 66_000)) {
                some.add(at, all.get(at).unwrap().to_vec());
            }
            let path = tree::inclusion(index, 66_000, &some).unwrap();
            tree::verify_inclusion(&leaves[index as usize], index, 66_000, &path, &root).unwrap();
        }
        for old in [1, 255, 256, 257, 65_536, 65_999, 66_000] {
            let mut some = Tiles::default();
            for at in TileAt::all_of(&tree::consistency_nodes(old, 66_000)) {
                some.add(at, all.get(at).unwrap().to_vec());
            }
            let proof = tree::consistency(old, 66_000, &some).unwrap();
            let before = tree::Head { size: old, root: tree::root(old, &all).unwrap() };
            tree::verify_consistency(&before, &tree::Head { size: 66_000, root }, &proof).unwrap();
        }
    }

    #[test]
    fn a_missing_or_broken_tile_is_said() {
        let mut edge = Edge::read(0, &Tiles::default()).unwrap();
        let mut tiles = edge.append(&leaves(300));
        assert!(Edge::read(300, &tiles).is_ok());
        assert!(Edge::read(301, &tiles).is_err());
        assert!(tree::inclusion(299, 301, &tiles).is_err());
        assert_eq!(tiles.add_stored(TileAt { level: 0, number: 9 }, &[0; 33]), Err(BadHashes));
        assert_eq!(tiles.add_stored(TileAt { level: 0, number: 9 }, &[]), Err(BadHashes));
        assert_eq!(tiles.add_stored(TileAt { level: 0, number: 9 }, &[0; 257 * 32]), Err(BadHashes));
        let first = Tile { at: TileAt { level: 0, number: 1 }, width: 44 };
        assert_eq!(tiles.served(first).unwrap().len(), 44 * 32);
        assert_eq!(tiles.served(Tile { width: 45, ..first }), None);
    }
}
