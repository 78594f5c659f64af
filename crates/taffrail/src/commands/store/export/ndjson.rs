//! A JSON object per series and line, as `VictoriaMetrics`' `/api/v1/import` takes it.

use std::io::{self, Write as _};

use serde_json::{Map, Value, json};

use super::{Encoder, Output, Series, points};

/// Writes lines of JSON.
pub(super) struct Ndjson(Output);

impl Ndjson {
    pub(super) fn new(output: Output) -> Self {
        Self(output)
    }
}

impl Encoder for Ndjson {
    fn series(&mut self, series: &Series<'_>, times: &[i64], values: &[f64]) -> io::Result<()> {
        let mut metric = Map::new();
        metric.insert("__name__".to_owned(), Value::from(series.metric));
        metric.insert("kind".to_owned(), Value::from(series.labels.kind().name()));
        for (name, value) in series.labels.iter() {
            metric.insert(name.to_owned(), Value::from(value));
        }
        let (timestamps, values): (Vec<i64>, Vec<f64>) = points(times, values).unzip();
        let line = json!({ "metric": metric, "values": values, "timestamps": timestamps });
        writeln!(self.0, "{line}")
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.0.flush()
    }
}
