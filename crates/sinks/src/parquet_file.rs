//! Apache Parquet: a row per value, label columns dictionary-coded. One schema for what sinks write
//! and what the store's export writes.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, GzipLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// Rows that are held in memory before they are written.
const GROUP_ROWS: usize = 1 << 17;

/// Writes samples as columns: `time` (UTC, milliseconds), `metric`, `kind`, one for each label,
/// `value`.
pub struct SampleWriter<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    times: Vec<i64>,
    metrics: Vec<ByteArray>,
    kinds: Vec<ByteArray>,
    labels: Vec<Column>,
    values: Vec<f64>,
}

/// A column with absent values: the present ones, and for every row 1 or 0.
#[derive(Default)]
struct Column {
    present: Vec<ByteArray>,
    levels: Vec<i16>,
}

impl<W: Write + Send> SampleWriter<W> {
    /// A file with these labels as columns, compressed with gzip where asked for.
    pub fn new(output: W, labels: &[&str], compressed: bool) -> io::Result<Self> {
        let columns = labels.iter().map(|label| format!("optional binary {label} (STRING);\n"));
        let columns = columns.collect::<Vec<_>>().concat();
        let schema = format!(
            "message samples {{\n\
             required int64 time (TIMESTAMP(MILLIS,true));\n\
             required binary metric (STRING);\n\
             required binary kind (STRING);\n\
             {columns}\
             required double value;\n}}"
        );
        let schema = Arc::new(parse_message_type(&schema).map_err(failed)?);
        let compression = if compressed {
            Compression::GZIP(GzipLevel::default())
        } else {
            Compression::UNCOMPRESSED
        };
        let properties = WriterProperties::builder().set_compression(compression).build();
        let writer = SerializedFileWriter::new(output, schema, Arc::new(properties));
        Ok(Self {
            writer: writer.map_err(failed)?,
            times: Vec::new(),
            metrics: Vec::new(),
            kinds: Vec::new(),
            labels: labels.iter().map(|_| Column::default()).collect(),
            values: Vec::new(),
        })
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
        let (kind, metric) = (ByteArray::from(kind), ByteArray::from(metric));
        let labels: Vec<_> = labels.iter().map(|label| label.map(ByteArray::from)).collect();
        for (time, value) in points {
            self.times.push(time);
            self.values.push(value);
            self.metrics.push(metric.clone());
            self.kinds.push(kind.clone());
            for (column, label) in self.labels.iter_mut().zip(&labels) {
                column.levels.push(i16::from(label.is_some()));
                column.present.extend(label.clone());
            }
            if self.times.len() >= GROUP_ROWS {
                self.flush().map_err(failed)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        if self.times.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        let mut number = 0;
        while let Some(mut column) = group.next_column()? {
            // The order of the schema: time, metric, kind, labels, value.
            match number {
                0 => column.typed::<Int64Type>().write_batch(&self.times, None, None)?,
                1 => column.typed::<ByteArrayType>().write_batch(&self.metrics, None, None)?,
                2 => column.typed::<ByteArrayType>().write_batch(&self.kinds, None, None)?,
                at => match self.labels.get(at - 3) {
                    Some(label) => column.typed::<ByteArrayType>().write_batch(
                        &label.present,
                        Some(&label.levels),
                        None,
                    )?,
                    None => column.typed::<DoubleType>().write_batch(&self.values, None, None)?,
                },
            };
            column.close()?;
            number += 1;
        }
        group.close()?;
        self.times.clear();
        self.metrics.clear();
        self.kinds.clear();
        self.values.clear();
        for label in &mut self.labels {
            label.present.clear();
            label.levels.clear();
        }
        Ok(())
    }

    /// Writes what belongs at the end.
    pub fn finish(mut self) -> io::Result<W> {
        self.flush().map_err(failed)?;
        let mut output = self.writer.into_inner().map_err(failed)?;
        output.flush()?;
        Ok(output)
    }
}

fn failed(error: ParquetError) -> io::Error {
    io::Error::other(error)
}
