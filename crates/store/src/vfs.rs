//! The few file operations that the store needs, as a trait: the real disk, or a simulated one.
//!
//! Knows nothing of formats. Every durability promise of the store rests on `sync` and
//! `sync_dir` alone.

use std::io;
use std::path::Path;
use std::sync::Arc;

mod disk;
mod simulated;

pub use disk::Disk;
pub use simulated::{Fault, Simulated};

/// An open file. Reads are positional, writes only append.
pub trait File: Send + Sync {
    /// Current length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether it holds nothing.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `buffer` from `offset`; fails with `UnexpectedEof` beyond the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Adds `bytes` at the end. Survives the process, not a power cut.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Makes the content survive a power cut.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file to `len` bytes.
    fn truncate(&self, len: u64) -> io::Result<()>;
}

/// Why a lock was not taken.
#[derive(Debug)]
pub enum LockError {
    /// Somebody holds it; this is what they wrote into it.
    Held(String),
    /// The operating system refused.
    Io(io::Error),
}

/// Holds a lock until dropped.
pub trait LockGuard: Send + Sync {}

/// A name in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// File name.
    pub name: String,
    /// Length in bytes.
    pub bytes: u64,
}

/// A file system.
pub trait Vfs: Send + Sync {
    /// Creates an empty file, replacing one of that name.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Opens an existing file to read and append.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// The files in a folder, sorted by name; folders are left out.
    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>>;

    /// Creates a folder and its parents.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Gives a file another name, replacing one of that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Unlinks a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Gives an immutable file a second name (a hard link, or a copy where there are none).
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes creations, renames and removals in `dir` survive a power cut.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the lock file at `path` and writes `holder` into it.
    fn lock(&self, path: &Path, holder: &str) -> Result<Box<dyn LockGuard>, LockError>;
}

/// The whole content of a file.
pub(crate) fn read_all(file: &dyn File) -> io::Result<Vec<u8>> {
    let len = usize::try_from(file.len()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; len];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}
