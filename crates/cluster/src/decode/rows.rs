//! Rows of a draft for one node: inserts entities with their node and writes what is known.

use std::sync::Arc;

use model::{Draft, Entity, EntityKind, MetricId, Node, Row, Timestamp, metric};

/// A draft while one node's answer is written into it.
pub(super) struct Rows<'a> {
    pub(super) draft: &'a mut Draft,
    pub(super) node: &'a Arc<Node>,
    /// When the answer was read: what uptimes count to.
    pub(super) now: Timestamp,
}

impl Rows<'_> {
    /// The row of `entity`, with its node.
    pub(super) fn insert(&mut self, entity: &Arc<Entity>) -> Row {
        let row = self.draft.insert(entity);
        let context = self.draft.table_mut(row.kind).context_mut(row.row);
        context.node = Some(Arc::clone(self.node));
        row
    }

    /// Writes an integer if there is one.
    pub(super) fn set(&mut self, row: Row, metric: MetricId, value: Option<i64>) {
        if let Some(value) = value {
            self.draft.table_mut(row.kind).set_int(row.row, metric, value);
        }
    }

    /// Writes begin of counters, scrape time, and the uptime that follows from the begin.
    ///
    /// Difference from Heapster: a start in the future (a skewed clock) is an uptime of 0.
    pub(super) fn set_times(&mut self, row: Row, started: Timestamp, scraped: Timestamp) {
        let table = self.draft.table_mut(row.kind);
        table.set_started(row.row, started);
        table.set_scraped(row.row, scraped);
        if !started.is_never() {
            let uptime = (self.now.nanos_since(started) / 1_000_000).max(0);
            table.set_int(row.row, metric::UPTIME, uptime);
        }
    }

    /// Writes when CPU and memory were measured, where that is not the scrape time.
    pub(super) fn set_compute_time(&mut self, row: Row, time: Timestamp) {
        self.draft.table_mut(row.kind).set_compute_time(row.row, time);
    }

    /// Adds a filesystem, volume or disk of `owner`; returns its row.
    pub(super) fn part(
        &mut self,
        kind: EntityKind,
        owner: &Arc<Entity>,
        id: &str,
        scraped: Timestamp,
        started: Timestamp,
    ) -> Row {
        let entity = self.draft.registry.part(kind, owner, id);
        let row = self.draft.insert(&entity);
        // Only disks have counters; the others' times and node are their owner's.
        if kind == EntityKind::Disk {
            let table = self.draft.table_mut(kind);
            table.set_scraped(row.row, scraped);
            table.set_started(row.row, started);
        }
        row
    }
}

/// Seconds → nanoseconds; `None` for what no measurement can be.
pub(super) fn nanos(seconds: f64) -> Option<i64> {
    whole((seconds * 1e9).round())
}

/// A number of the text format as an integer; `None` for what no measurement can be.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
pub(super) fn whole(value: f64) -> Option<i64> {
    (0.0..9.2e18).contains(&value).then_some(value as i64)
}
