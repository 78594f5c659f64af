//! A block of samples: written once, found again by the number of a series.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::registry::Registry;
use super::{Pairs, chunk};
use crate::FORMAT;
use crate::error::Error;
use crate::vfs::{File, Vfs};
use crate::wire::{self, Malformed, Parsed, Reader};

const MAGIC: &[u8; 8] = b"TAFFSBK\0";
/// Magic and version.
const HEADER: usize = 12;
/// Offset and length of the index, its checksum, magic.
const FOOTER: usize = 8 + 8 + 4 + 8;
/// Most bytes of an index.
const MAX_INDEX_BYTES: u64 = 1 << 30;
/// Most labels of one series that are read back.
const MAX_LABELS: usize = 4096;
/// What is gathered before it is written.
const WRITE_BYTES: usize = 1 << 20;

pub(super) fn file_name(number: u64) -> String {
    format!("samples-{number:010}.block")
}

pub(super) fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix("samples-")?.strip_suffix(".block")?.parse().ok()
}

/// Where the samples of one series are in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Time of the first sample.
    pub(super) first: i64,
    /// Time of the last sample.
    pub(super) last: i64,
    offset: u64,
    len: u32,
}

/// An immutable block.
pub(super) struct Block {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) entries: HashMap<u32, Entry, foldhash::fast::RandomState>,
    file: Arc<dyn File>,
}

impl Block {
    pub(super) fn open(
        vfs: &dyn Vfs,
        path: PathBuf,
        number: u64,
        series: &mut Registry,
    ) -> Result<Self, Error> {
        let wrap = |error| Error::io("read", &path, error);
        let file = vfs.open(&path).map_err(wrap)?;
        let bytes = file.len().map_err(wrap)?;
        let damaged = |offset, what| Error::corrupt(&path, offset, what);
        let footer_at = bytes
            .checked_sub(FOOTER as u64)
            .filter(|at| *at >= HEADER as u64)
            .ok_or_else(|| damaged(0, "a whole block of samples"))?;
        let mut header = [0; HEADER];
        file.read_at(0, &mut header).map_err(wrap)?;
        let mut footer = [0; FOOTER];
        file.read_at(footer_at, &mut footer).map_err(wrap)?;
        let (offset, len, sum) = read_footer(&header, &footer, &path)?;
        if len > MAX_INDEX_BYTES || offset.checked_add(len) != Some(footer_at) {
            return Err(damaged(footer_at, "where the index is"));
        }
        let mut index = vec![0; usize::try_from(len).unwrap_or(0)];
        file.read_at(offset, &mut index).map_err(wrap)?;
        if wire::checksum(&index) != sum {
            return Err(damaged(offset, "an index with a right checksum"));
        }
        let entries = read_index(&index, series)
            .map_err(|_| damaged(offset, "an index that follows the format"))?;
        let first = entries.values().map(|entry| entry.first).min().unwrap_or(i64::MAX);
        let last = entries.values().map(|entry| entry.last).max().unwrap_or(i64::MIN);
        Ok(Self { number, path, bytes, first, last, entries, file })
    }

    /// The samples of one series.
    pub(super) fn read(&self, entry: &Entry) -> Result<(Vec<i64>, Vec<f64>), Error> {
        let mut bytes = vec![0; entry.len as usize];
        self.file
            .read_at(entry.offset, &mut bytes)
            .map_err(|error| Error::io("read", &self.path, error))?;
        chunk::read(&bytes)
            .map_err(|_| Error::corrupt(&self.path, entry.offset, "samples of a series"))
    }
}

fn read_footer(header: &[u8], footer: &[u8], path: &Path) -> Result<(u64, u64, u32), Error> {
    let parse = || -> Parsed<(u32, u64, u64, u32)> {
        let mut reader = Reader::new(header);
        let begins = reader.bytes(8)? == MAGIC;
        let version = reader.fixed_u32()?;
        let mut reader = Reader::new(footer);
        let (offset, len) = (reader.fixed_u64()?, reader.fixed_u64()?);
        let sum = reader.fixed_u32()?;
        let ends = reader.bytes(8)? == MAGIC;
        if begins && ends { Ok((version, offset, len, sum)) } else { Err(Malformed) }
    };
    let (version, offset, len, sum) =
        parse().map_err(|_| Error::corrupt(path, 0, "a block of samples"))?;
    if version > FORMAT {
        return Err(Error::Version { file: path.to_owned(), found: version, known: FORMAT });
    }
    Ok((offset, len, sum))
}

type Entries = HashMap<u32, Entry, foldhash::fast::RandomState>;

fn read_index(index: &[u8], series: &mut Registry) -> Parsed<Entries> {
    let mut reader = Reader::new(index);
    let count = reader.count()?;
    let texts = (0..count)
        .map(|_| reader.str().map(Arc::<str>::from))
        .collect::<Parsed<Vec<Arc<str>>>>()?;
    let mut entries = Entries::default();
    for _ in 0..reader.count()? {
        let text =
            |reader: &mut Reader<'_>| texts.get(reader.len()?).map(Arc::clone).ok_or(Malformed);
        let pairs = (0..reader.at_most(MAX_LABELS)?)
            .map(|_| Ok((text(&mut reader)?, text(&mut reader)?)))
            .collect::<Parsed<Vec<_>>>()?;
        let first = reader.i64()?;
        let last = first.checked_add(reader.i64()?).ok_or(Malformed)?;
        let (offset, len) = (reader.u64()?, reader.u32()?);
        entries.insert(series.insert(&pairs), Entry { first, last, offset, len });
    }
    if reader.is_empty() { Ok(entries) } else { Err(Malformed) }
}

/// Writes a block, series by series, under another name until it is whole.
pub(super) struct Writer<'v> {
    vfs: &'v dyn Vfs,
    dir: PathBuf,
    number: u64,
    file: Arc<dyn File>,
    path: PathBuf,
    buffer: Vec<u8>,
    written: u64,
    index: Vec<(Arc<Pairs>, Entry)>,
}

impl<'v> Writer<'v> {
    pub(super) fn create(vfs: &'v dyn Vfs, dir: &Path, number: u64) -> Result<Self, Error> {
        let path = dir.join(format!("samples-{number:010}.tmp"));
        let file = vfs.create(&path).map_err(|error| Error::io("create", &path, error))?;
        let mut buffer = MAGIC.to_vec();
        buffer.extend_from_slice(&FORMAT.to_le_bytes());
        let index = Vec::new();
        Ok(Self { vfs, dir: dir.to_owned(), number, file, path, buffer, written: 0, index })
    }

    pub(super) fn put(
        &mut self,
        labels: &Arc<Pairs>,
        times: &[i64],
        values: &[f64],
    ) -> Result<(), Error> {
        let (Some(first), Some(last)) = (times.first(), times.last()) else { return Ok(()) };
        let start = self.buffer.len();
        chunk::put(times, values, &mut self.buffer);
        let len = u32::try_from(self.buffer.len() - start).unwrap_or(u32::MAX);
        let offset = self.written + start as u64;
        let entry = Entry { first: *first, last: *last, offset, len };
        self.index.push((Arc::clone(labels), entry));
        if self.buffer.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.file.append(&self.buffer).map_err(|error| Error::io("write", &self.path, error))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Makes the block safe and opens it.
    pub(super) fn finish(mut self, series: &mut Registry) -> Result<Block, Error> {
        let index = self.index_bytes();
        let offset = self.written + self.buffer.len() as u64;
        self.buffer.extend_from_slice(&index);
        self.buffer.extend_from_slice(&offset.to_le_bytes());
        self.buffer.extend_from_slice(&(index.len() as u64).to_le_bytes());
        self.buffer.extend_from_slice(&wire::checksum(&index).to_le_bytes());
        self.buffer.extend_from_slice(MAGIC);
        self.flush()?;
        let path = self.dir.join(file_name(self.number));
        self.file.sync().map_err(|error| Error::io("sync", &self.path, error))?;
        let wrap = |error| Error::io("rename", &path, error);
        self.vfs.rename(&self.path, &path).map_err(wrap)?;
        self.vfs.sync_dir(&self.dir).map_err(wrap)?;
        Block::open(self.vfs, path, self.number, series)
    }

    fn index_bytes(&self) -> Vec<u8> {
        let mut texts: HashMap<&str, usize, foldhash::fast::RandomState> = HashMap::default();
        let mut order = Vec::new();
        for (name, value) in self.index.iter().flat_map(|(labels, _)| labels.iter()) {
            for text in [name, value] {
                texts.entry(text).or_insert_with(|| {
                    order.push(&**text);
                    order.len() - 1
                });
            }
        }
        let mut out = Vec::new();
        wire::put_len(&mut out, order.len());
        for text in &order {
            wire::put_str(&mut out, text);
        }
        wire::put_len(&mut out, self.index.len());
        for (labels, entry) in &self.index {
            wire::put_len(&mut out, labels.len());
            for text in labels.iter().flat_map(|(name, value)| [name, value]) {
                wire::put_len(&mut out, texts.get(&**text).copied().unwrap_or(0));
            }
            wire::put_i64(&mut out, entry.first);
            wire::put_i64(&mut out, entry.last - entry.first);
            wire::put_u64(&mut out, entry.offset);
            wire::put_u64(&mut out, u64::from(entry.len));
        }
        out
    }
}
