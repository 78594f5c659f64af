//! Rates and differences of a window, extrapolated to its bounds as Prometheus 2.42 does.

use crate::promql::selector::Window;

/// How far beyond the samples one extrapolates, in mean sample distances.
const NEAR: f64 = 1.1;
/// More than what rounding makes of a comparison of two products.
const SURELY: f64 = 1.0 + 1e-9;

/// `rate`, `increase` and `delta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Growth {
    /// Of a counter, by the second.
    Rate,
    /// Of a counter.
    Increase,
    /// Of a gauge.
    Delta,
}

/// What a step's windows with these times have in common, whatever their values: most series of a
/// cluster are measured at the same times.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reach {
    first: i64,
    last: i64,
    count: usize,
    /// Seconds from the window's start to the first sample, and from there to the last.
    to_start: f64,
    sampled: f64,
    /// What the difference is multiplied with, if it reaches to the window's start.
    factor: f64,
}

impl Growth {
    /// Of a window, with what is known of a step's windows.
    pub(super) fn of(self, window: &Window<'_>, reach: &mut Reach) -> Option<f64> {
        let [first, .., last] = window.values else { return None };
        let [first_time, .., last_time] = window.timestamps else { return None };
        let mut result = last - first;
        if self != Self::Delta && window.may_reset {
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
        let count = window.values.len();
        if (reach.first, reach.last, reach.count) != (*first_time, *last_time, count) {
            *reach = self.reach(window, (*first_time, *last_time, count));
        }
        // A counter is not extrapolated to before it was zero: seldom, so that there is no division
        // to know it.
        let is_counter = self != Self::Delta && result > 0.0 && *first >= 0.0;
        if is_counter && first * reach.sampled <= result * reach.to_start * SURELY {
            let to_zero = reach.sampled * (first / result);
            if to_zero < reach.to_start {
                return Some(result * self.factor(window, reach, to_zero));
            }
        }
        Some(result * reach.factor)
    }

    fn reach(self, window: &Window<'_>, (first, last, count): (i64, i64, usize)) -> Reach {
        let to_start = (first - window.start) as f64 / 1000.0;
        let sampled = (last - first) as f64 / 1000.0;
        let reach = Reach { first, last, count, to_start, sampled, factor: 0.0 };
        Reach { factor: self.factor(window, &reach, to_start), ..reach }
    }

    fn factor(self, window: &Window<'_>, reach: &Reach, to_start: f64) -> f64 {
        let to_end = (window.end - reach.last) as f64 / 1000.0;
        let mean_distance = reach.sampled / (reach.count - 1) as f64;
        let near = mean_distance * NEAR;
        let mut covered = reach.sampled;
        for distance in [to_start, to_end] {
            covered += if distance < near { distance } else { mean_distance / 2.0 };
        }
        let factor = covered / reach.sampled;
        match self {
            Self::Rate => factor / ((window.end - window.start) as f64 / 1000.0),
            Self::Increase | Self::Delta => factor,
        }
    }
}

pub(super) fn irate(window: &Window<'_>, _: &[f64]) -> Option<f64> {
    let (difference, seconds) = last_two(window, true)?;
    Some(difference / seconds)
}

pub(super) fn idelta(window: &Window<'_>, _: &[f64]) -> Option<f64> {
    last_two(window, false).map(|(difference, _)| difference)
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
        let window = window(timestamps, values, 0, 60_000);
        let mut reach = Reach::default();
        for time in ["first", "again"] {
            let found = Growth::Increase.of(&window, &mut reach);
            assert_eq!(found, expected, "{timestamps:?} {values:?} {time}");
        }
        let rate = Growth::Rate.of(&window, &mut Reach::default());
        let off = rate.unwrap_or(0.0) * 60.0 - expected.unwrap_or(0.0);
        assert!(off.abs() < 1e-12 && rate.is_some() == expected.is_some(), "{values:?}: {rate:?}");
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
    fn what_is_known_of_a_step_is_of_these_times_alone() {
        let counters: [(&[i64], &[f64]); 5] = [
            (&[10_000, 30_000, 50_000], &[100.0, 120.0, 140.0]),
            (&[10_000, 30_000, 50_000], &[1.0, 300.0, 500.0]),
            (&[25_000, 30_000, 35_000], &[100.0, 105.0, 110.0]),
            (&[10_000, 50_000], &[100.0, 140.0]),
            (&[10_000, 30_000, 50_000], &[100.0, 1.0, 140.0]),
        ];
        for growth in [Growth::Rate, Growth::Increase, Growth::Delta] {
            let mut reach = Reach::default();
            for (times, values) in counters.into_iter().chain(counters) {
                let window = window(times, values, 0, 60_000);
                let alone = growth.of(&window, &mut Reach::default());
                assert_eq!(growth.of(&window, &mut reach), alone, "{growth:?} {values:?}");
                assert!(alone.is_some_and(|alone| alone > 0.0));
            }
        }
    }

    #[test]
    fn a_gauge_has_no_resets() {
        let window = window(&[0, 60_000], &[9.0, 4.0], 0, 60_000);
        assert_eq!(Growth::Delta.of(&window, &mut Reach::default()), Some(-5.0));
    }

    #[test]
    fn instant_rates_take_the_last_two() {
        let w = window(&[0, 20_000, 40_000], &[1.0, 100.0, 20.0], 0, 60_000);
        assert_eq!(irate(&w, &[]), Some(1.0));
        assert_eq!(idelta(&w, &[]), Some(-80.0));
    }
}
