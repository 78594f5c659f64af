//! A column: one metric's values for the rows of a table, absent values included.

mod packed;

use std::sync::Arc;

pub(crate) use packed::Packed;

use crate::{Kind, MetricId, ValueType, descriptor};

/// Stands for "no value" in an integer column.
const ABSENT: i64 = i64::MIN;

/// Which metric a column holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Metric {
    /// A row of the catalog.
    Known(MetricId),
    /// A metric named by the cluster: `custom/<name>` or `<resource>/request`.
    Custom {
        /// Its whole name.
        name: Arc<str>,
        /// Counter or gauge.
        kind: Kind,
        /// Integer or float.
        value: ValueType,
    },
}

impl Metric {
    /// Its name (`cpu/usage_rate`, `custom/qps`).
    pub fn name(&self) -> &str {
        match self {
            Self::Known(id) => descriptor(*id).name,
            Self::Custom { name, .. } => name,
        }
    }

    /// Counter or gauge.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Known(id) => descriptor(*id).kind,
            Self::Custom { kind, .. } => *kind,
        }
    }

    /// Integer or float.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Known(id) => descriptor(*id).value,
            Self::Custom { value, .. } => *value,
        }
    }
}

/// One value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// An integer.
    Int(i64),
    /// A float; never NaN.
    Float(f64),
}

impl Value {
    /// The value as a float.
    #[expect(clippy::cast_precision_loss, reason = "a graph needs no more than 53 bits")]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    /// The value as an integer, floats truncated towards zero as Go converts them.
    #[expect(clippy::cast_possible_truncation, reason = "saturates, as documented")]
    pub fn as_i64(self) -> i64 {
        match self {
            Self::Int(value) => value,
            Self::Float(value) => value as i64,
        }
    }
}

#[derive(Debug, Clone)]
enum Values {
    Int(Vec<i64>),
    Float(Vec<f64>),
    /// Of a frozen batch.
    Packed(Packed, ValueType),
}

/// One metric's values by row; shorter than its table when the last rows have none.
#[derive(Debug, Clone)]
pub struct Column {
    metric: Metric,
    values: Values,
}

impl Column {
    /// An empty column of `metric`.
    pub fn new(metric: Metric) -> Self {
        Self::expecting(metric, 0)
    }

    /// An empty column of `metric` with room for so many rows.
    pub(crate) fn expecting(metric: Metric, rows: usize) -> Self {
        let values = match metric.value_type() {
            ValueType::Int => Values::Int(Vec::with_capacity(rows)),
            ValueType::Float => Values::Float(Vec::with_capacity(rows)),
        };
        Self { metric, values }
    }

    /// Which metric it holds.
    pub fn metric(&self) -> &Metric {
        &self.metric
    }

    /// The value in `row`, if there is one.
    pub fn get(&self, row: usize) -> Option<Value> {
        match &self.values {
            Values::Int(values) => {
                values.get(row).copied().filter(|value| *value != ABSENT).map(Value::Int)
            }
            Values::Float(values) => {
                values.get(row).copied().filter(|value| !value.is_nan()).map(Value::Float)
            }
            Values::Packed(values, ValueType::Int) => values.get(row).map(Value::Int),
            Values::Packed(values, ValueType::Float) => {
                values.get(row).map(|value| Value::Float(Value::Int(value).as_f64()))
            }
        }
    }

    /// Whether no row has a value.
    pub fn is_empty(&self) -> bool {
        match &self.values {
            Values::Int(values) => values.iter().all(|value| *value == ABSENT),
            Values::Float(values) => values.iter().all(|value| value.is_nan()),
            // It ends with the last row that has a value.
            Values::Packed(values, _) => values.rows() == 0,
        }
    }

    /// Rows that hold values, with them, in row order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Value)> + '_ {
        let len = match &self.values {
            Values::Int(values) => values.len(),
            Values::Float(values) => values.len(),
            Values::Packed(values, _) => values.rows(),
        };
        (0..len).filter_map(|row| self.get(row).map(|value| (row, value)))
    }

    /// Puts `value` into `row`, converted to the column's type. NaN clears the row.
    pub fn set(&mut self, row: usize, value: Value) {
        self.unpack();
        match &mut self.values {
            Values::Int(values) => {
                pad(values, row, ABSENT);
                values[row] = value.as_i64();
            }
            Values::Float(values) => {
                pad(values, row, f64::NAN);
                values[row] = value.as_f64();
            }
            // It was unpacked just now.
            Values::Packed(..) => {}
        }
    }

    /// Adds `value` to what `row` holds, or puts it there. Integers saturate.
    pub fn add(&mut self, row: usize, value: Value) {
        let sum = match self.get(row) {
            None => value,
            Some(Value::Int(old)) => Value::Int(old.saturating_add(value.as_i64()).max(ABSENT + 1)),
            Some(Value::Float(old)) => Value::Float(old + value.as_f64()),
        };
        self.set(row, sum);
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        match &self.values {
            Values::Int(values) => values.capacity() * 8,
            Values::Float(values) => values.capacity() * 8,
            Values::Packed(values, _) => values.heap_bytes(),
        }
    }

    /// Keeps the values in less memory: nobody changes them any more.
    pub(crate) fn shrink(&mut self) {
        let packed = match &self.values {
            Values::Int(values) => Packed::new(values.iter().map(|value| present(*value))),
            Values::Float(values) if values.iter().copied().all(is_whole) => {
                let integer = |value: &f64| Value::Float(*value).as_i64();
                Packed::new(values.iter().map(|value| (!value.is_nan()).then(|| integer(value))))
            }
            Values::Float(_) | Values::Packed(..) => None,
        };
        match (packed, &mut self.values) {
            (Some(packed), _) => self.values = Values::Packed(packed, self.metric.value_type()),
            (None, Values::Int(values)) => trim(values),
            (None, Values::Float(values)) => trim(values),
            (None, Values::Packed(..)) => {}
        }
    }

    fn unpack(&mut self) {
        if let Values::Packed(packed, kind) = &self.values {
            let values = (0..packed.rows()).map(|row| packed.get(row));
            self.values = match kind {
                ValueType::Int => {
                    Values::Int(values.map(|value| value.unwrap_or(ABSENT)).collect())
                }
                ValueType::Float => {
                    let float = |value| Value::Int(value).as_f64();
                    Values::Float(values.map(|value| value.map_or(f64::NAN, float)).collect())
                }
            };
        }
    }
}

fn present(value: i64) -> Option<i64> {
    Some(value).filter(|value| *value != ABSENT)
}

/// Whether a float is nothing, or comes back from an integer as it was.
fn is_whole(value: f64) -> bool {
    let again = Value::Int(Value::Float(value).as_i64()).as_f64();
    value.is_nan() || again.to_bits() == value.to_bits()
}

/// Gives memory back where much of it is unused; moving everything to save a little is not worth
/// it.
pub(crate) fn trim<T>(values: &mut Vec<T>) {
    if values.capacity() - values.len() > values.len() / 8 {
        values.shrink_to_fit();
    }
}

fn pad<T: Copy>(values: &mut Vec<T>, row: usize, absent: T) {
    if values.len() <= row {
        values.resize(row + 1, absent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric;

    #[test]
    fn frozen_columns_read_the_same() {
        for (id, values) in [
            (metric::MEMORY_USAGE, [Some(1.0), None, Some(3.0), Some(-7.0)]),
            (metric::CPU_USAGE_RATE, [Some(1.0), None, Some(3.0), Some(-7.0)]),
            (metric::MEMORY_NODE_UTILIZATION, [Some(0.0), None, Some(2.0), None]),
            (metric::MEMORY_NODE_UTILIZATION, [Some(0.5), None, Some(2.0), None]),
            (metric::MEMORY_NODE_UTILIZATION, [Some(-0.0), None, Some(2.0), Some(1e300)]),
            (metric::MEMORY_NODE_UTILIZATION, [None; 4]),
        ] {
            let mut column = Column::new(Metric::Known(id));
            for (row, value) in values.iter().enumerate() {
                if let Some(value) = value {
                    column.set(row, Value::Float(*value));
                }
            }
            let bits = |column: &Column| -> Vec<_> {
                let each = column.iter();
                each.map(|(row, value)| (row, value, value.as_f64().to_bits())).collect()
            };
            let (before, empty) = (bits(&column), column.is_empty());
            column.shrink();
            assert_eq!((bits(&column), column.is_empty()), (before.clone(), empty), "{values:?}");
            column.add(9, Value::Float(4.0));
            assert_eq!(column.iter().count(), before.len() + 1, "{values:?}");
            assert_eq!(column.get(9).map(Value::as_i64), Some(4));
        }
    }

    #[test]
    fn absent_values_are_gaps() {
        let mut column = Column::new(Metric::Known(metric::MEMORY_USAGE));
        column.set(2, Value::Int(7));
        column.add(2, Value::Int(1));
        column.add(3, Value::Float(2.9));
        assert_eq!(column.get(0), None);
        assert_eq!(column.get(9), None);
        assert_eq!(column.iter().collect::<Vec<_>>(), [(2, Value::Int(8)), (3, Value::Int(2))]);
    }
}
