//! Series on their way from a view to who asked: each labels once, no more than was allowed.

use std::collections::HashSet;
use std::hash::BuildHasher as _;
use std::ops::Range;
use std::sync::Arc;

use crate::promql::{Column, Labels, STALE, SelectError, SelectRequest, SeriesView};

/// Whether a label is looked at, where not all are.
pub(super) fn is_looked_at(labels: Option<&[Arc<str>]>, name: &str) -> bool {
    labels.is_none_or(|labels| labels.iter().any(|label| **label == *name))
}

/// Hands series on.
pub(super) struct Found<'e> {
    take: &'e mut dyn FnMut(SeriesView<'static>) -> bool,
    /// Hashes of all labels; none while no labels can repeat.
    known: Option<HashSet<u64, foldhash::fast::RandomState>>,
    hashes: foldhash::quality::RandomState,
    series: usize,
    samples: usize,
    max_series: usize,
    max_samples: usize,
}

impl<'e> Found<'e> {
    /// `distinct` when no two series of the request have the same labels.
    pub(super) fn new(
        request: &SelectRequest<'_>,
        distinct: bool,
        take: &'e mut dyn FnMut(SeriesView<'static>) -> bool,
    ) -> Self {
        Self {
            take,
            known: (!distinct).then(HashSet::default),
            hashes: foldhash::quality::RandomState::default(),
            series: 0,
            samples: 0,
            max_series: request.max_series,
            max_samples: request.max_samples,
        }
    }

    /// How many samples may still come.
    pub(super) fn samples_left(&self) -> usize {
        self.max_samples.saturating_sub(self.samples)
    }

    /// Hands a series on; of several with the same labels (a claim that two pods mount) the first.
    /// Whether more are wanted.
    pub(super) fn put(&mut self, series: SeriesView<'static>) -> Result<bool, SelectError> {
        if self.is_known(&series.labels) {
            return Ok(true);
        }
        self.series += 1;
        if self.series > self.max_series {
            return Err(SelectError::TooMany { what: "series", limit: self.max_series });
        }
        self.samples += series.timestamps.len();
        if self.samples > self.max_samples {
            return Err(SelectError::TooMany { what: "samples", limit: self.max_samples });
        }
        Ok((self.take)(series))
    }

    fn is_known(&mut self, labels: &Labels) -> bool {
        let hash = |labels| self.hashes.hash_one(labels);
        self.known.as_mut().is_some_and(|known| !known.insert(hash(labels)))
    }
}

/// Values at some of all ticks, one after the other.
pub(super) struct Strip {
    /// The tick of the first.
    pub(super) start: usize,
    pub(super) values: Vec<f64>,
}

impl Strip {
    /// Puts `value` at these ticks, and nothing at those between them and what is there.
    pub(super) fn put(&mut self, value: f64, ticks: Range<usize>) {
        let missing = self.start.saturating_sub(ticks.start);
        if missing > 0 {
            self.values.splice(..0, std::iter::repeat_n(STALE, missing));
            self.start = ticks.start;
        }
        let (from, to) = (ticks.start - self.start, ticks.end - self.start);
        if to > self.values.len() {
            self.values.resize(to, STALE);
        }
        self.values.get_mut(from..to).into_iter().flatten().for_each(|place| *place = value);
    }

    /// As a series among `times`.
    pub(super) fn samples<'a>(mut self, times: &Arc<[i64]>) -> (Column<'a, i64>, Column<'a, f64>) {
        if self.start + self.values.len() < times.len() && !self.values.is_empty() {
            // There are later ticks and it is in none of them.
            self.values.push(STALE);
        }
        let times = Column::Part(Arc::clone(times), self.start, self.values.len());
        (times, Column::Owned(self.values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_has_gaps_where_nothing_was_put_and_an_end() {
        let times: Arc<[i64]> = (0..8).collect();
        let mut strip = Strip { start: 3, values: Vec::new() };
        for (value, ticks) in [(3.0, 3..4), (5.0, 5..6), (1.0, 1..2), (4.0, 5..6)] {
            strip.put(value, ticks);
        }
        let (timestamps, values) = strip.samples(&times);
        assert_eq!(&*timestamps, [1, 2, 3, 4, 5, 6]);
        let bits: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
        let expected = [1.0, STALE, 3.0, STALE, 4.0, STALE].map(f64::to_bits);
        assert_eq!(bits, expected);
        let mut last = Strip { start: 7, values: Vec::new() };
        last.put(7.0, 7..8);
        assert_eq!(last.samples(&times).1.len(), 1);
    }
}
