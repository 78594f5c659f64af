//! Apache Parquet: as sinks of files write it.

use std::io;

use sinks::SampleWriter;

use super::{Encoder, LABELS, Output, Series, points};

/// Writes Parquet.
pub(super) struct Parquet(SampleWriter<Output>);

impl Parquet {
    pub(super) fn new(output: Output) -> io::Result<Self> {
        SampleWriter::new(output, &LABELS, true).map(Self)
    }
}

impl Encoder for Parquet {
    fn series(&mut self, series: &Series<'_>, times: &[i64], values: &[f64]) -> io::Result<()> {
        let labels = LABELS.map(|label| series.labels.get(label));
        self.0.series(series.labels.kind().name(), series.metric, &labels, points(times, values))
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.0.finish().map(drop)
    }
}
