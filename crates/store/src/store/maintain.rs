//! Maintenance: windows become blocks, many blocks one, blocks become days, old days are unlinked.
//!
//! Every step leaves the folder valid at each moment; a crash repeats work, it loses nothing.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use model::Timestamp;
use roaring::RoaringBitmap;

use super::open::damage_of;
use super::{Store, sort_blocks};
use crate::block::{self, Block, Index, Meta};
use crate::error::{Damage, Error};
use crate::merge::{Merge, Rollup, WindowSource, bucket_of};
use crate::options::millis;
use crate::window::Window;
use crate::{telemetry, wal};

/// pco's effort for blocks that live for hours.
const WINDOW_LEVEL: usize = 4;
/// pco's effort for blocks that are kept.
const DAY_LEVEL: usize = 8;
/// How long after a window's end its last batch is waited for.
const GRACE_MS: i64 = 5 * 60_000;
/// Entities are forgotten when so many times as many are known as windows hold.
const FORGET_FROM: usize = 4;
/// How long after a failure maintenance waits before it tries to write again.
const RETRY: Duration = Duration::from_secs(30);
const DAY_MS: i64 = 86_400_000;

/// What a maintenance step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Windows that became blocks.
    pub flushed: usize,
    /// Blocks of windows that became one.
    pub merged: usize,
    /// Days that were compacted; at most one a step.
    pub compacted: usize,
    /// Files that were unlinked for age or size.
    pub retired: usize,
    /// Whether there is more to do now.
    pub more: bool,
}

/// A block and its index.
type Input = (Arc<Block>, Arc<Index>);
type Guard<'a> = MutexGuard<'a, ()>;

impl Store {
    /// One step of maintenance: syncs if due, ends a window whose time is over, turns windows
    /// into blocks, compacts at most one day, unlinks what is too old or too much. Call it every
    /// second or so, on any thread; it may take as long as a day's values take to compress. When
    /// writing has stopped, it tries to [`resume`](Store::resume) every 30 seconds.
    pub fn maintain(&self, now: Timestamp) -> Result<Maintained, Error> {
        let guard = self.maintenance();
        // First of all, since it may make room on a full disk.
        let retired = self.retire(&guard, now)?;
        self.retry(&guard, now)?;
        self.sync_if_due(now)?;
        {
            let mut writer = self.writer();
            let over = {
                let head = &self.shared().head;
                head.id != 0 && now.millis() >= head.end.saturating_add(GRACE_MS)
            };
            if over {
                self.seal(&mut writer);
            }
        }
        let flushed = self.flush_sealed(&self.flushing())?;
        let compacted = usize::from(self.compact_one(&guard, now)?);
        let merged = if compacted > 0 { 0 } else { self.merge_one(&guard, now)? };
        self.unload(&guard);
        let more = merged > 0 || compacted > 0 && self.next_day(now).is_some();
        Ok(Maintained { flushed, merged, compacted, retired, more })
    }

    /// Ends the growing window and turns all windows into blocks. Answers how many.
    pub fn flush(&self, now: Timestamp) -> Result<usize, Error> {
        let _guard = self.maintenance();
        self.sync(now)?;
        self.seal(&mut self.writer());
        self.flush_sealed(&self.flushing())
    }

    /// Compacts every day that is over. Answers how many.
    pub fn compact(&self, now: Timestamp) -> Result<usize, Error> {
        let guard = self.maintenance();
        let mut days = 0;
        while self.compact_one(&guard, now)? {
            days += 1;
        }
        Ok(days)
    }

    /// Unlinks what is too old or too much. Answers how many files.
    pub fn retain(&self, now: Timestamp) -> Result<usize, Error> {
        self.retire(&self.maintenance(), now)
    }

    /// Tries to write again after a failed write or sync: what is in memory becomes a block, and
    /// a new log is begun with the next append. Nothing of the log that failed is trusted.
    pub fn resume(&self) -> Result<(), Error> {
        self.write_again(&self.maintenance())
    }

    /// Does so when writing has stopped and the last try is long enough ago.
    fn retry(&self, guard: &Guard<'_>, now: Timestamp) -> Result<(), Error> {
        let mut writer = self.writer();
        let Some(reason) = writer.poisoned.clone() else { return Ok(()) };
        if now < writer.retry_at {
            return Err(Error::Poisoned { reason });
        }
        writer.retry_at = now.plus(RETRY);
        drop(writer);
        self.write_again(guard)
    }

    fn write_again(&self, _guard: &Guard<'_>) -> Result<(), Error> {
        if self.writer().poisoned.is_none() {
            return Ok(());
        }
        self.seal(&mut self.writer());
        self.flush_sealed(&self.flushing())?;
        self.writer().poisoned = None;
        tracing::info!("writing to the store resumed");
        Ok(())
    }

    pub(super) fn maintenance(&self) -> Guard<'_> {
        self.maintenance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn flushing(&self) -> Guard<'_> {
        self.flushing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Turns full windows into blocks, oldest first; while a day is compacted too.
    pub(super) fn flush_sealed(&self, _flushing: &Guard<'_>) -> Result<usize, Error> {
        let mut flushed = 0;
        loop {
            let window = self.shared().sealed.first().cloned();
            let Some(window) = window else { return Ok(flushed) };
            let block = if window.is_empty() { None } else { Some(self.window_block(&window)?) };
            {
                let mut shared = self.shared_mut();
                shared.sealed.remove(0);
                shared.blocks.extend(block.map(Arc::new));
                sort_blocks(&mut shared.blocks);
            }
            self.drop_log(&window)?;
            flushed += 1;
        }
    }

    fn window_block(&self, window: &Window) -> Result<Block, Error> {
        let mut source = WindowSource::new(window, &self.catalog);
        let meta = Meta { windows: vec![window.id], ..Meta::default() };
        let name = format!("w{:010}.blk", window.id);
        block::write(&*self.vfs, &self.blocks_dir(), &name, meta, WINDOW_LEVEL, &mut source)
    }

    /// Removes the log of a window that is a block, or sets it aside when it holds damage.
    fn drop_log(&self, window: &Window) -> Result<(), Error> {
        let dir = self.wal_dir();
        let name = wal::file_name(window.id);
        let mut damaged = self.damaged_logs.lock().unwrap_or_else(PoisonError::into_inner);
        if damaged.remove(&window.id) {
            let damage = Damage { file: dir.join(&name), offset: 0, what: "a log without damage" };
            return super::open::quarantine(&*self.vfs, &self.dir, &dir, &name, &damage);
        }
        self.unlink(&dir, &name)
    }

    fn unlink(&self, dir: &Path, name: &str) -> Result<(), Error> {
        let path = dir.join(name);
        self.vfs
            .remove(&path)
            .and_then(|()| self.vfs.sync_dir(dir))
            .map_err(|error| Error::io("remove", &path, error))
    }

    /// The oldest day that is over and not compacted.
    fn next_day(&self, now: Timestamp) -> Option<i64> {
        let shared = self.shared();
        let pending = shared.sealed.iter().filter_map(|window| window.ticks.first()).min();
        let growing = shared.head.ticks.first().into_iter().chain(pending).min().copied();
        let day = shared
            .blocks
            .iter()
            .filter(|block| block.meta.resolution == 0 && !block.meta.compacted)
            .map(|block| bucket_of(block.meta.first, DAY_MS))
            .min()?;
        let over = now.millis() >= day + DAY_MS + GRACE_MS
            && growing.is_none_or(|time| time >= day + DAY_MS);
        over.then_some(day)
    }

    fn compact_one(&self, _guard: &Guard<'_>, now: Timestamp) -> Result<bool, Error> {
        let Some(day) = self.next_day(now) else { return Ok(false) };
        let old: Vec<Arc<Block>> = {
            let shared = self.shared();
            let in_day = |block: &&Arc<Block>| bucket_of(block.meta.first, DAY_MS) == day;
            shared.blocks.iter().filter(in_day).cloned().collect()
        };
        let Some(inputs) = self.indexes(&old)? else {
            // One was set aside; the rest is compacted in the next step.
            return Ok(true);
        };
        let (new, damage) = self.write_day(day, &inputs)?;
        self.replace(&old, &new, &damage)?;
        Ok(true)
    }

    /// Makes one block of the oldest blocks of windows where a day that goes on has too many.
    /// Answers how many it replaced.
    fn merge_one(&self, _guard: &Guard<'_>, now: Timestamp) -> Result<usize, Error> {
        let Some(old) = self.next_merge(now) else { return Ok(0) };
        let Some(inputs) = self.indexes(&old)? else { return Ok(old.len()) };
        let windows = block::windows_of(&old);
        let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return Ok(0) };
        let name = format!("w{first:010}-{last:010}.blk");
        let meta = Meta { windows: windows.iter().copied().collect(), ..Meta::default() };
        let mut merge = Merge::new(&inputs, &self.catalog);
        let dir = self.blocks_dir();
        let new = block::write(&*self.vfs, &dir, &name, meta, WINDOW_LEVEL, &mut merge)?;
        self.replace(&old, &[Arc::new(new)], &merge.damage)?;
        Ok(old.len())
    }

    /// The oldest blocks of single windows of a day that is not compacted next, when there are as
    /// many as are merged.
    fn next_merge(&self, now: Timestamp) -> Option<Vec<Arc<Block>>> {
        let wanted = self.options.merge_windows.max(2);
        let due = self.next_day(now);
        let shared = self.shared();
        let single = |block: &&Arc<Block>| {
            let meta = &block.meta;
            meta.resolution == 0 && !meta.compacted && meta.windows.len() == 1
        };
        let singles: Vec<&Arc<Block>> = shared.blocks.iter().filter(single).collect();
        let day = |block: &Arc<Block>| bucket_of(block.meta.first, DAY_MS);
        let mut days = singles.chunk_by(|left, right| day(left) == day(right));
        let full = days.find(|blocks| blocks.len() >= wanted && due != Some(day(blocks[0])))?;
        Some(full.iter().take(wanted).map(|block| Arc::clone(block)).collect())
    }

    /// Exchanges `old` blocks for `new` ones that hold the same; those with damage are set aside.
    fn replace(
        &self,
        old: &[Arc<Block>],
        new: &[Arc<Block>],
        damage: &[Damage],
    ) -> Result<(), Error> {
        let replaced: BTreeSet<&str> = old.iter().map(|block| &*block.name).collect();
        {
            let mut shared = self.shared_mut();
            shared.blocks.retain(|block| !replaced.contains(&*block.name));
            shared.blocks.extend(new.iter().cloned());
            sort_blocks(&mut shared.blocks);
        }
        let dir = self.blocks_dir();
        let kept: BTreeSet<&str> = new.iter().map(|block| &*block.name).collect();
        for name in replaced.difference(&kept) {
            match damage.iter().find(|damage| damage.file.ends_with(name)) {
                Some(damage) => self.set_aside(&dir, name, damage.clone())?,
                None => self.unlink(&dir, name)?,
            }
        }
        Ok(())
    }

    /// The raw blocks among `blocks` with their indexes; `None` when one had to be set aside.
    fn indexes(&self, blocks: &[Arc<Block>]) -> Result<Option<Vec<Input>>, Error> {
        let mut inputs = Vec::new();
        for block in blocks.iter().filter(|block| block.meta.resolution == 0) {
            let index = block.index(&mut self.catalog_mut());
            match index {
                Ok(index) => inputs.push((Arc::clone(block), index)),
                Err(error) => {
                    let Some(damage) = damage_of(&error) else { return Err(error) };
                    self.shared_mut().blocks.retain(|kept| kept.name != block.name);
                    self.set_aside(&self.blocks_dir(), &block.name, damage)?;
                    return Ok(None);
                }
            }
        }
        Ok(Some(inputs))
    }

    /// Writes the rollups and the block of a day, the block last: it makes the rollups valid.
    fn write_day(
        &self,
        day: i64,
        inputs: &[(Arc<Block>, Arc<Index>)],
    ) -> Result<(Vec<Arc<Block>>, Vec<Damage>), Error> {
        let dir = self.blocks_dir();
        let number = day / DAY_MS;
        let windows = block::windows_of(inputs.iter().map(|(block, _)| block));
        let meta =
            Meta { windows: windows.into_iter().collect(), compacted: true, ..Meta::default() };
        let mut merge = Merge::new(inputs, &self.catalog);
        let mut written = Vec::new();
        for resolution in self.options.rollups.iter().map(|length| millis(*length)) {
            let mut rollup = Rollup::new(&mut merge, resolution.max(1));
            if !rollup.folds(self.options.rollup_fold) {
                continue;
            }
            let name = format!("d{number:06}-{}s.blk", resolution / 1000);
            let meta = Meta { resolution, ..meta.clone() };
            written.push(block::write(&*self.vfs, &dir, &name, meta, DAY_LEVEL, &mut rollup)?);
        }
        let name = format!("d{number:06}.blk");
        written.push(block::write(&*self.vfs, &dir, &name, meta, DAY_LEVEL, &mut merge)?);
        Ok((written.into_iter().map(Arc::new).collect(), merge.damage))
    }

    fn retire(&self, _guard: &Guard<'_>, now: Timestamp) -> Result<usize, Error> {
        let oldest = now.minus(self.options.retention).millis();
        let limit = self.options.retention_bytes.unwrap_or(u64::MAX);
        let mut gone = Vec::new();
        {
            let mut shared = self.shared_mut();
            let mut bytes: u64 = shared.blocks.iter().map(|block| block.bytes).sum();
            // Sorted by first time: a day's block and its rollups stand together.
            while let Some(first) = shared.blocks.first().map(Arc::clone) {
                if first.meta.last >= oldest && bytes <= limit {
                    break;
                }
                let day = bucket_of(first.meta.first, DAY_MS);
                let goes = |block: &Block| {
                    block.name == first.name
                        || (first.meta.compacted
                            && block.meta.compacted
                            && bucket_of(block.meta.first, DAY_MS) == day)
                };
                gone.extend(shared.blocks.extract_if(.., |block| goes(block)));
                bytes = shared.blocks.iter().map(|block| block.bytes).sum();
            }
        }
        let dir = self.blocks_dir();
        for block in &gone {
            self.unlink(&dir, &block.name)?;
        }
        let events = self
            .events()
            .retain(now.minus(self.options.event_retention), self.options.event_bytes)?;
        if !gone.is_empty() {
            self.forget_entities();
        }
        metrics::counter!(telemetry::RETIRED).increment((gone.len() + events) as u64);
        Ok(gone.len() + events)
    }

    /// Forgets indexes, the least recently used first, until the others are not too large together;
    /// then entities, when most that are known were theirs alone.
    fn unload(&self, _guard: &Guard<'_>) {
        let bytes = |block: &Arc<Block>| block.loaded().map_or(0, |index| index.heap_bytes());
        let mut total: u64 = self.shared().blocks.iter().map(bytes).sum();
        if total <= self.options.index_bytes {
            return;
        }
        let (unloaded, growing) = {
            // Nobody plans a query meanwhile.
            let shared = self.shared_mut();
            let mut blocks: Vec<&Arc<Block>> = shared.blocks.iter().collect();
            blocks.sort_by_key(|block| block.last_wanted());
            let mut unloaded = 0;
            for block in blocks {
                if total <= self.options.index_bytes {
                    break;
                }
                total = total.saturating_sub(bytes(block));
                unloaded += u64::from(block.loaded().is_some());
                block.unload();
            }
            let kinds = shared.windows().flat_map(|window| &window.kinds);
            let entities: usize = kinds.map(|kind| kind.ids.len()).sum();
            (unloaded, entities)
        };
        if unloaded == 0 {
            return;
        }
        metrics::counter!(telemetry::UNLOADED).increment(unloaded);
        if self.catalog().len() > FORGET_FROM * growing {
            self.forget_entities();
        }
    }

    /// Lets the catalog forget entities that no window and no block names any more.
    fn forget_entities(&self) {
        // Holding the writer keeps appends from using a number that is about to be free.
        let mut writer = self.writer();
        let mut catalog = self.catalog_mut();
        let shared = self.shared();
        let mut live = RoaringBitmap::new();
        for window in shared.windows() {
            live.extend(window.kinds.iter().flat_map(|kind| kind.ids.iter().copied()));
        }
        for index in shared.blocks.iter().filter_map(|block| block.loaded()) {
            live |= index.ids();
        }
        writer.forget_known();
        catalog.retain(&live);
    }
}

#[cfg(test)]
mod tests {
    use model::{Draft, EntityKind, Registry, metric};

    use super::*;
    use crate::{Options, Simulated};

    #[test]
    fn windows_become_blocks_while_a_day_is_compacted() {
        let options = Options { window_samples: 1, ..Options::default() };
        let begin = 1_795_392_000;
        let at = Timestamp::from_secs;
        let store = Store::open(Arc::new(Simulated::new(1)), "/data", options, at(begin)).unwrap();
        let _compacting = store.maintenance();
        for tick in 0..20 {
            let mut draft = Draft::new(at(begin + tick), Registry::default());
            let node = draft.registry.node("n1");
            let row = draft.insert(&node).row;
            let table = draft.table_mut(EntityKind::Node);
            table.set_int(row, metric::MEMORY_USAGE, tick);
            store.append(&draft.freeze().0, at(begin + tick)).unwrap();
        }
        let shared = store.shared();
        assert!(shared.sealed.len() <= 3, "{}", shared.sealed.len());
        assert!(shared.blocks.len() >= 16, "{}", shared.blocks.len());
    }
}
