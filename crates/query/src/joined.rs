//! Range queries over the live window and what is kept beyond it, without doubled points.
//!
//! The window answers from its oldest tick on, the archive before it. The window's lock is never
//! held while the archive is read.

use std::time::Duration;

use model::Timestamp;

use crate::archive::{Archive, ArchiveError, Cancel, Strip};
use crate::range::{Extremes, RangeAnswer, SeriesRef, SeriesValues, bucket_length};
use crate::window::Window;

/// Below this distance between points raw values are read; no archive has shorter buckets.
const SHORTEST_BUCKET: Duration = Duration::from_mins(1);
/// Series that are read from the window in one go: its writer waits meanwhile.
const SERIES_AT_ONCE: usize = 1_000;

/// A question to [`Window::joined`].
#[derive(Debug, Clone, Copy)]
pub struct RangeAsked<'a> {
    /// Whose values.
    pub series: &'a [SeriesRef],
    /// First time, inclusive.
    pub start: Timestamp,
    /// Last time, inclusive.
    pub end: Timestamp,
    /// Most points of a series.
    pub points: usize,
}

impl Window {
    /// As [`Window::range`], and before the window's oldest tick from `archive`.
    pub fn joined(
        &self,
        archive: Option<&dyn Archive>,
        asked: &RangeAsked<'_>,
        cancel: &Cancel,
    ) -> Result<RangeAnswer, ArchiveError> {
        let RangeAsked { series, start, end, points } = *asked;
        let reach = archive.and_then(|archive| Some((archive, archive.reach()?)));
        let seam = self.seam(series);
        let live = || Ok(self.range(series, start, end, points));
        let Some((archive, (first, last))) = reach else { return live() };
        if seam.is_some_and(|seam| start >= seam || first >= seam) {
            return live();
        }
        let newest = self.history().map_or(last, |(_, newest)| newest.max(last));
        let (from, to) = (start.max(first), end.min(newest));
        if from > to {
            return live();
        }
        // Without a window nothing comes after the archive.
        let before = seam.map_or(to, |seam| to.min(just_before(seam)));
        let step = to.since(from) / u32::try_from(points.max(1)).unwrap_or(u32::MAX);
        let buckets = (step >= SHORTEST_BUCKET).then(|| archive.resolution(step)).flatten();
        let tail = self.tail(seam, to);
        let mut grid = if let Some(length) = buckets {
            Grid::buckets(from, to, millis(length), points)
        } else {
            let mut times = archive.ticks(from, before)?;
            times.extend(&tail.times);
            Grid::of_ticks(times, points)
        };
        let mut folds = Folds::new(series.len(), grid.len());
        let mut take = |at: usize, strip: Strip<'_>| folds.take(&grid, at, strip);
        match buckets {
            Some(length) => {
                // Whole buckets as far as there are any, then raw values up to the window.
                let length = millis(length);
                let whole = before.millis().saturating_add(1).div_euclid(length) * length;
                let split = Timestamp::from_millis(whole);
                if split > from {
                    let range = (from, just_before(split));
                    archive.read(series, range, Some(step), cancel, &mut take)?;
                }
                let range = (split.max(from), before);
                if range.0 <= range.1 {
                    archive.read(series, range, None, cancel, &mut take)?;
                }
            }
            None => archive.read(series, (from, before), None, cancel, &mut take)?,
        }
        for (number, some) in series.chunks(SERIES_AT_ONCE).enumerate() {
            cancel.check()?;
            self.tail_values(some, &tail, |at, time, value| {
                folds.add(&grid, number * SERIES_AT_ONCE + at, time, value);
            });
        }
        let series = folds.answer(&grid);
        grid.close_holes();
        Ok(grid.answer(series))
    }
}

fn just_before(time: Timestamp) -> Timestamp {
    time.minus(Duration::from_millis(1))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).max(1)
}

/// The points of an answer.
#[derive(Debug)]
struct Grid {
    /// Times of ticks or beginnings of buckets, in milliseconds.
    times: Vec<i64>,
    /// Usual distance of points; of buckets their length.
    step: i64,
    buckets: bool,
    /// Positions in `times` before which a point is missing.
    holes: Vec<usize>,
}

impl Grid {
    fn of_ticks(mut times: Vec<i64>, points: usize) -> Self {
        times.sort_unstable();
        times.dedup();
        let mut distances: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let middle = distances.len() / 2;
        let step = if distances.is_empty() { 0 } else { *distances.select_nth_unstable(middle).1 };
        match (times.first(), times.last()) {
            (Some(first), Some(last)) if times.len() > points.max(1) => {
                Self::spanning(*first, *last, step.max(1), points)
            }
            _ => Self { times, step, buckets: false, holes: Vec::new() },
        }
    }

    fn buckets(from: Timestamp, to: Timestamp, base: i64, points: usize) -> Self {
        Self::spanning(from.millis(), to.millis(), base, points)
    }

    fn spanning(first: i64, last: i64, base: i64, points: usize) -> Self {
        let step = bucket_length(first, last, base, points.max(1));
        let (begin, end) = (first.div_euclid(step), last.div_euclid(step));
        let times = (begin..=end).map(|number| number * step).collect();
        Self { times, step, buckets: true, holes: Vec::new() }
    }

    fn len(&self) -> usize {
        self.times.len()
    }

    /// Where a value of `time` belongs.
    fn place(&self, time: i64) -> Option<usize> {
        if !self.buckets {
            return self.times.binary_search(&time).ok();
        }
        let first = *self.times.first()?;
        // A rollup's bucket may begin before the range.
        let number = (time.max(first) - first) / self.step;
        usize::try_from(number).ok().filter(|number| *number < self.times.len())
    }

    /// Notes where samples are missing.
    fn close_holes(&mut self) {
        if !self.buckets {
            let missing = |at: &usize| self.times[*at] - self.times[at - 1] > self.step * 3 / 2;
            self.holes = (1..self.times.len()).filter(missing).collect();
        }
    }

    fn answer(self, mut series: Vec<SeriesValues>) -> RangeAnswer {
        let mut times = self.times;
        for hole in self.holes.into_iter().rev() {
            times.insert(hole, times[hole - 1] + self.step);
            for one in &mut series {
                one.avg.insert(hole, None);
            }
        }
        RangeAnswer {
            timestamps: times.into_iter().map(Timestamp::from_millis).collect(),
            step: Duration::from_millis(self.step.unsigned_abs()),
            series,
        }
    }
}

/// What falls onto one point of one series.
#[derive(Debug, Clone, Copy)]
struct Fold {
    sum: f64,
    count: f64,
    min: f64,
    max: f64,
}

impl Fold {
    const EMPTY: Self = Self { sum: 0.0, count: 0.0, min: f64::NAN, max: f64::NAN };
}

/// The folds of every series; a series without any value has none.
#[derive(Debug)]
struct Folds {
    series: Vec<Vec<Fold>>,
    len: usize,
}

impl Folds {
    fn new(series: usize, len: usize) -> Self {
        Self { series: vec![Vec::new(); series], len }
    }

    fn take(&mut self, grid: &Grid, at: usize, strip: Strip<'_>) {
        match strip {
            Strip::Raw { times, values } => {
                for (time, value) in times.iter().zip(values).filter(|(_, value)| !value.is_nan()) {
                    self.add(grid, at, *time, *value);
                }
            }
            Strip::Buckets { times, min, max, sum, count } => {
                for (place, time) in times.iter().enumerate().filter(|(at, _)| count[*at] > 0.0) {
                    let (sum, count) = (sum[place], count[place]);
                    let fold = Fold { sum, count, min: min[place], max: max[place] };
                    self.fold(grid, at, *time, fold);
                }
            }
        }
    }

    fn add(&mut self, grid: &Grid, at: usize, time: i64, value: f64) {
        self.fold(grid, at, time, Fold { sum: value, count: 1.0, min: value, max: value });
    }

    fn fold(&mut self, grid: &Grid, at: usize, time: i64, more: Fold) {
        let Some(place) = grid.place(time) else { return };
        let folds = &mut self.series[at];
        if folds.is_empty() {
            folds.resize(self.len, Fold::EMPTY);
        }
        let fold = &mut folds[place];
        fold.sum += more.sum;
        fold.count += more.count;
        // The other side of a NaN, which an empty fold is.
        fold.min = fold.min.min(more.min);
        fold.max = fold.max.max(more.max);
    }

    fn answer(self, grid: &Grid) -> Vec<SeriesValues> {
        let len = self.len;
        let column = |folds: &[Fold], read: &dyn Fn(&Fold) -> f64| -> Vec<Option<f64>> {
            if folds.is_empty() {
                return vec![None; len];
            }
            folds.iter().map(|fold| (fold.count > 0.0).then(|| read(fold))).collect()
        };
        let values = |folds: Vec<Fold>| SeriesValues {
            avg: column(&folds, &|fold| fold.sum / fold.count),
            extremes: grid.buckets.then(|| Extremes {
                min: column(&folds, &|fold| fold.min),
                max: column(&folds, &|fold| fold.max),
            }),
        };
        self.series.into_iter().map(values).collect()
    }
}

#[cfg(test)]
mod tests;
