//! Functions of one value and scalars, with Go's treatment of NaN and infinity.
#![expect(clippy::unnecessary_wraps, reason = "one signature for all functions of this kind")]

use std::f64::consts::PI;

pub(super) fn deg(value: f64) -> f64 {
    value * 180.0 / PI
}

pub(super) fn rad(value: f64) -> f64 {
    value * PI / 180.0
}

pub(super) fn sgn(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

/// Nothing if the bounds exclude each other.
pub(super) fn clamp(value: f64, bounds: &[f64]) -> Option<f64> {
    let (low, high) = (argument(bounds, 0), argument(bounds, 1));
    (high >= low || high.is_nan() || low.is_nan()).then(|| larger(low, smaller(high, value)))
}

pub(super) fn clamp_max(value: f64, bounds: &[f64]) -> Option<f64> {
    Some(smaller(argument(bounds, 0), value))
}

pub(super) fn clamp_min(value: f64, bounds: &[f64]) -> Option<f64> {
    Some(larger(argument(bounds, 0), value))
}

/// To the nearest multiple, halves up.
pub(super) fn round(value: f64, nearest: &[f64]) -> Option<f64> {
    let inverse = 1.0 / nearest.first().copied().unwrap_or(1.0);
    Some((value * inverse + 0.5).floor() / inverse)
}

fn argument(scalars: &[f64], index: usize) -> f64 {
    scalars.get(index).copied().unwrap_or(f64::NAN)
}

/// Go's `math.Min`: NaN if either is, unless one is -Inf.
fn smaller(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.min(b)
    }
}

/// Go's `math.Max`: NaN if either is, unless one is +Inf.
fn larger(a: f64, b: f64) -> f64 {
    -smaller(-a, -b)
}
