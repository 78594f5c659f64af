//! CSV: a row per value, RFC 4180; the time in milliseconds since the epoch.

use std::io::{self, Write as _};

use super::{Encoder, LABELS, Output, Series, points};

/// Writes CSV.
pub(super) struct Csv(Output);

impl Csv {
    pub(super) fn new(mut output: Output) -> io::Result<Self> {
        writeln!(output, "time,metric,kind,{},value", LABELS.join(","))?;
        Ok(Self(output))
    }
}

impl Encoder for Csv {
    fn series(&mut self, series: &Series<'_>, times: &[i64], values: &[f64]) -> io::Result<()> {
        let mut fixed = format!("{},{}", quoted(series.metric), series.labels.kind().name());
        for label in LABELS {
            fixed.push(',');
            fixed.push_str(&quoted(series.labels.get(label).unwrap_or("")));
        }
        for (time, value) in points(times, values) {
            writeln!(self.0, "{time},{fixed},{value}")?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.0.flush()
    }
}

/// `text` as RFC 4180 writes a field.
pub(super) fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
