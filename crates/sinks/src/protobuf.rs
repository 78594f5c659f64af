//! Protocol buffers, written by hand: what a handful of messages needs.

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const FIXED32: u8 = 5;

/// An unsigned number in seven bits a byte.
pub(crate) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_byte(value) | 0x80);
        value >>= 7;
    }
    out.push(low_byte(value));
}

/// The lowest seven bits.
fn low_byte(value: u64) -> u8 {
    u8::try_from(value & 0x7f).unwrap_or_default()
}

/// Small for small numbers of either sign.
pub(crate) fn zigzag(value: i64) -> u64 {
    (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned()
}

fn push_tag(out: &mut Vec<u8>, field: u8, wire: u8) {
    push_varint(out, u64::from(field) << 3 | u64::from(wire));
}

/// A field of type `int64`, `uint64`, `bool` or an enumeration.
pub(crate) fn push_uint(out: &mut Vec<u8>, field: u8, value: u64) {
    push_tag(out, field, VARINT);
    push_varint(out, value);
}

/// A field of type `sint64`.
pub(crate) fn push_sint(out: &mut Vec<u8>, field: u8, value: i64) {
    push_uint(out, field, zigzag(value));
}

/// A field of type `double`.
pub(crate) fn push_double(out: &mut Vec<u8>, field: u8, value: f64) {
    push_tag(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A field of type `fixed64`.
pub(crate) fn push_fixed64(out: &mut Vec<u8>, field: u8, value: u64) {
    push_tag(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A field of type `float`.
pub(crate) fn push_float(out: &mut Vec<u8>, field: u8, value: f32) {
    push_tag(out, field, FIXED32);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A field of type `string`, `bytes` or a message that is written already.
pub(crate) fn push_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    push_tag(out, field, BYTES);
    push_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A field that is the message that `write` appends.
pub(crate) fn push_message(out: &mut Vec<u8>, field: u8, write: impl FnOnce(&mut Vec<u8>)) {
    push_tag(out, field, BYTES);
    let start = out.len();
    write(out);
    let message = out.split_off(start);
    push_varint(out, message.len() as u64);
    out.extend_from_slice(&message);
}

/// A field as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message, up to the first that is malformed.
pub(crate) fn fields(mut bytes: &[u8]) -> impl Iterator<Item = (u64, Read<'_>)> {
    std::iter::from_fn(move || {
        let tag = take_varint(&mut bytes)?;
        let read = match u8::try_from(tag & 7).ok()? {
            VARINT => Read::Number(take_varint(&mut bytes)?),
            FIXED64 => Read::Bytes(take(&mut bytes, 8)?),
            FIXED32 => Read::Bytes(take(&mut bytes, 4)?),
            BYTES => {
                let length = usize::try_from(take_varint(&mut bytes)?).ok()?;
                Read::Bytes(take(&mut bytes, length)?)
            }
            _ => return None,
        };
        Some((tag >> 3, read))
    })
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_they_were_written() {
        let mut out = Vec::new();
        push_uint(&mut out, 1, 300);
        push_sint(&mut out, 13, -5);
        push_message(&mut out, 9, |inner| push_bytes(inner, 1, b"key"));
        push_float(&mut out, 8, 60.0);
        push_double(&mut out, 14, 0.5);
        assert_eq!(out.get(..3), Some(&[8, 0xac, 2][..]));
        let read: Vec<_> = fields(&out).collect();
        assert_eq!(read[0], (1, Read::Number(300)));
        assert_eq!(read[1], (13, Read::Number(9)));
        assert_eq!(read[2], (9, Read::Bytes(b"\x0a\x03key")));
        assert_eq!(read[3], (8, Read::Bytes(&60.0_f32.to_le_bytes())));
        assert_eq!(read[4], (14, Read::Bytes(&0.5_f64.to_le_bytes())));
        assert_eq!(fields(b"\x0a\x7fshort").next(), None);
    }
}
