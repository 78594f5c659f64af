//! Samples as Prometheus' XOR chunks, and the frames in which remote read streams them.
//!
//! Sources: prometheus/tsdb `docs/format/chunks.md`, prometheus/prompb `remote.proto` and
//! `types.proto`, prometheus/storage/remote `chunked.go`.

use super::super::wire::{put_bytes, put_varint};

/// What the answer is called.
pub(super) const KIND: &str =
    "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
/// Samples of one chunk; Prometheus' number.
const CHUNK_SAMPLES: usize = 120;
/// Bytes of one frame's chunks, as Prometheus has it; a series with more gets further frames.
const FRAME_BYTES: usize = 1 << 20;
/// `Chunk.Encoding.XOR`.
const XOR: u64 = 1;

/// Appends the frames of one series: `labels` are its fields of a message already.
pub(super) fn put_series(out: &mut Vec<u8>, query: usize, labels: &[u8], samples: &[(i64, f64)]) {
    let mut series = labels.to_vec();
    for part in samples.chunks(CHUNK_SAMPLES) {
        put_bytes(&mut series, 2, &chunk(part));
        if series.len() >= FRAME_BYTES {
            put_frame(out, query, &std::mem::replace(&mut series, labels.to_vec()));
        }
    }
    if series.len() > labels.len() {
        put_frame(out, query, &series);
    }
}

/// Length, checksum, message.
fn put_frame(out: &mut Vec<u8>, query: usize, series: &[u8]) {
    let mut message = Vec::with_capacity(series.len() + 8);
    put_bytes(&mut message, 1, series);
    if query > 0 {
        put_varint(&mut message, 2 << 3);
        put_varint(&mut message, query as u64);
    }
    put_varint(out, message.len() as u64);
    out.extend_from_slice(&crc32c::crc32c(&message).to_be_bytes());
    out.extend_from_slice(&message);
}

/// A `prometheus.Chunk` of at most 65,535 samples.
fn chunk(samples: &[(i64, f64)]) -> Vec<u8> {
    let mut message = Vec::new();
    for (number, sample) in [(1u64, samples.first()), (2, samples.last())] {
        put_varint(&mut message, number << 3);
        put_varint(&mut message, sample.map_or(0, |(at, _)| at.cast_unsigned()));
    }
    put_varint(&mut message, 3 << 3);
    put_varint(&mut message, XOR);
    put_bytes(&mut message, 4, &xor(samples));
    message
}

/// The number of samples, then bits: times by the change of their distance, values by the bits in
/// which each differs from the one before.
fn xor(samples: &[(i64, f64)]) -> Vec<u8> {
    let count = u16::try_from(samples.len()).unwrap_or(u16::MAX);
    let mut bits = Bits { bytes: count.to_be_bytes().to_vec(), free: 0 };
    let mut before: Option<(i64, u64)> = None;
    let mut distance: Option<i64> = None;
    let mut window: Option<(u32, u32)> = None;
    for (at, value) in samples.iter().map(|(at, value)| (*at, value.to_bits())) {
        let Some((last, known)) = before.replace((at, value)) else {
            let zigzag = (at << 1) ^ (at >> 63);
            bits.varint(zigzag.cast_unsigned());
            bits.put(value, 64);
            continue;
        };
        let step = at.wrapping_sub(last);
        match distance.replace(step) {
            None => bits.varint(step.cast_unsigned()),
            Some(earlier) => bits.change(step.wrapping_sub(earlier)),
        }
        window = bits.differing(value ^ known, window);
    }
    bits.bytes
}

/// Bytes that are written bit by bit, highest first.
struct Bits {
    bytes: Vec<u8>,
    /// Bits of the last byte that are not written yet.
    free: u32,
}

impl Bits {
    /// The lowest `count` bits of `value`.
    fn put(&mut self, value: u64, mut count: u32) {
        while count > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let taken = count.min(self.free);
            (count, self.free) = (count - taken, self.free - taken);
            let part = value >> count & ((1 << taken) - 1);
            if let Some(last) = self.bytes.last_mut() {
                *last |= part.to_le_bytes()[0] << self.free;
            }
        }
    }

    fn varint(&mut self, value: u64) {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, value);
        for byte in bytes {
            self.put(u64::from(byte), 8);
        }
    }

    /// How much a distance differs from the one before, in as few bits as hold it.
    fn change(&mut self, change: i64) {
        if change == 0 {
            return self.put(0, 1);
        }
        for (mark, marks, count) in [(0b10, 2, 14), (0b110, 3, 17), (0b1110, 4, 20)] {
            let most = 1i64 << (count - 1);
            if (1 - most..=most).contains(&change) {
                self.put(mark, marks);
                return self.put(change.cast_unsigned(), count);
            }
        }
        self.put(0b1111, 4);
        self.put(change.cast_unsigned(), 64);
    }

    /// The bits that differ, within the window (zeros before, zeros after) of the last such value
    /// where they fit; the window to go on with.
    fn differing(&mut self, bits: u64, window: Option<(u32, u32)>) -> Option<(u32, u32)> {
        if bits == 0 {
            self.put(0, 1);
            return window;
        }
        self.put(1, 1);
        let (leading, trailing) = (bits.leading_zeros().min(31), bits.trailing_zeros());
        if let Some((before, after)) = window.filter(|(b, a)| leading >= *b && trailing >= *a) {
            self.put(0, 1);
            self.put(bits >> after, 64 - before - after);
            return window;
        }
        let count = 64 - leading - trailing;
        self.put(1, 1);
        self.put(u64::from(leading), 5);
        // 64 does not fit into six bits and is written as zero.
        self.put(u64::from(count), 6);
        self.put(bits >> trailing, count);
        Some((leading, trailing))
    }
}
