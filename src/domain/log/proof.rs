//! The proof that goes with a receipt (C2SP tlog-proof): where a leaf is, the way to the root, and the signed
//! checkpoint that has this root. It is checked without network and without database.

use data_encoding::BASE64;
use std::fmt;
use std::str::FromStr;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::keys::LogKeys;
use super::note::Note;
use super::tree::{self, TreeError};
use crate::domain::details::Digest;
use crate::domain::time::Timestamp;

/// First line of every proof.
const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// A tree of 2^64 leaves has paths of this length.
const LONGEST_PATH: usize = 64;

/// A leaf's place in a log, with everything that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// What the application adds. Nothing in the proof protects it.
    pub extra: Option<Vec<u8>>,
    pub index: u64,
    /// From the leaf's sibling up.
    pub path: Vec<Digest>,
    pub checkpoint: Note,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("not a proof")]
    Form,
    #[error("the proof's checkpoint isn't believed: {0}")]
    Checkpoint(#[from] CheckpointError),
    #[error("the leaf isn't in the checkpoint's tree: {0}")]
    Tree(#[from] TreeError),
}

impl TlogProof {
    /// Checks that `leaf` is in the log, and gives the checkpoint that says so. `at` is when the checkpoint was
    /// signed, as far as that is known.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn verify(&self, leaf: &Digest, keys: &LogKeys, at: Timestamp) -> Result<Checkpoint, ProofError> {
        let checkpoint = keys.open(&self.checkpoint, at)?;
        tree::verify_inclusion(leaf, self.index, checkpoint.size, &self.path, &checkpoint.root)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", BASE64.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", BASE64.encode(hash.bytes())))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for TlogProof {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or(ProofError::Form)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(ProofError::Form);
        }
        let extra = match lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            Some(extra) => Some(BASE64.decode(extra.as_bytes()).map_err(|_| ProofError::Form)?),
            None => None,
        };
        if extra.is_some() {
            lines.next();
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or(ProofError::Form)?;
        let index = index.parse::<u64>().ok().filter(|number| number.to_string() == index).ok_or(ProofError::Form)?;
        let path: Vec<Digest> = lines.map(hash).collect::<Option<_>>().ok_or(ProofError::Form)?;
        if path.len() > LONGEST_PATH {
            return Err(ProofError::Form);
        }
        let checkpoint = checkpoint.parse().map_err(CheckpointError::Note)?;
        Ok(Self { extra, index, path, checkpoint })
    }
}

fn hash(line: &str) -> Option<Digest> {
    let bytes = BASE64.decode(line.as_bytes()).ok()?;
    bytes.try_into().ok().map(Digest::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::super::keys::tests::{NOW, keys, signed};
    use super::super::note::{NoteError, Origin};
    use super::super::tile::{Edge, Tiles};
    use super::*;

    const NAME: &str = "a.example/log";

    fn leaves() -> Vec<Digest> {
        (0..300_u32).map(|number| Digest::of(&[&[0][..], &number.to_be_bytes()].concat())).collect()
    }

    /// A proof of leaf 257 of 300, in the log of this name.
    fn proof(name: &str) -> TlogProof {
        let mut edge = Edge::read(0, &Tiles::default()).unwrap();
        let tiles = edge.append(&leaves());
        let checkpoint =
            Checkpoint { origin: Origin::parse(name).unwrap(), size: edge.size(), root: edge.root().unwrap() };
        let path = tree::inclusion(257, edge.size(), &tiles).unwrap();
        TlogProof { extra: None, index: 257, path, checkpoint: signed(1, name, &checkpoint) }
    }

    #[test]
    fn a_proof_reads_back_and_proves_its_leaf() {
        for extra in [None, Some(Vec::new()), Some(vec![1, 2, 3])] {
            let proof = TlogProof { extra, ..proof(NAME) };
            let text = proof.to_string();
            let reread: TlogProof = text.parse().unwrap();
            assert_eq!((&reread, reread.to_string()), (&proof, text));
            assert_eq!(reread.verify(&leaves()[257], &keys(NAME, &[1]), NOW).unwrap().size, 300);
        }
    }

    #[test]
    fn a_proof_of_something_else_proves_nothing() {
        let (leaf, keys) = (leaves()[257], keys(NAME, &[1]));
        let good = proof(NAME);
        let fails = |proof: &TlogProof, leaf: &Digest| proof.verify(leaf, &keys, NOW).unwrap_err();
        assert_eq!(fails(&good, &leaves()[256]), TreeError::OtherRoot.into());
        assert_eq!(fails(&TlogProof { index: 256, ..good.clone() }, &leaf), TreeError::OtherRoot.into());
        let outside = TreeError::NotInTree { index: 300, size: 300 };
        assert_eq!(fails(&TlogProof { index: 300, ..good.clone() }, &leaf), outside.into());
        let cut = TlogProof { path: good.path[..good.path.len() - 1].to_vec(), ..good.clone() };
        assert_eq!(fails(&cut, &leaf), TreeError::Length.into());
        // A wrong root, signed all the same.
        let root = Checkpoint { origin: keys.origin.clone(), size: 300, root: Digest::of(b"other") };
        let wrong = TlogProof { checkpoint: signed(1, NAME, &root), ..good.clone() };
        assert_eq!(fails(&wrong, &leaf), TreeError::OtherRoot.into());
        // Another log's checkpoint, and the right text under another key.
        let other = fails(&proof("b.example/log"), &leaf);
        assert_eq!(other, ProofError::Checkpoint(CheckpointError::Note(NoteError::Unsigned)));
        let stranger = good.verify(&leaf, &super::super::keys::tests::keys(NAME, &[2]), NOW);
        assert_eq!(stranger, Err(ProofError::Checkpoint(CheckpointError::Note(NoteError::Unsigned))));
    }

    #[test]
    fn what_is_no_proof_is_refused() {
        let good = proof(NAME).to_string();
        for bad in [
            String::new(),
            good.replace("@v1", "@v2"),
            good.replace("index 257", "index 0257"),
            good.replace("index 257", "index +257"),
            good.replace("index 257\n", ""),
            good.replace("index 257", "extra ?\nindex 257"),
            good.replace("index 257", "index 257\nAAAA"),
            good.replacen('\n', "\r\n", 1),
        ] {
            assert_eq!(bad.parse::<TlogProof>(), Err(ProofError::Form), "{bad:?}");
        }
        let unsigned = good.split('\u{2014}').next().unwrap();
        assert!(matches!(unsigned.parse::<TlogProof>(), Err(ProofError::Checkpoint(_))));
    }
}
