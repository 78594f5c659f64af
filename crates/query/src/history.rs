//! History: the graphed metrics of every entity, tick by tick, packed in chunks.
//!
//! An entity owns a slot of its kind for as long as any tick holds it; a tick holds a row of
//! chunks per metric. A chunk equal to the one a tick before is shared, so that requests, limits
//! and capacities cost next to nothing. Knows nothing of whole batches.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashTable;
use model::{Batch, Entity, EntityKind, MetricId, Table, Timestamp, Value};

use crate::chunk::{CHUNK_SLOTS, Chunk, Scratch};
use crate::graphed::{graphed, keeps};

/// One metric's values of all slots at one tick.
type Chunks = Vec<Arc<Chunk>>;

/// What every entity of every kind measured, as far back as the window reaches.
#[derive(Debug)]
pub(crate) struct History {
    /// Whether an archive has what is not kept here.
    archived: bool,
    kinds: Vec<Slots>,
    ticks: VecDeque<Tick>,
    /// Number of the next tick.
    next: u64,
    /// Bytes of the ticks: chunks (shared ones once) and the pointers to them.
    tick_bytes: usize,
    scratch: Scratch,
    rows: Vec<Option<u32>>,
}

#[derive(Debug)]
struct Tick {
    time: Timestamp,
    number: u64,
    /// By kind, then by position in `graphed`.
    kinds: Vec<Vec<Chunks>>,
}

/// The slots of one kind.
#[derive(Debug, Default)]
struct Slots {
    index: HashTable<u32>,
    held: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot {
    /// `None` while the slot is free.
    entity: Option<Arc<Entity>>,
    last_seen: u64,
}

impl History {
    pub(crate) fn new(archived: bool) -> Self {
        Self {
            archived,
            kinds: EntityKind::ALL.iter().map(|_| Slots::default()).collect(),
            ticks: VecDeque::new(),
            next: 0,
            tick_bytes: 0,
            scratch: Scratch::default(),
            rows: Vec::new(),
        }
    }

    /// Adds the newest tick.
    pub(crate) fn push(&mut self, batch: &Batch) {
        let number = self.next;
        self.next += 1;
        let mut kinds = Vec::with_capacity(EntityKind::ALL.len());
        for table in batch.tables() {
            kinds.push(self.pack(table, number));
        }
        self.ticks.push_back(Tick { time: batch.timestamp(), number, kinds });
    }

    /// Drops the oldest tick, and the entities that only it held.
    pub(crate) fn pop(&mut self) {
        let Some(tick) = self.ticks.pop_front() else { return };
        for chunks in tick.kinds.into_iter().flatten() {
            self.tick_bytes -= pointer_bytes(&chunks);
            for chunk in chunks.into_iter().filter_map(Arc::into_inner) {
                self.tick_bytes -= chunk.bytes();
            }
        }
        let oldest = self.ticks.front().map_or(self.next, |tick| tick.number);
        self.kinds.iter_mut().for_each(|slots| slots.forget_before(oldest));
    }

    /// Number of ticks.
    pub(crate) fn len(&self) -> usize {
        self.ticks.len()
    }

    /// The times of the ticks, ascending.
    pub(crate) fn times(&self) -> impl DoubleEndedIterator<Item = Timestamp> + '_ {
        self.ticks.iter().map(|tick| tick.time)
    }

    /// Time of the oldest tick.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.ticks.front().map(|tick| tick.time)
    }

    /// Positions of the ticks from `start` to `end`, both inclusive.
    pub(crate) fn between(&self, start: Timestamp, end: Timestamp) -> std::ops::Range<usize> {
        let from = self.ticks.partition_point(|tick| tick.time < start);
        let to = self.ticks.partition_point(|tick| tick.time <= end);
        from..to.max(from)
    }

    /// Time of the tick at `position`.
    pub(crate) fn time(&self, position: usize) -> Timestamp {
        self.ticks[position].time
    }

    /// Number of entities held.
    pub(crate) fn entities(&self) -> usize {
        self.kinds.iter().map(|slots| slots.index.len()).sum()
    }

    /// Bytes of ticks and slots.
    pub(crate) fn bytes(&self) -> usize {
        self.tick_bytes + self.kinds.iter().map(Slots::bytes).sum::<usize>()
    }

    /// Whether history keeps `metric` of `entity`'s kind and has seen the entity.
    pub(crate) fn series(&self, entity: &Entity, metric: MetricId) -> Option<Series<'_>> {
        let kind = entity.kind();
        let column = graphed(kind, self.archived).iter().position(|known| *known == metric)?;
        let slot = self.kinds[kind.index()].find(entity)?;
        Some(Series { ticks: &self.ticks, kind, column, slot: slot as usize })
    }

    fn pack(&mut self, table: &Table, number: u64) -> Vec<Chunks> {
        let kind = table.kind();
        let metrics = graphed(kind, self.archived);
        if metrics.is_empty() {
            return Vec::new();
        }
        let slots = &mut self.kinds[kind.index()];
        self.rows.clear();
        self.rows.extend(
            (0..table.len())
                .map(|row| keeps(table, row).then(|| slots.seen(&table.entities()[row], number))),
        );
        let len = slots.held.len();
        let before = self.ticks.back().map(|tick| &tick.kinds[kind.index()]);
        let mut packed = Vec::with_capacity(metrics.len());
        for (position, metric) in metrics.iter().enumerate() {
            let Some(column) = table.column(*metric) else {
                self.tick_bytes += pointer_bytes(&Chunks::new());
                packed.push(Chunks::new());
                continue;
            };
            let old = before.and_then(|columns| columns.get(position));
            let mut chunks = Chunks::with_capacity(len.div_ceil(CHUNK_SLOTS));
            for chunk in self.scratch.pack(column, &self.rows, len) {
                let old = old.and_then(|old| old.get(chunks.len()));
                if let Some(same) = old.filter(|old| ***old == chunk) {
                    chunks.push(Arc::clone(same));
                } else {
                    self.tick_bytes += chunk.bytes();
                    chunks.push(Arc::new(chunk));
                }
            }
            self.tick_bytes += pointer_bytes(&chunks);
            packed.push(chunks);
        }
        packed
    }
}

fn pointer_bytes(chunks: &Chunks) -> usize {
    size_of::<Chunks>() + chunks.capacity() * size_of::<Arc<Chunk>>()
}

/// One entity's values of one metric, by position of the tick.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Series<'a> {
    ticks: &'a VecDeque<Tick>,
    kind: EntityKind,
    column: usize,
    slot: usize,
}

impl Series<'_> {
    /// The value at the tick at `position`.
    pub(crate) fn get(&self, position: usize) -> Option<Value> {
        let chunks = &self.ticks[position].kinds[self.kind.index()][self.column];
        chunks.get(self.slot / CHUNK_SLOTS)?.get(self.slot % CHUNK_SLOTS)
    }
}

impl Slots {
    fn find(&self, entity: &Entity) -> Option<u32> {
        let same = |slot: &u32| self.holds(*slot, entity);
        self.index.find(entity.hash64(), same).copied()
    }

    fn holds(&self, slot: u32, entity: &Entity) -> bool {
        self.held[slot as usize].entity.as_ref().is_some_and(|held| **held == *entity)
    }

    /// The slot of `entity`, made when it is new, marked as seen at tick `number`.
    fn seen(&mut self, entity: &Arc<Entity>, number: u64) -> u32 {
        let slot = self.find(entity).unwrap_or_else(|| self.add(entity));
        let held = &mut self.held[slot as usize];
        held.last_seen = number;
        // A recreated pod is the same entity with another uid.
        if !held.entity.as_ref().is_some_and(|old| Arc::ptr_eq(old, entity)) {
            held.entity = Some(Arc::clone(entity));
        }
        slot
    }

    fn add(&mut self, entity: &Arc<Entity>) -> u32 {
        let new = Slot { entity: Some(Arc::clone(entity)), last_seen: 0 };
        let slot = if let Some(slot) = self.free.pop() {
            self.held[slot as usize] = new;
            slot
        } else {
            self.held.push(new);
            u32::try_from(self.held.len() - 1).unwrap_or(u32::MAX)
        };
        let held = &self.held;
        let hash = |slot: &u32| held[*slot as usize].entity.as_ref().map_or(0, |e| e.hash64());
        self.index.insert_unique(entity.hash64(), slot, hash);
        slot
    }

    fn forget_before(&mut self, oldest: u64) {
        for (position, slot) in self.held.iter_mut().enumerate() {
            if slot.last_seen >= oldest {
                continue;
            }
            let Some(entity) = slot.entity.take() else { continue };
            let same = |at: &u32| *at as usize == position;
            if let Ok(entry) = self.index.find_entry(entity.hash64(), same) {
                let (freed, _) = entry.remove();
                self.free.push(freed);
            }
        }
    }

    fn bytes(&self) -> usize {
        self.held.capacity() * size_of::<Slot>()
            + self.free.capacity() * size_of::<u32>()
            + self.index.capacity() * (size_of::<u32>() + 1)
    }
}
