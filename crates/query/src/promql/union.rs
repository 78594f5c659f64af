//! Several sources as one: what is asked of one is asked of all.

use std::collections::HashSet;
use std::sync::Arc;

use super::{
    Database, Labels, MetricInfo, Select, SelectError, SelectRequest, Selected, SeriesView,
};

/// Sources in order; of two series with the same labels the earlier source's counts.
pub struct Union {
    parts: Vec<Arc<dyn Database>>,
}

impl Union {
    /// A union of `parts`.
    pub fn new(parts: Vec<Arc<dyn Database>>) -> Self {
        Self { parts }
    }
}

impl Union {
    fn of<'a>(
        parts: &'a [Arc<dyn Database>],
        request: &SelectRequest<'_>,
    ) -> Result<Selected<'a>, SelectError> {
        let mut all = Selected::default();
        let mut seen: HashSet<Labels, foldhash::fast::RandomState> = HashSet::default();
        let mut samples = 0;
        for part in parts {
            let left = SelectRequest {
                max_series: request.max_series.saturating_sub(all.series.len()),
                max_samples: request.max_samples.saturating_sub(samples),
                ..*request
            };
            let found = part.select(&left).map_err(|error| whole(error, request))?;
            all.warnings.extend(found.warnings);
            if found.series.is_empty() {
                continue;
            }
            if all.series.is_empty() {
                samples = found.series.iter().map(|series| series.timestamps.len()).sum();
                all.series = found.series;
                continue;
            }
            if seen.is_empty() {
                seen = all.series.iter().map(|series| series.labels.clone()).collect();
            }
            for series in found.series {
                if seen.insert(series.labels.clone()) {
                    samples += series.timestamps.len();
                    all.series.push(series);
                }
            }
        }
        Ok(all)
    }
}

impl Select for Union {
    fn select<'a>(&'a self, request: &SelectRequest<'_>) -> Result<Selected<'a>, SelectError> {
        Self::of(&self.parts, request)
    }

    fn select_each(
        &self,
        request: &SelectRequest<'_>,
        take: &mut dyn FnMut(SeriesView<'_>) -> bool,
    ) -> Result<Vec<String>, SelectError> {
        let Some((first, others)) = self.parts.split_first() else { return Ok(Vec::new()) };
        // The first has nearly all, and comes by one at a time.
        let others = Self::of(others, &SelectRequest { labels: None, ..*request })?;
        let samples = others.series.iter().map(|series| series.timestamps.len()).sum();
        let left = SelectRequest {
            max_series: request.max_series.saturating_sub(others.series.len()),
            max_samples: request.max_samples.saturating_sub(samples),
            // What is the same is told by all labels.
            labels: request.labels.filter(|_| others.series.is_empty()),
            ..*request
        };
        let mut rest: HashSet<Labels, foldhash::fast::RandomState> =
            others.series.iter().map(|series| series.labels.clone()).collect();
        let mut wanted = true;
        let found = first.select_each(&left, &mut |series| {
            if !rest.is_empty() {
                rest.remove(&series.labels);
            }
            wanted = take(series);
            wanted
        });
        let mut warnings = found.map_err(|error| whole(error, request))?;
        for series in others.series {
            wanted = wanted && (!rest.contains(&series.labels) || take(series));
        }
        warnings.extend(others.warnings);
        Ok(warnings)
    }
}

/// A bound is told as it was given, not as what an earlier part had left of it.
fn whole(error: SelectError, request: &SelectRequest<'_>) -> SelectError {
    match error {
        SelectError::TooMany { what: "series", .. } => {
            SelectError::TooMany { what: "series", limit: request.max_series }
        }
        SelectError::TooMany { what, .. } => {
            SelectError::TooMany { what, limit: request.max_samples }
        }
        error @ SelectError::Failed(_) => error,
    }
}

impl Database for Union {
    fn metrics(&self) -> Vec<MetricInfo> {
        let mut all: Vec<MetricInfo> = self.parts.iter().flat_map(|part| part.metrics()).collect();
        // Sorting keeps the order of the parts among equal names.
        all.sort_by(|left, right| left.name.cmp(&right.name));
        all.dedup_by(|right, left| right.name == left.name);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::{METRIC_NAME, Matcher, MemorySeries};
    use super::*;

    #[test]
    fn the_earlier_source_counts() {
        let named = |name: &str| Labels::new([(METRIC_NAME, name)]);
        let (mut first, mut second) = (MemorySeries::default(), MemorySeries::default());
        first.push(&named("a"), 1, 1.0);
        second.push(&named("a"), 1, 2.0);
        second.push(&named("b"), 1, 3.0);
        let union = Union::new(vec![Arc::new(first), Arc::new(second)]);
        let matchers: [Matcher; 0] = [];
        let mut request = SelectRequest {
            matchers: &matchers,
            start: 0,
            end: 2,
            max_series: 3,
            max_samples: 10,
            samples: true,
            labels: None,
            ahead: false,
            newest: false,
        };
        let found = union.select(&request).unwrap();
        let values: Vec<f64> = found.series.iter().map(|series| series.values[0]).collect();
        assert_eq!(values, [1.0, 3.0]);
        for most in 1..=2 {
            let mut each = Vec::new();
            let take = &mut |series: SeriesView<'_>| {
                each.push(series.values[0]);
                each.len() < most
            };
            assert_eq!(union.select_each(&request, take), Ok(Vec::new()));
            assert_eq!(each, values[..most]);
        }
        assert_eq!(union.metrics().len(), 2);
        request.max_samples = 0;
        assert!(union.select(&request).is_ok(), "each source holds its own bound");
    }
}
