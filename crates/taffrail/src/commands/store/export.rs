//! `taffrail store export`: values of selected series, or events, in a format of others.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use model::{EntityKind, Kind, Timestamp};
use once::Order as _;
use pipeline::Clock;
use query::LabelMatch;
use serde_json::{Value, json};
use store::{Labels, Matcher, Query, Store, Values};

use super::{Opened, Progress, unusable};
use crate::adapters::archive_matcher;
use crate::cli::{ExportArgs, ExportFormat, StoreOutput, age};
use crate::exit::Failure;

mod csv;
mod events;
mod ndjson;
mod openmetrics;
mod parquet;

use events::{Stopped, WantedEvents};

/// Labels that an entity may have, in the order of columns.
const LABELS: [&str; Labels::NAMES.len()] = Labels::NAMES;

/// One series.
struct Series<'a> {
    metric: &'a str,
    counter: bool,
    labels: &'a Labels,
}

/// A format: takes series after series, those of one metric in a row.
trait Encoder {
    /// Values at times in milliseconds; NaN is a gap.
    fn series(&mut self, series: &Series<'_>, times: &[i64], values: &[f64]) -> io::Result<()>;

    /// Writes what belongs at the end.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

type Output = Box<dyn Write + Send>;

/// What is exported.
struct Wanted {
    labels: Vec<Matcher>,
    kinds: Vec<LabelMatch>,
    metrics: Vec<LabelMatch>,
    range: (Timestamp, Timestamp),
}

impl Wanted {
    fn read(args: &ExportArgs, range: (Timestamp, Timestamp)) -> Result<Self, Failure> {
        let mut wanted = Self { labels: Vec::new(), kinds: Vec::new(), metrics: Vec::new(), range };
        for text in &args.matches {
            let wrong = |error: String| Failure::usage(format!("--match: {error}"));
            let one = LabelMatch::parse(text).map_err(wrong)?;
            match &*one.name {
                "kind" => wanted.kinds.push(one),
                "metric" | "__name__" => wanted.metrics.push(one),
                _ => wanted.labels.push(
                    archive_matcher(&one).map_err(|error| wrong(format!("{text}: {error}")))?,
                ),
            }
        }
        Ok(wanted)
    }

    /// (metric, kind) pairs to export, those of one metric in a row.
    fn columns(&self, store: &Store) -> Result<Vec<(String, EntityKind)>, store::Error> {
        let mut columns = Vec::new();
        for kind in EntityKind::ALL {
            if self.kinds.iter().all(|one| one.accepts(kind.name())) {
                let names = store.metric_names(kind, self.range.0, self.range.1)?;
                let wanted =
                    names.iter().filter(|name| self.metrics.iter().all(|one| one.accepts(name)));
                columns.extend(wanted.map(|name| (name.to_string(), kind)));
            }
        }
        columns.order_by(|left, right| left.0.cmp(&right.0));
        Ok(columns)
    }
}

/// The range that `--from` and `--to` name.
fn range(args: &ExportArgs, now: Timestamp) -> Result<(Timestamp, Timestamp), Failure> {
    let all = (Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX / 2_000_000));
    let from = args.from.as_deref().map_or(Ok(all.0), |text| time("--from", text, now))?;
    let to = args.to.as_deref().map_or(Ok(all.1), |text| time("--to", text, now))?;
    Ok((from, to))
}

/// Writes what was asked for.
pub(super) fn run(args: &ExportArgs, clock: Clock) -> Result<(), Failure> {
    let range = range(args, clock.now())?;
    if args.events {
        return run_events(args, &WantedEvents::read(&args.matches, range)?, clock);
    }
    let wanted = Wanted::read(args, range)?;
    let opened = Opened::folder(&args.folder.dir, clock)?;
    let columns = wanted.columns(&opened.store);
    let columns = columns.map_err(|error| unusable(&args.folder.dir, &error))?;
    let unwritten = |error| unwritten(args, &error);
    let mut encoder = encoder(args.format, output(args)?).map_err(unwritten)?;
    let mut progress = Progress::new("exporting");
    let (mut series, mut samples) = (0_u64, 0_u64);
    for (at, (metric, kind)) in columns.iter().enumerate() {
        progress.at(at as u64, columns.len() as u64);
        let (from, to) = wanted.range;
        let names = [&**metric];
        let matchers = &wanted.labels;
        let query = Query { kind: *kind, matchers, columns: &names, from, to, step: None };
        let selection = opened.store.select(&query);
        let selection = selection.map_err(|error| unusable(&args.folder.dir, &error))?;
        let times = std::sync::Arc::clone(selection.times());
        let counter =
            selection.columns().first().is_some_and(|head| head.kind == Some(Kind::Counter));
        for slice in selection {
            let Some(Values::Raw(values)) = slice.columns.first() else { continue };
            let one = Series { metric, counter, labels: &slice.labels };
            let times = times.get(slice.start..).unwrap_or_default();
            encoder.series(&one, times, values).map_err(unwritten)?;
            series += 1;
            samples += values.iter().filter(|value| !value.is_nan()).count() as u64;
        }
    }
    progress.end();
    encoder.finish().map_err(unwritten)?;
    let file = args.out.display();
    let text = format!("{samples} samples of {series} series written to {file}");
    written(args, &json!({ "series": series, "samples": samples }), &text)
}

fn run_events(args: &ExportArgs, wanted: &WantedEvents, clock: Clock) -> Result<(), Failure> {
    if args.format == ExportFormat::Openmetrics {
        return Err(Failure::usage(
            "--events: OpenMetrics has no events; give --format=parquet, csv or ndjson".to_owned(),
        ));
    }
    let opened = Opened::folder(&args.folder.dir, clock)?;
    let count = events::write(wanted, &opened.store, args.format, output(args)?);
    let count = count.map_err(|stopped| match stopped {
        Stopped::Unread(error) => unusable(&args.folder.dir, &error),
        Stopped::Unwritten(error) => unwritten(args, &error),
    })?;
    let text = format!("{count} events written to {}", args.out.display());
    written(args, &json!({ "events": count }), &text)
}

fn to_stdout(args: &ExportArgs) -> bool {
    args.out == Path::new("-")
}

fn output(args: &ExportArgs) -> Result<Output, Failure> {
    if to_stdout(args) {
        return Ok(Box::new(BufWriter::new(io::stdout())));
    }
    let file = File::create(&args.out).map_err(|error| unwritten(args, &error))?;
    Ok(Box::new(BufWriter::new(file)))
}

fn unwritten(args: &ExportArgs, error: &io::Error) -> Failure {
    Failure::unavailable(format!("write {}: {error}", args.out.display()))
}

/// Says what was written, unless standard output is what was written to.
fn written(args: &ExportArgs, counts: &Value, text: &str) -> Result<(), Failure> {
    if to_stdout(args) {
        return Ok(());
    }
    match args.folder.output {
        StoreOutput::Json => {
            let mut told = json!({ "file": args.out.display().to_string() });
            if let (Some(told), Some(counts)) = (told.as_object_mut(), counts.as_object()) {
                told.extend(counts.clone());
            }
            crate::say(&told.to_string())
        }
        StoreOutput::Text => crate::say(text),
    }
}

fn encoder(format: ExportFormat, output: Output) -> io::Result<Box<dyn Encoder>> {
    Ok(match format {
        ExportFormat::Parquet => Box::new(parquet::Parquet::new(output)?),
        ExportFormat::Csv => Box::new(csv::Csv::new(output)?),
        ExportFormat::Ndjson => Box::new(ndjson::Ndjson::new(output)),
        ExportFormat::Openmetrics => Box::new(openmetrics::OpenMetrics::new(output)),
    })
}

fn time(flag: &str, text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Some(time) = Timestamp::parse_rfc3339(text) {
        return Ok(time);
    }
    let ago: Result<Duration, String> = age(text);
    ago.map(|ago| now.minus(ago)).map_err(|_| {
        Failure::usage(format!("{flag}={text}: give a time such as 2026-11-23T09:00:00Z, or 2d"))
    })
}

/// Time and value of what is no gap.
fn points<'a>(times: &'a [i64], values: &'a [f64]) -> impl Iterator<Item = (i64, f64)> + 'a {
    times.iter().copied().zip(values.iter().copied()).filter(|(_, value)| !value.is_nan())
}
