//! Functions of a window's values. Compensated summation where Prometheus 2.42 has it.
#![expect(clippy::unnecessary_wraps, reason = "one signature for all functions of windows")]

use crate::promql::aggregate;
use crate::promql::selector::Window;

/// A sum with Neumaier's compensation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Kahan {
    pub(super) sum: f64,
    compensation: f64,
}

impl Kahan {
    pub(super) fn add(&mut self, value: f64) {
        let total = self.sum + value;
        self.compensation += if self.sum.abs() >= value.abs() {
            (self.sum - total) + value
        } else {
            (value - total) + self.sum
        };
        self.sum = total;
    }

    pub(super) fn total(self) -> f64 {
        self.sum + self.compensation
    }

    /// The total; an infinite sum has no usable compensation.
    fn total_or_infinity(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.total() }
    }
}

pub(super) fn sum(window: &Window<'_>, _: &[f64]) -> Option<f64> {
    let mut sum = Kahan::default();
    window.values.iter().for_each(|value| sum.add(*value));
    Some(sum.total_or_infinity())
}

pub(super) fn avg(window: &Window<'_>, _: &[f64]) -> Option<f64> {
    let mut mean = Kahan::default();
    let mut count = 0.0;
    for value in window.values {
        count += 1.0;
        if mean.sum.is_infinite() {
            let same_sign = value.is_infinite() && (mean.sum > 0.0) == (*value > 0.0);
            if same_sign || value.is_finite() {
                continue;
            }
        }
        mean.add(value / count - mean.sum / count);
    }
    Some(mean.total_or_infinity())
}

pub(super) fn count(window: &Window<'_>, _: &[f64]) -> Option<f64> {
    Some(window.values.len() as f64)
}

pub(super) fn present(_: &Window<'_>, _: &[f64]) -> Option<f64> {
    Some(1.0)
}

pub(super) fn last(window: &Window<'_>, _: &[f64]) -> Option<f64> {
    window.values.last().copied()
}

pub(super) fn max(window: &Window<'_>, _: &[f64]) -> Option<f64> {
    window.values.iter().copied().reduce(
        |max, value| {
            if value > max || max.is_nan() { value } else { max }
        },
    )
}

pub(super) fn min(window: &Window<'_>, _: &[f64]) -> Option<f64> {
    window.values.iter().copied().reduce(
        |min, value| {
            if value < min || min.is_nan() { value } else { min }
        },
    )
}

pub(super) fn stdvar(window: &Window<'_>, _: &[f64]) -> Option<f64> {
    let (mut mean, mut squares) = (Kahan::default(), Kahan::default());
    let mut count = 0.0;
    for value in window.values {
        count += 1.0;
        let delta = value - mean.total();
        mean.add(delta / count);
        squares.add(delta * (value - mean.total()));
    }
    Some(squares.total() / count)
}

pub(super) fn stddev(window: &Window<'_>, scalars: &[f64]) -> Option<f64> {
    stdvar(window, scalars).map(f64::sqrt)
}

pub(super) fn quantile(window: &Window<'_>, scalars: &[f64]) -> Option<f64> {
    Some(aggregate::quantile(*scalars.first()?, &mut window.values.to_vec()))
}

#[expect(clippy::float_cmp, reason = "any change counts")]
pub(super) fn changes(window: &Window<'_>, _: &[f64]) -> Option<f64> {
    let changed = |pair: &&[f64]| pair[0] != pair[1] && !(pair[0].is_nan() && pair[1].is_nan());
    Some(window.values.windows(2).filter(changed).count() as f64)
}

pub(super) fn resets(window: &Window<'_>, _: &[f64]) -> Option<f64> {
    Some(window.values.windows(2).filter(|pair| pair[1] < pair[0]).count() as f64)
}
