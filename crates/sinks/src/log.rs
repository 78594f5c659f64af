//! The log sink: a batch as text, byte for byte as Heapster's log sink prints it.
//!
//! Without Heapster's glog prefix, which is not part of the record.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::io::{BufWriter, Write};

use model::{
    Batch, Column, Entity, EntityKind, LabelOptions, Metric, Table, Timestamp, Value, descriptor,
    for_each_label,
};

use crate::{Error, Kind, Setup, Sink};

pub(crate) const KIND: Kind = Kind {
    key: "log",
    name: "Log Sink",
    settings: &[("metrics", "heapster (default): what Heapster had; all: ours too")],
    example: "log:?metrics=all",
    build,
};

/// What Go's `UnixNano` gives for the zero time.
const ZERO_TIME_NANOS: i64 = -6_795_364_578_871_345_152;

fn build(setup: Setup) -> Result<Box<dyn Sink>, Error> {
    let mut everything = false;
    for (name, value) in setup.settings {
        everything = match (&*name, &*value) {
            ("metrics", "all") => true,
            ("metrics", "heapster") => false,
            _ => {
                let known = "heapster, all";
                return Err(Error::BadSetting { sink: KIND.key, name: "metrics", value, known });
            }
        };
    }
    let output = BufWriter::new(setup.output);
    Ok(Box::new(Log { everything, labels: setup.labels, output }))
}

struct Log {
    everything: bool,
    labels: LabelOptions,
    output: BufWriter<Box<dyn Write + Send>>,
}

impl Sink for Log {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn export(&mut self, batch: &Batch) -> Result<(), Error> {
        let printer = Printer::new(batch, &self.labels, self.everything);
        let mut text = String::new();
        write!(text, "DataBatch     Timestamp: {}\n\n", GoTime(batch.timestamp())).ok();
        for (key, kind, row) in printer.sorted_rows(batch) {
            printer.print(&mut text, &key, batch.table(kind), row);
            self.output.write_all(text.as_bytes())?;
            text.clear();
        }
        self.output.write_all(text.as_bytes())?;
        self.output.flush()?;
        Ok(())
    }
}

/// The parts of one owner, as (table, row).
type Parts<'a> = Vec<(&'a Table, usize)>;

/// A batch, arranged for printing.
struct Printer<'a> {
    options: &'a LabelOptions,
    everything: bool,
    /// By kind: the columns that are printed, sorted by name.
    columns: Vec<Vec<&'a Column>>,
    parts: HashMap<&'a Entity, Parts<'a>>,
}

impl<'a> Printer<'a> {
    fn new(batch: &'a Batch, options: &'a LabelOptions, everything: bool) -> Self {
        let columns = EntityKind::ALL
            .into_iter()
            .map(|kind| printed_columns(batch.table(kind), everything))
            .collect();
        Self { options, everything, columns, parts: parts(batch) }
    }

    /// The rows that are metric sets of their own, by key.
    fn sorted_rows(&self, batch: &Batch) -> Vec<(String, EntityKind, usize)> {
        let mut rows = Vec::with_capacity(batch.rows());
        for table in batch.tables() {
            let kind = table.kind();
            let ours = self.everything && !kind.is_labeled_part();
            if kind.heapster_type().is_some() || ours {
                let keys = table.entities().iter().map(ToString::to_string);
                rows.extend(keys.enumerate().map(|(row, key)| (key, kind, row)));
            }
        }
        rows.sort_unstable();
        rows
    }

    fn print(&self, text: &mut String, key: &str, table: &Table, row: usize) {
        text.push_str("MetricSet: ");
        text.push_str(key);
        text.push('\n');
        print_time(text, "Scrape", table.scraped(row));
        print_time(text, "Create", table.started(row));
        text.push_str("   Labels:\n");
        for (key, value) in sorted_labels(table, row, self.options) {
            push_line(text, "      ", &key, &value);
        }
        text.push_str("   Metrics:\n");
        for column in &self.columns[table.kind().index()] {
            if let Some(value) = column.get(row) {
                push_value(text, column.metric().name(), value);
            }
        }
        text.push_str("   Labeled Metrics:\n");
        for (table, row) in self.parts.get(&*table.entities()[row]).into_iter().flatten() {
            self.print_part(text, table, *row);
        }
        text.push('\n');
    }

    fn print_part(&self, text: &mut String, table: &Table, row: usize) {
        let labels = sorted_labels(table, row, self.options);
        let metrics = model::CATALOG
            .iter()
            .filter(|metric| self.everything || metric.heapster.contains(table.kind()));
        for metric in metrics {
            if let Some(value) = table.get(row, metric.id) {
                push_value(text, metric.name, value);
                for (key, value) in &labels {
                    push_line(text, "         ", key, value);
                }
            }
        }
    }
}

fn printed_columns(table: &Table, everything: bool) -> Vec<&Column> {
    let mut columns: Vec<_> = table
        .columns()
        .iter()
        .filter(|column| match column.metric() {
            Metric::Known(id) => everything || descriptor(*id).heapster.contains(table.kind()),
            Metric::Custom { .. } => true,
        })
        .collect();
    columns.sort_by(|left, right| left.metric().name().cmp(right.metric().name()));
    columns
}

/// Accelerators first, then disks, filesystems and volumes; each in the order of its rows.
fn parts(batch: &Batch) -> HashMap<&Entity, Parts<'_>> {
    let mut parts: HashMap<_, Parts<'_>> = HashMap::new();
    for kind in
        [EntityKind::Accelerator, EntityKind::Disk, EntityKind::Filesystem, EntityKind::Volume]
    {
        let table = batch.table(kind);
        for (row, entity) in table.entities().iter().enumerate() {
            if let Some(owner) = entity.parent() {
                parts.entry(&**owner).or_default().push((table, row));
            }
        }
    }
    parts
}

fn sorted_labels(table: &Table, row: usize, options: &LabelOptions) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    for_each_label(table, row, options, |key, value| {
        labels.push((key.to_owned(), value.to_owned()));
    });
    labels.sort_unstable();
    labels
}

fn push_line(text: &mut String, indent: &str, key: &str, value: &str) {
    for piece in [indent, key, " = ", value, "\n"] {
        text.push_str(piece);
    }
}

/// Integers as Go's `%d`, floats as its `%f`. Writing to a string cannot fail.
fn push_value(text: &mut String, name: &str, value: Value) {
    match value {
        Value::Int(value) => writeln!(text, "      {name} = {value}").ok(),
        Value::Float(value) => writeln!(text, "      {name} = {value:.6}").ok(),
    };
}

fn print_time(text: &mut String, which: &str, time: Timestamp) {
    let nanos = if time.is_never() { ZERO_TIME_NANOS } else { time.nanos() };
    writeln!(text, "   {which} time: {} {nanos}", GoTime(time)).ok();
}

/// A time as Go's `time.Time.String` prints it in UTC: `2026-11-23 09:29:50 +0000 UTC`.
struct GoTime(Timestamp);

impl fmt::Display for GoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rfc3339 = self.0.to_string();
        match rfc3339.trim_end_matches('Z').split_once('T') {
            Some((date, time)) => write!(f, "{date} {time} +0000 UTC"),
            None => f.write_str(&rfc3339),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_gos() {
        let time = |text| GoTime(Timestamp::parse_rfc3339(text).unwrap()).to_string();
        assert_eq!(time("2026-11-23T09:29:50Z"), "2026-11-23 09:29:50 +0000 UTC");
        assert_eq!(time("2026-11-23T09:29:50.120Z"), "2026-11-23 09:29:50.12 +0000 UTC");
        assert_eq!(time("0001-01-01T00:00:00Z"), "0001-01-01 00:00:00 +0000 UTC");
    }
}
