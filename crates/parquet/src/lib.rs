//! Apache Parquet files of flat rows: times, numbers and texts. Values are dictionary-coded where
//! that is shorter; each column has one page in a row group, and its bounds in the footer.
#![forbid(unsafe_code)]

mod column;
mod hybrid;
mod thrift;

use std::io::{self, Write};

pub use column::Column;
use column::{count, length, size};
use thrift::Struct;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Milliseconds since the epoch, UTC.
    Time,
    /// Whole numbers of 64 bits.
    Integer,
    /// Floating point numbers of 64 bits.
    Number,
    /// UTF-8.
    Text,
}

impl Kind {
    fn physical(self) -> i32 {
        match self {
            Self::Time | Self::Integer => 2,
            Self::Number => 5,
            Self::Text => 6,
        }
    }
}

/// A column's name and what it holds.
#[derive(Debug, Clone)]
pub struct Field {
    name: String,
    kind: Kind,
    is_optional: bool,
}

impl Field {
    /// A column in which every row has a value.
    pub fn required(name: &str, kind: Kind) -> Self {
        Self { name: name.to_owned(), kind, is_optional: false }
    }

    /// A column in which rows may lack one.
    pub fn optional(name: &str, kind: Kind) -> Self {
        Self { name: name.to_owned(), kind, is_optional: true }
    }

    fn element(&self) -> Struct {
        let named = Struct::default()
            .small(1, self.kind.physical())
            .small(3, i32::from(self.is_optional))
            .binary(4, self.name.as_bytes());
        let nothing = Struct::default;
        match self.kind {
            Kind::Integer | Kind::Number => named,
            Kind::Text => named.small(6, 0).inner(10, nothing().inner(1, nothing())),
            Kind::Time => {
                let millis = nothing().inner(1, nothing());
                named.small(6, 9).inner(10, nothing().inner(8, nothing().yes(1).inner(2, millis)))
            }
        }
    }
}

const MAGIC: &[u8] = b"PAR1";

/// A file that is written, row group by row group.
pub struct Writer<W> {
    output: W,
    position: usize,
    fields: Vec<Field>,
    compressed: bool,
    rows: usize,
    groups: Vec<Struct>,
}

impl<W: Write> Writer<W> {
    /// A file with these columns, compressed with gzip where asked for.
    pub fn new(output: W, fields: Vec<Field>, compressed: bool) -> io::Result<Self> {
        let groups = Vec::new();
        let mut file = Self { output, position: 0, fields, compressed, rows: 0, groups };
        file.write(MAGIC)?;
        Ok(file)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.position += bytes.len();
        self.output.write_all(bytes)
    }

    /// Writes a row group: a column for each field, of as many rows each.
    pub fn group(&mut self, columns: &[Column]) -> io::Result<()> {
        let rows = columns.first().map_or(0, Column::rows);
        if columns.len() != self.fields.len() || columns.iter().any(|one| one.rows() != rows) {
            return Err(io::Error::other("columns do not match"));
        }
        let (start, mut uncompressed) = (self.position, 0);
        let mut told = Vec::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            let chunk = column.chunk(&self.fields[at], self.compressed)?;
            let start = self.position;
            self.write(&chunk.bytes)?;
            uncompressed += chunk.uncompressed;
            told.push(chunk.metadata(&self.fields[at], start, self.compressed));
        }
        self.rows += rows;
        let group = Struct::default()
            .structs(1, told.into_iter())
            .large(2, size(uncompressed))
            .large(3, size(rows))
            .large(5, size(start))
            .large(6, size(self.position - start));
        self.groups.push(group);
        Ok(())
    }

    /// Writes what belongs at the end.
    pub fn finish(mut self) -> io::Result<W> {
        let root = Struct::default().binary(4, b"rows").small(5, count(self.fields.len()));
        let elements: Vec<Struct> =
            std::iter::once(root).chain(self.fields.iter().map(Field::element)).collect();
        // Bounds are by the order of each column's own type.
        let orders = self.fields.iter().map(|_| Struct::default().inner(1, Struct::default()));
        let footer = Struct::default()
            .small(1, 1)
            .structs(2, elements.into_iter())
            .large(3, size(self.rows))
            .structs(4, std::mem::take(&mut self.groups).into_iter())
            .binary(6, concat!("taffrail version ", env!("CARGO_PKG_VERSION")).as_bytes())
            .structs(7, orders.collect::<Vec<_>>().into_iter())
            .done();
        self.write(&footer)?;
        self.write(&length(footer.len()))?;
        self.write(MAGIC)?;
        self.output.flush()?;
        Ok(self.output)
    }
}
