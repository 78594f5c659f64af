//! A window: the newest stretch of time, in memory, until it becomes a block.
//!
//! Columnar by kind and metric. Grows by frames only, whether they come from a batch or from the
//! log, so that a replay ends in the same state. Knows no files.

use model::EntityKind;
use roaring::RoaringBitmap;

use crate::column::HeadColumn;
use crate::frame::{Frame, FrameTable};
use crate::packed::Packed;
use crate::scale::MetricDef;

/// Stands for an entity whose definition was lost to damage.
pub(crate) const LOST: u32 = u32::MAX;

/// The entities of one kind.
#[derive(Debug, Default)]
pub(crate) struct KindHead {
    /// Catalog numbers by slot.
    pub(crate) ids: Vec<u32>,
    pub(crate) columns: Vec<HeadColumn>,
}

impl KindHead {
    /// Slots by catalog number, [`LOST`] where there is none. Made when entities come, for
    /// nobody asks at other times.
    pub(crate) fn slots(&self) -> Vec<u32> {
        let ids = || self.ids.iter().filter(|id| **id != LOST);
        let mut slots = vec![LOST; ids().max().map_or(0, |most| *most as usize + 1)];
        for (slot, id) in (0_u32..).zip(&self.ids).filter(|(_, id)| **id != LOST) {
            slots[*id as usize] = slot;
        }
        slots
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
            model::push_long(&mut self.ids, *id);
        }
        true
    }

    /// Calls `each(catalog number, slot)` for the wanted entities, by growing slot.
    pub(crate) fn each_wanted(&self, wanted: &RoaringBitmap, mut each: impl FnMut(u32, usize)) {
        let held = self.ids.iter().enumerate().filter(|(_, id)| wanted.contains(**id));
        held.for_each(|(slot, id)| each(*id, slot));
    }

    pub(crate) fn column(&self, metric: u16) -> Option<&HeadColumn> {
        self.columns.iter().find(|column| column.metric == metric)
    }

    fn column_mut(&mut self, metric: u16, counter: bool) -> &mut HeadColumn {
        let at = self.columns.iter().position(|found| found.metric == metric);
        let at = at.unwrap_or_else(|| {
            self.columns.push(HeadColumn::new(metric, counter));
            self.columns.len() - 1
        });
        &mut self.columns[at]
    }
}

/// What a tick adds to a column.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) kind: EntityKind,
    pub(crate) metric: u16,
    /// To what the column expects.
    pub(crate) differences: Packed,
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

    /// Whether any entity of the kind has any of the columns.
    pub(crate) fn holds(&self, kind: EntityKind, columns: &[impl AsRef<str>]) -> bool {
        let name = |metric: u16| self.metrics.get(usize::from(metric)).map(|def| &*def.name);
        let is_asked = |name: &str| columns.iter().any(|one| *one.as_ref() == *name);
        self.kinds[kind.index()].columns.iter().any(|one| name(one.metric).is_some_and(is_asked))
    }

    /// Adds a frame. Answers how many of its values belong to nothing that is defined.
    pub(crate) fn apply(&mut self, frame: &Frame) -> u64 {
        let tick = self.begin(frame.number, frame.time);
        let mut lost = 0;
        for table in &frame.tables {
            lost += self.apply_table(table, tick, frame.key);
        }
        lost
    }

    /// Adds the frame `number` of `time`, whose differences are made already.
    pub(crate) fn take(&mut self, number: u64, time: i64, added: Vec<Added>) {
        let tick = self.begin(number, time);
        for Added { kind, metric, differences } in added {
            let Some(def) = self.metrics.get(usize::from(metric)) else { continue };
            let kind = &mut self.kinds[kind.index()];
            let entities = kind.ids.len();
            let column = kind.column_mut(metric, def.is_counter());
            self.samples += column.take(tick, entities, differences).samples;
        }
    }

    /// Begins a tick; answers its number.
    fn begin(&mut self, number: u64, time: i64) -> u32 {
        let tick = u32::try_from(self.ticks.len()).unwrap_or(u32::MAX);
        self.ticks.push(time);
        self.next_frame = number + 1;
        tick
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
            let values = column.slots(&table.slots).zip(column.residuals.iter().copied());
            let entities = kind.ids.len();
            let taken = kind.column_mut(column.metric, counter).push(tick, entities, key, values);
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
            bytes += kind.ids.capacity() * 4;
            for column in &kind.columns {
                bytes += column.heap_bytes();
                count += column.series();
            }
        }
        (bytes, count)
    }
}
