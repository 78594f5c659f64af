//! Straight lines and smoothing through a window's samples.

use super::over_time::Kahan;
use crate::promql::QueryError;
use crate::promql::selector::Window;

pub(super) fn deriv(window: &Window<'_>, _: &[f64]) -> Option<f64> {
    line(window, *window.timestamps.first()?).map(|(slope, _)| slope)
}

pub(super) fn predict_linear(window: &Window<'_>, scalars: &[f64]) -> Option<f64> {
    let (slope, intercept) = line(window, window.now)?;
    Some(slope * scalars.first()? + intercept)
}

/// Slope per second and value at `origin` of the least-squares line.
fn line(window: &Window<'_>, origin: i64) -> Option<(f64, f64)> {
    if window.values.len() < 2 {
        return None;
    }
    let first = window.values[0];
    #[expect(clippy::float_cmp, reason = "a constant is recognised exactly")]
    let is_constant = window.values.iter().skip(1).all(|value| *value == first);
    if is_constant {
        let line = if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
        return Some(line);
    }
    let mut sums = [Kahan::default(); 4];
    for (timestamp, y) in window.timestamps.iter().zip(window.values) {
        let x = timestamp.saturating_sub(origin) as f64 / 1e3;
        for (sum, term) in sums.iter_mut().zip([x, *y, x * y, x * x]) {
            sum.add(term);
        }
    }
    let count = window.values.len() as f64;
    let [x, y, xy, xx] = sums.map(Kahan::total);
    let slope = (xy - x * y / count) / (xx - x * x / count);
    Some((slope, y / count - slope * x / count))
}

/// Refuses smoothing and trend factors that are not between 0 and 1.
pub(super) fn check_factors(factors: &[f64]) -> Result<(), QueryError> {
    for (factor, name) in factors.iter().zip(["smoothing", "trend"]) {
        if *factor <= 0.0 || *factor >= 1.0 {
            let reason = format!("invalid {name} factor {factor}: must be between 0 and 1");
            return Err(QueryError::Execution(reason));
        }
    }
    Ok(())
}

/// Double exponential smoothing with smoothing and trend factors.
pub(super) fn holt_winters(window: &Window<'_>, factors: &[f64]) -> Option<f64> {
    let (smoothing, trend_factor) = (*factors.first()?, *factors.get(1)?);
    let [first, second, ..] = window.values else { return None };
    let (mut before, mut smoothed, mut trend) = (0.0, *first, second - first);
    for (index, value) in window.values.iter().enumerate().skip(1) {
        if index > 1 {
            trend = trend_factor * (smoothed - before) + (1.0 - trend_factor) * trend;
        }
        let next = smoothing * value + (1.0 - smoothing) * (smoothed + trend);
        (before, smoothed) = (smoothed, next);
    }
    Some(smoothed)
}
