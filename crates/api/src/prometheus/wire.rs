//! Protocol buffers and snappy's block format, as far as Prometheus' remote protocols need them.
//!
//! Sources: protobuf.dev "Encoding", google/snappy `format_description.txt`.

/// Why bytes cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// Not snappy's block format.
    #[error("the body is not in snappy's block format")]
    Snappy,
    /// It would become larger than allowed.
    #[error("the body becomes larger than {0} bytes when it is decompressed")]
    TooLarge(usize),
    /// Not a protocol buffer.
    #[error("the body is no protocol buffer")]
    Proto,
}

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message as (number, field).
pub(crate) fn fields(
    mut bytes: &[u8],
) -> impl Iterator<Item = Result<(u64, Field<'_>), Malformed>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let field = field(&mut bytes);
        if field.is_err() {
            bytes = &[];
        }
        Some(field)
    })
}

fn field<'a>(bytes: &mut &'a [u8]) -> Result<(u64, Field<'a>), Malformed> {
    // No field has the number 0.
    let tag = varint(bytes).filter(|tag| tag >> 3 > 0).ok_or(Malformed::Proto)?;
    let mut take = |len: usize| {
        let (taken, rest) = bytes.split_at_checked(len).ok_or(Malformed::Proto)?;
        *bytes = rest;
        Ok(taken)
    };
    let field = match tag & 7 {
        1 => Field::Fixed64(u64::from_le_bytes(take(8)?.try_into().map_err(|_| Malformed::Proto)?)),
        5 => Field::Fixed64(
            u32::from_le_bytes(take(4)?.try_into().map_err(|_| Malformed::Proto)?).into(),
        ),
        0 => Field::Varint(varint(bytes).ok_or(Malformed::Proto)?),
        2 => {
            let len = varint(bytes).and_then(|len| usize::try_from(len).ok());
            let len = len.ok_or(Malformed::Proto)?;
            let (taken, rest) = bytes.split_at_checked(len).ok_or(Malformed::Proto)?;
            *bytes = rest;
            Field::Bytes(taken)
        }
        _ => return Err(Malformed::Proto),
    };
    Ok((tag >> 3, field))
}

pub(crate) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_varint(out, number << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Decompresses a block of at most `most` bytes.
pub(crate) fn unsnap(mut bytes: &[u8], most: usize) -> Result<Vec<u8>, Malformed> {
    let len = varint(&mut bytes).and_then(|len| usize::try_from(len).ok());
    let len = len.ok_or(Malformed::Snappy)?;
    if len > most {
        return Err(Malformed::TooLarge(most));
    }
    let mut out = Vec::with_capacity(len.min(bytes.len().saturating_mul(8)));
    while let Some((tag, rest)) = bytes.split_first() {
        bytes = rest;
        let mut little = |count: usize| -> Result<usize, Malformed> {
            let (taken, rest) = bytes.split_at_checked(count).ok_or(Malformed::Snappy)?;
            bytes = rest;
            Ok(taken.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte)))
        };
        let upper = usize::from(tag >> 2);
        let (copied, offset) = match tag & 3 {
            0 => {
                let count = if upper < 60 { upper } else { little(upper - 59)? };
                let count = count.saturating_add(1);
                let (taken, rest) = bytes.split_at_checked(count).ok_or(Malformed::Snappy)?;
                bytes = rest;
                out.extend_from_slice(taken);
                (0, 1)
            }
            1 => (4 + (upper & 7), (usize::from(tag >> 5) << 8) | little(1)?),
            2 => (upper + 1, little(2)?),
            _ => (upper + 1, little(4)?),
        };
        if out.len() + copied > len || offset == 0 || (copied > 0 && offset > out.len()) {
            return Err(Malformed::Snappy);
        }
        for _ in 0..copied {
            // A copy may read what it has just written.
            let byte = out.get(out.len() - offset).copied().unwrap_or_default();
            out.push(byte);
        }
    }
    if out.len() == len { Ok(out) } else { Err(Malformed::Snappy) }
}

/// A block that holds `bytes` as they are: valid, and not smaller.
pub(crate) fn snap(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 16_384 + 16);
    put_varint(&mut out, bytes.len() as u64);
    for chunk in bytes.chunks(1 << 16) {
        // A literal of up to 2^16 bytes: tag 61, then its length less one in two bytes.
        let len = u16::try_from(chunk.len() - 1).unwrap_or(u16::MAX);
        out.push(61 << 2);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(chunk);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_back() {
        for len in [0, 1, 60, 61, 65_536, 200_000] {
            let bytes: Vec<u8> = (0..len).map(|at: u32| at.to_le_bytes()[0]).collect();
            assert_eq!(unsnap(&snap(&bytes), 1 << 20).unwrap(), bytes);
        }
    }

    #[test]
    fn copies_may_overlap_and_bombs_are_refused() {
        // "ab", then eight bytes copied from two back.
        let block = [10, 1 << 2, b'a', b'b', (4 << 2) | 1, 2];
        assert_eq!(unsnap(&block, 100).unwrap(), b"ababababab");
        assert_eq!(unsnap(&block, 9), Err(Malformed::TooLarge(9)));
        assert_eq!(unsnap(&[10, 1 << 2, b'a', b'b', (4 << 2) | 1, 3], 100), Err(Malformed::Snappy));
        assert_eq!(unsnap(&[4, 61 << 2, 0xff], 100), Err(Malformed::Snappy));
        assert_eq!(unsnap(&[0xff; 11], 100), Err(Malformed::Snappy));
    }

    #[test]
    fn fields_are_read_in_order() {
        let mut out = Vec::new();
        put_bytes(&mut out, 1, b"x");
        put_varint(&mut out, 2 << 3);
        put_varint(&mut out, 300);
        let read: Result<Vec<_>, _> = fields(&out).collect();
        assert_eq!(read.unwrap(), [(1, Field::Bytes(b"x")), (2, Field::Varint(300))]);
        assert_eq!(fields(&[0x0a, 5, 1]).next(), Some(Err(Malformed::Proto)));
    }
}
