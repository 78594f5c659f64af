//! How a metric's values become the integers that are kept: one scale per unit.
//!
//! Integers keep every digit except CPU time (microseconds) and uptime (seconds). Computed floats are
//! kept with the digits that a graph can show; the floats of custom metrics keep all but the last
//! bit. Source of the choice: docs/decisions/0011.

use std::sync::Arc;

use model::{Kind, Metric, Unit, Value, ValueType, descriptor};

use crate::wire::{self, Malformed, Parsed, Reader};

/// Largest magnitude of a scaled float: beyond it `f64` has no whole numbers to spare.
const LIMIT: f64 = 9_007_199_254_740_992.0;

/// Stored integers ↔ values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Coding {
    /// value = stored × `times` ÷ `per`
    Scaled { times: u32, per: u32 },
    /// Even: twice a whole number. Odd: the bits of a float, its last bit lost.
    Bits,
}

/// What is stored of a (metric, resolution): the values, or one aggregate of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Aggregate {
    Raw,
    Min,
    Max,
    Sum,
    Count,
}

impl Aggregate {
    pub(crate) const BUCKET: [Self; 4] = [Self::Min, Self::Max, Self::Sum, Self::Count];

    fn code(self) -> u8 {
        self as u8
    }

    fn of(code: u8) -> Parsed<Self> {
        [Self::Raw, Self::Min, Self::Max, Self::Sum, Self::Count]
            .get(usize::from(code))
            .copied()
            .ok_or(Malformed)
    }
}

/// A metric as a file or a head names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct MetricDef {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    pub(crate) value: ValueType,
    pub(crate) coding: Coding,
    pub(crate) aggregate: Aggregate,
}

impl MetricDef {
    pub(crate) fn of(metric: &Metric) -> Self {
        let name = match metric {
            Metric::Known(id) => Arc::from(descriptor(*id).name),
            Metric::Custom { name, .. } => Arc::clone(name),
        };
        Self {
            name,
            kind: metric.kind(),
            value: metric.value_type(),
            coding: Coding::of(metric),
            aggregate: Aggregate::Raw,
        }
    }

    pub(crate) fn is_counter(&self) -> bool {
        self.kind == Kind::Counter
    }

    /// The same metric's bucket column.
    pub(crate) fn bucket(&self, aggregate: Aggregate) -> Self {
        let coding = match aggregate {
            Aggregate::Count => Coding::WHOLE,
            _ => self.coding,
        };
        Self { coding, aggregate, ..self.clone() }
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        wire::put_str(out, &self.name);
        out.push(wire::metric_code(self.kind, self.value));
        out.push(self.aggregate.code());
        let (times, per) = match self.coding {
            Coding::Scaled { times, per } => (times, per),
            Coding::Bits => (0, 0),
        };
        wire::put_u64(out, u64::from(times));
        wire::put_u64(out, u64::from(per));
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Parsed<Self> {
        let name = Arc::from(reader.str()?);
        let (kind, value) = wire::metric_of(reader.u8()?)?;
        let aggregate = Aggregate::of(reader.u8()?)?;
        let coding = match (reader.u32()?, reader.u32()?) {
            (0, 0) => Coding::Bits,
            (0, _) | (_, 0) => return Err(Malformed),
            (times, per) => Coding::Scaled { times, per },
        };
        Ok(Self { name, kind, value, coding, aggregate })
    }
}

impl Coding {
    pub(crate) const WHOLE: Self = Self::Scaled { times: 1, per: 1 };

    fn of(metric: &Metric) -> Self {
        let Metric::Known(id) = metric else {
            return match metric.value_type() {
                ValueType::Int => Self::WHOLE,
                ValueType::Float => Self::Bits,
            };
        };
        let row = descriptor(*id);
        match (row.value, row.unit) {
            (ValueType::Int, Unit::Nanoseconds | Unit::Milliseconds) => {
                Self::Scaled { times: 1000, per: 1 }
            }
            (ValueType::Int, _) | (ValueType::Float, Unit::Bytes | Unit::BytesPerSecond) => {
                Self::WHOLE
            }
            (ValueType::Float, Unit::Ratio) => Self::Scaled { times: 1, per: 1_000_000 },
            (ValueType::Float, Unit::PerSecond | Unit::Millicores) => {
                Self::Scaled { times: 1, per: 1000 }
            }
            (ValueType::Float, _) => Self::Bits,
        }
    }

    /// The integer to keep.
    #[expect(clippy::cast_possible_truncation, reason = "the float is within ±2^53")]
    pub(crate) fn encode(self, value: Value) -> i64 {
        match (self, value) {
            (Self::Scaled { times: 1, per: 1 }, Value::Int(value)) => value,
            (Self::Scaled { times, per: 1 }, Value::Int(value)) => {
                value.div_euclid(i64::from(times))
            }
            (Self::Scaled { times, per }, value) => {
                let scaled = value.as_f64() * f64::from(per) / f64::from(times);
                scaled.round().clamp(-LIMIT, LIMIT) as i64
            }
            (Self::Bits, value) => {
                let value = value.as_f64();
                if value.abs() < LIMIT / 4.0 && value.fract() == 0.0 {
                    (value as i64) << 1
                } else {
                    (value.to_bits() | 1).cast_signed()
                }
            }
        }
    }

    /// The value that was kept.
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "a graph needs no more than 53 bits")]
    pub(crate) fn decode(self, stored: i64) -> f64 {
        match self {
            Self::Scaled { times: 1, per: 1 } => stored as f64,
            Self::Scaled { times, per } => stored as f64 * f64::from(times) / f64::from(per),
            Self::Bits if stored & 1 == 0 => (stored >> 1) as f64,
            Self::Bits => f64::from_bits(stored.cast_unsigned() & !1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::metric;

    fn check(metric: &Metric, value: Value, kept: f64) {
        let coding = Coding::of(metric);
        let stored = coding.encode(value);
        assert!((coding.decode(stored) - kept).abs() <= kept.abs() * 1e-15, "{value:?}");
        assert_eq!(coding.encode(Value::Float(coding.decode(stored))), stored);
    }

    #[test]
    fn units_have_scales() {
        let known = Metric::Known;
        check(&known(metric::CPU_USAGE), Value::Int(1_234_567_890), 1_234_567_000.0);
        check(&known(metric::UPTIME), Value::Int(61_234), 61_000.0);
        check(&known(metric::MEMORY_USAGE), Value::Int(4096), 4096.0);
        check(&known(metric::CPU_NODE_UTILIZATION), Value::Float(0.123_456_78), 0.123_457);
        check(&known(metric::NETWORK_RX_RATE), Value::Float(12.6), 13.0);
        check(&known(metric::MEMORY_PAGE_FAULTS_RATE), Value::Float(0.016_666), 0.017);
        let custom =
            Metric::Custom { name: "custom/x".into(), kind: Kind::Gauge, value: ValueType::Float };
        for value in [0.0, 7.0, -3.0, 0.1, 1e300, f64::INFINITY, f64::NEG_INFINITY] {
            let kept = Coding::Bits.decode(Coding::of(&custom).encode(Value::Float(value)));
            assert!(kept.to_bits().abs_diff(value.to_bits()) <= 1, "{value}");
        }
    }
}
