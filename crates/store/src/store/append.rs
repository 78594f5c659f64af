//! Appending: a batch becomes a frame, goes into the log, then into the window.

use std::collections::HashMap;
use std::sync::Arc;

use model::{Batch, CATALOG, EntityKind, Metric, Table, Timestamp};

use super::Store;
use super::known::{Known, KnownEntities};
use crate::error::Error;
use crate::frame::{Frame, FrameColumn, FrameTable};
use crate::labels::node_of;
use crate::options::{Durability, millis};
use crate::scale::MetricDef;
use crate::wal::Log;
use crate::window::{KindHead, Window};
use crate::{Labels, telemetry};

/// Every so many frames the log holds values instead of differences, so that damage loses no
/// more than these.
const KEY_EVERY: u32 = 16;
/// Full windows that may wait to become blocks before an append makes some itself.
const MAX_SEALED: usize = 3;
/// Full windows that may wait at all: an append waits for maintenance then.
const MAX_BEHIND: usize = 8;
/// Most metrics in one window.
const MAX_METRICS: usize = 1 << 15;
const UNKNOWN: u16 = u16::MAX;

/// What an append stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Values.
    pub samples: u64,
    /// Bytes written to the log.
    pub bytes: u64,
}

/// Catalog numbers of entities that the window does not hold yet.
type NewEntities = Vec<u32>;

/// What only appends need.
pub(super) struct Writer {
    /// The log of the growing window; none before the first append.
    pub(super) log: Option<Log>,
    /// Newest stored time.
    pub(super) newest: Option<i64>,
    pub(super) next_window: u64,
    /// Frames since the last key frame; the first after opening is one.
    since_key: u32,
    pub(super) last_sync: Timestamp,
    /// Why writing has stopped.
    pub(super) poisoned: Option<String>,
    /// When maintenance tries to write again.
    pub(super) retry_at: Timestamp,
    known: KnownEntities,
    by_id: [u16; CATALOG.len()],
    custom: HashMap<Metric, u16>,
}

impl Writer {
    pub(super) fn new(
        log: Option<Log>,
        newest: Option<i64>,
        next_window: u64,
        now: Timestamp,
    ) -> Self {
        Self {
            log,
            newest,
            next_window,
            since_key: KEY_EVERY,
            last_sync: now,
            poisoned: None,
            retry_at: now,
            known: KnownEntities::default(),
            by_id: [UNKNOWN; CATALOG.len()],
            custom: HashMap::new(),
        }
    }

    /// Stops writing.
    fn poison(&mut self, error: &Error) {
        if self.poisoned.is_none() {
            tracing::error!(%error, "writing to the store stopped");
            self.poisoned = Some(error.to_string());
        }
    }

    /// Forgets what belongs to the window that was left.
    fn turn(&mut self) {
        self.known.clear();
        self.by_id = [UNKNOWN; CATALOG.len()];
        self.custom.clear();
        self.since_key = KEY_EVERY;
    }

    /// Forgets the catalog numbers of entities; appends look them up again.
    pub(super) fn forget_known(&mut self) {
        self.known.clear();
    }

    /// The number of `metric` in the window; new ones go to `new`.
    fn metric(
        &mut self,
        metric: &Metric,
        window: &Window,
        new: &mut Vec<MetricDef>,
    ) -> Option<u16> {
        let known = match metric {
            Metric::Known(id) => self.by_id[id.index()],
            Metric::Custom { .. } => self.custom.get(metric).copied().unwrap_or(UNKNOWN),
        };
        if known != UNKNOWN {
            return Some(known);
        }
        let def = MetricDef::of(metric);
        let at = window.metrics.iter().chain(&*new).position(|found| *found == def);
        let at = at.unwrap_or_else(|| {
            new.push(def);
            window.metrics.len() + new.len() - 1
        });
        if at >= MAX_METRICS {
            new.pop();
            return None;
        }
        let at = u16::try_from(at).ok()?;
        match metric {
            Metric::Known(id) => self.by_id[id.index()] = at,
            Metric::Custom { .. } => {
                self.custom.insert(metric.clone(), at);
            }
        }
        Some(at)
    }
}

impl Store {
    /// Stores a batch. When this returns, the batch survives the end of the process; a power cut
    /// as [`Durability`] says. Fails without storing anything when the batch is not newer than
    /// the newest, or writing has stopped ([`Error::Poisoned`], [`Error::Full`]).
    pub fn append(&self, batch: &Batch, now: Timestamp) -> Result<Appended, Error> {
        self.relieve()?;
        let mut writer = self.writer();
        if let Some(reason) = &writer.poisoned {
            metrics::counter!(telemetry::REFUSED).increment(1);
            return Err(Error::Poisoned { reason: reason.clone() });
        }
        let time = batch.timestamp().millis();
        if let Some(newest) = writer.newest.filter(|newest| time <= *newest) {
            metrics::counter!(telemetry::OUT_OF_ORDER).increment(1);
            let newest = Timestamp::from_millis(newest);
            return Err(Error::OutOfOrder { batch: batch.timestamp(), newest });
        }
        self.make_room(&mut writer, time, now)?;
        let stored = self.store(&mut writer, batch, time, now);
        if let Err(error) = &stored {
            writer.poison(error);
        }
        stored
    }

    /// Makes everything appended survive a power cut.
    pub fn sync(&self, now: Timestamp) -> Result<(), Error> {
        let mut writer = self.writer();
        if let Some(reason) = &writer.poisoned {
            // A sync that succeeds after one that failed proves nothing.
            return Err(Error::Poisoned { reason: reason.clone() });
        }
        let synced = writer.log.as_mut().map_or(Ok(()), Log::sync);
        if let Err(error) = &synced {
            metrics::counter!(telemetry::SYNC_FAILURES).increment(1);
            writer.poison(error);
        }
        writer.last_sync = now;
        drop(writer);
        synced?;
        self.events().sync()
    }

    /// Syncs if the durability asks for it by now.
    pub(super) fn sync_if_due(&self, now: Timestamp) -> Result<bool, Error> {
        let due = match self.options.durability {
            Durability::EachAppend => true,
            Durability::Within(interval) => now.since(self.writer().last_sync) >= interval,
        };
        if due {
            self.sync(now)?;
        }
        Ok(due)
    }

    /// Turns full windows into blocks when too many wait: at once when nobody else does so now,
    /// after them when far too many wait.
    fn relieve(&self) -> Result<(), Error> {
        let waiting = self.shared().sealed.len();
        if waiting >= MAX_BEHIND {
            self.flush_sealed(&self.flushing())?;
        } else if waiting >= MAX_SEALED
            && let Ok(guard) = self.flushing.try_lock()
            && let Err(error) = self.flush_sealed(&guard)
        {
            tracing::warn!(%error, waiting, "windows wait to become blocks");
        }
        Ok(())
    }

    /// Sees to it that the head takes `time` and has a log.
    fn make_room(&self, writer: &mut Writer, time: i64, now: Timestamp) -> Result<(), Error> {
        let full = {
            let head = &self.shared().head;
            !head.is_empty() && (time >= head.end || head.samples >= self.options.window_samples)
        };
        if full {
            let synced = writer.log.as_mut().map_or(Ok(()), Log::sync);
            if let Err(error) = &synced {
                writer.poison(error);
            }
            synced?;
            self.seal(writer);
        }
        if writer.log.is_none() {
            let started = self.start_window(writer, time, now);
            if let Err(error) = &started {
                writer.poison(error);
            }
            started?;
        }
        Ok(())
    }

    /// Ends the head's growth.
    pub(super) fn seal(&self, writer: &mut Writer) {
        let mut shared = self.shared_mut();
        let empty = Window::new(0, 0, 0);
        let mut head = std::mem::replace(&mut shared.head, empty);
        if head.id != 0 {
            head.rest();
            shared.sealed.push(Arc::new(head));
        }
        writer.log = None;
        writer.turn();
    }

    /// Begins a window that holds `time`.
    fn start_window(&self, writer: &mut Writer, time: i64, now: Timestamp) -> Result<(), Error> {
        let length = millis(self.options.window).max(1);
        let start = time.div_euclid(length) * length;
        let window = Window::new(writer.next_window, start, start.saturating_add(length));
        writer.log = Some(Log::create(&*self.vfs, &self.wal_dir(), &window)?);
        writer.next_window += 1;
        writer.last_sync = now;
        writer.turn();
        self.shared_mut().head = window;
        Ok(())
    }

    fn store(
        &self,
        writer: &mut Writer,
        batch: &Batch,
        time: i64,
        now: Timestamp,
    ) -> Result<Appended, Error> {
        self.learn(writer, batch);
        let mut metrics = Vec::new();
        let mut entities: Vec<(EntityKind, NewEntities)> = Vec::new();
        let frame = {
            let catalog = self.catalog();
            let shared = self.shared();
            let head = &shared.head;
            let key = writer.since_key >= KEY_EVERY;
            let mut frame = Frame { number: head.next_frame, time, key, tables: Vec::new() };
            for table in batch.tables().iter().filter(|table| !table.is_empty()) {
                let mut new = NewEntities::new();
                let rows = place(writer, table, &head.kinds[table.kind().index()], &mut new);
                if !new.is_empty() {
                    entities.push((table.kind(), new));
                }
                frame.tables.push(fill(writer, head, table, &rows, key, &mut metrics));
            }
            let Some(log) = &mut writer.log else {
                return Err(Error::Poisoned { reason: "no log".to_owned() });
            };
            if !metrics.is_empty() {
                log.metrics(head.metrics.len(), &metrics);
            }
            for (kind, new) in &entities {
                log.entities(*kind, head.kinds[kind.index()].next_slot(), new, &catalog);
            }
            log.frame(&frame);
            frame
        };
        writer.since_key = if frame.key { 1 } else { writer.since_key + 1 };
        let bytes = writer.log.as_mut().map_or(Ok(0), Log::write)?;
        let samples = {
            let head = &mut self.shared_mut().head;
            for (kind, ids) in entities {
                let kind = &mut head.kinds[kind.index()];
                let first = kind.next_slot();
                kind.define(first, &ids);
            }
            head.metrics.append(&mut metrics);
            let before = head.samples;
            head.apply(&frame);
            head.samples - before
        };
        writer.newest = Some(time);
        metrics::counter!(telemetry::SAMPLES).increment(samples);
        metrics::counter!(telemetry::LOG_BYTES).increment(bytes);
        let due = match self.options.durability {
            Durability::EachAppend => true,
            Durability::Within(interval) => now.since(writer.last_sync) >= interval,
        };
        if due {
            let synced = writer.log.as_mut().map_or(Ok(()), Log::sync);
            if synced.is_err() {
                metrics::counter!(telemetry::SYNC_FAILURES).increment(1);
            }
            synced?;
            writer.last_sync = now;
        }
        Ok(Appended { samples, bytes })
    }

    /// Gives catalog numbers to entities that appends have not met in this window.
    fn learn(&self, writer: &mut Writer, batch: &Batch) {
        let mut catalog = None;
        let mut pairs = Vec::new();
        for table in batch.tables() {
            for (row, entity) in table.entities().iter().enumerate() {
                let context = table.context(row);
                let node = node_of(entity, context);
                if writer.known.find(entity, node).is_some() {
                    continue;
                }
                let catalog = catalog.get_or_insert_with(|| self.catalog_mut());
                Labels::describe(entity, context, &mut pairs);
                let id = catalog.intern(entity.kind(), pairs.iter().copied());
                // What the catalog holds is shared by all that run on the node.
                let shared = catalog.value(id, "node").cloned();
                let known = Known {
                    entity: Arc::clone(entity),
                    node: shared
                        .filter(|shared| node == Some(&**shared))
                        .or_else(|| node.map(Arc::from)),
                    id,
                    slot: u32::MAX,
                };
                writer.known.add(known);
            }
        }
    }
}

/// The (slot, row) pairs of a table, by slot; entities without a slot get one and go to `new`.
fn place(
    writer: &mut Writer,
    table: &Table,
    head: &KindHead,
    new: &mut NewEntities,
) -> Vec<(u32, u32)> {
    let mut rows = Vec::with_capacity(table.len());
    let mut given: HashMap<u32, u32> = HashMap::new();
    for (row, entity) in (0_u32..).zip(table.entities()) {
        let node = node_of(entity, table.context(row as usize));
        let Some(known) = writer.known.find_mut(entity, node) else { continue };
        if known.slot == u32::MAX {
            let slot = head.slot(known.id).or_else(|| given.get(&known.id).copied());
            known.slot = slot.unwrap_or_else(|| {
                head.next_slot() + u32::try_from(given.len()).unwrap_or(u32::MAX)
            });
            if slot.is_none() {
                given.insert(known.id, known.slot);
                new.push(known.id);
            }
        }
        rows.push((known.slot, row));
    }
    rows.sort_unstable();
    // Two entities with the same labels: the later row wins.
    rows.dedup_by(|right, left| {
        let same = right.0 == left.0;
        if same {
            left.1 = right.1;
        }
        same
    });
    rows
}

/// The table's values as differences to what the window expects.
fn fill(
    writer: &mut Writer,
    head: &Window,
    table: &Table,
    rows: &[(u32, u32)],
    key: bool,
    new: &mut Vec<MetricDef>,
) -> FrameTable {
    let kind = &head.kinds[table.kind().index()];
    let mut columns = Vec::with_capacity(table.columns().len());
    for column in table.columns() {
        if column.is_empty() {
            continue;
        }
        let Some(metric) = writer.metric(column.metric(), head, new) else {
            metrics::counter!(telemetry::DROPPED).increment(column.iter().count() as u64);
            continue;
        };
        let coding = MetricDef::of(column.metric()).coding;
        let known = kind.column(metric).filter(|_| !key);
        let mut present = Vec::with_capacity(rows.len());
        let mut residuals = Vec::with_capacity(rows.len());
        for (position, (slot, row)) in (0_u32..).zip(rows) {
            let Some(value) = column.get(*row as usize) else { continue };
            let base = known.map_or(0, |known| known.expected(*slot));
            present.push(position);
            residuals.push(coding.encode(value).wrapping_sub(base));
        }
        let rows = (present.len() < rows.len()).then_some(present);
        columns.push(FrameColumn { metric, rows, residuals });
    }
    FrameTable { kind: table.kind(), slots: rows.iter().map(|(slot, _)| *slot).collect(), columns }
}
