//! A chunk: one metric of a group of entities over a stretch of ticks, with its checksum.
//!
//! The unit that is read, verified and, when damaged, left out. Knows no names and no times.
//! Layout: docs/FORMAT.md, "Chunk".

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use pco::PagingSpec;
use pco::data_types::Number;
use pco::wrapped::{ChunkDecompressor, FileCompressor};

use crate::numbers;
use crate::scale::Coding;
use crate::wire::{self, Malformed, Parsed, Reader};

/// Most ticks in one chunk.
pub(crate) const MAX_TICKS: u32 = 1440;
/// Values that a chunk aims to hold: enough for pco to learn from, few enough to read for one
/// entity.
pub(crate) const TARGET_VALUES: usize = 32_768;
/// From this average page length on, pages can be read one by one; shorter ones are joined.
const PAGES_FROM: usize = 256;

/// All series as one list of differences.
const JOINED: u8 = 0;
/// A page of integers per series.
const INTEGER_PAGES: u8 = 1;
/// A page of floats per series.
const FLOAT_PAGES: u8 = 2;

const NONE: u8 = 0;
const ALL: u8 = 1;
const RUNS: u8 = 2;
/// Added to a mode whose values are not all the same.
const PAGE: u8 = 4;

/// Values of one series at growing ticks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Points {
    pub(crate) ticks: Vec<u32>,
    pub(crate) values: Vec<i64>,
}

impl Points {
    pub(crate) fn clear(&mut self) {
        self.ticks.clear();
        self.values.clear();
    }

    pub(crate) fn push(&mut self, tick: u32, value: i64) {
        self.ticks.push(tick);
        self.values.push(value);
    }

    /// The part with `from` ≤ tick < `to`.
    fn between(&self, from: u32, to: u32) -> (&[u32], &[i64]) {
        let start = self.ticks.partition_point(|tick| *tick < from);
        let end = self.ticks.partition_point(|tick| *tick < to);
        (&self.ticks[start..end], &self.values[start..end])
    }
}

/// Appends the chunk of `series` over the ticks `from..to`, checksum included; nothing when it
/// would hold no value.
pub(crate) fn put(
    series: &[Points],
    (from, to): (u32, u32),
    coding: Coding,
    level: usize,
    out: &mut Vec<u8>,
) {
    let parts: Vec<(&[u32], &[i64])> = series.iter().map(|one| one.between(from, to)).collect();
    if parts.iter().all(|(ticks, _)| ticks.is_empty()) {
        return;
    }
    let start = out.len();
    let pages: Vec<&[i64]> =
        parts.iter().map(|(_, values)| *values).filter(|values| varies(values)).collect();
    let count: usize = pages.iter().map(|page| page.len()).sum();
    let floats =
        coding == Coding::Bits && pages.iter().copied().flatten().any(|code| code & 1 == 1);
    if floats {
        let values: Vec<f64> =
            pages.iter().copied().flatten().map(|code| coding.decode(*code)).collect();
        put_pages(FLOAT_PAGES, &parts, from, to, &values, &pages, level, out);
    } else if count >= PAGES_FROM * pages.len().max(1) {
        put_pages(INTEGER_PAGES, &parts, from, to, &pages.concat(), &pages, level, out);
    } else {
        put_joined(&parts, from, to, &pages, level, out);
    }
    let sum = wire::checksum(&out[start..]);
    out.extend_from_slice(&sum.to_le_bytes());
}

fn varies(values: &[i64]) -> bool {
    values.iter().any(|value| *value != values[0])
}

fn put_joined(
    parts: &[(&[u32], &[i64])],
    from: u32,
    to: u32,
    pages: &[&[i64]],
    level: usize,
    out: &mut Vec<u8>,
) {
    let [mut once, mut twice] = [Vec::new(), Vec::new()];
    for page in pages {
        let mut step = 0;
        for (at, pair) in page.windows(2).enumerate() {
            let difference = pair[1].wrapping_sub(pair[0]);
            once.push(difference);
            twice.push(if at == 0 { difference } else { difference.wrapping_sub(step) });
            step = difference;
        }
    }
    let bits = |list: &[i64]| -> u64 {
        list.iter().map(|value| u64::from(64 - wire::zigzag(*value).leading_zeros())).sum()
    };
    let (order, list) = if bits(&twice) < bits(&once) { (2, twice) } else { (1, once) };
    out.extend_from_slice(&[JOINED, order]);
    put_directory(parts, from, to, out, |page, out| wire::put_i64(out, page[0]));
    numbers::put(&list, level, out);
}

#[expect(clippy::too_many_arguments, reason = "the pieces that the caller has already taken apart")]
fn put_pages<T: Number>(
    layout: u8,
    parts: &[(&[u32], &[i64])],
    from: u32,
    to: u32,
    values: &[T],
    pages: &[&[i64]],
    level: usize,
    out: &mut Vec<u8>,
) {
    let mut meta = Vec::new();
    let mut data = Vec::new();
    let mut lengths = Vec::with_capacity(pages.len());
    let sizes = pages.iter().map(|page| page.len()).collect();
    let config = numbers::config(level).with_paging_spec(PagingSpec::Exact(sizes));
    if !values.is_empty() {
        // Fails only for more numbers than pco takes, which a chunk never holds.
        let Ok(mut chunk) = FileCompressor::default().chunk_compressor(values, &config) else {
            return put_joined(parts, from, to, pages, level, out);
        };
        let written = chunk.write_meta(&mut meta).is_ok();
        debug_assert!(written, "writing to memory works");
        for page in 0..pages.len() {
            let before = data.len();
            let written = chunk.write_page(page, &mut data).is_ok();
            debug_assert!(written, "writing to memory works");
            lengths.push(data.len() - before);
        }
    }
    out.push(layout);
    let mut lengths = lengths.into_iter();
    put_directory(parts, from, to, out, |_, out| {
        wire::put_len(out, lengths.next().unwrap_or(0));
    });
    wire::put_len(out, meta.len());
    out.extend_from_slice(&meta);
    out.extend_from_slice(&data);
}

/// Per series: mode, runs of ticks unless it has all or none, then the constant value (as a
/// difference to the constant before it) or what `page` writes.
fn put_directory(
    parts: &[(&[u32], &[i64])],
    from: u32,
    to: u32,
    out: &mut Vec<u8>,
    mut page: impl FnMut(&[i64], &mut Vec<u8>),
) {
    wire::put_len(out, parts.len());
    let mut previous = 0_i64;
    for (ticks, values) in parts {
        let presence = match ticks.len() {
            0 => NONE,
            len if len == (to - from) as usize => ALL,
            _ => RUNS,
        };
        let changes = varies(values);
        out.push(if changes { presence + PAGE } else { presence });
        if presence == RUNS {
            put_runs(ticks, from, out);
        }
        if changes {
            page(values, out);
        } else if let Some(value) = values.first() {
            wire::put_i64(out, value.wrapping_sub(previous));
            previous = *value;
        }
    }
}

fn put_runs(ticks: &[u32], from: u32, out: &mut Vec<u8>) {
    let runs = || ticks.chunk_by(|left, right| left + 1 == *right);
    wire::put_len(out, runs().count());
    let mut end = from;
    for run in runs() {
        wire::put_u64(out, u64::from(run[0] - end));
        wire::put_len(out, run.len() - 1);
        end = run[run.len() - 1] + 1;
    }
}

/// What series are given out in; used again by the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    values: Vec<i64>,
    floats: Vec<f64>,
}

/// About what a decoder of pages holds, bytes: its tables are pco's own.
const DECODER_BYTES: usize = 8 << 10;

/// A chunk in memory, verified, ready to give out series.
pub(crate) struct Chunk {
    entries: Vec<Entry>,
    runs: Vec<(u32, u32)>,
    pages: Pages,
}

/// Where one series of a chunk is.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Positions in the list of runs.
    runs: (u32, u32),
    /// Number of values.
    count: u32,
    values: Source,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    Constant(i64),
    /// Joined: first value and position in the list. Pages: unused and position in the bytes.
    Page {
        first: i64,
        at: u32,
    },
}

/// Decoders of pages keep a state of their own while they read.
enum Pages {
    Joined { differences: Vec<i64>, order: u8 },
    Integers { decoder: Mutex<Box<ChunkDecompressor<i64>>>, bytes: Vec<u8> },
    Floats { decoder: Mutex<Box<ChunkDecompressor<f64>>>, bytes: Vec<u8> },
    Constants,
}

impl Chunk {
    /// Reads what [`put`] wrote for `ticks` ticks.
    pub(crate) fn read(bytes: &[u8], ticks: u32) -> Parsed<Self> {
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or(Malformed)?;
        if wire::checksum(body) != u32::from_le_bytes(*sum) {
            return Err(Malformed);
        }
        Self::parse(body, ticks)
    }

    fn parse(body: &[u8], ticks: u32) -> Parsed<Self> {
        let mut reader = Reader::new(body);
        let layout = reader.u8()?;
        let order = if layout == JOINED { reader.u8()? } else { 0 };
        if layout > FLOAT_PAGES || (layout == JOINED && !matches!(order, 1 | 2)) {
            return Err(Malformed);
        }
        let mut chunk = Self { entries: Vec::new(), runs: Vec::new(), pages: Pages::Constants };
        let total = chunk.read_directory(&mut reader, layout, ticks)?;
        if layout == JOINED {
            let differences = numbers::read(reader.rest(), total)?;
            chunk.pages = Pages::Joined { differences, order };
            return Ok(chunk);
        }
        let meta = reader.len()?;
        let meta = reader.bytes(meta)?;
        let bytes = reader.rest().to_vec();
        if bytes.len() != total {
            return Err(Malformed);
        }
        if total > 0 {
            let file = numbers::decompressor()?;
            chunk.pages = if layout == INTEGER_PAGES {
                let (decoder, _) = file.chunk_decompressor(meta).map_err(|_| Malformed)?;
                Pages::Integers { decoder: Mutex::new(Box::new(decoder)), bytes }
            } else {
                let (decoder, _) = file.chunk_decompressor(meta).map_err(|_| Malformed)?;
                Pages::Floats { decoder: Mutex::new(Box::new(decoder)), bytes }
            };
        }
        Ok(chunk)
    }

    /// Fills entries and runs; answers how much the pages hold (differences, or bytes).
    fn read_directory(&mut self, reader: &mut Reader<'_>, layout: u8, ticks: u32) -> Parsed<usize> {
        let series = reader.count()?;
        let mut previous = 0_i64;
        let mut total = 0_u32;
        for _ in 0..series {
            let mode = reader.u8()?;
            let first_run = to_u32(self.runs.len())?;
            let count = match mode & 3 {
                NONE if mode == NONE => 0,
                ALL => {
                    self.runs.push((0, ticks));
                    ticks
                }
                RUNS => self.read_runs(reader, ticks)?,
                _ => return Err(Malformed),
            };
            let values = match mode & !3 {
                0 if count == 0 => Source::Constant(0),
                0 => {
                    previous = previous.wrapping_add(reader.i64()?);
                    Source::Constant(previous)
                }
                PAGE => {
                    let at = total;
                    let (begin, further) = match layout {
                        JOINED => (reader.i64()?, count.checked_sub(1).ok_or(Malformed)?),
                        _ => (0, reader.u32()?),
                    };
                    total = total.checked_add(further).ok_or(Malformed)?;
                    Source::Page { first: begin, at }
                }
                _ => return Err(Malformed),
            };
            let runs = (first_run, to_u32(self.runs.len())?);
            self.entries.push(Entry { runs, count, values });
        }
        usize::try_from(total).map_err(|_| Malformed)
    }

    fn read_runs(&mut self, reader: &mut Reader<'_>, ticks: u32) -> Parsed<u32> {
        let (mut end, mut count) = (0_u32, 0_u32);
        for _ in 0..reader.count()? {
            let start = end.checked_add(reader.u32()?).ok_or(Malformed)?;
            let len = reader.u32()?.checked_add(1).ok_or(Malformed)?;
            end = start.checked_add(len).filter(|end| *end <= ticks).ok_or(Malformed)?;
            self.runs.push((start, end));
            count += len;
        }
        Ok(count)
    }

    /// Heap bytes held, about.
    pub(crate) fn heap_bytes(&self) -> usize {
        let pages = match &self.pages {
            Pages::Joined { differences, .. } => differences.capacity() * 8,
            Pages::Integers { bytes, .. } | Pages::Floats { bytes, .. } => {
                bytes.capacity() + DECODER_BYTES
            }
            Pages::Constants => 0,
        };
        let directory = self.entries.capacity() * size_of::<Entry>() + self.runs.capacity() * 8;
        size_of::<Self>() + directory + pages
    }

    /// Number of series.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Calls `each(first tick, values)` for every run of series `at`, ticks counted from the
    /// chunk's first; for none when none touches the ticks `wanted`.
    pub(crate) fn for_each_run(
        &self,
        at: usize,
        coding: Coding,
        wanted: &Range<u32>,
        scratch: &mut Scratch,
        mut each: impl FnMut(u32, &[i64]),
    ) -> Parsed<()> {
        let entry = *self.entries.get(at).ok_or(Malformed)?;
        let runs = &self.runs[entry.runs.0 as usize..entry.runs.1 as usize];
        if !runs.iter().any(|(start, end)| *start < wanted.end && *end > wanted.start) {
            return Ok(());
        }
        let Scratch { values, floats } = scratch;
        values.clear();
        let count = entry.count as usize;
        match entry.values {
            Source::Constant(value) => values.resize(count, value),
            Source::Page { first, at } => {
                self.pages.read(first, (at as usize, count), coding, values, floats)?;
            }
        }
        let mut taken = 0;
        for (start, end) in runs {
            let len = (end - start) as usize;
            each(*start, values.get(taken..taken + len).ok_or(Malformed)?);
            taken += len;
        }
        Ok(())
    }
}

impl Pages {
    fn read(
        &self,
        first: i64,
        (at, count): (usize, usize),
        coding: Coding,
        out: &mut Vec<i64>,
        floats: &mut Vec<f64>,
    ) -> Parsed<()> {
        match self {
            Self::Joined { differences, order } => {
                let list = differences.get(at..).and_then(|rest| rest.get(..count - 1));
                let (mut value, mut step) = (first, 0);
                out.reserve(count);
                out.push(value);
                for difference in list.ok_or(Malformed)? {
                    step = if *order == 2 { difference.wrapping_add(step) } else { *difference };
                    value = value.wrapping_add(step);
                    out.push(value);
                }
            }
            Self::Integers { decoder, bytes } => {
                out.resize(count, 0);
                read_page(decoder, bytes.get(at..).ok_or(Malformed)?, out)?;
            }
            Self::Floats { decoder, bytes } => {
                floats.resize(count, 0.0);
                read_page(decoder, bytes.get(at..).ok_or(Malformed)?, floats)?;
                out.extend(floats.iter().map(|value| coding.encode(model::Value::Float(*value))));
            }
            Self::Constants => return Err(Malformed),
        }
        Ok(())
    }
}

fn read_page<T: Number>(
    decoder: &Mutex<Box<ChunkDecompressor<T>>>,
    bytes: &[u8],
    out: &mut [T],
) -> Parsed<()> {
    let mut decoder = decoder.lock().unwrap_or_else(PoisonError::into_inner);
    let mut page = decoder.page_decompressor(bytes, out.len()).map_err(|_| Malformed)?;
    let progress = page.read(out).map_err(|_| Malformed)?;
    if progress.n_processed == out.len() { Ok(()) } else { Err(Malformed) }
}

fn to_u32(value: usize) -> Parsed<u32> {
    u32::try_from(value).map_err(|_| Malformed)
}

/// Reads `bytes` as a chunk without its checksum: whatever they are, it ends.
pub(crate) fn fuzz(bytes: &[u8]) {
    let Ok(chunk) = Chunk::parse(bytes, MAX_TICKS) else { return };
    let mut scratch = Scratch::default();
    for at in 0..chunk.len().min(64) {
        if chunk.for_each_run(at, Coding::WHOLE, &(0..MAX_TICKS), &mut scratch, |_, _| {}).is_err()
        {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(ticks: impl Iterator<Item = u32>, value: impl Fn(u32) -> i64) -> Points {
        let ticks: Vec<u32> = ticks.collect();
        let values = ticks.iter().map(|tick| value(*tick)).collect();
        Points { ticks, values }
    }

    fn check(series: &[Points], from: u32, to: u32, coding: Coding) -> usize {
        let mut bytes = Vec::new();
        put(series, (from, to), coding, 8, &mut bytes);
        let chunk = Chunk::read(&bytes, to - from).unwrap();
        assert_eq!(chunk.len(), series.len());
        let mut scratch = Scratch::default();
        for (at, one) in series.iter().enumerate() {
            let mut read = Points::default();
            chunk
                .for_each_run(at, coding, &(0..to - from), &mut scratch, |start, values| {
                    for (tick, value) in (from + start..).zip(values) {
                        read.push(tick, *value);
                    }
                })
                .unwrap();
            let (ticks, values) = one.between(from, to);
            assert_eq!((&read.ticks[..], &read.values[..]), (ticks, values));
        }
        for at in 0..series.len() {
            let nothing = |_, _: &[i64]| unreachable!("is not wanted");
            chunk.for_each_run(at, coding, &(0..0), &mut scratch, nothing).unwrap();
        }
        for at in 0..bytes.len() {
            bytes[at] ^= 0x10;
            assert!(Chunk::read(&bytes, to - from).is_err());
            bytes[at] ^= 0x10;
        }
        bytes.len()
    }

    #[test]
    fn series_come_back_in_every_layout() {
        let noise = |tick: u32| i64::from(tick.wrapping_mul(2_654_435_761) >> 20) * 4096;
        let mixed = [
            points(0..100, noise),
            Points::default(),
            points(0..100, |_| 7),
            points((0..100).filter(|tick| tick % 10 > 2), noise),
            points(40..41, |_| -7),
        ];
        check(&mixed, 0, 100, Coding::WHOLE);
        check(&mixed, 35, 70, Coding::WHOLE);
        let long = [points(0..1440, noise), points(5..1440, |tick| i64::from(tick) * 60_000)];
        check(&long, 0, 1440, Coding::WHOLE);
        let float = |tick: u32| Coding::Bits.encode(model::Value::Float(f64::from(tick) / 7.0));
        check(&[points(0..50, float), points(0..50, |_| 4)], 0, 50, Coding::Bits);
    }

    #[test]
    fn changed_bytes_never_panic() {
        let noise = |tick: u32| i64::from(tick.wrapping_mul(2_654_435_761) >> 12);
        let float = |tick: u32| Coding::Bits.encode(model::Value::Float(f64::from(tick).sqrt()));
        for (ticks, value, coding) in [
            (300, &noise as &dyn Fn(u32) -> i64, Coding::WHOLE),
            (100, &noise, Coding::WHOLE),
            (100, &float, Coding::Bits),
        ] {
            let series: Vec<Points> =
                (0..4).map(|one| points(one..ticks, |tick| value(tick + one * 7))).collect();
            let mut bytes = Vec::new();
            put(&series, (0, ticks), coding, 8, &mut bytes);
            bytes.truncate(bytes.len() - 4);
            for at in 0..bytes.len().min(600) {
                for change in [1, 0x80, 0xFF] {
                    bytes[at] ^= change;
                    fuzz(&bytes);
                    bytes[at] ^= change;
                }
                fuzz(&bytes[..at]);
            }
        }
    }
}
