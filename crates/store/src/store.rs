//! The store: one folder, its log, its window in memory and its blocks.
//!
//! Locks are taken in the order maintenance, flushing, writer, catalog, shared; the last two are
//! held briefly, so that reads and appends hardly wait for each other and never for maintenance.
//! What the catalog keeps of labels is locked after all of them, by readers of few entities.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::block::{Block, Decoded};
use crate::catalog::Catalog;
use crate::error::{Damage, Error};
use crate::events::Events;
use crate::options::Options;
use crate::vfs::{LockGuard, Vfs};
use crate::window::Window;

mod append;
mod copy;
mod known;
mod maintain;
mod moment;
mod open;
mod read;
mod report;
mod tick;

pub use append::Appended;
use append::Writer;
pub use maintain::Maintained;
pub use moment::Moment;
pub use read::Last;
pub use report::{BlockSummary, Summary, Verified};

/// Folder of logs.
const WAL: &str = "wal";
/// Folder of blocks.
const BLOCKS: &str = "blocks";
/// Folder of event segments.
const EVENTS: &str = "events";
/// Folder of files that were set aside because of damage.
const QUARANTINE: &str = "quarantine";
/// Name of the lock file.
const LOCK: &str = "LOCK";

/// What readers see.
struct Shared {
    /// The window that grows.
    head: Window,
    /// Windows that are full and not blocks yet, oldest first.
    sealed: Vec<Arc<Window>>,
    /// Sorted by first time.
    blocks: Vec<Arc<Block>>,
}

impl Shared {
    /// All windows in memory, oldest first.
    fn windows(&self) -> impl Iterator<Item = &Window> {
        self.sealed.iter().map(|window| &**window).chain([&self.head])
    }
}

/// The embedded time-series store. All methods take `&self`; reads, appends and maintenance may
/// run on threads of their own.
pub struct Store {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    options: Options,
    maintenance: Mutex<()>,
    /// Held by who turns windows into blocks: a day that is compacted must not keep them waiting.
    flushing: Mutex<()>,
    writer: Mutex<Writer>,
    catalog: RwLock<Catalog>,
    shared: RwLock<Shared>,
    events: Mutex<Events>,
    /// What was set aside since the store was opened.
    quarantined: Mutex<Vec<Damage>>,
    /// Logs that hold damage: set aside instead of removed once their window is a block.
    damaged_logs: Mutex<BTreeSet<u64>>,
    /// Chunks that queries decoded lately.
    decoded: Arc<Decoded>,
    /// Number of the next query.
    queries: AtomicU64,
    _lock: Box<dyn LockGuard>,
}

impl Store {
    /// The folder it lives in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// How it works.
    pub fn options(&self) -> &Options {
        &self.options
    }

    fn wal_dir(&self) -> PathBuf {
        self.dir.join(WAL)
    }

    fn blocks_dir(&self) -> PathBuf {
        self.dir.join(BLOCKS)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared(&self) -> RwLockReadGuard<'_, Shared> {
        self.shared.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared_mut(&self) -> RwLockWriteGuard<'_, Shared> {
        self.shared.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn catalog(&self) -> RwLockReadGuard<'_, Catalog> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn catalog_mut(&self) -> RwLockWriteGuard<'_, Catalog> {
        self.catalog.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn events(&self) -> MutexGuard<'_, Events> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves a file aside and notes why.
    fn set_aside(&self, dir: &Path, name: &str, damage: Damage) -> Result<(), Error> {
        open::quarantine(&*self.vfs, &self.dir, dir, name, &damage)?;
        self.quarantined.lock().unwrap_or_else(PoisonError::into_inner).push(damage);
        Ok(())
    }
}

/// Keeps blocks in the order of their first time.
fn sort_blocks(blocks: &mut [Arc<Block>]) {
    blocks.sort_by(|left, right| {
        (left.meta.first, left.meta.resolution, &left.name).cmp(&(
            right.meta.first,
            right.meta.resolution,
            &right.name,
        ))
    });
}
