//! What is there, whether it is right, and a copy of it.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use model::Timestamp;

use super::{BLOCKS, EVENTS, Store, WAL};
use crate::block::Block;
use crate::catalog::Catalog;
use crate::error::{Damage, Error};
use crate::vfs::read_all;
use crate::{FORMAT, wal};

/// A block as [`Store::summary`] shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockSummary {
    /// File name.
    pub name: String,
    /// Length of a bucket; `None` for raw values.
    pub resolution: Option<Duration>,
    /// Whether it is a compacted day.
    pub compacted: bool,
    /// First and last time.
    pub range: (Timestamp, Timestamp),
    /// Size of the file.
    pub bytes: u64,
    /// Values held.
    pub samples: u64,
    /// (entity, metric) pairs held.
    pub series: u64,
}

/// A store in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Version of the files it writes.
    pub format: u32,
    /// First and last time of raw values; `None` when there are none.
    pub range: Option<(Timestamp, Timestamp)>,
    /// The blocks by time.
    pub blocks: Vec<BlockSummary>,
    /// Entities known from loaded indexes and windows.
    pub entities: usize,
    /// Values in memory.
    pub head_samples: u64,
    /// Series in memory.
    pub head_series: usize,
    /// Bytes of memory that windows take, without labels.
    pub head_bytes: usize,
    /// Bytes of memory that indexes of blocks take just now.
    pub index_bytes: u64,
    /// Bytes of memory that entities and their labels take, about.
    pub catalog_bytes: usize,
    /// Size of the growing log.
    pub wal_bytes: u64,
    /// Events stored, and the size of their files.
    pub events: (usize, u64),
    /// What was found damaged since the store was opened.
    pub damage: Vec<Damage>,
    /// Why writing has stopped, if it has.
    pub poisoned: Option<String>,
}

/// What [`Store::verify`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Files read.
    pub files: usize,
    /// Bytes read.
    pub bytes: u64,
    /// Values decoded.
    pub samples: u64,
    /// What does not hold what it should.
    pub damage: Vec<Damage>,
}

impl Store {
    /// What the store holds.
    pub fn summary(&self) -> Summary {
        let (wal_bytes, poisoned) = {
            let writer = self.writer();
            (writer.log.as_ref().map_or(0, |log| log.len), writer.poisoned.clone())
        };
        let (entities, catalog_bytes) = {
            let catalog = self.catalog();
            (catalog.len(), catalog.heap_bytes())
        };
        let mut damage = self.quarantined.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let events = self.events().size();
        let shared = self.shared();
        let mut summary = Summary {
            format: FORMAT,
            range: None,
            blocks: Vec::new(),
            entities,
            head_samples: 0,
            head_series: 0,
            head_bytes: 0,
            index_bytes: 0,
            catalog_bytes,
            wal_bytes,
            events,
            damage: Vec::new(),
            poisoned,
        };
        let mut range: Option<(i64, i64)> = None;
        let mut widen = |first: i64, last: i64| {
            range = Some(range.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
        };
        for block in &shared.blocks {
            let meta = &block.meta;
            if meta.resolution == 0 {
                widen(meta.first, meta.last);
            }
            damage.extend(block.damage());
            summary.index_bytes += block.loaded().map_or(0, |index| index.heap_bytes());
            summary.blocks.push(summarize(block));
        }
        for window in shared.windows() {
            if let (Some(first), Some(last)) = (window.ticks.first(), window.ticks.last()) {
                widen(*first, *last);
            }
            let (bytes, series) = window.size();
            summary.head_bytes += bytes;
            summary.head_series += series;
            summary.head_samples += window.samples;
        }
        summary.range = range
            .map(|(first, last)| (Timestamp::from_millis(first), Timestamp::from_millis(last)));
        summary.damage = damage;
        summary
    }

    /// What was found damaged since the store was opened, and reads as a gap.
    pub fn damage(&self) -> Vec<Damage> {
        let mut damage = self.quarantined.lock().unwrap_or_else(PoisonError::into_inner).clone();
        damage.extend(self.shared().blocks.iter().flat_map(|block| block.damage()));
        damage
    }

    /// Reads and checks every file. Calls `progress(files done, files in all)`. Appends and
    /// reads go on meanwhile.
    pub fn verify(&self, mut progress: impl FnMut(usize, usize)) -> Result<Verified, Error> {
        let guards = (self.maintenance(), self.flushing());
        let blocks: Vec<Arc<Block>> = self.shared().blocks.clone();
        let dir = self.wal_dir();
        let logs = self.vfs.list(&dir).map_err(|error| Error::io("list", &dir, error))?;
        let total = blocks.len() + logs.len() + 1;
        let mut verified = Verified::default();
        for block in blocks {
            let known = block.loaded().is_some();
            let index = block.index(&mut self.catalog_mut());
            match index {
                Ok(index) => {
                    let (samples, damage) = Block::verify(&block, &index);
                    verified.samples += samples;
                    verified.damage.extend(damage);
                }
                Err(error) => verified.damage.push(super::open::damage_of(&error).ok_or(error)?),
            }
            if !known {
                block.unload();
            }
            verified.bytes += block.bytes;
            verified.files += 1;
            progress(verified.files, total);
        }
        for log in logs {
            let path = dir.join(&log.name);
            match wal::replay(&*self.vfs, &path, &mut Catalog::default()) {
                Ok(replay) => {
                    verified.samples += replay.window.samples;
                    verified.bytes += replay.len;
                    verified.damage.extend(replay.damage);
                }
                Err(error) => verified.damage.push(super::open::damage_of(&error).ok_or(error)?),
            }
            verified.files += 1;
            progress(verified.files, total);
        }
        drop(guards);
        verified.damage.extend(self.events().verify()?);
        verified.files += 1;
        progress(total, total);
        Ok(verified)
    }

    /// Makes a copy that can be opened as a store in `to`, a folder on the same disk that must
    /// not hold one. Blocks are linked, not copied; appends wait while the log is copied.
    pub fn snapshot(&self, to: &Path, now: Timestamp) -> Result<(), Error> {
        let guards = (self.maintenance(), self.flushing());
        self.sync(now)?;
        for part in ["", WAL, BLOCKS, EVENTS] {
            let dir = to.join(part);
            self.vfs.create_dir(&dir).map_err(|error| Error::io("create", &dir, error))?;
        }
        let link = |from: &Path, to: &Path| {
            self.vfs.link(from, to).map_err(|error| Error::io("link", to, error))
        };
        {
            let writer = self.writer();
            let dir = self.wal_dir();
            for log in self.vfs.list(&dir).map_err(|error| Error::io("list", &dir, error))? {
                self.copy(&dir.join(&log.name), &to.join(WAL).join(&log.name))?;
            }
            drop(writer);
            let blocks: Vec<Arc<Block>> = self.shared().blocks.clone();
            for block in &blocks {
                link(&self.blocks_dir().join(&block.name), &to.join(BLOCKS).join(&block.name))?;
            }
        }
        {
            let mut events = self.events();
            events.sync()?;
            let dir = self.dir.join(EVENTS);
            for file in self.vfs.list(&dir).map_err(|error| Error::io("list", &dir, error))? {
                self.copy(&dir.join(&file.name), &to.join(EVENTS).join(&file.name))?;
            }
        }
        for part in [WAL, BLOCKS, EVENTS, ""] {
            let dir = to.join(part);
            self.vfs.sync_dir(&dir).map_err(|error| Error::io("sync", &dir, error))?;
        }
        drop(guards);
        Ok(())
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<(), Error> {
        let bytes = self
            .vfs
            .open(from)
            .and_then(|file| read_all(&*file))
            .map_err(|error| Error::io("read", from, error))?;
        let write = || {
            let file = self.vfs.create(to)?;
            file.append(&bytes)?;
            file.sync()
        };
        write().map_err(|error| Error::io("write", to, error))
    }
}

fn summarize(block: &Block) -> BlockSummary {
    let meta = &block.meta;
    BlockSummary {
        name: block.name.clone(),
        resolution: (meta.resolution > 0)
            .then(|| Duration::from_millis(meta.resolution.unsigned_abs())),
        compacted: meta.compacted,
        range: (Timestamp::from_millis(meta.first), Timestamp::from_millis(meta.last)),
        bytes: block.bytes,
        samples: meta.samples,
        series: meta.series,
    }
}
