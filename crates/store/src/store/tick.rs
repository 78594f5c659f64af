//! A batch on its way into the window: its rows get slots, its values become differences.
//!
//! Column by column: each goes into the log's buffer, and waits as the window will hold it.

use model::{Column, EntityKind, Table};

use super::Store;
use super::append::Writer;
use super::known::Place;
use crate::column::Expected;
use crate::frame::{self, ColumnWriter};
use crate::labels::node_of;
use crate::packed::Packer;
use crate::scale::MetricDef;
use crate::window::{Added, Window};
use crate::{Labels, telemetry};

/// Stands for the row of a slot that has none.
const NONE: u32 = u32::MAX;

/// A table of a batch as the window sees it.
pub(super) struct Placed<'a> {
    pub(super) kind: EntityKind,
    /// Rows by slot.
    rows: Vec<u32>,
    /// Catalog numbers of entities that the window does not hold yet.
    pub(super) new: Vec<u32>,
    /// Columns with values, and the window's numbers of their metrics.
    columns: Vec<(&'a Column, u16)>,
}

/// A row without a slot, and the position of its entity among the known ones or [`NONE`].
type Homeless = (u32, u32);

impl Placed<'_> {
    fn put(&mut self, slot: u32, row: u32) {
        let at = slot as usize;
        if at >= self.rows.len() {
            self.rows.resize(at + 1, NONE);
        }
        let held = &mut self.rows[at];
        // Two entities with the same labels: the later row wins.
        if *held == NONE || *held < row {
            *held = row;
        }
    }
}

impl Store {
    /// Gives slots to the rows of a table and numbers to its metrics; new ones go to `metrics`.
    pub(super) fn place<'a>(
        &self,
        writer: &mut Writer,
        table: &'a Table,
        metrics: &mut Vec<MetricDef>,
    ) -> Placed<'a> {
        let kind = table.kind();
        let slots = self.shared().head.kinds[kind.index()].ids.len();
        let (new, columns) = (Vec::new(), Vec::with_capacity(table.columns().len()));
        let mut placed = Placed { kind, rows: vec![NONE; slots], new, columns };
        let mut homeless = Vec::new();
        for (row, entity) in (0_u32..).zip(table.entities()) {
            let at = writer.known.find(entity, node_of(entity, table.context(row as usize)));
            let at = at.unwrap_or(NONE);
            match writer.known.place(at) {
                Some(Place::Slot(slot)) => placed.put(slot, row),
                _ => homeless.push((row, at)),
            }
        }
        if !homeless.is_empty() {
            let ids = self.numbers(writer, table, &homeless);
            self.settle(writer, table, &ids, &homeless, &mut placed);
        }
        let shared = self.shared();
        for column in table.columns().iter().filter(|column| !column.is_empty()) {
            if let Some(metric) = writer.metric(column.metric(), &shared.head, metrics) {
                placed.columns.push((column, metric));
            } else {
                let dropped = column.iter().count() as u64;
                metrics::counter!(telemetry::DROPPED).increment(dropped);
            }
        }
        placed
    }

    /// The catalog numbers of rows; those of entities that are not known are looked up.
    fn numbers(&self, writer: &Writer, table: &Table, rows: &[Homeless]) -> Vec<u32> {
        let (mut catalog, mut pairs) = (None, Vec::new());
        let numbers = rows.iter().map(|(row, at)| {
            if let Some(Place::Number(number)) = writer.known.place(*at) {
                return number;
            }
            let entity = &table.entities()[*row as usize];
            Labels::describe(entity, table.context(*row as usize), &mut pairs);
            let catalog = catalog.get_or_insert_with(|| self.catalog_mut());
            catalog.intern(entity.kind(), pairs.iter().copied())
        });
        numbers.collect()
    }

    /// Gives slots to rows whose entities appends have not met in this window.
    fn settle(
        &self,
        writer: &mut Writer,
        table: &Table,
        ids: &[u32],
        rows: &[Homeless],
        placed: &mut Placed<'_>,
    ) {
        let shared = self.shared();
        let head = &shared.head.kinds[placed.kind.index()];
        let mut slots = head.slots();
        let mut next = head.next_slot();
        placed.rows.reserve_exact(rows.len());
        for (id, (row, known)) in ids.iter().zip(rows) {
            let at = *id as usize;
            if at >= slots.len() {
                slots.resize(at + 1, NONE);
            }
            if slots[at] == NONE {
                slots[at] = next;
                next += 1;
                placed.new.push(*id);
            }
            placed.put(slots[at], *row);
            if *known == NONE {
                let entity = &table.entities()[*row as usize];
                let node = node_of(entity, table.context(*row as usize));
                writer.known.add(entity, node, slots[at]);
            } else {
                writer.known.settle(*known, slots[at]);
            }
        }
    }
}

/// Writes the body of the frame that `head` takes next, and answers what it adds to its columns.
pub(super) fn encode(
    head: &Window,
    (time, key): (i64, bool),
    tables: &[Placed<'_>],
    out: &mut Vec<u8>,
) -> Vec<Added> {
    let mut added = Vec::new();
    let mut writer = ColumnWriter::default();
    frame::put_head(head.next_frame, time, key, tables.len(), out);
    for Placed { kind, rows, columns, .. } in tables {
        let placed = || (0_u32..).zip(rows).filter(|(_, row)| **row != NONE);
        let slots: Vec<u32> = placed().map(|(slot, _)| slot).collect();
        frame::put_table(*kind, &slots, columns.len(), out);
        let part = &head.kinds[kind.index()];
        for (column, metric) in columns {
            let coding = MetricDef::of(column.metric()).coding;
            let mut expected = Expected::of(part.column(*metric));
            let mut packer = Packer::new();
            for (position, (slot, row)) in (0_u32..).zip(placed()) {
                let Some(value) = column.get(*row as usize) else { continue };
                let value = coding.encode(value);
                let difference = value.wrapping_sub(expected.at(slot));
                packer.push(slot, difference);
                writer.push(position, if key { value } else { difference });
            }
            writer.put(*metric, slots.len(), out);
            added.push(Added { kind: *kind, metric: *metric, differences: packer.finish() });
        }
    }
    added
}
