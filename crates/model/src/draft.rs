//! A draft: a batch while sources and processors still fill it.

use std::sync::Arc;

use crate::{Batch, Entity, EntityKind, Registry, Table, Target, Timestamp};

/// A row of a draft: table and position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Row {
    /// Which table.
    pub kind: EntityKind,
    /// Position in it.
    pub row: usize,
}

/// A batch under construction. Carries the registry, so that sources and processors can name
/// entities; [`Draft::freeze`] gives it back.
#[derive(Debug)]
pub struct Draft {
    timestamp: Timestamp,
    tables: Vec<Table>,
    targets: Vec<Target>,
    /// Names entities.
    pub registry: Registry,
}

impl Draft {
    /// An empty draft for the window that ends at `timestamp`.
    pub fn new(timestamp: Timestamp, registry: Registry) -> Self {
        let expecting = |kind| Table::expecting(kind, registry.expected_rows(kind));
        let tables = EntityKind::ALL.into_iter().map(expecting).collect();
        Self { timestamp, tables, targets: Vec::new(), registry }
    }

    /// The end of the window, which is the batch's time.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The table of `kind`.
    pub fn table(&self, kind: EntityKind) -> &Table {
        &self.tables[kind.index()]
    }

    /// The table of `kind`, to fill.
    pub fn table_mut(&mut self, kind: EntityKind) -> &mut Table {
        &mut self.tables[kind.index()]
    }

    /// Two different tables at once: the first to read, the second to fill.
    ///
    /// # Panics
    /// When both are the same kind.
    #[expect(clippy::panic, reason = "a programmer's error that any test run shows")]
    pub fn read_and_fill(&mut self, read: EntityKind, fill: EntityKind) -> (&Table, &mut Table) {
        match self.tables.get_disjoint_mut([read.index(), fill.index()]) {
            Ok([read, fill]) => (read, fill),
            Err(error) => panic!("{read:?} read and filled at once: {error}"),
        }
    }

    /// The row of `entity`, added when it is new.
    pub fn insert(&mut self, entity: &Arc<Entity>) -> Row {
        let kind = entity.kind();
        Row { kind, row: self.table_mut(kind).insert(entity) }
    }

    /// Notes how a target answered.
    pub fn report(&mut self, target: Target) {
        self.targets.push(target);
    }

    /// What was noted of targets so far.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Ends construction: the batch can no longer change. The registry ends its tick and comes
    /// back for the next draft.
    pub fn freeze(mut self) -> (Arc<Batch>, Registry) {
        self.tables.iter_mut().for_each(Table::shrink);
        self.registry.end_tick(&self.tables);
        (Arc::new(Batch::new(self.timestamp, self.tables, self.targets)), self.registry)
    }
}
