//! A frame: what one batch adds to a window, as differences to what the window expects.
//!
//! Layout on disk: docs/FORMAT.md, "Frame". Knows neither files nor labels.

use model::EntityKind;

use crate::numbers;
use crate::wire::{self, Malformed, Parsed, Reader};

/// Most entities of one kind in one frame.
const MAX_ROWS: usize = 1 << 23;
/// pco's effort in the log: quick, the log is short-lived.
const LEVEL: usize = 3;

/// One batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Position among the window's frames.
    pub(crate) number: u64,
    /// Milliseconds since the epoch.
    pub(crate) time: i64,
    /// Whether the numbers are values instead of differences: reading may begin here.
    pub(crate) key: bool,
    pub(crate) tables: Vec<FrameTable>,
}

/// The rows of one kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FrameTable {
    pub(crate) kind: EntityKind,
    /// Slots of its entities, growing.
    pub(crate) slots: Vec<u32>,
    pub(crate) columns: Vec<FrameColumn>,
}

/// One metric of those rows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FrameColumn {
    pub(crate) metric: u16,
    /// Positions in the table's slots that have a value; `None` when all have.
    pub(crate) rows: Option<Vec<u32>>,
    /// A number per value.
    pub(crate) residuals: Vec<i64>,
}

impl FrameColumn {
    /// The slots of its values.
    pub(crate) fn slots<'a>(&'a self, all: &'a [u32]) -> impl Iterator<Item = u32> + 'a {
        (0..self.residuals.len()).map(move |at| match &self.rows {
            None => all[at],
            Some(rows) => all[rows[at] as usize],
        })
    }
}

/// Begins a frame of so many tables.
pub(crate) fn put_head(number: u64, time: i64, key: bool, tables: usize, out: &mut Vec<u8>) {
    wire::put_u64(out, number);
    wire::put_i64(out, time);
    out.push(u8::from(key));
    wire::put_len(out, tables);
}

/// Begins a table of so many columns; `slots` grow.
pub(crate) fn put_table(kind: EntityKind, slots: &[u32], columns: usize, out: &mut Vec<u8>) {
    out.push(wire::kind_code(kind));
    put_slots(slots, out);
    wire::put_len(out, columns);
}

/// Writes a frame's columns one after the other, and keeps its lists from one to the next.
#[derive(Default)]
pub(crate) struct ColumnWriter {
    rows: Vec<u32>,
    residuals: Vec<i64>,
    numbers: Vec<u8>,
}

impl ColumnWriter {
    /// Adds the number of a position in the table's slots, by growing position.
    #[inline]
    pub(crate) fn push(&mut self, row: u32, residual: i64) {
        self.rows.push(row);
        self.residuals.push(residual);
    }

    /// Ends a column of a table with so many slots; the next one begins empty.
    pub(crate) fn put(&mut self, metric: u16, slots: usize, out: &mut Vec<u8>) {
        wire::put_u64(out, u64::from(metric));
        let gaps = self.rows.len() < slots;
        out.push(u8::from(gaps));
        if gaps {
            put_bitmap(&self.rows, slots, out);
        }
        numbers::put(&self.residuals, LEVEL, &mut self.numbers);
        wire::put_len(out, self.numbers.len());
        out.extend_from_slice(&self.numbers);
        self.rows.clear();
        self.residuals.clear();
        self.numbers.clear();
    }
}

impl Frame {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Parsed<Self> {
        let number = reader.at_most(1 << 40)? as u64;
        let time = reader.i64()?;
        let key = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return Err(Malformed),
        };
        let tables = (0..reader.count()?)
            .map(|_| {
                let kind = wire::kind_of(reader.u8()?)?;
                let slots = read_slots(reader)?;
                let columns = (0..reader.count()?)
                    .map(|_| read_column(reader, slots.len()))
                    .collect::<Parsed<_>>()?;
                Ok(FrameTable { kind, slots, columns })
            })
            .collect::<Parsed<_>>()?;
        if reader.is_empty() { Ok(Self { number, time, key, tables }) } else { Err(Malformed) }
    }
}

fn read_column(reader: &mut Reader<'_>, entities: usize) -> Parsed<FrameColumn> {
    let metric = u16::try_from(reader.u64()?).map_err(|_| Malformed)?;
    let rows = match reader.u8()? {
        0 => None,
        1 => Some(read_bitmap(reader.bytes(entities.div_ceil(8))?, entities)?),
        _ => return Err(Malformed),
    };
    let len = reader.len()?;
    let count = rows.as_ref().map_or(entities, Vec::len);
    let residuals = numbers::read(reader.bytes(len)?, count)?;
    Ok(FrameColumn { metric, rows, residuals })
}

/// Runs of neighbouring slots: distance to the previous run's end, length less one.
fn put_slots(slots: &[u32], out: &mut Vec<u8>) {
    let runs = || slots.chunk_by(|left, right| left + 1 == *right);
    wire::put_len(out, runs().count());
    let mut end = 0;
    for run in runs() {
        wire::put_u64(out, u64::from(run[0] - end));
        wire::put_len(out, run.len() - 1);
        end = run[run.len() - 1] + 1;
    }
}

fn read_slots(reader: &mut Reader<'_>) -> Parsed<Vec<u32>> {
    let mut slots = Vec::new();
    let mut end = 0_u32;
    for _ in 0..reader.count()? {
        let start = end.checked_add(reader.u32()?).ok_or(Malformed)?;
        let more = reader.u32()?;
        end = start.checked_add(more).and_then(|last| last.checked_add(1)).ok_or(Malformed)?;
        if slots.len() + more as usize >= MAX_ROWS {
            return Err(Malformed);
        }
        slots.extend(start..end);
    }
    Ok(slots)
}

fn put_bitmap(rows: &[u32], entities: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + entities.div_ceil(8), 0);
    for row in rows {
        out[start + (*row / 8) as usize] |= 1 << (row % 8);
    }
}

fn read_bitmap(bytes: &[u8], entities: usize) -> Parsed<Vec<u32>> {
    let mut rows = Vec::new();
    for (at, byte) in (0_u32..).zip(bytes) {
        for bit in 0..8 {
            if byte & (1 << bit) != 0 {
                let row = at * 8 + bit;
                if row as usize >= entities {
                    return Err(Malformed);
                }
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back() {
        let frame = Frame {
            number: 3,
            time: 1_795_426_410_000,
            key: true,
            tables: vec![FrameTable {
                kind: EntityKind::Pod,
                slots: (3..500).filter(|slot| slot % 50 != 0).collect(),
                columns: vec![
                    FrameColumn {
                        metric: 1,
                        rows: None,
                        residuals: (0..488).map(|n| n * 4096).collect(),
                    },
                    FrameColumn {
                        metric: 9,
                        rows: Some(vec![0, 7, 8, 487]),
                        residuals: vec![1, 2, 3, -4],
                    },
                ],
            }],
        };
        let mut out = Vec::new();
        put_head(frame.number, frame.time, frame.key, frame.tables.len(), &mut out);
        let mut writer = ColumnWriter::default();
        for table in &frame.tables {
            put_table(table.kind, &table.slots, table.columns.len(), &mut out);
            for column in &table.columns {
                let all = (0..488).collect();
                let rows = column.rows.as_ref().unwrap_or(&all);
                for (row, residual) in rows.iter().zip(&column.residuals) {
                    writer.push(*row, *residual);
                }
                writer.put(column.metric, table.slots.len(), &mut out);
            }
        }
        assert_eq!(frame.tables[0].slots.len(), 488);
        assert_eq!(Frame::read(&mut Reader::new(&out)), Ok(frame));
    }
}
