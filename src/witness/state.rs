//! What a witness has seen: one tree for each log, in a small file that is replaced whole. The new one is on the disk
//! before anything is signed about it.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::domain::details::Digest;
use crate::domain::log::tree::Head;
use crate::domain::log::{Note, Origin};

/// The memory can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("the witness's memory can't be read or written")]
    Io(#[from] io::Error),
    #[error("the witness's memory doesn't read; a witness that forgot what it saw is none")]
    Form(#[from] serde_json::Error),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tree {
    size: u64,
    root: Digest,
    /// The checkpoint as the log signed it. Memories from before it was kept have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// The trees that were cosigned last.
#[derive(Debug)]
pub struct Seen {
    path: PathBuf,
    trees: BTreeMap<String, Tree>,
}

impl Seen {
    /// Reads the memory; there is none before the first tree.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let trees = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error.into()),
        };
        Ok(Self { path: path.to_path_buf(), trees })
    }

    pub fn of(&self, origin: &Origin) -> Option<Head> {
        self.trees.get(origin.as_str()).map(|tree| Head { size: tree.size, root: tree.root })
    }

    /// The checkpoint of a log that was seen last.
    pub fn note_of(&self, origin: &str) -> Option<Note> {
        self.trees.get(origin)?.note.as_ref()?.parse().ok()
    }

    /// Remembers a tree, with the checkpoint that says it. When this returns it outlives a power cut.
    ///
    /// # Errors
    /// [`StateError`]; then the memory is as it was.
    pub fn set(&mut self, origin: &Origin, head: Head, note: &Note) -> Result<(), StateError> {
        let mut trees = self.trees.clone();
        let tree = Tree { size: head.size, root: head.root, note: Some(note.to_string()) };
        trees.insert(origin.as_str().to_owned(), tree);
        replace(&self.path, &serde_json::to_vec(&trees)?)?;
        self.trees = trees;
        Ok(())
    }

    /// Keeps two checkpoints of a log that can't both be: the one that was seen, and the newer. They stand in a file
    /// beside the memory, whose name is made of what is in it: the same pair seen again makes no second file.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn keep_evidence(&self, origin: &Origin, newer: &Note) -> Result<PathBuf, StateError> {
        let seen = match self.trees.get(origin.as_str()) {
            Some(Tree { note: Some(note), .. }) => note.clone(),
            Some(tree) => format!("{}\n{}\n{}\n", origin, tree.size, BASE64.encode(tree.root.bytes())),
            None => String::new(),
        };
        let text = format!("{seen}\n{newer}");
        let name = Digest::of(text.as_bytes()).to_string();
        let path = self.path.with_extension(format!("evidence-{}", name.get(..16).unwrap_or(&name)));
        replace(&path, text.as_bytes())?;
        Ok(path)
    }
}

/// Replaces a file, so that whoever reads it sees the old text or the new one, also after a power cut.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    // The new name is on the disk only once its folder is.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
