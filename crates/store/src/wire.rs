//! The primitives of every file: variable-length integers, strings, checksums, stable codes.
//!
//! Reading never trusts a length: it ends with [`Malformed`] instead of allocating or panicking.

use model::{EntityKind, Kind, ValueType};

/// Bytes that do not follow the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

pub(crate) type Parsed<T> = Result<T, Malformed>;

/// CRC-32C (Castagnoli) of `bytes`.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// That of what `parts` are together.
pub(crate) fn checksum_of(parts: &[&[u8]]) -> u32 {
    parts.iter().fold(0, |sum, part| crc32c::crc32c_append(sum, part))
}

/// Appends `value` as LEB128: seven bits a byte, lowest first, the top bit says "more".
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "takes seven bits at a time")]
pub(crate) fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_len(out: &mut Vec<u8>, value: usize) {
    put_u64(out, value as u64);
}

/// Maps small magnitudes of either sign to small numbers: 0, -1, 1, -2, … to 0, 1, 2, 3, …
#[inline]
#[expect(clippy::cast_sign_loss, reason = "a change of representation")]
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
#[expect(clippy::cast_possible_wrap, reason = "a change of representation")]
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

pub(crate) fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_u64(out, zigzag(value));
}

pub(crate) fn put_str(out: &mut Vec<u8>, text: &str) {
    put_len(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// A cursor over bytes that may be anything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Parsed<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Parsed<u8> {
        let (first, rest) = self.rest.split_first().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(crate) fn fixed_u32(&mut self) -> Parsed<u32> {
        let bytes = self.bytes(4)?;
        Ok(u32::from_le_bytes(bytes.try_into().map_err(|_| Malformed)?))
    }

    pub(crate) fn fixed_u64(&mut self) -> Parsed<u64> {
        let bytes = self.bytes(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().map_err(|_| Malformed)?))
    }

    #[inline]
    pub(crate) fn u64(&mut self) -> Parsed<u64> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                return Err(Malformed);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    pub(crate) fn u32(&mut self) -> Parsed<u32> {
        u32::try_from(self.u64()?).map_err(|_| Malformed)
    }

    pub(crate) fn i64(&mut self) -> Parsed<i64> {
        self.u64().map(unzigzag)
    }

    pub(crate) fn len(&mut self) -> Parsed<usize> {
        usize::try_from(self.u64()?).map_err(|_| Malformed)
    }

    /// A number of items that follow, each at least a byte long.
    pub(crate) fn count(&mut self) -> Parsed<usize> {
        let count = self.len()?;
        if count > self.rest.len() { Err(Malformed) } else { Ok(count) }
    }

    /// A number that says how much to allocate; more than `limit` is malformed.
    pub(crate) fn at_most(&mut self, limit: usize) -> Parsed<usize> {
        let value = self.len()?;
        if value > limit { Err(Malformed) } else { Ok(value) }
    }

    pub(crate) fn str(&mut self) -> Parsed<&'a str> {
        let len = self.len()?;
        std::str::from_utf8(self.bytes(len)?).map_err(|_| Malformed)
    }
}

/// The code of an entity kind on disk; never reused for another.
pub(crate) fn kind_code(kind: EntityKind) -> u8 {
    match kind {
        EntityKind::Cluster => 1,
        EntityKind::Namespace => 2,
        EntityKind::Workload => 3,
        EntityKind::Pod => 4,
        EntityKind::Container => 5,
        EntityKind::Node => 6,
        EntityKind::SystemContainer => 7,
        EntityKind::Volume => 8,
        EntityKind::Filesystem => 9,
        EntityKind::Disk => 10,
        EntityKind::Accelerator => 11,
    }
}

pub(crate) fn kind_of(code: u8) -> Parsed<EntityKind> {
    EntityKind::ALL.into_iter().find(|kind| kind_code(*kind) == code).ok_or(Malformed)
}

/// Bit 0: a gauge; bit 1: floats.
pub(crate) fn metric_code(kind: Kind, value: ValueType) -> u8 {
    u8::from(kind == Kind::Gauge) | u8::from(value == ValueType::Float) << 1
}

pub(crate) fn metric_of(code: u8) -> Parsed<(Kind, ValueType)> {
    let kind = if code & 1 == 0 { Kind::Counter } else { Kind::Gauge };
    let value = if code & 2 == 0 { ValueType::Int } else { ValueType::Float };
    if code < 4 { Ok((kind, value)) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_back() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_u64(&mut out, value);
            assert_eq!(Reader::new(&out).u64(), Ok(value));
            assert_eq!(unzigzag(zigzag(value.cast_signed())), value.cast_signed());
        }
        assert_eq!(Reader::new(&[0xFF; 10]).u64(), Err(Malformed));
    }

    #[test]
    fn kinds_have_codes_of_their_own() {
        for kind in EntityKind::ALL {
            assert_eq!(kind_of(kind_code(kind)), Ok(kind));
        }
        assert_eq!(kind_of(0), Err(Malformed));
    }
}
