//! What is signed about a tree (C2SP tlog-checkpoint): whose it is, how many leaves it has, and its root.

use data_encoding::BASE64;
use std::fmt;
use std::str::FromStr;

use super::note::{NoteError, Origin};
use super::tree::Head;
use crate::domain::details::Digest;

/// A tree at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: Origin,
    pub size: u64,
    pub root: Digest,
}

/// Why a checkpoint isn't believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    #[error(transparent)]
    Note(#[from] NoteError),
    #[error("the note isn't a checkpoint")]
    Form,
    #[error("the checkpoint is of the log {0}")]
    OtherLog(Origin),
}

impl Checkpoint {
    /// The tree without its name.
    pub const fn head(&self) -> Head {
        Head { size: self.size, root: self.root }
    }
}

impl fmt::Display for Checkpoint {
    /// The text that is signed: three lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, BASE64.encode(self.root.bytes()))
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    /// Reads what `Display` writes. Extension lines are refused: our logs write none, and nobody could audit them.
    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let form = || CheckpointError::Form;
        let mut lines = text.strip_suffix('\n').ok_or_else(form)?.split('\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(form());
        };
        let root: [u8; 32] =
            BASE64.decode(root.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(form)?;
        let checkpoint = Self {
            origin: Origin::parse(origin).map_err(|_| form())?,
            size: size.parse().map_err(|_| form())?,
            root: Digest::from_bytes(root),
        };
        // A size is written in one way only.
        if checkpoint.to_string() == text { Ok(checkpoint) } else { Err(form()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of C2SP tlog-checkpoint.
    const EXAMPLE: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_example_reads_back() {
        let checkpoint: Checkpoint = EXAMPLE.parse().unwrap();
        assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/behind-the-sofa", 20_852_163));
        assert_eq!(checkpoint.to_string(), EXAMPLE);
    }

    #[test]
    fn nothing_else_is_a_checkpoint() {
        for bad in [
            "",
            "\n",
            &EXAMPLE.replace("20852163", "020852163"),
            &EXAMPLE.replace("20852163", "+20852163"),
            &EXAMPLE.replace("20852163", "-1"),
            &EXAMPLE.replace("20852163", "18446744073709551616"),
            &EXAMPLE.replace("example.com", "example com"),
            &EXAMPLE.replace("q2I=", "q2I"),
            &EXAMPLE.replace("CsUY", "CsU"),
            EXAMPLE.trim_end(),
            &format!("{EXAMPLE}extension\n"),
            &format!("{EXAMPLE}\n"),
        ] {
            assert_eq!(bad.parse::<Checkpoint>(), Err(CheckpointError::Form), "{bad:?}");
        }
    }
}
