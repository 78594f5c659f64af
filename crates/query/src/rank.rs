//! Rankings: the rows of a table with the largest values of a metric.

use model::{MetricId, Table};

/// The `count` rows of `table` with the largest values of `metric`, largest first; equal ones by
/// name. Rows without a value are left out.
pub fn top(table: &Table, metric: MetricId, count: usize) -> Vec<(usize, f64)> {
    let Some(column) = table.column(metric) else { return Vec::new() };
    let mut rows: Vec<(usize, f64)> =
        column.iter().map(|(row, value)| (row, value.as_f64())).collect();
    let entities = table.entities();
    let order = |left: &(usize, f64), right: &(usize, f64)| {
        right
            .1
            .total_cmp(&left.1)
            .then_with(|| entities[left.0].name().cmp(entities[right.0].name()))
            .then_with(|| left.0.cmp(&right.0))
    };
    if count == 0 {
        return Vec::new();
    }
    if rows.len() > count {
        rows.select_nth_unstable_by(count - 1, order);
        rows.truncate(count);
    }
    rows.sort_unstable_by(order);
    rows
}

#[cfg(test)]
mod tests {
    use model::{EntityKind, Registry, metric};

    use super::*;

    #[test]
    fn largest_first_then_by_name() {
        let mut registry = Registry::default();
        let mut table = Table::new(EntityKind::Pod);
        for (name, value) in
            [("b", Some(5)), ("idle", None), ("a", Some(5)), ("c", Some(9)), ("d", Some(1))]
        {
            let row = table.insert(&registry.pod("ns", name, ""));
            if let Some(value) = value {
                table.set_int(row, metric::CPU_USAGE_RATE, value);
            }
        }
        let check = |count: usize, expected: &[&str]| {
            let rows = top(&table, metric::CPU_USAGE_RATE, count);
            let names: Vec<_> = rows.iter().map(|(row, _)| table.entities()[*row].name()).collect();
            assert_eq!(names, expected);
        };
        check(0, &[]);
        check(3, &["c", "a", "b"]);
        check(9, &["c", "a", "b", "d"]);
        assert!(top(&table, metric::MEMORY_USAGE, 3).is_empty());
    }
}
