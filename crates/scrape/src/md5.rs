//! MD5 (RFC 1321), which `hashmod` divides by: no secret depends on it.

const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// The constant of step `i`: the whole part of 2³² · |sin(i + 1)|.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "below 2^32 and not negative"
)]
fn constant(i: usize) -> u32 {
    (((i + 1) as f64).sin().abs() * 4_294_967_296.0) as u32
}

/// The last eight bytes of the hash of `text`, the most significant first, as Prometheus takes it.
pub(crate) fn last_half(text: &[u8]) -> u64 {
    let mut message = text.to_vec();
    message.push(0x80);
    while message.len() % 64 != 56 {
        message.push(0);
    }
    message.extend_from_slice(&(text.len() as u64).wrapping_mul(8).to_le_bytes());
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in message.chunks_exact(64) {
        let mut words = [0_u32; 16];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = bytes.iter().rev().fold(0, |word, byte| (word << 8) | u32::from(*byte));
        }
        let after = rounds(state, &words);
        for (sum, part) in state.iter_mut().zip(after) {
            *sum = sum.wrapping_add(part);
        }
    }
    (u64::from(state[2].swap_bytes()) << 32) | u64::from(state[3].swap_bytes())
}

fn rounds(state: [u32; 4], words: &[u32; 16]) -> [u32; 4] {
    let [mut a, mut b, mut c, mut d] = state;
    for i in 0..64 {
        let (mixed, word) = match i / 16 {
            0 => ((b & c) | (!b & d), i),
            1 => ((d & b) | (!d & c), 5 * i + 1),
            2 => (b ^ c ^ d, 3 * i + 5),
            _ => (c ^ (b | !d), 7 * i),
        };
        let sum = a.wrapping_add(mixed).wrapping_add(constant(i)).wrapping_add(words[word % 16]);
        (a, d, c) = (d, c, b);
        b = b.wrapping_add(sum.rotate_left(SHIFTS[i / 16][i % 4]));
    }
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::last_half;

    #[test]
    fn hashes_are_those_of_the_rfc() {
        for (text, half) in [
            ("", 0xe980_0998_ecf8_427e_u64),
            ("a", 0x31c3_99e2_6977_2661),
            ("abc", 0xd696_3f7d_28e1_7f72),
            ("message digest", 0x525a_2f31_aaf1_61d0),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                0xac49_da2e_2107_b67a,
            ),
        ] {
            assert_eq!(last_half(text.as_bytes()), half, "{text}");
        }
    }
}
