//! Opening, cutting the window into a block, joining blocks of a day, forgetting what is old.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use model::Timestamp;

use super::block::{self, Block, Writer};
use super::log::{self, Log};
use super::{Inner, SampleOptions, Samples};
use crate::error::Error;
use crate::options::millis;
use crate::vfs::Vfs;

const DAY_MS: i64 = 86_400_000;

impl Samples {
    /// Opens the samples in `dir`, whose lock the caller holds. A block that cannot be read is
    /// left out and reported; a log is replayed.
    pub fn open(
        vfs: Arc<dyn Vfs>,
        dir: PathBuf,
        options: SampleOptions,
        now: Timestamp,
    ) -> Result<Self, Error> {
        vfs.create_dir(&dir).map_err(|error| Error::io("create", &dir, error))?;
        let listed = vfs.list(&dir).map_err(|error| Error::io("list", &dir, error))?;
        let mut inner = Inner::default();
        let mut logs = Vec::new();
        for file in listed {
            let path = dir.join(&file.name);
            if let Some(number) = block::number_of(&file.name) {
                match Block::open(&*vfs, path, number, &mut inner.series) {
                    Ok(block) => inner.blocks.push(Arc::new(block)),
                    Err(error @ Error::Version { .. }) => return Err(error),
                    Err(error) => tracing::error!(%error, "a block of samples is left out"),
                }
                inner.next = inner.next.max(number + 1);
            } else if let Some(number) = log::number_of(&file.name) {
                logs.push((number, path));
            } else if path.extension().is_some_and(|end| end == "tmp") {
                vfs.remove(&path).map_err(|error| Error::io("remove", &path, error))?;
            }
        }
        inner.blocks.sort_by_key(|block| block.number);
        for block in inner.blocks.clone() {
            for (id, entry) in &block.entries {
                inner.last.insert(*id, (entry.last, f64::NAN));
            }
        }
        for (number, path) in logs {
            if !inner.blocks.iter().any(|block| block.number == number) {
                let replayed = log::replay(&*vfs, &path, &mut inner.series)?;
                if replayed.damaged > 0 {
                    tracing::error!(file = %path.display(), records = replayed.damaged, "damaged records of samples are left out");
                }
                for (id, time, value) in replayed.samples {
                    if inner.last.get(&id).is_none_or(|(last, _)| *last < time) {
                        inner.put(id, time, value);
                        inner.head_samples += 1;
                    }
                }
            }
            inner.next = inner.next.max(number + 1);
            inner.old_logs.push(path);
        }
        let samples =
            Self { disk: Some((vfs, dir)), options, inner: std::sync::RwLock::new(inner) };
        // What was replayed becomes a block at once, so that there is one log at a time.
        samples.cut(now)?;
        Ok(samples)
    }

    /// Makes what was appended survive a power cut, and does what is due: cut the window, join
    /// and drop blocks.
    pub fn maintain(&self, now: Timestamp) -> Result<(), Error> {
        let due = {
            let mut inner = self.write();
            if let Some(log) = &mut inner.log {
                log.sync()?;
            }
            let old = inner.head_since.is_some_and(|since| {
                now.millis().saturating_sub(since) >= millis(self.options.window)
            });
            old || inner.head_samples >= self.options.window_samples
        };
        if self.disk.is_none() {
            self.drop_from_memory(now);
            return Ok(());
        }
        if due {
            self.cut(now)?;
            self.join(now)?;
            self.forget(now)?;
        }
        Ok(())
    }

    /// Makes everything safe.
    pub fn close(&self) -> Result<(), Error> {
        self.write().log.as_mut().map_or(Ok(()), Log::sync)
    }

    /// Writes the window as a block and begins a new log. Readers and writers wait.
    fn cut(&self, _now: Timestamp) -> Result<(), Error> {
        let Some((vfs, dir)) = &self.disk else { return Ok(()) };
        let mut inner = self.write();
        let inner = &mut *inner;
        let number = inner.next;
        if inner.head_samples > 0 {
            let mut ids: Vec<u32> = inner.head.keys().copied().collect();
            ids.sort_unstable();
            let mut writer = Writer::create(&**vfs, dir, number)?;
            for id in ids {
                if let (Some(buffer), Some(labels)) = (inner.head.get(&id), inner.series.labels(id))
                {
                    writer.put(labels, &buffer.times, &buffer.values)?;
                }
            }
            let block = writer.finish(&mut inner.series)?;
            inner.blocks.push(Arc::new(block));
            inner.next = number + 1;
        }
        inner.head.clear();
        (inner.head_samples, inner.head_since) = (0, None);
        let number = inner.next;
        let log = Log::create(&**vfs, dir, number)?;
        if let Some(before) = inner.log.replace(log) {
            inner.old_logs.push(before.path().to_owned());
        }
        inner.next = number + 1;
        for path in std::mem::take(&mut inner.old_logs) {
            vfs.remove(&path).map_err(|error| Error::io("remove", &path, error))?;
        }
        vfs.sync_dir(dir).map_err(|error| Error::io("sync", dir, error))
    }

    /// Joins the blocks of the oldest day that is over and has several.
    fn join(&self, now: Timestamp) -> Result<(), Error> {
        let Some((vfs, dir)) = &self.disk else { return Ok(()) };
        let today = now.millis().div_euclid(DAY_MS);
        let mut days: BTreeMap<i64, Vec<Arc<Block>>> = BTreeMap::new();
        for block in &self.read().blocks {
            let day = block.last.div_euclid(DAY_MS);
            if day < today {
                days.entry(day).or_default().push(Arc::clone(block));
            }
        }
        let Some(blocks) = days.into_values().find(|blocks| blocks.len() > 1) else {
            return Ok(());
        };
        let mut ids: Vec<u32> =
            blocks.iter().flat_map(|block| block.entries.keys().copied()).collect();
        ids.sort_unstable();
        ids.dedup();
        // The newest of the joined keeps its number, and so its place among the others.
        let Some(number) = blocks.iter().map(|block| block.number).max() else { return Ok(()) };
        let mut writer = Writer::create(&**vfs, dir, number)?;
        for id in ids {
            let Some(labels) = self.read().series.labels(id).cloned() else { continue };
            let (mut times, mut values) = (Vec::new(), Vec::new());
            for (block, entry) in
                blocks.iter().filter_map(|block| Some((block, block.entries.get(&id)?)))
            {
                match block.read(entry) {
                    Ok((their_times, their_values)) => {
                        // After a crash between joining and removing, samples are there twice.
                        let from = times
                            .last()
                            .map_or(0, |last| their_times.partition_point(|time| time <= last));
                        times.extend_from_slice(&their_times[from..]);
                        values.extend_from_slice(&their_values[from..]);
                    }
                    Err(error) => tracing::error!(%error, "damaged samples are left out"),
                }
            }
            writer.put(&labels, &times, &values)?;
        }
        let mut inner = self.write();
        let joined = writer.finish(&mut inner.series)?;
        let numbers: HashSet<u64> = blocks.iter().map(|block| block.number).collect();
        inner.blocks.retain(|block| !numbers.contains(&block.number));
        inner.blocks.push(Arc::new(joined));
        inner.blocks.sort_by_key(|block| block.number);
        for block in blocks.iter().filter(|block| block.number != number) {
            vfs.remove(&block.path).map_err(|error| Error::io("remove", &block.path, error))?;
        }
        vfs.sync_dir(dir).map_err(|error| Error::io("sync", dir, error))
    }

    /// Drops blocks that are too old or too many, and series that are nowhere any more.
    fn forget(&self, now: Timestamp) -> Result<(), Error> {
        let Some((vfs, dir)) = &self.disk else { return Ok(()) };
        let oldest = now.millis().saturating_sub(millis(self.options.retention));
        let mut inner = self.write();
        let mut bytes: u64 = inner.blocks.iter().map(|block| block.bytes).sum();
        let most = self.options.retention_bytes.unwrap_or(u64::MAX);
        let mut gone = Vec::new();
        inner.blocks.retain(|block| {
            let drop = block.last < oldest || bytes > most;
            if drop {
                bytes = bytes.saturating_sub(block.bytes);
                gone.push(block.path.clone());
            }
            !drop
        });
        if gone.is_empty() {
            return Ok(());
        }
        inner.forget_unused();
        for path in gone {
            vfs.remove(&path).map_err(|error| Error::io("remove", &path, error))?;
        }
        vfs.sync_dir(dir).map_err(|error| Error::io("sync", dir, error))
    }

    /// Drops what is too old where nothing is on disk; the window's bound holds here too.
    fn drop_from_memory(&self, now: Timestamp) {
        let mut inner = self.write();
        let inner = &mut *inner;
        let mut oldest = now.millis().saturating_sub(millis(self.options.retention));
        loop {
            for buffer in inner.head.values_mut() {
                let gone = buffer.times.partition_point(|time| *time < oldest);
                buffer.times.drain(..gone);
                buffer.values.drain(..gone);
            }
            inner.head_samples = inner.head.values().map(|buffer| buffer.times.len()).sum();
            if inner.head_samples <= self.options.window_samples || oldest >= now.millis() {
                break;
            }
            oldest += (now.millis() - oldest) / 2 + 1;
        }
        inner.head.retain(|_, buffer| !buffer.times.is_empty());
        inner.forget_unused();
    }
}

impl Inner {
    /// Drops the series that neither the window nor a block has.
    fn forget_unused(&mut self) {
        for id in self.series.ids() {
            let used = self.head.contains_key(&id)
                || self.blocks.iter().any(|block| block.entries.contains_key(&id));
            if !used {
                self.series.forget(id);
                self.last.remove(&id);
            }
        }
    }
}
