//! One metric in a head, a number per entity: what a tick changed, or what was newest; read at any
//! slot.
//!
//! Bit-packed in blocks of 64 slots, each as wide as its widest number needs: as such or above the
//! block's smallest, without the zeros that all end with. Knows neither times nor labels. Never on
//! disk.

use crate::wire;

/// Slots of a block: its present ones fit into a word.
pub(crate) const BLOCK: u32 = 64;

/// A number for each slot of a block.
pub(crate) type Numbers = [i64; BLOCK as usize];

/// Which of a block's slots have a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    None,
    All,
    /// Those of the bitmap in its first word.
    Some,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    /// Its first word.
    at: u32,
    /// Bits of a number.
    width: u8,
    /// Bits that all numbers end with and that are left out.
    shift: u8,
    /// Whether the word before the numbers is what they are counted from.
    based: bool,
    presence: Presence,
}

impl Block {
    const EMPTY: Self = Self { at: 0, width: 0, shift: 0, based: false, presence: Presence::None };
}

/// The numbers of one metric.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    blocks: Box<[Block]>,
    words: Box<[u64]>,
}

impl Packed {
    /// The number of `slot`; `None` where it has none.
    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<i64> {
        let block = *self.blocks.get((slot / BLOCK) as usize)?;
        let bit = slot % BLOCK;
        let present = self.present(block);
        if present >> bit & 1 == 0 {
            return None;
        }
        let rank = (present & ((1 << bit) - 1)).count_ones();
        let (at, base) = self.begin(block);
        Some(self.number(block, at, base, rank))
    }

    /// Puts the numbers of block `at` into `numbers`, 0 where a slot has none. Answers which have
    /// one.
    pub(crate) fn unpack(&self, at: u32, numbers: &mut Numbers) -> u64 {
        numbers.fill(0);
        let Some(block) = self.blocks.get(at as usize).copied() else { return 0 };
        let present = self.present(block);
        if present != 0 {
            let (at, base) = self.begin(block);
            let mut left = present;
            for rank in 0..present.count_ones() {
                numbers[left.trailing_zeros() as usize] = self.number(block, at, base, rank);
                left &= left - 1;
            }
        }
        present
    }

    /// How many slots have a number.
    pub(crate) fn count(&self) -> u64 {
        self.blocks.iter().map(|block| u64::from(self.present(*block).count_ones())).sum()
    }

    fn word(&self, at: u32) -> u64 {
        self.words.get(at as usize).copied().unwrap_or(0)
    }

    fn present(&self, block: Block) -> u64 {
        match block.presence {
            Presence::None => 0,
            Presence::All => u64::MAX,
            Presence::Some => self.word(block.at),
        }
    }

    /// The first word of a block's numbers, and what they are counted from.
    fn begin(&self, block: Block) -> (u32, i64) {
        let at = block.at + u32::from(block.presence == Presence::Some);
        if block.based { (at + 1, self.word(at).cast_signed()) } else { (at, 0) }
    }

    #[inline]
    fn number(&self, block: Block, at: u32, base: i64, rank: u32) -> i64 {
        let width = u32::from(block.width);
        if width == 0 {
            return base;
        }
        let (first, offset) = (at + rank * width / 64, rank * width % 64);
        let mut bits = self.word(first) >> offset;
        if offset + width > 64 {
            bits |= self.word(first + 1) << (64 - offset);
        }
        bits &= u64::MAX >> (64 - width);
        if block.based {
            base.wrapping_add_unsigned(bits << block.shift)
        } else {
            wire::unzigzag(bits) << block.shift
        }
    }

    /// Heap bytes held.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.blocks) + size_of_val(&*self.words)
    }
}

/// Takes numbers by growing slot.
#[derive(Debug)]
pub(crate) struct Packer {
    blocks: Vec<Block>,
    words: Vec<u64>,
    /// Of the block that grows.
    present: u64,
    values: Numbers,
    count: usize,
}

impl Packer {
    pub(crate) fn new() -> Self {
        Self { blocks: Vec::new(), words: Vec::new(), present: 0, values: [0; 64], count: 0 }
    }

    /// With room for as much as `before` holds, and a little more.
    pub(crate) fn after(before: &Packed) -> Self {
        let room = |len: usize| len + len / 32;
        let blocks = Vec::with_capacity(room(before.blocks.len()));
        Self { blocks, words: Vec::with_capacity(room(before.words.len())), ..Self::new() }
    }

    /// Adds the number of a slot that is above all before it; false if it is not.
    #[inline]
    pub(crate) fn push(&mut self, slot: u32, number: i64) -> bool {
        let at = (slot / BLOCK) as usize;
        if at != self.blocks.len() {
            if at < self.blocks.len() {
                return false;
            }
            self.close();
            self.blocks.resize(at, Block::EMPTY);
        }
        let bit = slot % BLOCK;
        if self.present >> bit != 0 {
            return false;
        }
        self.present |= 1 << bit;
        self.values[self.count] = number;
        self.count += 1;
        true
    }

    /// Adds a block after those before it: the numbers of those that are `present`.
    pub(crate) fn push_block(&mut self, present: u64, numbers: &Numbers) {
        let mut left = present;
        while left != 0 {
            self.values[self.count] = numbers[left.trailing_zeros() as usize];
            self.count += 1;
            left &= left - 1;
        }
        self.present = present;
        self.close();
    }

    fn close(&mut self) {
        let values = &mut self.values[..self.count];
        let at = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        let presence = match self.present {
            0 => Presence::None,
            u64::MAX => Presence::All,
            _ => Presence::Some,
        };
        if presence == Presence::Some {
            self.words.push(self.present);
        }
        let (width, shift, base) = narrowest(values);
        self.words.extend(base.map(i64::cast_unsigned));
        let block = Block { at, width, shift, based: base.is_some(), presence };
        self.blocks.push(block);
        let width = u32::from(width);
        let (mut word, mut filled) = (0, 0);
        if width > 0 {
            for value in values {
                let bits = match base {
                    Some(base) => value.wrapping_sub(base).cast_unsigned() >> shift,
                    None => wire::zigzag(*value >> shift),
                };
                word |= bits << filled;
                filled += width;
                if filled >= 64 {
                    self.words.push(word);
                    filled -= 64;
                    word = if filled > 0 { bits >> (width - filled) } else { 0 };
                }
            }
            if filled > 0 {
                self.words.push(word);
            }
        }
        (self.present, self.count) = (0, 0);
    }

    pub(crate) fn finish(mut self) -> Packed {
        if self.count > 0 {
            self.close();
        }
        Packed { blocks: self.blocks.into(), words: self.words.into() }
    }
}

/// How these numbers take the fewest words: width and shift, and what they are counted from if
/// that is worth a word.
fn narrowest(values: &[i64]) -> (u8, u8, Option<i64>) {
    let ends = values.iter().fold(0, |all, value| all | value);
    if ends == 0 {
        return (0, 0, None);
    }
    let shift = ends.trailing_zeros();
    let widest = values.iter().fold(0, |all, value| all | wire::zigzag(*value >> shift));
    let plain = (bits(widest), bits_of(shift), None);
    let least = values.iter().copied().min().unwrap_or(0);
    let above = values.iter().fold(0, |all, v| all | v.wrapping_sub(least).cast_unsigned());
    let shift = if above == 0 { 0 } else { above.trailing_zeros() };
    let based = (bits(above >> shift), bits_of(shift), Some(least));
    let words = |width: u8| (values.len() * usize::from(width)).div_ceil(64);
    if words(based.0) + 1 < words(plain.0) { based } else { plain }
}

fn bits(widest: u64) -> u8 {
    bits_of(u64::BITS - widest.leading_zeros())
}

fn bits_of(count: u32) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(all: &[(u32, i64)]) -> Packed {
        let mut packer = Packer::new();
        for (slot, difference) in all {
            assert!(packer.push(*slot, *difference));
        }
        let done = packer.finish();
        let end = all.last().map_or(200, |(slot, _)| slot + 200);
        let read: Vec<(u32, i64)> =
            (0..end).filter_map(|slot| Some((slot, done.get(slot)?))).collect();
        assert_eq!(read, all);
        let mut unpacked = Vec::new();
        for at in 0..=end / BLOCK {
            let mut numbers = [-1; 64];
            let present = done.unpack(at, &mut numbers);
            for (bit, number) in (0..64).zip(numbers) {
                match present >> bit & 1 {
                    0 => assert_eq!(number, 0),
                    _ => unpacked.push((at * BLOCK + bit, number)),
                }
            }
        }
        assert_eq!(unpacked, all);
        done
    }

    #[test]
    fn differences_come_back_whatever_their_width() {
        check(&[]);
        check(&[(0, i64::MIN)]);
        check(&[(63, i64::MAX), (64, 0), (65, -1), (700, 7)]);
        for width in 0..64 {
            let value = |slot: u32| (i64::from(slot) - 100).wrapping_mul(1 << width);
            check(&(0..200).map(|slot| (slot, value(slot))).collect::<Vec<_>>());
            check(&(0..200).filter(|n| n % 3 > 0).map(|n| (n, value(n))).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_was_expected_costs_an_eighth_of_a_byte() {
        let packed = check(&(0..6400).map(|slot| (slot, 0)).collect::<Vec<_>>());
        assert_eq!(packed.heap_bytes(), 800);
    }

    #[test]
    fn blocks_come_back_whole() {
        let mut packer = Packer::new();
        let numbers = std::array::from_fn(|at| 1_000_000 + i64::try_from(at).unwrap());
        for present in [0, 1 << 63 | 5, u64::MAX] {
            packer.push_block(present, &numbers);
        }
        let done = packer.finish();
        let read: Vec<Option<i64>> = (0..192).map(|slot| done.get(slot)).collect();
        assert!(read[..64].iter().all(Option::is_none));
        let some: Vec<i64> = read[64..128].iter().copied().flatten().collect();
        assert_eq!(some, [1_000_000, 1_000_002, 1_000_063]);
        assert!(read[128..].iter().copied().eq(numbers.map(Some)));
    }

    #[test]
    fn what_all_have_in_common_costs_a_word() {
        let words = |values: &dyn Fn(u32) -> i64| {
            let packed = check(&(0..64).map(|slot| (slot, values(slot))).collect::<Vec<_>>());
            packed.words.len()
        };
        assert_eq!(words(&|_| 1 << 50), 1);
        // Whole pages: 6 bits each.
        assert_eq!(words(&|slot| i64::from(slot) << 12), 6 + 1);
        assert_eq!(words(&|slot| (1 << 40) + (i64::from(slot) << 12)), 6 + 1);
        assert_eq!(words(&|slot| i64::MIN + (i64::from(slot) << 3)), 6 + 1);
        assert_eq!(words(&|slot| if slot == 0 { i64::MIN } else { i64::MAX }), 64);
    }

    #[test]
    fn a_slot_counts_once() {
        let mut packer = Packer::new();
        for (slot, taken) in [(70, true), (70, false), (69, false), (3, false), (71, true)] {
            assert_eq!(packer.push(slot, 1), taken, "{slot}");
        }
    }
}
