//! A table: the entities of one kind in one batch, a row each, a column per metric.

mod times;

use std::sync::{Arc, OnceLock};

use hashbrown::HashTable;

use crate::column::trim;
use crate::table::times::Times;
use crate::{
    CATALOG, Column, Entity, EntityKind, Metric, MetricId, Namespace, Node, Pod, Timestamp, Value,
};

/// What the inventory knows of a row's entity. Filled by the source (node) and by enrichment.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The node it runs on or is.
    pub node: Option<Arc<Node>>,
    /// The pod it is or belongs to; `None` for a pod that only the kubelet knows.
    pub pod: Option<Arc<Pod>>,
    /// The namespace it is or lives in.
    pub namespace: Option<Arc<Namespace>>,
}

/// The context of a row that has none.
static NO_CONTEXT: Context = Context { node: None, pod: None, namespace: None };

/// No column of this metric.
const NO_SLOT: u8 = u8::MAX;

/// The entities of one kind in one batch, with their values in columns.
#[derive(Debug, Clone)]
pub struct Table {
    kind: EntityKind,
    /// How many rows are expected: what a new column makes room for.
    expected: usize,
    entities: Vec<Arc<Entity>>,
    /// Of a frozen table of parts made when somebody looks for one: they are many, and hardly
    /// anybody does.
    index: OnceLock<HashTable<u32>>,
    scraped: Times,
    computed: Times,
    started: Times,
    created: Times,
    /// Only as long as the last row that has one: parts need none.
    contexts: Vec<Context>,
    columns: Vec<Column>,
    /// Catalog position → position in `columns`.
    slots: [u8; CATALOG.len()],
}

impl Table {
    /// An empty table.
    pub fn new(kind: EntityKind) -> Self {
        Self::expecting(kind, 0)
    }

    /// An empty table with room for so many rows.
    pub(crate) fn expecting(kind: EntityKind, expected: usize) -> Self {
        Self {
            kind,
            expected,
            entities: Vec::with_capacity(expected),
            index: OnceLock::from(HashTable::with_capacity(expected)),
            scraped: Times::default(),
            computed: Times::default(),
            started: Times::default(),
            created: Times::default(),
            contexts: Vec::new(),
            columns: Vec::new(),
            slots: [NO_SLOT; CATALOG.len()],
        }
    }

    /// What its rows are.
    pub fn kind(&self) -> EntityKind {
        self.kind
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.entities.len()
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    /// The entity of each row.
    pub fn entities(&self) -> &[Arc<Entity>] {
        &self.entities
    }

    /// The row of `entity`.
    pub fn find(&self, entity: &Entity) -> Option<usize> {
        let index = self.index.get_or_init(|| index(&self.entities));
        index
            .find(entity.hash64(), |row| *self.entities[*row as usize] == *entity)
            .map(|row| *row as usize)
    }

    /// When the source measured `row`; [`Timestamp::NEVER`] for computed rows.
    pub fn scraped(&self, row: usize) -> Timestamp {
        self.scraped.get(row)
    }

    /// When CPU and memory of `row` were measured: a kubelet reads them and the network at times
    /// of their own.
    pub fn compute_time(&self, row: usize) -> Timestamp {
        let own = self.computed.get(row);
        if own.is_never() { self.scraped(row) } else { own }
    }

    /// When the counters of `row` began (Heapster: `CollectionStartTime`).
    pub fn started(&self, row: usize) -> Timestamp {
        self.started.get(row)
    }

    /// When the entity of `row` was created (Heapster: `EntityCreateTime`).
    pub fn created(&self, row: usize) -> Timestamp {
        self.created.get(row)
    }

    /// What the inventory knows of `row`.
    pub fn context(&self, row: usize) -> &Context {
        self.contexts.get(row).unwrap_or(&NO_CONTEXT)
    }

    /// Every column.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column of a catalog metric.
    pub fn column(&self, metric: MetricId) -> Option<&Column> {
        self.columns.get(usize::from(self.slots[metric.index()]))
    }

    /// The column of any metric, by name.
    pub fn column_named(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.metric().name() == name)
    }

    /// The value of a catalog metric in `row`.
    pub fn get(&self, row: usize, metric: MetricId) -> Option<Value> {
        self.column(metric).and_then(|column| column.get(row))
    }

    /// The row of `entity`, added when it is new.
    pub fn insert(&mut self, entity: &Arc<Entity>) -> usize {
        debug_assert_eq!(entity.kind(), self.kind, "an entity goes into the table of its kind");
        if let Some(row) = self.find(entity) {
            return row;
        }
        let row = self.entities.len();
        let entities = &mut self.entities;
        entities.push(Arc::clone(entity));
        let row32 = u32::try_from(row).unwrap_or(u32::MAX);
        // It was looked into just now, so it is there.
        if let Some(index) = self.index.get_mut() {
            index.insert_unique(entity.hash64(), row32, |row| entities[*row as usize].hash64());
        }
        row
    }

    /// Sets when the source measured `row`.
    pub fn set_scraped(&mut self, row: usize, time: Timestamp) {
        self.scraped.set(row, time);
    }

    /// Sets when CPU and memory of `row` were measured, where that is not its scrape time.
    pub fn set_compute_time(&mut self, row: usize, time: Timestamp) {
        self.computed.set(row, time);
    }

    /// Sets when the counters of `row` began.
    pub fn set_started(&mut self, row: usize, time: Timestamp) {
        self.started.set(row, time);
    }

    /// Sets when the entity of `row` was created.
    pub fn set_created(&mut self, row: usize, time: Timestamp) {
        self.created.set(row, time);
    }

    /// What the inventory knows of `row`, to fill in.
    pub fn context_mut(&mut self, row: usize) -> &mut Context {
        if self.contexts.len() <= row {
            self.contexts.resize_with(row + 1, Context::default);
        }
        &mut self.contexts[row]
    }

    /// The column of a catalog metric, added when it is missing.
    pub fn column_mut(&mut self, metric: MetricId) -> &mut Column {
        let mut slot = usize::from(self.slots[metric.index()]);
        if slot >= self.columns.len() {
            slot = self.columns.len();
            self.columns.push(Column::expecting(Metric::Known(metric), self.expected));
            self.slots[metric.index()] = u8::try_from(slot).unwrap_or(NO_SLOT);
        }
        &mut self.columns[slot]
    }

    /// The column of any metric, added when it is missing. At most 250 columns are kept; beyond
    /// that the answer is `None` and the caller counts the loss.
    pub fn column_for(&mut self, metric: &Metric) -> Option<&mut Column> {
        if let Metric::Known(id) = metric {
            return Some(self.column_mut(*id));
        }
        if let Some(at) = self.columns.iter().position(|column| column.metric() == metric) {
            return self.columns.get_mut(at);
        }
        if self.columns.len() + CATALOG.len() >= usize::from(NO_SLOT) {
            return None;
        }
        // Few rows have it, so it grows as it must.
        self.columns.push(Column::new(metric.clone()));
        self.columns.last_mut()
    }

    /// Puts an integer into `row`.
    pub fn set_int(&mut self, row: usize, metric: MetricId, value: i64) {
        self.column_mut(metric).set(row, Value::Int(value));
    }

    /// Puts a float into `row`; NaN clears it.
    pub fn set_float(&mut self, row: usize, metric: MetricId, value: f64) {
        self.column_mut(metric).set(row, Value::Float(value));
    }

    /// Heap bytes held, those of entities and inventory records left out.
    pub fn heap_bytes(&self) -> usize {
        let times = [&self.scraped, &self.computed, &self.started, &self.created];
        self.entities.capacity() * size_of::<Arc<Entity>>()
            + self.index.get().map_or(0, HashTable::allocation_size)
            + times.iter().map(|times| times.heap_bytes()).sum::<usize>()
            + self.contexts.capacity() * size_of::<Context>()
            + self.columns.iter().map(Column::heap_bytes).sum::<usize>()
    }

    pub(crate) fn shrink(&mut self) {
        trim(&mut self.entities);
        if self.kind.is_labeled_part() {
            self.index = OnceLock::new();
        }
        trim(&mut self.contexts);
        for times in [&mut self.scraped, &mut self.computed, &mut self.started, &mut self.created] {
            times.shrink();
        }
        self.columns.iter_mut().for_each(Column::shrink);
    }
}

/// Where each entity stands.
fn index(entities: &[Arc<Entity>]) -> HashTable<u32> {
    let hash = |row: &u32| entities[*row as usize].hash64();
    let mut index = HashTable::with_capacity(entities.len());
    for (row, entity) in (0_u32..).zip(entities) {
        index.insert_unique(entity.hash64(), row, hash);
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Draft, Registry};

    #[test]
    fn frozen_parts_are_found_and_cost_no_index_until_then() {
        let mut draft = Draft::new(Timestamp::from_secs(60), Registry::default());
        let node = draft.registry.node("n1");
        let disks: Vec<_> = (0..100)
            .map(|number| draft.registry.part(EntityKind::Disk, &node, &format!("sd{number}")))
            .collect();
        let rows: Vec<_> = disks.iter().map(|disk| draft.insert(disk).row).collect();
        assert_eq!(draft.insert(&disks[7]).row, rows[7]);
        let absent = draft.registry.part(EntityKind::Disk, &node, "absent");
        let table = draft.freeze().0.table(EntityKind::Disk).clone();
        let before = table.heap_bytes();
        assert_eq!(disks.iter().filter_map(|disk| table.find(disk)).collect::<Vec<_>>(), rows);
        assert_eq!(table.find(&absent), None);
        assert!(table.heap_bytes() > before, "the index is counted");
        // Who changes it finds what was there.
        let mut again = table.clone();
        assert_eq!((again.insert(&disks[3]), again.insert(&absent)), (rows[3], 100));
        assert_eq!(again.find(&absent), Some(100));
    }
}
