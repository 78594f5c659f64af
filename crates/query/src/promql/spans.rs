//! Where the windows of all steps fall within a series' timestamps; found once for all series that
//! share them.

use std::ops::Range;
use std::sync::Arc;

use super::Column;
use super::value::Steps;

/// For each step, the positions of the samples in its window. Both ends of a window are inclusive.
pub(super) struct Spans {
    /// The last millisecond of every step's window.
    ends: Steps,
    /// The window's length, milliseconds.
    length: i64,
    /// All windows end at `ends.start`.
    fixed: bool,
    /// The timestamps that `found` is of.
    shared: Option<Arc<[i64]>>,
    /// First position, and the position after the last.
    found: Vec<(usize, usize)>,
}

impl Spans {
    pub(super) fn new(ends: Steps, length: i64, fixed: bool) -> Self {
        Self { ends, length, fixed, shared: None, found: Vec::new() }
    }

    /// The first step that may have a sample, and the positions within `timestamps` of that step
    /// and each that follows, up to the last that may have one.
    pub(super) fn of(
        &mut self,
        timestamps: &Column<'_, i64>,
    ) -> (usize, impl Iterator<Item = Range<usize>>) {
        let (from, len) = match timestamps {
            Column::Part(shared, from, len) => {
                self.find_shared(shared);
                (*from, *len)
            }
            Column::Shared(shared) => {
                self.find_shared(shared);
                (0, shared.len())
            }
            Column::Borrowed(_) | Column::Owned(_) => {
                self.shared = None;
                self.find(timestamps);
                (0, timestamps.len())
            }
        };
        // Most series of a cluster in which much comes and goes are there for few steps.
        let begin = self.found.partition_point(|(_, end)| *end <= from);
        let found = self.found.get(begin..).unwrap_or_default();
        let count = found.partition_point(|(first, _)| *first < from + len);
        let spans = found.iter().take(count).map(move |(first, end)| {
            let end = (*end).clamp(from, from + len) - from;
            let first = (*first).clamp(from, from + len) - from;
            first.min(end)..end
        });
        (begin, spans)
    }

    fn find_shared(&mut self, shared: &Arc<[i64]>) {
        if self.shared.as_ref().is_none_or(|known| !Arc::ptr_eq(known, shared)) {
            self.find(shared);
            self.shared = Some(Arc::clone(shared));
        }
    }

    fn find(&mut self, timestamps: &[i64]) {
        self.found.clear();
        let (mut first, mut end) = (0, 0);
        for step in 0..self.ends.count {
            let last = if self.fixed { self.ends.start } else { self.ends.at(step) };
            let begin = last.saturating_sub(self.length);
            while timestamps.get(end).is_some_and(|timestamp| *timestamp <= last) {
                end += 1;
            }
            while first < end && timestamps[first] < begin {
                first += 1;
            }
            self.found.push((first, end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(column: &Column<'_, i64>, begin: usize, expected: &[(usize, usize)]) {
        let mut spans = Spans::new(Steps { start: 10, step: 10, count: 4 }, 10, false);
        for time in ["first", "again"] {
            let (first, found) = spans.of(column);
            let found: Vec<_> = found.map(|span| (span.start, span.end)).collect();
            assert_eq!((first, &*found), (begin, expected), "{time}");
        }
    }

    #[test]
    fn a_part_of_shared_timestamps_has_its_own_positions() {
        let times: Arc<[i64]> = Arc::from([0, 10, 20, 30, 40]);
        check(&Column::Shared(Arc::clone(&times)), 0, &[(0, 2), (1, 3), (2, 4), (3, 5)]);
        check(&Column::Borrowed(&times), 0, &[(0, 2), (1, 3), (2, 4), (3, 5)]);
        check(&Column::Part(Arc::clone(&times), 2, 2), 1, &[(0, 1), (0, 2), (1, 2)]);
        check(&Column::Part(Arc::clone(&times), 0, 1), 0, &[(0, 1)]);
        check(&Column::Part(times, 4, 0), 3, &[(0, 0)]);
        check(&Column::Owned(vec![15]), 1, &[(0, 1)]);
    }
}
