//! What the summing processors share: adding one table's columns into rows of another.

use model::{CATALOG, Descriptor, EntityKind, Kind, MetricId, Table, Value, metric};

/// "This row has no row in the other table."
pub(super) const NO_ROW: u32 = u32::MAX;

/// A row number as it is kept in row maps.
pub(super) fn row32(row: usize) -> u32 {
    u32::try_from(row).unwrap_or(NO_ROW)
}

/// The metrics that `kind` (a namespace, a workload) has because its pods have them.
pub(super) fn summed_from_pods(kind: EntityKind) -> impl Iterator<Item = MetricId> {
    CATALOG
        .iter()
        .filter(move |row| row.entities.contains(kind) && row.entities.contains(EntityKind::Pod))
        .filter(|row| row.kind == Kind::Gauge)
        .map(|row: &Descriptor| row.id)
}

/// Adds each metric's values of `read` into the rows of `fill` that `rows` names.
pub(super) fn add_columns(
    read: &Table,
    fill: &mut Table,
    rows: &[u32],
    metrics: impl Iterator<Item = MetricId>,
) {
    for metric in metrics {
        let Some(from) = read.column(metric) else { continue };
        let into = fill.column_mut(metric);
        for (row, value) in from.iter() {
            let target = rows[row];
            if target != NO_ROW {
                into.add(target as usize, value);
            }
        }
    }
}

/// Counts the pods of each row of `fill` into its `pods` metric.
pub(super) fn count_pods(fill: &mut Table, rows: &[u32]) {
    let pods = fill.column_mut(metric::PODS);
    for target in rows.iter().filter(|target| **target != NO_ROW) {
        pods.add(*target as usize, Value::Int(1));
    }
}
