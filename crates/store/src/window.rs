//! A window: the newest stretch of time, in memory, until it becomes a block.
//!
//! Columnar by kind and metric. Grows by frames only, whether they come from a batch or from the
//! log, so that a replay ends in the same state. Knows no files.

use std::collections::HashMap;

use model::EntityKind;

use crate::column::HeadColumn;
use crate::frame::{Frame, FrameTable};
use crate::scale::MetricDef;

/// Stands for an entity whose definition was lost to damage.
pub(crate) const LOST: u32 = u32::MAX;

/// The entities of one kind.
#[derive(Debug, Default)]
pub(crate) struct KindHead {
    /// Catalog numbers by slot.
    pub(crate) ids: Vec<u32>,
    slots: HashMap<u32, u32>,
    pub(crate) columns: Vec<HeadColumn>,
}

impl KindHead {
    /// The slot of a catalog number.
    pub(crate) fn slot(&self, id: u32) -> Option<u32> {
        self.slots.get(&id).copied()
    }

    /// The slot that the next new entity gets.
    pub(crate) fn next_slot(&self) -> u32 {
        u32::try_from(self.ids.len()).unwrap_or(u32::MAX)
    }

    /// Puts entities at `first` and after; slots before it that were never defined are lost.
    /// Answers whether the slots were free.
    pub(crate) fn define(&mut self, first: u32, ids: &[u32]) -> bool {
        let first = first as usize;
        if first < self.ids.len() {
            return false;
        }
        self.ids.resize(first, LOST);
        for id in ids {
            self.slots.insert(*id, self.next_slot());
            self.ids.push(*id);
        }
        true
    }

    pub(crate) fn column(&self, metric: u16) -> Option<&HeadColumn> {
        self.columns.iter().find(|column| column.metric == metric)
    }
}

/// The newest stretch of time.
#[derive(Debug)]
pub(crate) struct Window {
    /// Grows by one from window to window; names its log file.
    pub(crate) id: u64,
    /// Milliseconds since the epoch, inclusive.
    pub(crate) start: i64,
    /// Milliseconds since the epoch, exclusive.
    pub(crate) end: i64,
    /// Times of its ticks, growing.
    pub(crate) ticks: Vec<i64>,
    pub(crate) metrics: Vec<MetricDef>,
    /// By [`EntityKind::index`].
    pub(crate) kinds: [KindHead; EntityKind::ALL.len()],
    /// Values held.
    pub(crate) samples: u64,
    /// Number of the next frame; unlike a tick, counts lost frames too.
    pub(crate) next_frame: u64,
}

impl Window {
    pub(crate) fn new(id: u64, start: i64, end: i64) -> Self {
        Self {
            id,
            start,
            end,
            ticks: Vec::new(),
            metrics: Vec::new(),
            kinds: Default::default(),
            samples: 0,
            next_frame: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ticks.is_empty()
    }

    /// Adds a frame. Answers how many of its values belong to nothing that is defined.
    pub(crate) fn apply(&mut self, frame: &Frame) -> u64 {
        let tick = u32::try_from(self.ticks.len()).unwrap_or(u32::MAX);
        self.ticks.push(frame.time);
        self.next_frame = frame.number + 1;
        let mut lost = 0;
        for table in &frame.tables {
            lost += self.apply_table(table, tick, frame.key);
        }
        lost
    }

    fn apply_table(&mut self, table: &FrameTable, tick: u32, key: bool) -> u64 {
        let mut lost = 0;
        let kind = &mut self.kinds[table.kind.index()];
        for column in &table.columns {
            let Some(metric) = self.metrics.get(usize::from(column.metric)) else {
                lost += column.residuals.len() as u64;
                continue;
            };
            let counter = metric.is_counter();
            let at = kind.columns.iter().position(|found| found.metric == column.metric);
            let at = at.unwrap_or_else(|| {
                kind.columns.push(HeadColumn::new(column.metric, counter));
                kind.columns.len() - 1
            });
            let values = column.slots(&table.slots).zip(column.residuals.iter().copied());
            let taken = kind.columns[at].push(tick, kind.ids.len(), key, values);
            self.samples += taken.samples;
            lost += taken.lost;
        }
        lost
    }

    /// Gives back what only growth needs.
    pub(crate) fn rest(&mut self) {
        for column in self.kinds.iter_mut().flat_map(|kind| &mut kind.columns) {
            column.rest();
        }
    }

    /// Heap bytes held, and the number of series with values.
    pub(crate) fn size(&self) -> (usize, usize) {
        let (mut bytes, mut count) = (self.ticks.capacity() * 8, 0);
        for kind in &self.kinds {
            bytes += kind.ids.capacity() * 4 + kind.slots.capacity() * 9;
            for column in &kind.columns {
                bytes += column.heap_bytes();
                count += column.series();
            }
        }
        (bytes, count)
    }
}
