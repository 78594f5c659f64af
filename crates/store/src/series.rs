//! One metric of one entity in a head: a byte string of differences that grows tick by tick.
//!
//! Knows no time: a tick is a position in the head's list of times. Never on disk.

use crate::wire::{self, Reader};

/// Token: some ticks without a value; their number follows. A number of zero escapes the one
/// difference whose token would not fit.
const GAP: u64 = 0;
/// Token: the prediction was right some times; their number follows.
const REPEAT: u64 = 1;

/// The values of one series in a head.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series {
    bytes: Vec<u8>,
    last: i64,
    step: i64,
    /// Ticks covered by `bytes` and `repeats`.
    ticks: u32,
    /// Right predictions not written yet.
    repeats: u32,
    started: bool,
}

/// What comes next if nothing changes: a counter keeps its step, a gauge its value.
#[derive(Debug, Clone, Copy)]
struct Predictor {
    last: i64,
    step: i64,
    started: bool,
}

impl Predictor {
    const NEW: Self = Self { last: 0, step: 0, started: false };

    #[inline]
    fn expect(self, counter: bool) -> i64 {
        if counter { self.last.wrapping_add(self.step) } else { self.last }
    }

    #[inline]
    fn see(&mut self, value: i64) {
        self.step = if self.started { value.wrapping_sub(self.last) } else { 0 };
        self.last = value;
        self.started = true;
    }
}

impl Series {
    fn predictor(&self) -> Predictor {
        Predictor { last: self.last, step: self.step, started: self.started }
    }

    /// What the next value is expected to be.
    #[inline]
    pub(crate) fn expected(&self, counter: bool) -> i64 {
        self.predictor().expect(counter)
    }

    /// Whether there is a value of `tick` or a later one.
    #[inline]
    pub(crate) fn reaches(&self, tick: u32) -> bool {
        self.ticks > tick
    }

    /// Adds the value of `tick`, which is after every earlier one.
    #[inline]
    pub(crate) fn push(&mut self, tick: u32, value: i64, counter: bool) {
        debug_assert!(tick >= self.ticks, "ticks grow");
        let gap = tick.saturating_sub(self.ticks);
        let difference = value.wrapping_sub(self.expected(counter));
        if gap > 0 {
            self.flush();
            self.put(GAP);
            self.put(u64::from(gap));
        }
        if difference == 0 {
            self.repeats += 1;
        } else {
            self.flush();
            if let Some(token) = wire::zigzag(difference).checked_add(1) {
                self.put(token);
            } else {
                self.put(GAP);
                self.put(0);
            }
        }
        let mut predictor = self.predictor();
        predictor.see(value);
        (self.last, self.step, self.started) = (predictor.last, predictor.step, true);
        self.ticks = tick + 1;
    }

    /// The newest value and its tick.
    pub(crate) fn last(&self) -> Option<(u32, i64)> {
        self.started.then(|| (self.ticks - 1, self.last))
    }

    /// Calls `each(tick, value)` in order of ticks.
    pub(crate) fn for_each(&self, counter: bool, mut each: impl FnMut(u32, i64)) {
        let mut reader = Reader::new(&self.bytes);
        let mut predictor = Predictor::NEW;
        let mut tick = 0;
        // Reading stops at the end; these bytes were never outside this process.
        while let Ok(token) = reader.u64() {
            match token {
                GAP => match reader.u32() {
                    Ok(0) => {
                        predictor.see(predictor.expect(counter).wrapping_add(i64::MIN));
                        each(tick, predictor.last);
                        tick += 1;
                    }
                    Ok(gap) => tick += gap,
                    Err(_) => return,
                },
                REPEAT => {
                    let times = reader.u32().unwrap_or(0);
                    repeat(times, &mut tick, &mut predictor, counter, &mut each);
                }
                token => {
                    let difference = wire::unzigzag(token - 1);
                    predictor.see(predictor.expect(counter).wrapping_add(difference));
                    each(tick, predictor.last);
                    tick += 1;
                }
            }
        }
        repeat(self.repeats, &mut tick, &mut predictor, counter, &mut each);
    }

    /// Heap bytes held.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    fn flush(&mut self) {
        if self.repeats > 0 {
            self.put(REPEAT);
            self.put(u64::from(self.repeats));
            self.repeats = 0;
        }
    }

    #[inline]
    fn put(&mut self, value: u64) {
        let len = self.bytes.len();
        if self.bytes.capacity() - len < 10 {
            // A third more instead of twice as much: there are a million of these.
            self.bytes.reserve_exact((len / 3).max(12));
        }
        wire::put_u64(&mut self.bytes, value);
    }
}

fn repeat(
    times: u32,
    tick: &mut u32,
    predictor: &mut Predictor,
    counter: bool,
    each: &mut impl FnMut(u32, i64),
) {
    for _ in 0..times {
        predictor.see(predictor.expect(counter));
        each(*tick, predictor.last);
        *tick += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(points: &[(u32, i64)]) -> usize {
        let mut bytes = 0;
        for counter in [false, true] {
            let mut series = Series::default();
            for (tick, value) in points {
                series.push(*tick, *value, counter);
            }
            let mut read = Vec::new();
            series.for_each(counter, |tick, value| read.push((tick, value)));
            assert_eq!(read, points);
            assert_eq!(series.last(), points.last().copied());
            series.flush();
            bytes = series.bytes.len();
        }
        bytes
    }

    #[test]
    fn values_and_gaps_come_back() {
        check(&[]);
        check(&[(3, 7), (4, 7), (9, -1)]);
        check(&[(0, i64::MAX), (1, i64::MIN), (2, 0), (3, i64::MIN), (7, i64::MAX)]);
        check(&[(0, 0), (1, i64::MIN), (2, i64::MIN)]);
    }

    #[test]
    fn steady_counters_cost_nothing() {
        let points: Vec<(u32, i64)> =
            (0..1000).map(|at| (at, 5 + i64::from(at) * 60_000)).collect();
        assert!(check(&points) < 16);
    }
}
