//! Appending: a batch becomes a frame, goes into the log, then into the window.

use std::collections::HashMap;
use std::sync::Arc;

use model::{Batch, CATALOG, Metric, Timestamp};

use super::Store;
use super::known::KnownEntities;
use super::tick::{Placed, encode};
use crate::error::Error;
use crate::options::{Durability, millis};
use crate::scale::MetricDef;
use crate::telemetry;
use crate::wal::Log;
use crate::window::Window;

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
    pub(super) known: KnownEntities,
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
        self.by_id = [UNKNOWN; CATALOG.len()];
        self.custom.clear();
        self.since_key = KEY_EVERY;
    }

    /// Forgets the catalog numbers of entities; appends look them up again.
    pub(super) fn forget_known(&mut self) {
        self.known.clear();
    }

    /// The number of `metric` in the window; new ones go to `new`.
    pub(super) fn metric(
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
        writer.known.leave(&self.shared().head);
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
        let mut metrics = Vec::new();
        let tables = batch.tables().iter().filter(|table| !table.is_empty());
        let tables: Vec<Placed<'_>> =
            tables.map(|table| self.place(writer, table, &mut metrics)).collect();
        if self.shared().head.is_empty() {
            writer.known.forget_gone();
        }
        let key = writer.since_key >= KEY_EVERY;
        let (number, added) = {
            let catalog = self.catalog();
            let shared = self.shared();
            let head = &shared.head;
            let Some(log) = &mut writer.log else {
                return Err(Error::Poisoned { reason: "no log".to_owned() });
            };
            if !metrics.is_empty() {
                log.metrics(head.metrics.len(), &metrics);
            }
            for table in &tables {
                let first = head.kinds[table.kind.index()].next_slot();
                log.entities(table.kind, first, &table.new, &catalog)?;
            }
            drop(catalog);
            let mut added = Vec::new();
            log.frame(|out| added = encode(head, (time, key), &tables, out));
            (head.next_frame, added)
        };
        writer.since_key = if key { 1 } else { writer.since_key + 1 };
        let bytes = writer.log.as_mut().map_or(Ok(0), Log::write)?;
        let samples = {
            let head = &mut self.shared_mut().head;
            for table in &tables {
                let kind = &mut head.kinds[table.kind.index()];
                kind.define(kind.next_slot(), &table.new);
            }
            head.metrics.append(&mut metrics);
            let before = head.samples;
            head.take(number, time, added);
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
}
