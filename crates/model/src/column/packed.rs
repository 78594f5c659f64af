//! Integers of a frozen batch in as few bytes as their spread needs, every one as it was.
//!
//! A row's value is `base + step × word`, with words of the same width for all rows; where rows
//! have no value, the largest word stands for none.

/// Integers by row, some of them absent.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    rows: usize,
    base: i64,
    step: u64,
    /// Bytes of a word; 0 where all rows have the same value.
    width: usize,
    mask: u64,
    /// The word of rows without a value; wider than any word where all have one.
    none: u64,
    /// Words from the least byte on, and [`OVERHANG`] bytes behind them.
    bytes: Box<[u8]>,
}

/// A word is read as eight bytes and cut.
const OVERHANG: usize = 8;
/// Words are narrower than what they pack.
const MAX_WIDTH: usize = 7;

impl Packed {
    /// Packs `rows` values; `None` where that would save nothing.
    pub(crate) fn new(
        values: impl DoubleEndedIterator<Item = Option<i64>> + Clone,
    ) -> Option<Self> {
        let absent = values.clone().rev().take_while(Option::is_none).count();
        let rows = values.clone().count() - absent;
        let values = values.take(rows);
        let (mut least, mut most, mut gaps) = (i64::MAX, i64::MIN, false);
        for value in values.clone() {
            match value {
                Some(value) => (least, most) = (least.min(value), most.max(value)),
                None => gaps = true,
            }
        }
        if rows == 0 {
            (least, most) = (0, 0);
        }
        let step = step(values.clone().flatten(), least);
        let largest = difference(most, least) / step + u64::from(gaps);
        let bits = usize::try_from(u64::BITS - largest.leading_zeros()).ok()?;
        let width = bits.div_ceil(8);
        if width > MAX_WIDTH {
            return None;
        }
        let mask = (1_u64 << (width * 8)) - 1;
        let none = if gaps { mask } else { u64::MAX };
        let mut bytes = Vec::with_capacity(rows * width + OVERHANG);
        if width > 0 {
            for value in values {
                let word = value.map_or(none, |value| difference(value, least) / step);
                bytes.extend_from_slice(&word.to_le_bytes()[..width]);
            }
        }
        bytes.resize(rows * width + OVERHANG, 0);
        Some(Self { rows, base: least, step, width, mask, none, bytes: bytes.into() })
    }

    /// How many rows there are, up to the last that has a value.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The value in `row`, if there is one.
    pub(crate) fn get(&self, row: usize) -> Option<i64> {
        if row >= self.rows {
            return None;
        }
        let at = row * self.width;
        let word = self.bytes.get(at..at + OVERHANG)?.try_into().ok()?;
        let word = u64::from_le_bytes(word) & self.mask;
        let value = self.base.wrapping_add_unsigned(word.wrapping_mul(self.step));
        (word != self.none).then_some(value)
    }

    /// Heap bytes held.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// How far `value` is above `least`, which is no larger.
fn difference(value: i64, least: i64) -> u64 {
    value.wrapping_sub(least).cast_unsigned()
}

/// What the distance of every value from `least` is a multiple of.
fn step(values: impl Iterator<Item = i64>, least: i64) -> u64 {
    let mut step = 0;
    for value in values {
        let (mut rest, mut divisor) = (difference(value, least), step);
        // Euclid's; one division where the step divides already.
        while divisor != 0 {
            (rest, divisor) = (divisor, rest % divisor);
        }
        step = rest;
        if step == 1 {
            break;
        }
    }
    step.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[Option<i64>], width: usize) {
        let packed = Packed::new(values.iter().copied()).unwrap();
        let read: Vec<_> = (0..values.len() + 2).map(|row| packed.get(row)).collect();
        assert_eq!(read[..values.len()], *values);
        assert_eq!(read[values.len()..], [None, None]);
        assert_eq!((packed.width, packed.heap_bytes()), (width, packed.rows() * width + OVERHANG));
    }

    #[test]
    fn every_value_comes_back() {
        check(&[], 0);
        check(&[None, None], 0);
        check(&[Some(7), Some(7), Some(7)], 0);
        check(&[Some(7), None, Some(7), None], 1);
        check(&[Some(-5), Some(-4), Some(250)], 1);
        check(&[Some(-5), None, Some(-4), Some(250)], 2);
        // A quarter of a million pages, and whole seconds of a month.
        check(&[Some(0), Some(4096), Some(4096 << 18)], 3);
        check(&[Some(1_795_690_474_000_000_000), None, Some(1_793_098_474_000_000_000)], 1);
        check(&[Some(3), Some(1 << 39), Some(9)], 5);
        check(&[Some(i64::MIN + 1), Some(i64::MIN + 1)], 0);
        check(&[Some(1), Some((1 << 56) - 1), Some(0)], 7);
    }

    #[test]
    fn what_spreads_too_far_is_left_alone() {
        for values in [[i64::MIN + 1, i64::MAX, 0, 1], [0, 1, 1 << 56, 2]] {
            assert!(Packed::new(values.iter().copied().map(Some)).is_none(), "{values:?}");
        }
    }
}
