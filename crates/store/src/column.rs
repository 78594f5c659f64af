//! One metric of one kind in a head: what each tick added, and what is expected next.
//!
//! Knows no time: a tick is a position in the head's list of times. Never on disk.

use std::ops::Range;
use std::sync::Arc;

use crate::packed::{BLOCK, Numbers, Packed, Packer};

/// What comes next if nothing changes: a counter keeps its step, a gauge its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Predictor {
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

    /// Takes back the last value, which was that far from what was expected.
    #[inline]
    fn unsee(&mut self, difference: i64, counter: bool) {
        if counter {
            self.last = self.last.wrapping_sub(self.step);
            self.step = self.step.wrapping_sub(difference);
        } else {
            self.last = self.last.wrapping_sub(difference);
        }
    }
}

/// The newest values of all slots: what differences are taken from.
#[derive(Debug, Default)]
struct Newest {
    last: Packed,
    /// Of counters alone.
    step: Packed,
}

impl Newest {
    #[inline]
    fn of(&self, slot: u32) -> Predictor {
        let Some(last) = self.last.get(slot) else { return Predictor::NEW };
        Predictor { last, step: self.step.get(slot).unwrap_or(0), started: true }
    }

    /// Takes the differences of a tick, all of slots below `slots`. Answers how many there are,
    /// and how many are a slot's first.
    fn see(&mut self, slots: usize, added: &Packed, counter: bool) -> (u64, usize) {
        let (mut samples, mut first) = (0, 0);
        let (mut last, mut step) = (Packer::after(&self.last), Packer::after(&self.step));
        let (mut differences, mut lasts, mut steps) = ([0; 64], [0; 64], [0; 64]);
        let blocks = u32::try_from(slots.div_ceil(BLOCK as usize)).unwrap_or(u32::MAX);
        for block in 0..blocks {
            let present = added.unpack(block, &mut differences);
            let started = self.last.unpack(block, &mut lasts);
            self.step.unpack(block, &mut steps);
            samples += u64::from(present.count_ones());
            first += (present & !started).count_ones() as usize;
            for at in (0..64).filter(|at| present >> at & 1 == 1) {
                let started = started >> at & 1 == 1;
                let mut predictor = Predictor { last: lasts[at], step: steps[at], started };
                predictor.see(predictor.expect(counter).wrapping_add(differences[at]));
                (lasts[at], steps[at]) = (predictor.last, predictor.step);
            }
            last.push_block(started | present, &lasts);
            if counter {
                step.push_block(started | present, &steps);
            }
        }
        (self.last, self.step) = (last.finish(), step.finish());
        (samples, first)
    }

    fn heap_bytes(&self) -> usize {
        self.last.heap_bytes() + self.step.heap_bytes()
    }
}

/// What the next values of a column are expected to be, asked by growing slot.
pub(crate) struct Expected<'a> {
    column: Option<&'a HeadColumn>,
    /// The block that was asked last, and what is expected of it.
    block: u32,
    numbers: Numbers,
}

impl<'a> Expected<'a> {
    /// Of a column; of one that does not exist yet everything is 0.
    pub(crate) fn of(column: Option<&'a HeadColumn>) -> Self {
        Self { column, block: u32::MAX, numbers: [0; 64] }
    }

    #[inline]
    pub(crate) fn at(&mut self, slot: u32) -> i64 {
        if self.block != slot / BLOCK {
            self.turn(slot / BLOCK);
        }
        self.numbers[(slot % BLOCK) as usize]
    }

    fn turn(&mut self, block: u32) {
        self.block = block;
        let Some(column) = self.column else { return };
        column.newest.last.unpack(block, &mut self.numbers);
        if column.ticks.counter {
            let mut steps = [0; 64];
            column.newest.step.unpack(block, &mut steps);
            for (number, step) in self.numbers.iter_mut().zip(steps) {
                *number = number.wrapping_add(step);
            }
        }
    }
}

/// What each tick added to a column: may be held while the column grows.
#[derive(Debug, Clone)]
pub(crate) struct Ticks {
    counter: bool,
    /// By growing tick.
    added: Vec<(u32, Arc<Packed>)>,
}

impl Ticks {
    /// Those of `ticks`: for [`Self::for_each`] what comes before may not be left out, for
    /// [`Self::for_each_back`] what comes after.
    pub(crate) fn part(&self, ticks: Range<u32>) -> Self {
        let at = |bound: u32| self.added.partition_point(|(tick, _)| *tick < bound);
        let (from, until) = (at(ticks.start), at(ticks.end));
        Self { counter: self.counter, added: self.added[from..until.max(from)].to_vec() }
    }

    /// Calls `each(tick, value)` in order of ticks for one entity, for ticks below `until`.
    pub(crate) fn for_each(&self, slot: u32, until: u32, mut each: impl FnMut(u32, i64)) {
        let mut predictor = Predictor::NEW;
        for (tick, packed) in self.added.iter().take_while(|(tick, _)| *tick < until) {
            if let Some(difference) = packed.get(slot) {
                predictor.see(predictor.expect(self.counter).wrapping_add(difference));
                each(*tick, predictor.last);
            }
        }
    }

    /// Calls `each(tick, value)` from the newest tick back to `from` for one entity, of which
    /// nothing came after `newest`.
    pub(crate) fn for_each_back(
        &self,
        (slot, newest): (u32, Predictor),
        from: u32,
        mut each: impl FnMut(u32, i64),
    ) {
        let mut predictor = newest;
        for (tick, packed) in self.added.iter().rev().take_while(|(tick, _)| *tick >= from) {
            if let Some(difference) = packed.get(slot) {
                each(*tick, predictor.last);
                predictor.unsee(difference, self.counter);
            }
        }
    }
}

/// One metric of one kind.
#[derive(Debug)]
pub(crate) struct HeadColumn {
    pub(crate) metric: u16,
    newest: Newest,
    pub(crate) ticks: Ticks,
    /// Entities with values.
    series: usize,
}

/// What became of the values of a tick.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) samples: u64,
    /// Values that belong to nothing that is defined.
    pub(crate) lost: u64,
}

impl HeadColumn {
    pub(crate) fn new(metric: u16, counter: bool) -> Self {
        let (newest, ticks) = (Newest::default(), Ticks { counter, added: Vec::new() });
        Self { metric, newest, ticks, series: 0 }
    }

    /// What [`Ticks::for_each_back`] begins with, until [`Self::rest`].
    pub(crate) fn newest(&self, slot: u32) -> Predictor {
        self.newest.of(slot)
    }

    /// Adds the values of `tick`, which is after every earlier one: by growing slot below
    /// `entities`, as values if `key`, else as differences to what is expected.
    pub(crate) fn push(
        &mut self,
        tick: u32,
        entities: usize,
        key: bool,
        values: impl Iterator<Item = (u32, i64)>,
    ) -> Taken {
        let (mut expected, mut packer, mut lost) = (Expected::of(Some(self)), Packer::new(), 0);
        for (slot, number) in values {
            let base = if key { expected.at(slot) } else { 0 };
            let defined = (slot as usize) < entities;
            lost += u64::from(!defined || !packer.push(slot, number.wrapping_sub(base)));
        }
        let taken = self.take(tick, entities, packer.finish());
        Taken { samples: taken.samples, lost: taken.lost + lost }
    }

    /// Adds the differences of `tick`, which is after every earlier one, to what is expected.
    pub(crate) fn take(&mut self, tick: u32, entities: usize, differences: Packed) -> Taken {
        if self.ticks.added.last().is_some_and(|(newest, _)| *newest >= tick) {
            return Taken { samples: 0, lost: differences.count() };
        }
        let (samples, first) = self.newest.see(entities, &differences, self.ticks.counter);
        self.series += first;
        self.ticks.added.push((tick, Arc::new(differences)));
        Taken { samples, lost: 0 }
    }

    /// Gives back what only growth needs.
    pub(crate) fn rest(&mut self) {
        self.newest = Newest::default();
        self.ticks.added.shrink_to_fit();
    }

    /// Entities with values.
    pub(crate) fn series(&self) -> usize {
        self.series
    }

    /// Heap bytes held.
    pub(crate) fn heap_bytes(&self) -> usize {
        let packed = self.ticks.added.iter().map(|(_, packed)| packed.heap_bytes()).sum::<usize>();
        let each = size_of::<(u32, Arc<Packed>)>() + size_of::<Packed>();
        self.newest.heap_bytes() + packed + self.ticks.added.capacity() * each
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of one entity, by tick.
    fn check(points: &[(u32, i64)]) {
        for counter in [false, true] {
            for key in [false, true] {
                let mut column = HeadColumn::new(0, counter);
                for (tick, value) in points {
                    let base = if key { 0 } else { Expected::of(Some(&column)).at(5) };
                    let number = value.wrapping_sub(base);
                    let taken = column.push(*tick, 6, key, [(5, number)].into_iter());
                    assert_eq!(taken, Taken { samples: 1, lost: 0 });
                }
                let (mut read, newest) = (Vec::new(), (5, column.newest(5)));
                column.rest();
                column.ticks.for_each(5, u32::MAX, |tick, value| read.push((tick, value)));
                assert_eq!(read, points);
                for bound in 0..10 {
                    let (older, newer) = points.split_at(points.partition_point(|p| p.0 < bound));
                    read.clear();
                    column.ticks.for_each(5, bound, |tick, value| read.push((tick, value)));
                    assert_eq!(read, older);
                    read.clear();
                    let back = |tick, value| read.insert(0, (tick, value));
                    column.ticks.for_each_back(newest, bound, back);
                    assert_eq!(read, newer);
                }
                assert_eq!(column.series(), usize::from(!points.is_empty()));
                column.ticks.for_each(4, u32::MAX, |_, _| unreachable!("has no values"));
            }
        }
    }

    #[test]
    fn values_and_gaps_come_back() {
        check(&[]);
        check(&[(3, 7), (4, 7), (9, -1)]);
        check(&[(0, i64::MAX), (1, i64::MIN), (2, 0), (3, i64::MIN), (7, i64::MAX)]);
        check(&[(0, 0), (1, i64::MIN), (2, i64::MIN)]);
    }

    #[test]
    fn steady_counters_cost_little() {
        let mut column = HeadColumn::new(0, true);
        for tick in 0..100 {
            let value = 5 + i64::from(tick) * 60_000;
            column.push(tick, 640, true, (0..640).map(|slot| (slot, value)));
        }
        column.rest();
        // The first two ticks tell value and step, the others an eighth of a byte.
        assert!(column.heap_bytes() < 640 * 24, "{}", column.heap_bytes());
    }

    #[test]
    fn what_is_not_defined_or_comes_twice_is_counted() {
        let mut column = HeadColumn::new(0, false);
        let taken = column.push(3, 2, true, [(0, 1), (0, 2), (2, 3)].into_iter());
        assert_eq!(taken, Taken { samples: 1, lost: 2 });
        let taken = column.push(3, 2, true, [(1, 1)].into_iter());
        assert_eq!(taken, Taken { samples: 0, lost: 1 });
        assert_eq!(Expected::of(Some(&column)).at(0), 1);
    }
}
