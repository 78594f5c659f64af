//! `taffrail store export --events`: stored events, oldest first, a row each.

use std::io::{self, Write as _};
use std::sync::Arc;

use model::{Event, Timestamp};
use parquet::basic::{Compression, GzipLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use query::LabelMatch;
use serde_json::{Map, Value};
use store::{EventQuery, Store};

use super::csv::quoted;
use super::{ExportFormat, Output};
use crate::exit::Failure;

/// Rows that are held in memory before they are written.
const GROUP_ROWS: usize = 1 << 14;

type Text = fn(&Event) -> &str;
type Number = fn(&Event) -> i64;

/// Columns of texts, also the names that `--match` takes.
const TEXTS: [(&str, Text); 9] = [
    ("namespace", |event| &event.namespace),
    ("kind", |event| &event.object_kind),
    ("object", |event| &event.object_name),
    ("object_uid", |event| &event.object_uid),
    ("type", |event| &event.event_type),
    ("reason", |event| &event.reason),
    ("message", |event| &event.message),
    ("source", |event| &event.source),
    ("uid", |event| &event.uid),
];

/// Columns of numbers, before those of texts; times are milliseconds since the epoch.
const NUMBERS: [(&str, Number); 3] = [
    ("first_seen", |event| event.first_seen.millis()),
    ("last_seen", |event| event.last_seen.millis()),
    ("count", |event| i64::from(event.count)),
];

/// Which events are exported.
pub(super) struct WantedEvents {
    conditions: Vec<(Text, LabelMatch)>,
    range: (Timestamp, Timestamp),
}

impl WantedEvents {
    /// Reads the texts of `--match`.
    pub(super) fn read(matches: &[String], range: (Timestamp, Timestamp)) -> Result<Self, Failure> {
        let mut conditions = Vec::with_capacity(matches.len());
        for text in matches {
            let wrong = |reason: &str| Failure::usage(format!("--match: {reason}"));
            let one = LabelMatch::parse(text).map_err(|reason| wrong(&reason))?;
            let Some((_, column)) = TEXTS.iter().find(|(name, _)| *name == &*one.name) else {
                let names = TEXTS.map(|(name, _)| name).join(", ");
                return Err(wrong(&format!("{text}: of events there are {names}")));
            };
            conditions.push((*column, one));
        }
        Ok(Self { conditions, range })
    }

    /// What of `store` is wanted, oldest first.
    fn find(&self, store: &Store) -> Result<Vec<Event>, store::Error> {
        // All of them: the store bounds the bytes that it keeps.
        let mut found = store.search_events(&EventQuery::all(self.range.0, self.range.1))?;
        found.retain(|event| self.conditions.iter().all(|(text, one)| one.accepts(text(event))));
        found.reverse();
        Ok(found)
    }
}

/// Why an export ended early.
pub(super) enum Stopped {
    /// The folder could not be read.
    Unread(store::Error),
    /// The file could not be written.
    Unwritten(io::Error),
}

/// Writes the wanted events; how many.
pub(super) fn write(
    wanted: &WantedEvents,
    store: &Store,
    format: ExportFormat,
    output: Output,
) -> Result<u64, Stopped> {
    let events = wanted.find(store).map_err(Stopped::Unread)?;
    let written = match format {
        ExportFormat::Csv => csv(&events, output),
        ExportFormat::Ndjson => ndjson(&events, output),
        ExportFormat::Parquet => parquet(&events, output).map_err(io::Error::other),
        ExportFormat::Openmetrics => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "OpenMetrics has no events"))
        }
    };
    written.map_err(Stopped::Unwritten)?;
    Ok(events.len() as u64)
}

fn names() -> Vec<&'static str> {
    let numbers = NUMBERS.iter().map(|(name, _)| *name);
    numbers.chain(TEXTS.iter().map(|(name, _)| *name)).collect()
}

fn csv(events: &[Event], mut output: Output) -> io::Result<()> {
    writeln!(output, "{}", names().join(","))?;
    for event in events {
        let numbers = NUMBERS.iter().map(|(_, number)| number(event).to_string());
        let texts = TEXTS.iter().map(|(_, text)| quoted(text(event)));
        writeln!(output, "{}", numbers.chain(texts).collect::<Vec<_>>().join(","))?;
    }
    output.flush()
}

fn ndjson(events: &[Event], mut output: Output) -> io::Result<()> {
    for event in events {
        let numbers = NUMBERS.iter().map(|(name, number)| (*name, Value::from(number(event))));
        let texts = TEXTS.iter().map(|(name, text)| (*name, Value::from(text(event))));
        let fields = numbers.chain(texts).map(|(name, value)| (name.to_owned(), value));
        writeln!(output, "{}", Value::Object(fields.collect::<Map<_, _>>()))?;
    }
    output.flush()
}

fn parquet(events: &[Event], output: Output) -> Result<(), ParquetError> {
    let [(first, _), (last, _), (count, _)] = NUMBERS;
    let texts = TEXTS.map(|(name, _)| format!("required binary {name} (STRING);\n")).concat();
    let schema = format!(
        "message events {{\n\
         required int64 {first} (TIMESTAMP(MILLIS,true));\n\
         required int64 {last} (TIMESTAMP(MILLIS,true));\n\
         required int64 {count};\n\
         {texts}}}"
    );
    let properties = WriterProperties::builder()
        .set_compression(Compression::GZIP(GzipLevel::default()))
        .build();
    let schema = Arc::new(parse_message_type(&schema)?);
    let mut writer = SerializedFileWriter::new(output, schema, Arc::new(properties))?;
    for rows in events.chunks(GROUP_ROWS) {
        let mut group = writer.next_row_group()?;
        let mut number = 0;
        while let Some(mut column) = group.next_column()? {
            if let Some((_, of)) = NUMBERS.get(number) {
                let values: Vec<i64> = rows.iter().map(of).collect();
                column.typed::<Int64Type>().write_batch(&values, None, None)?;
            } else if let Some((_, of)) = TEXTS.get(number - NUMBERS.len()) {
                let values: Vec<ByteArray> =
                    rows.iter().map(|event| ByteArray::from(of(event))).collect();
                column.typed::<ByteArrayType>().write_batch(&values, None, None)?;
            }
            column.close()?;
            number += 1;
        }
        group.close()?;
    }
    writer.into_inner()?.flush()?;
    Ok(())
}
