//! Rates and differences of a window, extrapolated to its bounds as Prometheus 2.42 does.

use crate::promql::selector::Window;

/// How far beyond the samples one extrapolates, in mean sample distances.
const NEAR: f64 = 1.1;

pub(super) fn rate(window: &Window<'_>, _: &[f64]) -> Option<f64> {
    let length = (window.end - window.start) as f64 / 1000.0;
    extrapolated(window, true, Some(length))
}

pub(super) fn increase(window: &Window<'_>, _: &[f64]) -> Option<f64> {
    extrapolated(window, true, None)
}

pub(super) fn delta(window: &Window<'_>, _: &[f64]) -> Option<f64> {
    extrapolated(window, false, None)
}

pub(super) fn irate(window: &Window<'_>, _: &[f64]) -> Option<f64> {
    let (difference, seconds) = last_two(window, true)?;
    Some(difference / seconds)
}

pub(super) fn idelta(window: &Window<'_>, _: &[f64]) -> Option<f64> {
    last_two(window, false).map(|(difference, _)| difference)
}

fn extrapolated(window: &Window<'_>, is_counter: bool, length: Option<f64>) -> Option<f64> {
    let [first, .., last] = window.values else { return None };
    let [first_time, .., last_time] = window.timestamps else { return None };
    let mut result = last - first;
    if is_counter && window.may_reset {
        for pair in window.values.windows(2) {
            if pair[1] < pair[0] {
                result += pair[0];
            }
        }
    }
    if result == 0.0 {
        // Whatever it is multiplied with; most counters of restarts and errors stand still.
        return Some(result);
    }
    let mut to_start = (first_time - window.start) as f64 / 1000.0;
    let to_end = (window.end - last_time) as f64 / 1000.0;
    let sampled = (last_time - first_time) as f64 / 1000.0;
    let mean_distance = sampled / (window.values.len() - 1) as f64;
    if is_counter && result > 0.0 && *first >= 0.0 {
        // A counter is not extrapolated to before it was zero.
        let to_zero = sampled * (first / result);
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    let near = mean_distance * NEAR;
    let mut covered = sampled;
    for distance in [to_start, to_end] {
        covered += if distance < near { distance } else { mean_distance / 2.0 };
    }
    let mut factor = covered / sampled;
    if let Some(length) = length {
        factor /= length;
    }
    Some(result * factor)
}

/// Difference and distance in seconds of the last two samples.
fn last_two(window: &Window<'_>, is_rate: bool) -> Option<(f64, f64)> {
    let [.., before, last] = window.values else { return None };
    let [.., before_time, last_time] = window.timestamps else { return None };
    let milliseconds = last_time - before_time;
    if milliseconds == 0 {
        return None;
    }
    let difference = if is_rate && last < before { *last } else { last - before };
    Some((difference, milliseconds as f64 / 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window<'w>(timestamps: &'w [i64], values: &'w [f64], start: i64, end: i64) -> Window<'w> {
        Window { timestamps, values, start, end, now: end, may_reset: true }
    }

    fn check(timestamps: &[i64], values: &[f64], expected: Option<f64>) {
        let found = increase(&window(timestamps, values, 0, 60_000), &[]);
        assert_eq!(found, expected, "{timestamps:?} {values:?}");
    }

    #[test]
    fn one_sample_is_no_rate() {
        check(&[], &[], None);
        check(&[10_000], &[5.0], None);
    }

    #[test]
    fn samples_near_the_bounds_are_extrapolated_to_them() {
        check(&[10_000, 30_000, 50_000], &[100.0, 120.0, 140.0], Some(60.0));
    }

    #[test]
    fn samples_far_from_the_bounds_are_extrapolated_half_a_distance() {
        check(&[25_000, 30_000, 35_000], &[100.0, 105.0, 110.0], Some(15.0));
    }

    #[test]
    fn a_counter_is_not_extrapolated_below_zero() {
        check(&[10_000, 30_000, 50_000], &[0.0, 20.0, 40.0], Some(50.0));
    }

    #[test]
    fn a_reset_counts_from_zero() {
        check(&[0, 20_000, 40_000, 60_000], &[100.0, 110.0, 5.0, 15.0], Some(25.0));
    }

    #[test]
    fn a_gauge_has_no_resets() {
        let found = delta(&window(&[0, 60_000], &[9.0, 4.0], 0, 60_000), &[]);
        assert_eq!(found, Some(-5.0));
    }

    #[test]
    fn instant_rates_take_the_last_two() {
        let w = window(&[0, 20_000, 40_000], &[1.0, 100.0, 20.0], 0, 60_000);
        assert_eq!(irate(&w, &[]), Some(1.0));
        assert_eq!(idelta(&w, &[]), Some(-80.0));
    }
}
