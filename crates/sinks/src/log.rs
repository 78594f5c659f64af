//! The log sink: a batch as text, byte for byte as Heapster's log sink prints it.
//!
//! Without Heapster's glog prefix, which is not part of the record.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::io::Write as _;

use model::{
    Batch, Column, Entity, EntityKind, Event, LabelOptions, Table, Timestamp, Value, for_each_label,
};
use once::Order as _;

use crate::chunks::{Chunks, Framing};
use crate::plan::{Encode, EncodeEvents, EventPlan, Plan, Transport};
use crate::select::Selection;
use crate::settings::Settings;
use crate::{Error, Events, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "log",
    name: "Log Sink",
    settings: &[],
    example: "log:?metrics=all",
    notice: None,
    metrics: Some(plan),
    events: Some(Events { name: "LogSink", plan: event_plan }),
    alerts: None,
};

/// What Go's `UnixNano` gives for the zero time.
const ZERO_TIME_NANOS: i64 = -6_795_364_578_871_345_152;
/// Most metric sets and bytes that are written at once.
const SETS: u32 = 4096;
const BYTES: usize = 64 * 1024;

#[expect(clippy::unnecessary_wraps, reason = "every kind has the same door")]
fn plan(_: &Settings, selection: Selection) -> Result<Plan, Error> {
    Ok(Plan {
        encode: Box::new(Log { selection, text: String::new() }),
        framing: Framing::lines(SETS, BYTES),
        transport: Transport::Output,
        concurrency: 1,
    })
}

#[expect(clippy::unnecessary_wraps, reason = "every kind has the same door")]
fn event_plan(_: &Settings) -> Result<EventPlan, Error> {
    Ok(EventPlan {
        encode: Box::new(LogEvents),
        framing: Framing::lines(SETS, BYTES),
        transport: Transport::Output,
        concurrency: 1,
    })
}

struct LogEvents;

impl EncodeEvents for LogEvents {
    fn begin(&mut self, timestamp: Timestamp, out: &mut Chunks<'_>) {
        out.point(|bytes| {
            // Writing to a vector cannot fail.
            writeln!(bytes, "EventBatch     Timestamp: {}", GoTime(timestamp)).ok();
        });
    }

    fn event(&mut self, _: Timestamp, event: &Event, out: &mut Chunks<'_>) {
        let Event { last_seen, count, message, .. } = event;
        out.point(|bytes| {
            writeln!(bytes, "   {} (cnt:{count}): {message}", GoTime(*last_seen)).ok();
        });
    }
}

struct Log {
    selection: Selection,
    /// The text of one set; reused.
    text: String,
}

impl Encode for Log {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let Self { selection, text } = self;
        let printer = Printer::new(batch, selection);
        text.clear();
        write!(text, "DataBatch     Timestamp: {}\n\n", GoTime(batch.timestamp())).ok();
        out.point(|bytes| bytes.extend_from_slice(text.as_bytes()));
        for (key, kind, row) in printer.sorted_rows(batch) {
            text.clear();
            printer.print(text, &key, batch.table(kind), row);
            out.point(|bytes| bytes.extend_from_slice(text.as_bytes()));
        }
    }
}

/// The parts of one owner, as (table, row).
type Parts<'a> = Vec<(&'a Table, usize)>;

/// A batch, arranged for printing.
struct Printer<'a> {
    selection: &'a Selection,
    /// By kind: the columns that are printed, sorted by name.
    columns: Vec<Vec<&'a Column>>,
    parts: HashMap<&'a Entity, Parts<'a>>,
}

impl<'a> Printer<'a> {
    fn new(batch: &'a Batch, selection: &'a Selection) -> Self {
        let columns = EntityKind::ALL
            .into_iter()
            .map(|kind| printed_columns(batch.table(kind), selection))
            .collect();
        Self { selection, columns, parts: parts(batch, selection) }
    }

    /// The rows that are metric sets of their own, by key.
    fn sorted_rows(&self, batch: &Batch) -> Vec<(String, EntityKind, usize)> {
        let mut rows = Vec::with_capacity(batch.rows());
        for table in batch.tables() {
            let kind = table.kind();
            if !kind.is_labeled_part() && self.selection.keeps_kind(kind) {
                let kept = table.entities().iter().enumerate().filter(|(row, entity)| {
                    self.selection.keeps_entity(entity)
                        && self.selection.keeps_labels(table.context(*row))
                });
                rows.extend(kept.map(|(row, entity)| (entity.to_string(), kind, row)));
            }
        }
        rows.order();
        rows
    }

    fn print(&self, text: &mut String, key: &str, table: &Table, row: usize) {
        text.push_str("MetricSet: ");
        text.push_str(key);
        text.push('\n');
        print_time(text, "Scrape", table.scraped(row));
        print_time(text, "Create", table.started(row));
        text.push_str("   Labels:\n");
        for (key, value) in sorted_labels(table, row, &self.selection.labels) {
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
        let labels = sorted_labels(table, row, &self.selection.labels);
        // In the catalog's order, not by name.
        for metric in model::CATALOG {
            let Some(column) = table.column(metric.id) else { continue };
            if let Some(value) = column.get(row)
                && self.selection.keeps(table, column)
            {
                push_value(text, metric.name, value);
                for (key, value) in &labels {
                    push_line(text, "         ", key, value);
                }
            }
        }
    }
}

fn printed_columns<'a>(table: &'a Table, selection: &Selection) -> Vec<&'a Column> {
    let mut columns: Vec<_> =
        table.columns().iter().filter(|column| selection.keeps(table, column)).collect();
    columns.order_by(|left, right| left.metric().name().cmp(right.metric().name()));
    columns
}

/// Accelerators first, then disks, filesystems and volumes; each in the order of its rows.
fn parts<'a>(batch: &'a Batch, selection: &Selection) -> HashMap<&'a Entity, Parts<'a>> {
    let mut parts: HashMap<_, Parts<'_>> = HashMap::new();
    let kinds =
        [EntityKind::Accelerator, EntityKind::Disk, EntityKind::Filesystem, EntityKind::Volume];
    for kind in kinds.into_iter().filter(|kind| selection.keeps_kind(*kind)) {
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
    labels.order();
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
