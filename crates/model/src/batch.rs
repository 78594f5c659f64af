//! A batch: everything one tick measured and computed, frozen.

use std::sync::Arc;

use crate::{Entity, EntityKind, Table, Target, Timestamp};

/// One tick's result. Immutable and shared: the store, the live window and every sink get the
/// same one.
#[derive(Debug)]
pub struct Batch {
    timestamp: Timestamp,
    tables: Vec<Table>,
    targets: Vec<Target>,
}

impl Batch {
    pub(crate) fn new(timestamp: Timestamp, tables: Vec<Table>, targets: Vec<Target>) -> Self {
        Self { timestamp, tables, targets }
    }

    /// The end of its window.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The table of `kind`.
    pub fn table(&self, kind: EntityKind) -> &Table {
        &self.tables[kind.index()]
    }

    /// Every table, in the order of [`EntityKind::ALL`].
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The table and row of `entity`.
    pub fn find(&self, entity: &Entity) -> Option<(&Table, usize)> {
        let table = self.table(entity.kind());
        table.find(entity).map(|row| (table, row))
    }

    /// How each target answered this tick.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Number of rows of all tables.
    pub fn rows(&self) -> usize {
        self.tables.iter().map(Table::len).sum()
    }

    /// Heap bytes held, those of entities and inventory records left out: they are shared.
    pub fn heap_bytes(&self) -> usize {
        self.tables.iter().map(Table::heap_bytes).sum()
    }

    /// Rows of the parts (volumes, filesystems, disks, accelerators) that belong to `owner`:
    /// what Heapster shows as the owner's labeled metrics. Scans the part tables.
    pub fn parts_of<'a>(
        &'a self,
        owner: &'a Arc<Entity>,
    ) -> impl Iterator<Item = (&'a Table, usize)> + 'a {
        self.tables.iter().filter(|table| table.kind().is_labeled_part()).flat_map(move |table| {
            (0..table.len())
                .filter(move |row| {
                    table.entities()[*row].parent().is_some_and(|parent| parent == owner)
                })
                .map(move |row| (table, row))
        })
    }
}
