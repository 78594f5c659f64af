//! Apache Parquet: a row per value, label columns dictionary-coded.

use std::io::{self, Write as _};
use std::sync::Arc;

use parquet::basic::{Compression, GzipLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::{Encoder, LABELS, Output, Series, points};

/// Rows that are held in memory before they are written.
const GROUP_ROWS: usize = 1 << 17;

/// Writes Parquet.
pub(super) struct Parquet {
    writer: SerializedFileWriter<Output>,
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

impl Parquet {
    pub(super) fn new(output: Output) -> io::Result<Self> {
        let labels = LABELS.map(|label| format!("optional binary {label} (STRING);\n")).concat();
        let schema = format!(
            "message samples {{\n\
             required int64 time (TIMESTAMP(MILLIS,true));\n\
             required binary metric (STRING);\n\
             required binary kind (STRING);\n\
             {labels}\
             required double value;\n}}"
        );
        let schema = Arc::new(parse_message_type(&schema).map_err(failed)?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::GZIP(GzipLevel::default()))
            .build();
        let writer = SerializedFileWriter::new(output, schema, Arc::new(properties));
        Ok(Self {
            writer: writer.map_err(failed)?,
            times: Vec::new(),
            metrics: Vec::new(),
            kinds: Vec::new(),
            labels: LABELS.iter().map(|_| Column::default()).collect(),
            values: Vec::new(),
        })
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
}

impl Encoder for Parquet {
    fn series(&mut self, series: &Series<'_>, times: &[i64], values: &[f64]) -> io::Result<()> {
        let metric = ByteArray::from(series.metric);
        let kind = ByteArray::from(series.labels.kind().name());
        let labels = LABELS.map(|label| series.labels.get(label).map(ByteArray::from));
        for (time, value) in points(times, values) {
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

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.flush().map_err(failed)?;
        self.writer.into_inner().map_err(failed)?.flush()
    }
}

fn failed(error: ParquetError) -> io::Error {
    io::Error::other(error)
}
