//! JSON lines of entities as Parquet: what waits in a queue can be joined, and becomes columns only
//! when it goes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use model::Timestamp;
use serde::Deserialize;

use crate::parquet_file::SampleWriter;

/// A line as [`super::Rows`] writes it.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    labels: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    #[serde(borrow)]
    metrics: BTreeMap<Cow<'a, str>, f64>,
}

/// A Parquet file of `lines`, with a column for each label that any of them has.
pub(crate) fn parquet(lines: &[u8], compressed: bool) -> Result<Vec<u8>, String> {
    write(lines, compressed).map_err(|error| error.to_string())
}

fn write(lines: &[u8], compressed: bool) -> io::Result<Vec<u8>> {
    let lines: Vec<Line<'_>> = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(serde_json::from_slice)
        .collect::<Result<_, _>>()?;
    let names: BTreeSet<&str> =
        lines.iter().flat_map(|line| line.labels.keys().map(|name| &**name)).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let mut writer = SampleWriter::new(Vec::new(), &names, compressed)?;
    for line in &lines {
        let time = Timestamp::parse_rfc3339(&line.time).unwrap_or(Timestamp::NEVER).millis();
        let labels: Vec<Option<&str>> =
            names.iter().map(|name| line.labels.get(*name).map(|value| &**value)).collect();
        for (metric, value) in &line.metrics {
            writer.series(&line.kind, metric, &labels, [(time, *value)])?;
        }
    }
    writer.finish()
}
