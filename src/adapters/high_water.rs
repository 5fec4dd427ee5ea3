//! Where the log's high-water mark is kept: a file that isn't in the database, or nowhere for a deployment that is only
//! for looking. The file holds the newest checkpoint as it was signed, so that any published one can stand in its place.
//!
//! May import: `ports`, tokio.

use async_trait::async_trait;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::ports::log::{MarkError, MarkFile};

/// A file beside the database's own.
pub struct FileMark {
    path: PathBuf,
}

impl FileMark {
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

fn failed(what: &'static str) -> impl Fn(std::io::Error) -> MarkError {
    move |source| MarkError { what, source: Box::new(source) }
}

#[async_trait]
impl MarkFile for FileMark {
    async fn read(&self) -> Result<Option<String>, MarkError> {
        let path = self.path.clone();
        let read = move || match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read")(error)),
        };
        blocking("read", read).await
    }

    async fn write(&self, note: &str) -> Result<(), MarkError> {
        let (path, note) = (self.path.clone(), note.to_owned());
        blocking("written", move || replace(&path, &note).map_err(failed("written"))).await
    }
}

async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, MarkError> + Send + 'static,
) -> Result<T, MarkError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| MarkError { what, source: Box::new(error) })?
}

/// Whoever reads the file sees the old text or the new one, also after a power cut.
fn replace(path: &Path, note: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // Two processes that were given one file must not write into each other's.
    name.push(format!(".{}.new", std::process::id()));
    let fresh = folder.join(name);
    let mut file = std::fs::File::create(&fresh)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    std::fs::File::open(folder)?.sync_all()
}

/// A mark that ends with its process.
#[derive(Default)]
pub struct MemoryMark(Mutex<Option<String>>);

#[async_trait]
impl MarkFile for MemoryMark {
    async fn read(&self) -> Result<Option<String>, MarkError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn write(&self, note: &str) -> Result<(), MarkError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(note.to_owned());
        Ok(())
    }
}
