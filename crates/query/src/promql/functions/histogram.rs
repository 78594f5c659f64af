//! `histogram_quantile` on classic buckets: series that differ in `le` only.

use super::{ABSENT, Evaluator, Series, Steps, present};
use crate::promql::labels::LabelMap;
use crate::promql::{Labels, QueryError};

/// The label that holds a bucket's upper bound.
const UPPER_BOUND: &str = "le";

/// The `q` quantile of every histogram at every step.
pub(super) fn quantiles(
    evaluator: &Evaluator<'_>,
    q: &[f64],
    series: &[Series],
    steps: Steps,
) -> Result<Vec<Series>, QueryError> {
    let mut histograms: Vec<(Labels, Vec<(f64, usize)>)> = Vec::new();
    let mut places: LabelMap<usize> = LabelMap::default();
    for (index, one) in series.iter().enumerate() {
        let Ok(upper_bound) = one.labels.get(UPPER_BOUND).parse::<f64>() else { continue };
        let key = one.labels.with(UPPER_BOUND, "");
        let place = *places.entry(key.clone()).or_insert_with(|| {
            histograms.push((key.without_name(), Vec::new()));
            histograms.len() - 1
        });
        histograms[place].1.push((upper_bound, index));
    }
    evaluator.budget.make(histograms.len(), steps.count)?;
    let mut out = Vec::with_capacity(histograms.len());
    let mut buckets = Vec::new();
    for (labels, mut members) in histograms {
        members.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut values = Vec::with_capacity(steps.count);
        for (step, q) in q.iter().enumerate() {
            buckets.clear();
            let at_step =
                members.iter().map(|(upper, index)| (*upper, series[*index].values[step]));
            buckets.extend(at_step.filter(|(_, count)| present(*count)));
            evaluator.budget.work(buckets.len())?;
            values.push(if buckets.is_empty() { ABSENT } else { quantile(*q, &mut buckets) });
        }
        out.push(Series { labels, values });
    }
    Ok(out)
}

/// The quantile of at least one (upper bound, cumulative count), sorted by bound.
///
/// Source: Prometheus 2.42's `bucketQuantile`: linear within a bucket, the lowest bucket begins
/// at zero if its bound is positive, counts that fall are raised to the one before.
#[expect(clippy::float_cmp, reason = "equal bounds are one bucket")]
fn quantile(q: f64, buckets: &mut Vec<(f64, f64)>) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    if buckets.last().is_none_or(|(upper, _)| *upper != f64::INFINITY) {
        return f64::NAN;
    }
    buckets.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    let mut highest = buckets[0].1;
    for (_, count) in buckets.iter_mut().skip(1) {
        if *count > highest {
            highest = *count;
        } else if *count < highest {
            *count = highest;
        }
    }
    let last = buckets.len() - 1;
    let observations = buckets[last].1;
    if last == 0 || observations == 0.0 {
        return f64::NAN;
    }
    let mut rank = q * observations;
    let bucket = buckets[..last].partition_point(|(_, count)| *count < rank || count.is_nan());
    if bucket == last {
        return buckets[last - 1].0;
    }
    let (upper, mut count) = buckets[bucket];
    if bucket == 0 && upper <= 0.0 {
        return upper;
    }
    let mut lower = 0.0;
    if bucket > 0 {
        lower = buckets[bucket - 1].0;
        count -= buckets[bucket - 1].1;
        rank -= buckets[bucket - 1].1;
    }
    lower + (upper - lower) * (rank / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    fn check(q: f64, buckets: &[(f64, f64)], expected: f64) {
        let found = quantile(q, &mut buckets.to_vec());
        let same = found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
        assert!(same, "{q} of {buckets:?}: {found} instead of {expected}");
    }

    #[test]
    fn quantiles_lie_within_their_bucket() {
        let buckets = [(1.0, 4.0), (2.0, 8.0), (INF, 8.0)];
        check(0.25, &buckets, 0.5);
        check(0.75, &buckets, 1.5);
        check(1.0, &buckets, 2.0);
        check(-0.1, &buckets, -INF);
        check(1.1, &buckets, INF);
        check(f64::NAN, &buckets, f64::NAN);
    }

    #[test]
    fn the_open_bucket_answers_the_highest_bound() {
        check(0.9, &[(1.0, 4.0), (INF, 10.0)], 1.0);
        check(0.9, &[(INF, 10.0)], f64::NAN);
        check(0.9, &[(1.0, 4.0)], f64::NAN);
        check(0.9, &[(1.0, 0.0), (INF, 0.0)], f64::NAN);
    }

    #[test]
    fn counts_that_fall_are_raised_and_equal_bounds_joined() {
        check(0.5, &[(1.0, 4.0), (2.0, 3.0), (INF, 4.0)], 0.5);
        check(0.5, &[(1.0, 2.0), (1.0, 2.0), (INF, 4.0)], 0.5);
        check(0.1, &[(-1.0, 2.0), (INF, 4.0)], -1.0);
    }
}
