//! The format of a queue's segment file, as functions over bytes.
//!
//! Header: `TFRQ`, version (u16), two zero bytes, id of the first record (u64), CRC32C of all
//! that (u32). Record: length of the payload (u32), CRC32C of what follows (u32), id (u64), time
//! (i64 ns), points (u32), payload. Numbers are little-endian.

use model::Timestamp;

const MAGIC: &[u8; 4] = b"TFRQ";
/// Version of the format; a reader refuses every other.
const VERSION: u16 = 1;
pub(super) const HEADER_BYTES: usize = 20;
/// Bytes of a record before its payload.
pub(super) const RECORD_BYTES: usize = 28;
/// Largest payload that is written, and so the largest length that is believed.
pub(super) const MAX_PAYLOAD_BYTES: usize = 64 << 20;

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) id: u64,
    pub(super) time: Timestamp,
    pub(super) points: u32,
    /// Of the record, from the file's begin.
    pub(super) offset: u64,
    /// Of the record, payload included.
    pub(super) length: u64,
}

/// What a segment's bytes hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    pub(super) slots: Vec<Slot>,
    /// Length up to a torn tail: the file is whole when cut there.
    pub(super) whole: u64,
    /// Records, or runs of bytes, whose checksum does not fit.
    pub(super) damaged: u64,
}

pub(super) fn header(first: u64) -> [u8; HEADER_BYTES] {
    header_of(VERSION, first)
}

/// The version of a segment that another version of this program wrote; its bytes are not
/// understood, and not to be touched.
pub(super) fn foreign_version(bytes: &[u8]) -> Option<u16> {
    let version = u16::from_le_bytes(bytes.get(4..6)?.try_into().ok()?);
    let first = u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?);
    let intact = bytes.get(..HEADER_BYTES)? == header_of(version, first);
    (intact && version != VERSION).then_some(version)
}

fn header_of(version: u16, first: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(MAGIC);
    header[4..6].copy_from_slice(&version.to_le_bytes());
    header[8..16].copy_from_slice(&first.to_le_bytes());
    let checksum = crc32c::crc32c(&header[..16]);
    header[16..].copy_from_slice(&checksum.to_le_bytes());
    header
}

pub(super) fn record(out: &mut Vec<u8>, id: u64, time: Timestamp, points: u32, payload: &[u8]) {
    let start = out.len();
    // Payloads are far smaller than 4 GiB: the caller refuses larger ones.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&time.nanos().to_le_bytes());
    out.extend_from_slice(&points.to_le_bytes());
    out.extend_from_slice(payload);
    let checksum = crc32c::crc32c(&out[start + 8..]);
    out[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
}

/// The record at the begin of `bytes`, with its payload; `None` when its checksum does not fit.
pub(super) fn read(bytes: &[u8], offset: u64) -> Option<(Slot, &[u8])> {
    let length = payload_length(bytes)?;
    let record = bytes.get(..RECORD_BYTES + length)?;
    let checksum = u32::from_le_bytes(record[4..8].try_into().ok()?);
    if crc32c::crc32c(&record[8..]) != checksum {
        return None;
    }
    let slot = Slot {
        id: u64::from_le_bytes(record[8..16].try_into().ok()?),
        time: Timestamp::from_nanos(i64::from_le_bytes(record[16..24].try_into().ok()?)),
        points: u32::from_le_bytes(record[24..28].try_into().ok()?),
        offset,
        length: record.len() as u64,
    };
    Some((slot, &record[RECORD_BYTES..]))
}

fn payload_length(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(*bytes.first_chunk()?);
    usize::try_from(length).ok().filter(|length| *length <= MAX_PAYLOAD_BYTES)
}

/// Reads a whole segment. What a process that died while writing leaves at the end of the `last`
/// segment (a record cut short, or zeros) is torn, and expected; all else is damage.
pub(super) fn scan(bytes: &[u8], last: bool) -> Scan {
    let mut scan = Scan { whole: HEADER_BYTES as u64, ..Scan::default() };
    let expected = bytes.get(8..16).and_then(|first| first.try_into().ok()).map(u64::from_le_bytes);
    if expected.is_none_or(|first| bytes.get(..HEADER_BYTES) != Some(&header(first)[..])) {
        let torn = last && (bytes.len() < HEADER_BYTES || zeros(bytes));
        return Scan { damaged: u64::from(!torn), whole: 0, ..scan };
    }
    let mut at = HEADER_BYTES;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if let Some((slot, payload)) = read(rest, at as u64) {
            at += RECORD_BYTES + payload.len();
            scan.slots.push(slot);
            scan.whole = at as u64;
            continue;
        }
        let length = (rest.len() >= RECORD_BYTES).then(|| payload_length(rest)).flatten();
        let end = length.map(|length| at + RECORD_BYTES + length);
        let cut_short = rest.len() < RECORD_BYTES || end.is_some_and(|end| end > bytes.len());
        if last && (cut_short || zeros_from_some_record(rest)) {
            return scan;
        }
        scan.damaged += 1;
        match end {
            Some(end) if end <= bytes.len() => at = end,
            _ => break,
        }
        scan.whole = at as u64;
    }
    if scan.damaged > 0 {
        scan.whole = bytes.len() as u64;
    }
    scan
}

fn zeros(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Whether the file was made longer without its bytes being written: the last of a record that
/// reaches to the end of the file are zeros, more than any payload of ours ends with.
fn zeros_from_some_record(rest: &[u8]) -> bool {
    const ZEROS: usize = 8;
    rest.len() >= ZEROS && zeros(&rest[rest.len() - ZEROS..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(payloads: &[&str]) -> Vec<u8> {
        let mut bytes = header(7).to_vec();
        for (id, payload) in (7..).zip(payloads) {
            record(&mut bytes, id, Timestamp::from_secs(1), 3, payload.as_bytes());
        }
        bytes
    }

    fn check(bytes: &[u8], last: bool, ids: &[u64], damaged: u64, whole: usize) {
        let scan = scan(bytes, last);
        assert_eq!(scan.slots.iter().map(|slot| slot.id).collect::<Vec<_>>(), ids);
        assert_eq!((scan.damaged, scan.whole), (damaged, whole as u64));
    }

    #[test]
    fn a_record_cut_anywhere_is_torn_only_at_the_end_of_the_last_segment() {
        let whole = segment(&["one", "two"]);
        let first = HEADER_BYTES + RECORD_BYTES + 3;
        check(&whole, true, &[7, 8], 0, whole.len());
        for end in first + 1..whole.len() {
            check(&whole[..end], true, &[7], 0, first);
            assert_eq!(scan(&whole[..end], false).damaged, 1, "{end}");
        }
        for end in 0..HEADER_BYTES {
            check(&whole[..end], true, &[], 0, 0);
        }
        let mut longer = whole.clone();
        longer.extend_from_slice(&[0; 100]);
        check(&longer, true, &[7, 8], 0, whole.len());
    }

    #[test]
    fn every_flipped_bit_of_a_record_is_damage_and_costs_only_that_record() {
        let whole = segment(&["one", "two", "three"]);
        let (from, to) = (HEADER_BYTES + RECORD_BYTES + 3, HEADER_BYTES + 2 * (RECORD_BYTES + 3));
        for at in from + 4..to {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            check(&bytes, true, &[7, 9], 1, whole.len());
        }
        let mut bytes = whole.clone();
        bytes[3] ^= 1;
        check(&bytes, true, &[], 1, 0);
        let mut bytes = whole.clone();
        bytes[from + 3] ^= 0x80;
        check(&bytes, true, &[7], 1, whole.len());
        assert!(scan(&[0; 3], false).damaged == 1);
    }

    #[test]
    fn another_version_is_not_taken_for_damage() {
        assert_eq!(foreign_version(&segment(&["one"])), None);
        assert_eq!(foreign_version(&header_of(2, 7)), Some(2));
        let mut flipped = header(7);
        flipped[4] ^= 2;
        assert_eq!(foreign_version(&flipped), None);
        assert_eq!(foreign_version(&flipped[..19]), None);
    }
}
