//! One metric at one tick in a head: the differences of all entities, read at any slot.
//!
//! Bit-packed in blocks of 64 slots, each as wide as its widest difference. Knows neither times
//! nor labels. Never on disk.

use crate::wire;

/// Slots of a block: its present ones fit into a word.
const BLOCK: u32 = 64;

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
    /// Bits of a difference.
    width: u8,
    presence: Presence,
}

/// The differences of one metric at one tick.
#[derive(Debug)]
pub(crate) struct Packed {
    blocks: Box<[Block]>,
    words: Box<[u64]>,
}

impl Packed {
    /// The difference of `slot`; `None` where it has no value.
    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<i64> {
        let block = self.blocks.get((slot / BLOCK) as usize)?;
        let bit = slot % BLOCK;
        let (rank, at) = match block.presence {
            Presence::None => return None,
            Presence::All => (bit, block.at),
            Presence::Some => {
                let present = *self.words.get(block.at as usize)?;
                if present >> bit & 1 == 0 {
                    return None;
                }
                ((present & ((1 << bit) - 1)).count_ones(), block.at + 1)
            }
        };
        let width = u32::from(block.width);
        if width == 0 {
            return Some(0);
        }
        let (first, shift) = (at + rank * width / 64, rank * width % 64);
        let mut bits = self.words.get(first as usize)? >> shift;
        if shift + width > 64 {
            bits |= self.words.get(first as usize + 1)? << (64 - shift);
        }
        Some(wire::unzigzag(bits & (u64::MAX >> (64 - width))))
    }

    /// Heap bytes held.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.blocks) + size_of_val(&*self.words)
    }
}

/// Takes differences by growing slot.
#[derive(Debug)]
pub(crate) struct Packer {
    blocks: Vec<Block>,
    words: Vec<u64>,
    /// Of the block that grows.
    present: u64,
    values: [u64; BLOCK as usize],
    count: usize,
}

impl Packer {
    pub(crate) fn new() -> Self {
        Self { blocks: Vec::new(), words: Vec::new(), present: 0, values: [0; 64], count: 0 }
    }

    /// Adds the difference of a slot that is above all before it; false if it is not.
    #[inline]
    pub(crate) fn push(&mut self, slot: u32, difference: i64) -> bool {
        let at = (slot / BLOCK) as usize;
        if at != self.blocks.len() {
            if at < self.blocks.len() {
                return false;
            }
            self.close();
            let empty = Block { at: 0, width: 0, presence: Presence::None };
            self.blocks.resize(at, empty);
        }
        let bit = slot % BLOCK;
        if self.present >> bit != 0 {
            return false;
        }
        self.present |= 1 << bit;
        self.values[self.count] = wire::zigzag(difference);
        self.count += 1;
        true
    }

    fn close(&mut self) {
        let values = &self.values[..self.count];
        let widest = values.iter().fold(0_u64, |all, value| all | value);
        let width = 64 - widest.leading_zeros();
        let presence = match self.present {
            0 => Presence::None,
            u64::MAX => Presence::All,
            _ => Presence::Some,
        };
        let at = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        let bits = u8::try_from(width).unwrap_or(u8::MAX);
        self.blocks.push(Block { at, width: bits, presence });
        if presence == Presence::Some {
            self.words.push(self.present);
        }
        let (mut word, mut filled) = (0, 0);
        if width > 0 {
            for value in values {
                word |= value << filled;
                filled += width;
                if filled >= 64 {
                    self.words.push(word);
                    filled -= 64;
                    word = if filled > 0 { value >> (width - filled) } else { 0 };
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
    fn a_slot_counts_once() {
        let mut packer = Packer::new();
        for (slot, taken) in [(70, true), (70, false), (69, false), (3, false), (71, true)] {
            assert_eq!(packer.push(slot, 1), taken, "{slot}");
        }
    }
}
