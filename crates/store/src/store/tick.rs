//! A batch on its way into the window: its rows get slots, its values become differences.
//!
//! Column by column: each goes into the log's buffer, and waits as the window will hold it.

use model::{Column, EntityKind, Table};

use super::Store;
use super::append::Writer;
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
        let mut unknown = Vec::new();
        for (row, entity) in (0_u32..).zip(table.entities()) {
            match writer.known.slot(entity, node_of(entity, table.context(row as usize))) {
                Some(slot) => placed.put(slot, row),
                None => unknown.push(row),
            }
        }
        if !unknown.is_empty() {
            self.meet(writer, table, &unknown, &mut placed);
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

    /// Places rows whose entities appends have not met in this window.
    fn meet(&self, writer: &mut Writer, table: &Table, unknown: &[u32], placed: &mut Placed<'_>) {
        let mut catalog = self.catalog_mut();
        let shared = self.shared();
        let head = &shared.head.kinds[placed.kind.index()];
        let mut slots = head.slots();
        let mut next = head.next_slot();
        placed.rows.reserve_exact(unknown.len());
        for row in unknown {
            let entity = &table.entities()[*row as usize];
            let context = table.context(*row as usize);
            let id = catalog.intern(Labels::of(entity, context));
            let at = id as usize;
            if at >= slots.len() {
                slots.resize(at + 1, NONE);
            }
            if slots[at] == NONE {
                slots[at] = next;
                next += 1;
                placed.new.push(id);
            }
            writer.known.add(entity, node_of(entity, context), slots[at]);
            placed.put(slots[at], *row);
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
