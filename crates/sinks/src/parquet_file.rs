//! Apache Parquet: a row per value, label columns dictionary-coded. One schema for what sinks write
//! and what the store's export writes.

use std::io::{self, Write};

use parquet::{Column, Field, Kind, Writer};

/// Rows that are held in memory before they are written.
const GROUP_ROWS: usize = 1 << 17;

/// Writes samples as columns: `time` (UTC, milliseconds), `metric`, `kind`, one for each label,
/// `value`.
pub struct SampleWriter<W> {
    writer: Writer<W>,
    columns: Columns,
}

struct Columns {
    times: Column,
    metrics: Column,
    kinds: Column,
    labels: Vec<Column>,
    values: Column,
}

impl Columns {
    fn new(labels: usize) -> Self {
        Self {
            times: Column::default(),
            metrics: Column::default(),
            kinds: Column::default(),
            labels: (0..labels).map(|_| Column::default()).collect(),
            values: Column::default(),
        }
    }
}

impl<W: Write> SampleWriter<W> {
    /// A file with these labels as columns, compressed with gzip where asked for.
    pub fn new(output: W, labels: &[&str], compressed: bool) -> io::Result<Self> {
        let mut fields = vec![
            Field::required("time", Kind::Time),
            Field::required("metric", Kind::Text),
            Field::required("kind", Kind::Text),
        ];
        fields.extend(labels.iter().map(|label| Field::optional(label, Kind::Text)));
        fields.push(Field::required("value", Kind::Number));
        let writer = Writer::new(output, fields, compressed)?;
        Ok(Self { writer, columns: Columns::new(labels.len()) })
    }

    /// Appends values of one series at times in milliseconds since the epoch; `labels` are those of
    /// [`SampleWriter::new`] in their order, as far as it has them.
    pub fn series(
        &mut self,
        kind: &str,
        metric: &str,
        labels: &[Option<&str>],
        points: impl IntoIterator<Item = (i64, f64)>,
    ) -> io::Result<()> {
        for (time, value) in points {
            let columns = &mut self.columns;
            columns.times.integer(time);
            columns.values.number(value);
            columns.metrics.text(Some(metric));
            columns.kinds.text(Some(kind));
            for (column, label) in columns.labels.iter_mut().zip(labels) {
                column.text(*label);
            }
            if columns.times.rows() >= GROUP_ROWS {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.columns.times.rows() == 0 {
            return Ok(());
        }
        let empty = Columns::new(self.columns.labels.len());
        let Columns { times, metrics, kinds, labels, values } =
            std::mem::replace(&mut self.columns, empty);
        let mut columns = vec![times, metrics, kinds];
        columns.extend(labels);
        columns.push(values);
        self.writer.group(&columns)
    }

    /// Writes what belongs at the end.
    pub fn finish(mut self) -> io::Result<W> {
        self.flush()?;
        self.writer.finish()
    }
}
