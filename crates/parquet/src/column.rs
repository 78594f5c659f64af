//! The values of a column that are gathered for a row group, and its pages.

use std::collections::HashMap;
use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::hybrid::hybrid;
use crate::thrift::Struct;
use crate::{Field, Kind};

const PLAIN: i32 = 0;
const RLE: i32 = 3;
const RLE_DICTIONARY: i32 = 8;
const DATA_PAGE: i32 = 0;
const DICTIONARY_PAGE: i32 = 2;
const UNCOMPRESSED: i32 = 0;
const GZIP: i32 = 2;
/// Longer texts are not told as a group's least and greatest.
const MAX_BOUND: usize = 64;

/// A column's values in one row group.
#[derive(Default)]
pub struct Column {
    /// Each value's place in `entries`.
    found: HashMap<Box<[u8]>, u32>,
    /// Distinct values as they are written, in the order in which they came.
    entries: Vec<Box<[u8]>>,
    /// For each value that is there.
    indices: Vec<u32>,
    /// For each row 1 or 0; of use where values may be absent.
    levels: Vec<u32>,
}

/// A finished column, and what is told of it behind the rows.
pub(crate) struct Chunk {
    /// Pages with their headers.
    pub(crate) bytes: Vec<u8>,
    /// The same, uncompressed.
    pub(crate) uncompressed: usize,
    dictionary: usize,
    is_coded: bool,
    rows: usize,
    statistics: Struct,
}

impl Column {
    /// A whole number, or a time in milliseconds since the epoch.
    pub fn integer(&mut self, value: i64) {
        self.put(&value.to_le_bytes());
    }

    /// A number.
    pub fn number(&mut self, value: f64) {
        self.put(&value.to_le_bytes());
    }

    /// A text; `None` where the column may lack one.
    pub fn text(&mut self, value: Option<&str>) {
        match value {
            Some(text) => self.put(text.as_bytes()),
            None => self.levels.push(0),
        }
    }

    fn put(&mut self, value: &[u8]) {
        let index = self.found.get(value).copied().unwrap_or_else(|| {
            let index = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
            self.found.insert(value.into(), index);
            self.entries.push(value.into());
            index
        });
        self.indices.push(index);
        self.levels.push(1);
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.levels.len()
    }

    pub(crate) fn chunk(&self, field: &Field, compressed: bool) -> io::Result<Chunk> {
        let before = if field.kind == Kind::Text { 4 } else { 0 };
        let entry = |index: &u32| &*self.entries[*index as usize];
        let mut dictionary = Vec::new();
        for entry in &self.entries {
            write(&mut dictionary, entry, field.kind);
        }
        let width = (usize::BITS - self.entries.len().saturating_sub(1).leading_zeros()).max(1);
        let whole: usize = self.indices.iter().map(|index| entry(index).len() + before).sum();
        let is_coded = dictionary.len() + self.indices.len() * width as usize / 8 < whole;
        let mut data = Vec::new();
        if field.is_optional {
            let levels = hybrid(&self.levels, 1);
            data.extend_from_slice(&length(levels.len()));
            data.extend(levels);
        }
        if is_coded {
            data.push(width.to_le_bytes()[0]);
            data.extend(hybrid(&self.indices, width));
        } else {
            for index in &self.indices {
                write(&mut data, entry(index), field.kind);
            }
        }
        let mut chunk = Chunk {
            bytes: Vec::new(),
            uncompressed: 0,
            dictionary: 0,
            is_coded,
            rows: self.rows(),
            statistics: self.statistics(field),
        };
        if is_coded {
            let header = Struct::default().small(1, count(self.entries.len())).small(2, PLAIN);
            chunk.page(DICTIONARY_PAGE, (7, header), &dictionary, compressed)?;
            chunk.dictionary = chunk.bytes.len();
        }
        let header = Struct::default()
            .small(1, count(self.rows()))
            .small(2, if is_coded { RLE_DICTIONARY } else { PLAIN })
            .small(3, RLE)
            .small(4, RLE);
        chunk.page(DATA_PAGE, (5, header), &data, compressed)?;
        Ok(chunk)
    }

    /// How many are absent, the greatest and the least.
    fn statistics(&self, field: &Field) -> Struct {
        let absent = self.rows() - self.indices.len();
        let statistics = Struct::default().large(3, size(absent));
        match self.bounds(field.kind) {
            Some((least, greatest)) => statistics.binary(5, &greatest).binary(6, &least),
            None => statistics,
        }
    }

    fn bounds(&self, kind: Kind) -> Option<(Vec<u8>, Vec<u8>)> {
        let eight = |entry: &[u8]| entry.try_into().ok();
        match kind {
            Kind::Text => {
                let least = self.entries.iter().min()?;
                let greatest = self.entries.iter().max()?;
                let told = least.len().max(greatest.len()) <= MAX_BOUND;
                told.then(|| (least.to_vec(), greatest.to_vec()))
            }
            Kind::Time | Kind::Integer => {
                let values =
                    || self.entries.iter().filter_map(|one| eight(one).map(i64::from_le_bytes));
                let (least, greatest) = (values().min()?, values().max()?);
                Some((least.to_le_bytes().to_vec(), greatest.to_le_bytes().to_vec()))
            }
            Kind::Number => {
                let values =
                    || self.entries.iter().filter_map(|one| eight(one).map(f64::from_le_bytes));
                // Readers must not rely on bounds where there is a NaN, and zero has two signs.
                let least = values().min_by(f64::total_cmp)?;
                let greatest = values().max_by(f64::total_cmp)?;
                let least = if least == 0.0 { -0.0 } else { least };
                let greatest = if greatest == 0.0 { 0.0 } else { greatest };
                let told = !values().any(f64::is_nan);
                told.then(|| (least.to_le_bytes().to_vec(), greatest.to_le_bytes().to_vec()))
            }
        }
    }
}

/// A value as PLAIN has it: texts with their length before them.
fn write(bytes: &mut Vec<u8>, value: &[u8], kind: Kind) {
    if kind == Kind::Text {
        bytes.extend_from_slice(&length(value.len()));
    }
    bytes.extend_from_slice(value);
}

pub(crate) fn length(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes()
}

pub(crate) fn size(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

pub(crate) fn count(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}

impl Chunk {
    /// Adds a page; `header` is what is told of its kind, and the field it goes to.
    fn page(
        &mut self,
        kind: i32,
        header: (u8, Struct),
        data: &[u8],
        compressed: bool,
    ) -> io::Result<()> {
        let stored = if compressed {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(data)?;
            &encoder.finish()?
        } else {
            data
        };
        let (field, header) = header;
        let header = Struct::default()
            .small(1, kind)
            .small(2, count(data.len()))
            .small(3, count(stored.len()))
            .inner(field, header)
            .done();
        self.uncompressed += header.len() + data.len();
        self.bytes.extend(header);
        self.bytes.extend_from_slice(stored);
        Ok(())
    }

    /// What the footer tells of the column, whose pages begin at `start`.
    pub(crate) fn metadata(self, field: &Field, start: usize, compressed: bool) -> Struct {
        let encodings: &[i32] =
            if self.is_coded { &[PLAIN, RLE, RLE_DICTIONARY] } else { &[PLAIN, RLE] };
        let metadata = Struct::default()
            .small(1, field.kind.physical())
            .smalls(2, encodings)
            .texts(3, &[&field.name])
            .small(4, if compressed { GZIP } else { UNCOMPRESSED })
            .large(5, size(self.rows))
            .large(6, size(self.uncompressed))
            .large(7, size(self.bytes.len()))
            .large(9, size(start + self.dictionary));
        let metadata = if self.is_coded { metadata.large(11, size(start)) } else { metadata };
        Struct::default().large(2, size(start)).inner(3, metadata.inner(12, self.statistics))
    }
}
