//! Thrift's compact protocol, as far as Parquet's headers and footers need it.

/// Types of fields and of a list's items.
const TRUE: u8 = 1;
const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// A struct that is written field by field, with ascending numbers.
#[derive(Default)]
pub(crate) struct Struct {
    bytes: Vec<u8>,
    last: u8,
}

impl Struct {
    fn field(&mut self, number: u8, kind: u8) {
        // Numbers go as differences; none here is larger than fifteen.
        self.bytes.push(((number - self.last) << 4) | kind);
        self.last = number;
    }

    pub(crate) fn yes(mut self, number: u8) -> Self {
        self.field(number, TRUE);
        self
    }

    pub(crate) fn small(mut self, number: u8, value: i32) -> Self {
        self.field(number, I32);
        zigzag(&mut self.bytes, value.into());
        self
    }

    pub(crate) fn large(mut self, number: u8, value: i64) -> Self {
        self.field(number, I64);
        zigzag(&mut self.bytes, value);
        self
    }

    pub(crate) fn binary(mut self, number: u8, value: &[u8]) -> Self {
        self.field(number, BINARY);
        binary(&mut self.bytes, value);
        self
    }

    pub(crate) fn inner(mut self, number: u8, value: Self) -> Self {
        self.field(number, STRUCT);
        self.bytes.extend(value.done());
        self
    }

    pub(crate) fn structs(
        mut self,
        number: u8,
        items: impl ExactSizeIterator<Item = Self>,
    ) -> Self {
        self.list(number, STRUCT, items.len());
        items.for_each(|item| self.bytes.extend(item.done()));
        self
    }

    pub(crate) fn smalls(mut self, number: u8, items: &[i32]) -> Self {
        self.list(number, I32, items.len());
        for item in items {
            zigzag(&mut self.bytes, (*item).into());
        }
        self
    }

    pub(crate) fn texts(mut self, number: u8, items: &[&str]) -> Self {
        self.list(number, BINARY, items.len());
        for item in items {
            binary(&mut self.bytes, item.as_bytes());
        }
        self
    }

    fn list(&mut self, number: u8, kind: u8, len: usize) {
        self.field(number, LIST);
        // Fifteen says that the length follows.
        self.bytes.push(0xf0 | kind);
        varint(&mut self.bytes, len as u64);
    }

    /// Its bytes, ended.
    pub(crate) fn done(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

fn binary(bytes: &mut Vec<u8>, value: &[u8]) {
    varint(bytes, value.len() as u64);
    bytes.extend_from_slice(value);
}

fn zigzag(bytes: &mut Vec<u8>, value: i64) {
    varint(bytes, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Seven bits a byte, the lowest first.
pub(crate) fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_are_written_compactly() {
        let inner = Struct::default().yes(1).large(3, -1);
        let all = Struct::default().small(1, 300).binary(4, b"ab").inner(5, inner).smalls(6, &[1]);
        let expected =
            [0x15, 0xd8, 0x04, 0x38, 2, b'a', b'b', 0x1c, 0x11, 0x26, 1, 0, 0x19, 0xf5, 1, 2, 0];
        assert_eq!(all.done(), expected);
    }
}
