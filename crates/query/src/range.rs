//! Range queries: many series over one stretch of time, as samples or as buckets.
//!
//! Knows positions and values only; where they are kept is `window.rs`'s business.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use model::{Entity, Timestamp, Value};

use crate::history::{History, Series};

/// One entity's metric: what a range query asks for.
#[derive(Debug, Clone)]
pub struct SeriesRef {
    /// Whose.
    pub entity: Arc<Entity>,
    /// Which metric, by name (`cpu/usage_rate`).
    pub metric: String,
}

/// What a range query answers: every series on the same timestamps.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeAnswer {
    /// Ascending. Times of samples, or the beginnings of buckets. Where ticks are missing there
    /// is one time inside the hole, at which no series has a value.
    pub timestamps: Vec<Timestamp>,
    /// Usual distance between timestamps; zero while it is not known.
    pub step: Duration,
    /// In the order asked for.
    pub series: Vec<SeriesValues>,
}

/// One series of a [`RangeAnswer`], a value or gap per timestamp.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SeriesValues {
    /// The sample, or the bucket's average.
    pub avg: Vec<Option<f64>>,
    /// Minimum and maximum of each bucket; `None` when the values are the samples themselves.
    pub extremes: Option<Extremes>,
}

/// Minimum and maximum of each bucket.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extremes {
    /// Minima.
    pub min: Vec<Option<f64>>,
    /// Maxima.
    pub max: Vec<Option<f64>>,
}

/// Where one series' values are read from, by position of the tick.
#[derive(Debug)]
pub(crate) enum Reading<'a> {
    /// From history.
    History(Series<'a>),
    /// From whole batches, the first of which stands at position `first`.
    Recent {
        /// Position of the first.
        first: usize,
        /// A value per batch.
        values: Vec<Option<Value>>,
    },
}

impl Reading<'_> {
    pub(crate) fn get(&self, position: usize) -> Option<Value> {
        match self {
            Self::History(series) => series.get(position),
            Self::Recent { first, values } => {
                values.get(position.checked_sub(*first)?).copied().flatten()
            }
        }
    }
}

/// Answers `readings` between `start` and `end`, both inclusive: the samples if there are at most
/// `points`, else at most `points` buckets of equal length.
pub(crate) fn answer(
    history: &History,
    readings: &[Reading<'_>],
    start: Timestamp,
    end: Timestamp,
    points: usize,
) -> RangeAnswer {
    let positions = history.between(start, end);
    let step = usual_step(history, &positions);
    if positions.len() <= points.max(1) {
        samples(history, readings, positions, step)
    } else {
        buckets(history, readings, positions, step, points.max(1))
    }
}

/// The median distance between neighbouring ticks of the range, else between the newest two.
fn usual_step(history: &History, positions: &Range<usize>) -> i64 {
    let distance = |at: usize| history.time(at + 1).nanos_since(history.time(at));
    let mut distances: Vec<i64> =
        (positions.start..positions.end.saturating_sub(1)).map(distance).collect();
    if distances.is_empty() {
        return history.len().checked_sub(2).map_or(0, distance);
    }
    let middle = distances.len() / 2;
    *distances.select_nth_unstable(middle).1
}

fn samples(
    history: &History,
    readings: &[Reading<'_>],
    positions: Range<usize>,
    step: i64,
) -> RangeAnswer {
    let mut timestamps: Vec<Timestamp> = Vec::with_capacity(positions.len());
    // `None` stands for the hole that begins there.
    let mut rows: Vec<Option<usize>> = Vec::with_capacity(positions.len());
    for position in positions {
        let time = history.time(position);
        if let Some(last) = timestamps.last()
            && time.nanos_since(*last) > step + step / 2
        {
            timestamps.push(last.plus(nanos(step)));
            rows.push(None);
        }
        timestamps.push(time);
        rows.push(Some(position));
    }
    let read = |reading: &Reading<'_>| {
        let value = |row: &Option<usize>| row.and_then(|at| reading.get(at)).map(Value::as_f64);
        SeriesValues { avg: rows.iter().map(value).collect(), extremes: None }
    };
    let series = readings.iter().map(read).collect();
    RangeAnswer { timestamps, step: nanos(step), series }
}

fn buckets(
    history: &History,
    readings: &[Reading<'_>],
    positions: Range<usize>,
    step: i64,
    points: usize,
) -> RangeAnswer {
    let first = history.time(positions.start).nanos();
    let last = history.time(positions.end - 1).nanos();
    let length = bucket_length(first, last, step, points);
    let begin = first.div_euclid(length);
    let bucket_of = |position: usize| {
        let number = history.time(position).nanos().div_euclid(length) - begin;
        usize::try_from(number).unwrap_or(usize::MAX)
    };
    let count = bucket_of(positions.end - 1) + 1;
    let series = readings
        .iter()
        .map(|reading| {
            let mut folds = vec![Fold::default(); count];
            for position in positions.clone() {
                if let Some(value) = reading.get(position) {
                    folds[bucket_of(position)].add(value.as_f64());
                }
            }
            SeriesValues {
                avg: folds.iter().map(Fold::average).collect(),
                extremes: Some(Extremes {
                    min: folds.iter().map(|fold| fold.min).collect(),
                    max: folds.iter().map(|fold| fold.max).collect(),
                }),
            }
        })
        .collect();
    let timestamps = (begin..)
        .take(count)
        .map(|number| Timestamp::from_nanos(number.saturating_mul(length)))
        .collect();
    RangeAnswer { timestamps, step: nanos(length), series }
}

/// The shortest multiple of `step` of which at most `points`, aligned to the epoch, cover the
/// range: aligned so that a moving range does not make the buckets flicker.
pub(crate) fn bucket_length(first: i64, last: i64, step: i64, points: usize) -> i64 {
    let points = i64::try_from(points).unwrap_or(i64::MAX);
    let step = step.max(1);
    let span = last.saturating_sub(first);
    let mut length = (span / points / step + 1).saturating_mul(step);
    while last.div_euclid(length) - first.div_euclid(length) >= points {
        length = length.saturating_add(step);
    }
    length
}

/// Average and extremes of what falls into one bucket.
#[derive(Debug, Clone, Copy, Default)]
struct Fold {
    sum: f64,
    count: f64,
    min: Option<f64>,
    max: Option<f64>,
}

impl Fold {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
        self.min = Some(self.min.map_or(value, |min| min.min(value)));
        self.max = Some(self.max.map_or(value, |max| max.max(value)));
    }

    fn average(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

fn nanos(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}
