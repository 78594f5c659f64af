//! Opening: take the lock, sort out files, replay logs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, RwLock};

use model::Timestamp;

use super::append::Writer;
use super::{BLOCKS, EVENTS, LOCK, QUARANTINE, Shared, Store, WAL, sort_blocks};
use crate::block::{Block, Decoded, windows_of};
use crate::catalog::Catalog;
use crate::error::{Damage, Error};
use crate::events::Events;
use crate::options::Options;
use crate::telemetry;
use crate::vfs::{LockError, Vfs};
use crate::wal::{self, Log};
use crate::window::Window;

/// Most files kept in quarantine; the oldest by name go first.
const MAX_QUARANTINED: usize = 64;

/// What the logs held.
#[derive(Default)]
struct Recovered {
    head: Option<(Window, PathBuf, u64)>,
    sealed: Vec<Arc<Window>>,
    damaged: BTreeSet<u64>,
    last_id: u64,
}

impl Store {
    /// Opens the store in `dir`, creating it when it is not there. Fails when another process
    /// owns it or it was written by a newer version. Damaged files are set aside in
    /// `quarantine/` and reported by [`Store::summary`].
    pub fn open(
        vfs: Arc<dyn Vfs>,
        dir: impl Into<PathBuf>,
        options: Options,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let dir = dir.into();
        for part in ["", WAL, BLOCKS, EVENTS, QUARANTINE] {
            let path = dir.join(part);
            vfs.create_dir(&path).map_err(|error| Error::io("create", &path, error))?;
        }
        let path = dir.join(LOCK);
        let holder = format!("process {} since {now}", std::process::id());
        let lock = vfs.lock(&path, &holder).map_err(|error| match error {
            LockError::Held(holder) => Error::Locked { path, holder },
            LockError::Io(error) => Error::io("lock", &path, error),
        })?;
        vfs.sync_dir(&dir).map_err(|error| Error::io("sync", &dir, error))?;
        let mut quarantined = Vec::new();
        let blocks = open_blocks(&*vfs, &dir, &mut quarantined)?;
        let mut catalog = Catalog::default();
        let mut logs = recover(&*vfs, &dir, &blocks, &mut catalog, &mut quarantined)?;
        trim_quarantine(&*vfs, &dir)?;
        let events = Events::open(Arc::clone(&vfs), dir.join(EVENTS), &mut quarantined)?;
        let newest = blocks
            .iter()
            .filter(|block| block.meta.resolution == 0)
            .map(|block| block.meta.last)
            .chain(logs.sealed.iter().filter_map(|window| window.ticks.last().copied()))
            .chain(logs.head.iter().filter_map(|(window, ..)| window.ticks.last().copied()))
            .max();
        let flushed = windows_of(&blocks).last().copied();
        let next_window = logs.last_id.max(flushed.unwrap_or(0)) + 1;
        let (head, log) = match logs.head.take() {
            Some((window, path, len)) => (window, Some(Log::reopen(&*vfs, path, len)?)),
            None => (Window::new(0, 0, 0), None),
        };
        let decoded = Arc::new(Decoded::new(options.decoded_bytes));
        let store = Self {
            vfs,
            dir,
            options,
            maintenance: Mutex::default(),
            flushing: Mutex::default(),
            writer: Mutex::new(Writer::new(log, newest, next_window, now)),
            catalog: RwLock::new(catalog),
            shared: RwLock::new(Shared { head, sealed: logs.sealed, blocks }),
            events: Mutex::new(events),
            quarantined: Mutex::new(quarantined),
            damaged_logs: Mutex::new(logs.damaged),
            queries: AtomicU64::new(1),
            decoded,
            _lock: lock,
        };
        Ok(store)
    }
}

/// Moves the file `name` of `dir` into the quarantine.
pub(super) fn quarantine(
    vfs: &dyn Vfs,
    root: &Path,
    dir: &Path,
    name: &str,
    damage: &Damage,
) -> Result<(), Error> {
    tracing::warn!(file = %damage.file.display(), offset = damage.offset, what = damage.what,
        "damaged file set aside");
    metrics::counter!(telemetry::DAMAGED).increment(1);
    let to = root.join(QUARANTINE);
    vfs.rename(&dir.join(name), &to.join(name))
        .and_then(|()| vfs.sync_dir(&to))
        .and_then(|()| vfs.sync_dir(dir))
        .map_err(|error| Error::io("set aside", &dir.join(name), error))
}

fn trim_quarantine(vfs: &dyn Vfs, root: &Path) -> Result<(), Error> {
    let dir = root.join(QUARANTINE);
    let files = vfs.list(&dir).map_err(|error| Error::io("list", &dir, error))?;
    for file in files.iter().rev().skip(MAX_QUARANTINED) {
        let path = dir.join(&file.name);
        vfs.remove(&path).map_err(|error| Error::io("remove", &path, error))?;
    }
    Ok(())
}

/// The damage that an error reports, if it is about damage.
pub(super) fn damage_of(error: &Error) -> Option<Damage> {
    match error {
        Error::Corrupt { file, offset, what } => {
            Some(Damage { file: file.clone(), offset: *offset, what })
        }
        _ => None,
    }
}

fn open_blocks(
    vfs: &dyn Vfs,
    root: &Path,
    quarantined: &mut Vec<Damage>,
) -> Result<Vec<Arc<Block>>, Error> {
    let dir = root.join(BLOCKS);
    let remove = |name: &str| {
        let path = dir.join(name);
        vfs.remove(&path).map_err(|error| Error::io("remove", &path, error))
    };
    // A block whose name is not safe yet must not be the reason to remove what it replaced.
    vfs.sync_dir(&dir).map_err(|error| Error::io("sync", &dir, error))?;
    let mut blocks = Vec::new();
    for file in vfs.list(&dir).map_err(|error| Error::io("list", &dir, error))? {
        if file.name.strip_suffix(".tmp").is_some() {
            remove(&file.name)?;
        } else if file.name.strip_suffix(".blk").is_some() {
            match Block::open(vfs, &dir, &file.name) {
                Ok(block) => blocks.push(Arc::new(block)),
                Err(error) => match damage_of(&error) {
                    Some(damage) => {
                        quarantine(vfs, root, &dir, &file.name, &damage)?;
                        quarantined.push(damage);
                    }
                    None => return Err(error),
                },
            }
        }
    }
    // A crash between the last steps of a merge or a compaction leaves files that it replaced,
    // or rollups whose day was not written.
    let raw = || blocks.iter().filter(|block| block.meta.resolution == 0);
    let merged = windows_of(raw().filter(|block| block.meta.windows.len() > 1));
    let compacted = windows_of(raw().filter(|block| block.meta.compacted));
    let waiting = &windows_of(blocks.iter().filter(|block| !block.meta.compacted)) - &compacted;
    // A rollup whose day was set aside stays: it is all that is left of it.
    let superseded = |block: &Block| {
        let windows = &block.meta.windows;
        if block.meta.resolution > 0 {
            windows.iter().any(|window| waiting.contains(window))
        } else {
            let single = windows.len() == 1;
            let replaced =
                |window: &u64| compacted.contains(window) || single && merged.contains(window);
            !block.meta.compacted && windows.iter().all(replaced)
        }
    };
    for block in blocks.iter().filter(|block| superseded(block)) {
        remove(&block.name)?;
    }
    blocks.retain(|block| !superseded(block));
    sort_blocks(&mut blocks);
    Ok(blocks)
}

fn recover(
    vfs: &dyn Vfs,
    root: &Path,
    blocks: &[Arc<Block>],
    catalog: &mut Catalog,
    quarantined: &mut Vec<Damage>,
) -> Result<Recovered, Error> {
    let dir = root.join(WAL);
    let flushed = windows_of(blocks);
    vfs.sync_dir(&dir).map_err(|error| Error::io("sync", &dir, error))?;
    let mut found: Vec<(u64, String)> = vfs
        .list(&dir)
        .map_err(|error| Error::io("list", &dir, error))?
        .into_iter()
        .filter_map(|file| Some((wal::window_of(&file.name)?, file.name)))
        .collect();
    found.sort();
    let mut recovered = Recovered::default();
    let count = found.len();
    for (at, (id, name)) in found.into_iter().enumerate() {
        recovered.last_id = recovered.last_id.max(id);
        let path = dir.join(&name);
        if flushed.contains(&id) {
            vfs.remove(&path).map_err(|error| Error::io("remove", &path, error))?;
            continue;
        }
        let replay = match wal::replay(vfs, &path, catalog) {
            Ok(replay) => replay,
            Err(error) => {
                let Some(damage) = damage_of(&error) else { return Err(error) };
                if wal::is_stillborn(vfs, &path)? {
                    vfs.remove(&path).map_err(|error| Error::io("remove", &path, error))?;
                } else {
                    quarantine(vfs, root, &dir, &name, &damage)?;
                    quarantined.push(damage);
                }
                continue;
            }
        };
        if let Some(at) = replay.torn_at {
            tracing::info!(file = %path.display(), at, "torn end of the log dropped");
        }
        if replay.damage.is_empty() && at + 1 == count {
            recovered.head = Some((replay.window, path, replay.torn_at.unwrap_or(replay.len)));
            continue;
        }
        if !replay.damage.is_empty() {
            let lost = replay.lost_frames;
            tracing::warn!(file = %path.display(), places = replay.damage.len(), lost, "damaged log");
            metrics::counter!(telemetry::DAMAGED).increment(replay.damage.len() as u64);
            quarantined.extend(replay.damage);
            recovered.damaged.insert(id);
        }
        // An empty window is sealed too: turning it into a block removes its log.
        let mut window = replay.window;
        window.rest();
        recovered.sealed.push(Arc::new(window));
    }
    Ok(recovered)
}
