//! Records: the checksummed frames of append-only files, and how reading survives damage.
//!
//! Layout: docs/FORMAT.md, "Record". Knows nothing of what is in them.

use crate::wire;

/// Begins every record, so that reading can go on after damage.
const MARK: [u8; 4] = [0xC7, 0x1D, 0x52, 0xA9];
/// Mark, length, checksum.
const RECORD_HEADER: usize = 12;

/// Appends a record whose body `fill` writes.
pub(crate) fn put(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&[0; 8]);
    fill(out);
    let body = &out[start + RECORD_HEADER..];
    // A body of 2^32 bytes would need more series than fit in memory.
    let len = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
    let sum = crc32c::crc32c_append(wire::checksum(&len), body).to_le_bytes();
    out[start + 4..start + 8].copy_from_slice(&len);
    out[start + 8..start + RECORD_HEADER].copy_from_slice(&sum);
}

/// The body of the record at `at`, if a whole and right one is there.
pub(crate) fn read(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    let body = rest.strip_prefix(&MARK)?;
    let (len, body) = body.split_first_chunk::<4>()?;
    let (sum, body) = body.split_first_chunk::<4>()?;
    let body = body.get(..usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
    let found = crc32c::crc32c_append(wire::checksum(len), body);
    (found == u32::from_le_bytes(*sum)).then_some(body)
}

/// What is at a place in a file of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A record.
    Record { at: usize, body: &'a [u8] },
    /// Bytes that are no record, before one that is.
    Damage { at: usize },
    /// Bytes that are no record up to the end: a write that was cut short.
    Torn { at: usize },
}

/// The records of `bytes` from `at` on.
pub(crate) fn scan(bytes: &[u8], mut at: usize) -> impl Iterator<Item = Found<'_>> {
    std::iter::from_fn(move || {
        if at >= bytes.len() {
            return None;
        }
        let here = at;
        if let Some(body) = read(bytes, at) {
            at += RECORD_HEADER + body.len();
            return Some(Found::Record { at: here, body });
        }
        let next = (at + 1..bytes.len()).find(|next| read(bytes, *next).is_some());
        at = next.unwrap_or(bytes.len());
        Some(if next.is_some() { Found::Damage { at: here } } else { Found::Torn { at: here } })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl Fn(&mut Vec<u8>), expected: &[Found<'_>]) {
        let mut bytes = Vec::new();
        for body in [b"one", b"two", b"six"] {
            put(&mut bytes, |out| out.extend_from_slice(body));
        }
        change(&mut bytes);
        assert_eq!(scan(&bytes, 0).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_torn_end_is_not_damage() {
        let one = Found::Record { at: 0, body: b"one" };
        let two = Found::Record { at: 15, body: b"two" };
        let six = Found::Record { at: 30, body: b"six" };
        check(|_| {}, &[one, two, six]);
        check(|bytes| bytes.truncate(44), &[one, two, Found::Torn { at: 30 }]);
        check(|bytes| bytes[44] ^= 1, &[one, two, Found::Torn { at: 30 }]);
        check(|bytes| bytes[19] ^= 1, &[one, Found::Damage { at: 15 }, six]);
        check(|bytes| bytes.truncate(30), &[one, two]);
    }
}
