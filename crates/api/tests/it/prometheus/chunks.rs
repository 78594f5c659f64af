//! Reads what a remote read is answered with: whole samples, or streamed XOR chunks.
//!
//! Written from prometheus/tsdb `docs/format/chunks.md` alone, and checked by a real Prometheus.

use super::Read;

/// (number, wire type, value or bytes) of each field.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let (value, rest) = match tag & 7 {
            0 => {
                let value = varint(&mut bytes);
                all.push((tag >> 3, value, Vec::new()));
                continue;
            }
            1 => bytes.split_at(8),
            2 => {
                let len = usize::try_from(varint(&mut bytes)).unwrap();
                bytes.split_at(len)
            }
            other => panic!("wire type {other}"),
        };
        all.push((tag >> 3, 0, value.to_vec()));
        bytes = rest;
    }
    all
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            break;
        }
    }
    value
}

/// Labels as `name=value,`.
fn label(bytes: &[u8]) -> Vec<u8> {
    let parts = fields(bytes);
    [&parts[0].2[..], b"=", &parts[1].2, b","].concat()
}

fn sorted(mut read: Read) -> Read {
    read.sort_by(|a, b| a.0.cmp(&b.0));
    read
}

/// A `ReadResponse` in snappy's block format.
pub(super) fn sampled(body: &[u8]) -> Read {
    let plain = snap::raw::Decoder::new().decompress_vec(body).unwrap();
    let results = fields(&plain).into_iter().flat_map(|(_, _, result)| fields(&result));
    let series = results.map(|(_, _, series)| {
        let (mut labels, mut samples) = (Vec::new(), Vec::new());
        for (number, _, bytes) in fields(&series) {
            if number == 1 {
                labels.extend(label(&bytes));
                continue;
            }
            let (mut value, mut at) = (0.0, 0);
            for (number, varint, bytes) in fields(&bytes) {
                match number {
                    1 => value = f64::from_le_bytes(bytes.try_into().unwrap()),
                    _ => at = varint.cast_signed(),
                }
            }
            samples.push((at, value));
        }
        (labels, samples)
    });
    sorted(series.collect())
}

/// Frames of `ChunkedReadResponse`.
pub(super) fn streamed(mut body: &[u8]) -> Read {
    let mut read: Read = Vec::new();
    while !body.is_empty() {
        let len = usize::try_from(varint(&mut body)).unwrap();
        let (checksum, rest) = body.split_at(4);
        let (message, rest) = rest.split_at(len);
        assert_eq!(checksum, crc32c::crc32c(message).to_be_bytes(), "checksum");
        body = rest;
        for (number, _, series) in fields(message) {
            if number != 1 {
                continue;
            }
            let (mut labels, mut samples) = (Vec::new(), Vec::new());
            for (number, _, bytes) in fields(&series) {
                match number {
                    1 => labels.extend(label(&bytes)),
                    _ => samples.extend(chunk(&bytes)),
                }
            }
            match read.last_mut().filter(|(known, _)| *known == labels) {
                Some((_, known)) => known.extend(samples),
                None => read.push((labels, samples)),
            }
        }
    }
    sorted(read)
}

fn chunk(bytes: &[u8]) -> Vec<(i64, f64)> {
    let (mut first, mut last, mut samples) = (0, 0, Vec::new());
    for (number, varint, bytes) in fields(bytes) {
        match number {
            1 => first = varint.cast_signed(),
            2 => last = varint.cast_signed(),
            3 => assert_eq!(varint, 1, "XOR"),
            _ => samples = xor(&bytes),
        }
    }
    let times = (samples.first().unwrap().0, samples.last().unwrap().0);
    assert_eq!(times, (first, last), "a chunk tells its times");
    samples
}

/// Bits, highest first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> u64 {
        let mut value = 0;
        for _ in 0..count {
            let bit = self.bytes[self.at / 8] >> (7 - self.at % 8) & 1;
            value = value << 1 | u64::from(bit);
            self.at += 1;
        }
        value
    }

    fn varint(&mut self) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(8);
            value |= (byte & 127) << shift;
            if byte < 128 {
                break;
            }
        }
        value
    }

    /// How much the distance of times changes.
    fn change(&mut self) -> i64 {
        let mut marks = 0;
        while marks < 4 && self.take(1) == 1 {
            marks += 1;
        }
        let count = [0, 14, 17, 20, 64][marks];
        if count == 0 {
            return 0;
        }
        let value = self.take(count);
        // A number of fewer bits than 64 whose highest bit is set is negative, but for the largest.
        if count < 64 && value > 1 << (count - 1) {
            return value.cast_signed() - (1 << count);
        }
        value.cast_signed()
    }
}

fn xor(bytes: &[u8]) -> Vec<(i64, f64)> {
    let count = u16::from_be_bytes([bytes[0], bytes[1]]);
    let mut bits = Bits { bytes: &bytes[2..], at: 0 };
    let mut samples: Vec<(i64, f64)> = Vec::new();
    let (mut at, mut step, mut value) = (0i64, 0i64, 0u64);
    let (mut leading, mut width) = (0, 0);
    for number in 0..count {
        if number == 0 {
            let zigzag = bits.varint();
            at = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
            value = bits.take(64);
        } else {
            step = if number == 1 { bits.varint().cast_signed() } else { step + bits.change() };
            at += step;
            if bits.take(1) == 1 {
                if bits.take(1) == 1 {
                    leading = usize::try_from(bits.take(5)).unwrap();
                    width = usize::try_from(bits.take(6)).unwrap();
                    width = if width == 0 { 64 } else { width };
                }
                value ^= bits.take(width) << (64 - leading - width);
            }
        }
        samples.push((at, f64::from_bits(value)));
    }
    samples
}
