//! Small numbers as runs of one value and groups of packed bits: Parquet's "RLE/bit-packing hybrid".

use crate::thrift::varint;

/// Packed bits come in groups of so many values.
const GROUP: usize = 8;

/// `values`, each of `width` bits.
pub(crate) fn hybrid(values: &[u32], width: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Where the values begin that are to be packed.
    let (mut packed, mut at) = (0, 0);
    while at < values.len() {
        let run = values[at..].iter().take_while(|value| **value == values[at]).count();
        if run < GROUP || (at - packed) % GROUP != 0 {
            at += 1;
            continue;
        }
        pack(&values[packed..at], width, &mut bytes);
        varint(&mut bytes, (run as u64) << 1);
        let value = values[at].to_le_bytes();
        bytes.extend_from_slice(&value[..width.div_ceil(8) as usize]);
        at += run;
        packed = at;
    }
    pack(&values[packed..], width, &mut bytes);
    bytes
}

/// The last group is filled up with zeros.
fn pack(values: &[u32], width: u32, bytes: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    let groups = values.len().div_ceil(GROUP);
    varint(bytes, (groups as u64) << 1 | 1);
    let end = bytes.len() + groups * width as usize;
    let (mut bits, mut held) = (0_u64, 0);
    for value in values {
        bits |= u64::from(*value) << held;
        held += width;
        while held >= 8 {
            bytes.push(bits.to_le_bytes()[0]);
            bits >>= 8;
            held -= 8;
        }
    }
    bytes.push(bits.to_le_bytes()[0]);
    bytes.resize(end, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_groups_alternate() {
        assert_eq!(hybrid(&[0, 1, 2, 3, 4, 5, 6, 7], 3), [3, 0x88, 0xc6, 0xfa]);
        assert_eq!(hybrid(&[5; 100], 3), [0xc8, 1, 5]);
        assert_eq!(hybrid(&[1, 0, 1], 1), [3, 0b101]);
        let mut mixed = vec![1, 0, 1, 1, 0, 0, 0, 0];
        mixed.extend([1; 9]);
        mixed.push(0);
        assert_eq!(hybrid(&mixed, 1), [3, 0b1101, 18, 1, 3, 0]);
        assert_eq!(hybrid(&[300; 8], 9), [16, 44, 1]);
        assert_eq!(hybrid(&[], 1), []);
    }
}
