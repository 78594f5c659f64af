//! What recording rules gave at ticks that somebody asked for: a tick is computed once, for what is
//! known of it does not change.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::counter;

use super::found::Strip;
use crate::promql::{Labels, RangeSeries, STALE, is_stale};
use crate::telemetry;

/// Most values that are kept of a rule, two megabytes; the newest ticks are kept.
const MAX_VALUES: usize = 250_000;

/// Values of all rules by name.
#[derive(Default)]
pub(super) struct Kept(Mutex<HashMap<&'static str, Arc<Computed>>>);

impl Kept {
    /// What is kept of a rule.
    pub(super) fn of(&self, name: &str) -> Arc<Computed> {
        self.rules().get(name).map(Arc::clone).unwrap_or_default()
    }

    /// Keeps what was computed, instead of what was kept.
    pub(super) fn put(&self, name: &'static str, computed: &Arc<Computed>) {
        let most = MAX_VALUES / computed.series.len().max(1);
        let kept = match computed.times.len().checked_sub(most) {
            None | Some(0) => Arc::clone(computed),
            Some(too_many) => {
                counter!(telemetry::EVICTED, "bound" => "rule_values").increment(too_many as u64);
                Arc::new(computed.without_first(too_many))
            }
        };
        self.rules().insert(name, kept);
    }

    fn rules(&self) -> MutexGuard<'_, HashMap<&'static str, Arc<Computed>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A rule's series at some ticks.
#[derive(Debug, Default)]
pub(super) struct Computed {
    /// Milliseconds, ascending.
    times: Vec<i64>,
    /// In the order of their labels; a value per tick, [`STALE`] where there is none.
    series: Vec<(Labels, Vec<f64>)>,
}

impl Computed {
    /// The ticks of `times` that are not computed, in runs of which each has one step.
    pub(super) fn missing(&self, times: &[i64]) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for (at, time) in times.iter().enumerate() {
            if self.times.binary_search(time).is_ok() {
                continue;
            }
            match runs.last_mut() {
                Some(run) if run.end == at && has_one_step(&times[run.start..=at]) => run.end += 1,
                _ => runs.push(at..at + 1),
            }
        }
        runs
    }

    /// These and what the rule gave at `times`, none of which was computed.
    pub(super) fn with(&self, times: &[i64], matrix: Vec<RangeSeries>) -> Self {
        let mut all = [&self.times, times].concat();
        all.sort_unstable();
        let place = |time: &i64| all.binary_search(time).ok();
        let old: Vec<Option<usize>> = self.times.iter().map(place).collect();
        let spread = |values: &[f64]| {
            let mut wide = vec![STALE; all.len()];
            for (place, value) in old.iter().zip(values) {
                if let Some(place) = place {
                    wide[*place] = *value;
                }
            }
            wide
        };
        let known = self.series.iter();
        let mut series: Vec<(Labels, Vec<f64>)> =
            known.map(|(labels, values)| (labels.clone(), spread(values))).collect();
        for one in matrix {
            let at = series.binary_search_by(|(labels, _)| labels.cmp(&one.labels));
            let at = at.unwrap_or_else(|at| {
                series.insert(at, (one.labels, vec![STALE; all.len()]));
                at
            });
            let values = &mut series[at].1;
            for (time, value) in one.samples {
                if let Some(place) = place(&time) {
                    values[place] = value;
                }
            }
        }
        Self { times: all, series }
    }

    /// The series that have values at `times`, as strips of those.
    pub(super) fn strips(&self, times: &[i64]) -> impl Iterator<Item = (&Labels, Strip)> {
        let places: Vec<Option<usize>> =
            times.iter().map(|time| self.times.binary_search(time).ok()).collect();
        self.series.iter().filter_map(move |(labels, all)| {
            let value = |place: &Option<usize>| place.map_or(STALE, |place| all[place]);
            let is_there = |place: &Option<usize>| !is_stale(value(place));
            let (first, last) =
                (places.iter().position(is_there)?, places.iter().rposition(is_there)?);
            let values = places[first..=last].iter().map(value).collect();
            Some((labels, Strip { start: first, values }))
        })
    }

    fn without_first(&self, ticks: usize) -> Self {
        let times = self.times[ticks..].to_vec();
        let there = |values: &[f64]| values.iter().any(|value| !is_stale(*value));
        let newer = self.series.iter().map(|(labels, values)| (labels, &values[ticks..]));
        let newer = newer.filter(|(_, values)| there(values));
        let series = newer.map(|(labels, values)| (labels.clone(), values.to_vec())).collect();
        Self { times, series }
    }
}

fn has_one_step(times: &[i64]) -> bool {
    times.windows(3).all(|three| three[1] - three[0] == three[2] - three[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Labels {
        Labels::new([("namespace", name)])
    }

    fn matrix(all: &[(&str, &[(i64, f64)])]) -> Vec<RangeSeries> {
        let series = all
            .iter()
            .map(|(name, samples)| RangeSeries { labels: named(name), samples: samples.to_vec() });
        series.collect()
    }

    fn strips(computed: &Computed, times: &[i64]) -> Vec<(String, usize, String)> {
        let text = |strip: &Strip| {
            let value = |value: &f64| {
                if is_stale(*value) { "-".to_owned() } else { value.to_string() }
            };
            strip.values.iter().map(value).collect::<Vec<_>>().join(" ")
        };
        let strips = computed.strips(times);
        let mut all: Vec<_> = strips
            .map(|(labels, strip)| (labels.get("namespace").to_owned(), strip.start, text(&strip)))
            .collect();
        all.sort();
        all
    }

    fn strip(name: &str, start: usize, values: &str) -> (String, usize, String) {
        (name.to_owned(), start, values.to_owned())
    }

    #[test]
    fn what_is_missing_comes_in_runs_of_one_step() {
        let known = Computed { times: vec![30, 70], ..Computed::default() };
        let times = [10, 20, 30, 40, 50, 60, 70, 80, 95, 120];
        assert_eq!(known.missing(&times), [0..2, 3..6, 7..9, 9..10]);
        assert!(known.missing(&[30, 70]).is_empty());
        assert_eq!(Computed::default().missing(&[5, 6]), vec![0..2]);
    }

    #[test]
    fn ticks_before_between_and_after_are_put_in_order() {
        let first = Computed::default().with(&[20, 40], matrix(&[("a", &[(20, 2.0), (40, 4.0)])]));
        let later = matrix(&[("a", &[(50, 5.0)]), ("b", &[(10, 1.0), (30, 3.0)])]);
        let all = first.with(&[10, 30, 50], later);
        let expected = [strip("a", 1, "2 - 4 5"), strip("b", 0, "1 - 3")];
        assert_eq!(strips(&all, &[10, 20, 30, 40, 50]), expected);
        assert_eq!(strips(&all, &[30, 40]), [strip("a", 1, "4"), strip("b", 0, "3")]);
        assert_eq!(strips(&all, &[50]), [strip("a", 0, "5")]);
        assert!(strips(&all, &[]).is_empty());
    }

    #[test]
    fn of_too_many_values_the_newest_are_kept() {
        let kept = Kept::default();
        let times: Vec<i64> = (0..i64::try_from(MAX_VALUES).unwrap()).collect();
        let newest = times[times.len() - 1];
        let all = matrix(&[("a", &[(newest, 1.0)]), ("b", &[(0, 1.0)])]);
        kept.put("rule", &Arc::new(Computed::default().with(&times, all)));
        let computed = kept.of("rule");
        assert_eq!((computed.times.len(), computed.series.len()), (MAX_VALUES / 2, 1));
        assert_eq!(strips(&computed, &[0, newest]), [strip("a", 1, "1")]);
        assert_eq!(kept.of("another").times, Vec::<i64>::new());
    }
}
