//! A chunk: one metric's values of 256 neighbouring slots at one tick, packed without loss.
//!
//! Knows neither entities nor time.

use model::{Column, Value};

/// Slots a chunk covers. Small enough that one new pod rewrites little, large enough that the
/// header does not count.
pub(crate) const CHUNK_SLOTS: usize = 256;

/// Stands for "no value" in a narrow chunk.
const ABSENT_NARROW: u32 = u32::MAX;
/// Stands for "no value" in a wide chunk.
const ABSENT_WIDE: i64 = i64::MIN;

/// Packed values of up to [`CHUNK_SLOTS`] slots.
///
/// Memory sizes are multiples of a page and millicores are small, so that most integers fit 32
/// bits once their common trailing zero bits are shifted out.
#[derive(Debug, PartialEq)]
pub(crate) enum Chunk {
    /// No slot has a value.
    Empty,
    /// Integers, each shifted right by `shift`.
    Narrow {
        /// Bits shifted out.
        shift: u8,
        /// One per slot.
        values: Box<[u32]>,
    },
    /// Integers as they are.
    Wide(Box<[i64]>),
    /// Floats, as their bits so that equality is exact; NaN is "no value".
    Float(Box<[u64]>),
}

impl Chunk {
    /// Packs `values`, where `i64::MIN` is "no value".
    pub(crate) fn of_ints(values: &[i64]) -> Self {
        let present = || values.iter().copied().filter(|value| *value != ABSENT_WIDE);
        let Some(largest) = present().max() else { return Self::Empty };
        let bits = present().fold(0, |bits, value| bits | value);
        let shift = if bits == 0 { 0 } else { bits.trailing_zeros() };
        // A negative value leaves its sign in `bits`.
        if bits < 0 || (largest >> shift) >= i64::from(ABSENT_NARROW) {
            return Self::Wide(values.into());
        }
        let narrow = |value: &i64| match *value {
            ABSENT_WIDE => ABSENT_NARROW,
            value => u32::try_from(value >> shift).unwrap_or(ABSENT_NARROW),
        };
        let shift = u8::try_from(shift).unwrap_or(0);
        Self::Narrow { shift, values: values.iter().map(narrow).collect() }
    }

    /// Packs `values`, where NaN is "no value".
    pub(crate) fn of_floats(values: &[f64]) -> Self {
        if values.iter().all(|value| value.is_nan()) {
            return Self::Empty;
        }
        Self::Float(values.iter().map(|value| value.to_bits()).collect())
    }

    /// The value of the slot at `at`.
    pub(crate) fn get(&self, at: usize) -> Option<Value> {
        match self {
            Self::Empty => None,
            Self::Narrow { shift, values } => values
                .get(at)
                .filter(|value| **value != ABSENT_NARROW)
                .map(|value| Value::Int(i64::from(*value) << shift)),
            Self::Wide(values) => {
                values.get(at).filter(|value| **value != ABSENT_WIDE).copied().map(Value::Int)
            }
            Self::Float(values) => values
                .get(at)
                .map(|bits| f64::from_bits(*bits))
                .filter(|value| !value.is_nan())
                .map(Value::Float),
        }
    }

    /// Heap and header bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + 2 * size_of::<usize>()
            + match self {
                Self::Empty => 0,
                Self::Narrow { values, .. } => size_of_val(&**values),
                Self::Wide(values) => size_of_val(&**values),
                Self::Float(values) => size_of_val(&**values),
            }
    }
}

/// Reused space in which a column's values are put into slot order.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    ints: Vec<i64>,
    floats: Vec<f64>,
}

impl Scratch {
    /// The chunks of `column`, whose row `r` belongs to slot `slots[r]`, of `len` slots in all.
    pub(crate) fn pack(
        &mut self,
        column: &Column,
        slots: &[Option<u32>],
        len: usize,
    ) -> impl Iterator<Item = Chunk> + '_ {
        let is_int = column.metric().value_type() == model::ValueType::Int;
        let (ints_len, floats_len) = if is_int { (len, 0) } else { (0, len) };
        self.ints.clear();
        self.ints.resize(ints_len, ABSENT_WIDE);
        self.floats.clear();
        self.floats.resize(floats_len, f64::NAN);
        for (row, value) in column.iter() {
            let Some(Some(slot)) = slots.get(row) else { continue };
            match value {
                Value::Int(value) => self.ints[*slot as usize] = value,
                Value::Float(value) => self.floats[*slot as usize] = value,
            }
        }
        let ints = self.ints.chunks(CHUNK_SLOTS).map(Chunk::of_ints);
        ints.chain(self.floats.chunks(CHUNK_SLOTS).map(Chunk::of_floats))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(values: &[i64], narrow: bool) {
        let chunk = Chunk::of_ints(values);
        assert_eq!(matches!(chunk, Chunk::Narrow { .. }), narrow, "{values:?}");
        for (at, value) in values.iter().enumerate() {
            let expected = (*value != ABSENT_WIDE).then_some(Value::Int(*value));
            assert_eq!(chunk.get(at), expected, "{values:?} at {at}");
        }
        assert_eq!(chunk.get(values.len()), None);
    }

    #[test]
    fn integers_come_back_as_they_went_in() {
        check(&[0, 17, ABSENT_WIDE, 250], true);
        check(&[4096 << 20, 4096 * 3, 0], true);
        check(&[i64::from(u32::MAX) - 1, 1], true);
        check(&[i64::from(u32::MAX), 0], false);
        check(&[1 << 40, 1], false);
        check(&[-5, 3], false);
        check(&[i64::MAX, 0], false);
        assert_eq!(Chunk::of_ints(&[ABSENT_WIDE; 3]), Chunk::Empty);
        assert_eq!(Chunk::of_floats(&[f64::NAN]), Chunk::Empty);
        assert_eq!(Chunk::of_floats(&[f64::NAN, 1.5]).get(1), Some(Value::Float(1.5)));
    }

    proptest! {
        #[test]
        fn any_integers_come_back(values in proptest::collection::vec(any::<i64>(), 0..40), shift in 0_u32..63) {
            let values: Vec<i64> = values.iter().map(|value| value.wrapping_shl(shift)).collect();
            let chunk = Chunk::of_ints(&values);
            for (at, value) in values.iter().enumerate() {
                let expected = (*value != ABSENT_WIDE).then_some(Value::Int(*value));
                prop_assert_eq!(chunk.get(at), expected);
            }
        }
    }
}
