//! What a witness has seen: one tree for each log, in a small file that is replaced whole. The new one is on the disk
//! before anything is signed about it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::domain::details::Digest;
use crate::domain::log::Origin;
use crate::domain::log::tree::Head;

/// The memory can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("the witness's memory can't be read or written")]
    Io(#[from] io::Error),
    #[error("the witness's memory doesn't read; a witness that forgot what it saw is none")]
    Form(#[from] serde_json::Error),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tree {
    size: u64,
    root: Digest,
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

    /// Remembers a tree. When this returns it outlives a power cut.
    ///
    /// # Errors
    /// [`StateError`]; then the memory is as it was.
    pub fn set(&mut self, origin: &Origin, head: Head) -> Result<(), StateError> {
        let mut trees = self.trees.clone();
        trees.insert(origin.as_str().to_owned(), Tree { size: head.size, root: head.root });
        let beside = self.path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&beside)?;
        file.write_all(&serde_json::to_vec(&trees)?)?;
        file.sync_all()?;
        std::fs::rename(&beside, &self.path)?;
        // The new name is on the disk only once its folder is.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        self.trees = trees;
        Ok(())
    }
}
