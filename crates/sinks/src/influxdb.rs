//! InfluxDB 1.x: line protocol over HTTP, into the database and the retention policy of Heapster.

mod reader;

use form_urlencoded::byte_serialize;
use http::Method;
use model::{Batch, Event, Metric, MetricId, Timestamp, metric};

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::event_object::EventObject;
use crate::labels::Labels;
use crate::plan::{Encode, EncodeEvents, EventPlan, Plan, Transport};
use crate::select::{Selection, value};
use crate::settings::{Secret, Settings};
use crate::text::{push_int, push_value};
use crate::transport::{HttpPlan, Preparation};
use crate::{Error, Events, Kind};

pub use reader::InfluxReader;

pub(crate) const KIND: Kind = Kind {
    key: "influxdb",
    name: "InfluxDB Sink",
    settings: &[
        ("user", "user (default root)"),
        ("pw", "password (default root)"),
        ("pw_file", "file that holds the password"),
        ("db", "database (default k8s)"),
        ("retention", "how long the database keeps points, like 7d; 0 (default) leaves it alone"),
        ("secure", "true: https"),
        ("insecuressl", "true: do not verify the server's certificate"),
        LINE_SETTINGS[0],
        LINE_SETTINGS[1],
        LINE_SETTINGS[2],
        LINE_SETTINGS[3],
    ],
    example: "influxdb:http://monitoring-influxdb:8086?retention=7d",
    notice: None,
    metrics: Some(plan),
    events: Some(Events { name: "InfluxDB Sink", plan: event_plan }),
    alerts: None,
};

/// Most points and bytes of one write.
const WRITE_POINTS: u32 = 10_000;
const WRITE_BYTES: usize = 4 << 20;
/// Most events of one write.
const WRITE_EVENTS: u32 = 1000;
/// The tag that names the cluster.
const CLUSTER: &str = "cluster_name";
/// Labels that are not tags.
const NO_TAGS: &[&str] = &["namespace_id", "pod_id", "hostname", "host_id"];
/// Counters that `disable_counter_metrics` leaves out.
const RATED: &[MetricId] = &[
    metric::CPU_USAGE,
    metric::MEMORY_PAGE_FAULTS,
    metric::MEMORY_MAJOR_PAGE_FAULTS,
    metric::NETWORK_RX,
    metric::NETWORK_RX_ERRORS,
    metric::NETWORK_TX,
    metric::NETWORK_TX_ERRORS,
    metric::DISK_IO_READ_BYTES,
    metric::DISK_IO_WRITE_BYTES,
];

/// Settings of every sink that writes lines, as (name, one sentence).
pub(crate) const LINE_SETTINGS: &[(&str, &str)] = &[
    ("withfields", "true: cpu usage_rate=1i instead of cpu/usage_rate value=1i"),
    ("cluster_name", "value of the tag cluster_name (default \"default\")"),
    ("disable_counter_metrics", "true: leave out counters that are also there as rates"),
    ("concurrency", "requests at once (default 1)"),
];

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    line_plan(settings, selection, transport(settings)?)
}

fn event_plan(settings: &Settings) -> Result<EventPlan, Error> {
    line_event_plan(settings, transport(settings)?)
}

/// Metrics in the line protocol, over any version's transport.
pub(crate) fn line_plan(
    settings: &Settings,
    selection: Selection,
    transport: Transport,
) -> Result<Plan, Error> {
    let encode = Influx {
        selection,
        with_fields: settings.flag("withfields", false)?,
        without_counters: settings.flag("disable_counter_metrics", false)?,
        cluster: cluster(settings),
        labels: Labels::default(),
        tags: Vec::new(),
    };
    Ok(Plan {
        encode: Box::new(encode),
        framing: Framing::lines(WRITE_POINTS, WRITE_BYTES),
        transport,
        concurrency: settings.number("concurrency", 1, &1)?,
    })
}

/// Events in the line protocol, over any version's transport.
pub(crate) fn line_event_plan(
    settings: &Settings,
    transport: Transport,
) -> Result<EventPlan, Error> {
    let encode = InfluxEvents {
        with_fields: settings.flag("withfields", false)?,
        cluster: cluster(settings),
    };
    Ok(EventPlan {
        encode: Box::new(encode),
        framing: Framing::lines(WRITE_EVENTS, WRITE_BYTES),
        transport,
        concurrency: settings.number("concurrency", 1, &1)?,
    })
}

/// The value of the tag that names the cluster.
fn cluster(settings: &Settings) -> Vec<u8> {
    escaped(settings.text_or("cluster_name", "default"), is_tag_special)
}

/// Where the database is, and who we are there.
struct Connection {
    base: String,
    database: String,
    user: Option<(String, Secret)>,
}

fn connection(settings: &Settings) -> Result<Connection, Error> {
    let address = Address::parse(settings.text_or("address", ""), "localhost:8086");
    let secure = settings.flag("secure", false)?;
    if address.scheme == "https" && !secure {
        tracing::warn!(
            sink = KIND.key,
            "the scheme counts for nothing: secure=true asks for https"
        );
    }
    let scheme = if secure { "https" } else { "http" };
    let user = settings.text("user").unwrap_or("root");
    let password = settings.secret("pw", "pw_file")?.unwrap_or_else(|| Secret::from("root"));
    Ok(Connection {
        base: format!("{scheme}://{}", address.authority),
        database: settings.text_or("db", "k8s").to_owned(),
        user: (!user.is_empty()).then(|| (user.to_owned(), password)),
    })
}

fn transport(settings: &Settings) -> Result<Transport, Error> {
    let Connection { base, database, user } = connection(settings)?;
    let query: String = byte_serialize(database.as_bytes()).collect();
    Ok(Transport::Http(Box::new(HttpPlan {
        destination: format!("/{database}"),
        basic: user,
        prepare: preparations(&database, retention(settings)?),
        lost: Some("database not found"),
        ..HttpPlan::post(base, format!("/write?consistency=&db={query}&precision=&rp=default"))
    })))
}

/// The retention in InfluxDB's notation; `None` where it is left alone.
fn retention(settings: &Settings) -> Result<Option<&str>, Error> {
    match settings.text_or("retention", "0") {
        "0" => Ok(None),
        text if is_duration(text) || text.eq_ignore_ascii_case("inf") => Ok(Some(text)),
        text => Err(settings.bad("retention", text, "InfluxDB durations like 36h, 7d, 4w, INF, 0")),
    }
}

/// Numbers, each with a unit: `1w2d`, `0s`.
fn is_duration(mut text: &str) -> bool {
    const UNITS: [&str; 9] = ["ns", "ms", "us", "u", "s", "m", "h", "d", "w"];
    while !text.is_empty() {
        let rest = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let unit = UNITS.iter().find_map(|unit| rest.strip_prefix(unit));
        match unit {
            Some(after) if rest.len() < text.len() => text = after,
            _ => return false,
        }
    }
    true
}

/// The database, with its policy: the first request is Heapster's. The policy is then made and
/// changed explicitly, because a database that is there already keeps what it has.
fn preparations(database: &str, retention: Option<&str>) -> Vec<Preparation> {
    let name = identifier(database);
    let ask = |method, statement: String, must_work| {
        let statement: String = byte_serialize(statement.as_bytes()).collect();
        Preparation {
            method,
            target: format!("/query?db=&q={statement}"),
            body: String::new(),
            must_work,
        }
    };
    let create = format!("CREATE DATABASE {name} WITH NAME \"default\"");
    let mut steps = vec![ask(Method::GET, create, retention.is_none())];
    if let Some(duration) = retention {
        let policy = format!(
            "RETENTION POLICY \"default\" ON {name} DURATION {duration} REPLICATION 1 DEFAULT"
        );
        steps.push(ask(Method::POST, format!("CREATE {policy}"), false));
        steps.push(ask(Method::POST, format!("ALTER {policy}"), true));
    }
    steps
}

/// A name in InfluxDB's query language, quoted when it needs to be.
fn identifier(name: &str) -> String {
    let simple = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        && !name.starts_with(|letter: char| letter.is_ascii_digit());
    if simple && !name.is_empty() {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

struct Influx {
    selection: Selection,
    with_fields: bool,
    without_counters: bool,
    cluster: Vec<u8>,
    labels: Labels,
    /// The tags of one row; reused.
    tags: Vec<u8>,
}

/// What a column contributes to each of its lines.
struct Name {
    measurement: Vec<u8>,
    /// Space, field, equals sign.
    field: Vec<u8>,
}

impl Encode for Influx {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let Self { selection, labels, tags, cluster, .. } = self;
        let mut end = vec![b' '];
        push_int(&mut end, batch.timestamp().nanos());
        end.push(b'\n');
        let (with_fields, without_counters) = (self.with_fields, self.without_counters);
        for mut selected in selection.tables(batch) {
            if without_counters {
                selected.columns.retain(|column| match column.metric() {
                    Metric::Known(id) => !RATED.contains(id),
                    Metric::Custom { .. } => true,
                });
            }
            let names: Vec<Name> = selected
                .columns
                .iter()
                .map(|column| Name::new(column.metric().name(), with_fields))
                .collect();
            selection.for_each_row(batch, &selected, labels, |row, labels| {
                tags.clear();
                push_tags(tags, labels, cluster, NO_TAGS);
                for (column, name) in selected.columns.iter().zip(&names) {
                    let Some(value) = value(column, row.at) else { continue };
                    out.point(|line| {
                        line.extend_from_slice(&name.measurement);
                        line.extend_from_slice(tags);
                        line.extend_from_slice(&name.field);
                        push_value(line, value);
                        if matches!(value, model::Value::Int(_)) {
                            line.push(b'i');
                        }
                        line.extend_from_slice(&end);
                    });
                }
            });
        }
    }
}

struct InfluxEvents {
    with_fields: bool,
    cluster: Vec<u8>,
}

impl EncodeEvents for InfluxEvents {
    fn event(&mut self, _: Timestamp, event: &Event, out: &mut Chunks<'_>) {
        let mut labels = Labels::default();
        let pod = &*event.object_kind == "Pod";
        labels.push("uid", &event.uid);
        labels.push("hostname", &event.host);
        labels.push("pod_id", if pod { &event.object_uid } else { "" });
        if self.with_fields {
            labels.push("object_name", &event.object_name);
            labels.push("type", &event.event_type);
            labels.push("kind", &event.object_kind);
            labels.push("component", &event.component);
            labels.push("reason", &event.reason);
            labels.push("namespace_name", &event.namespace);
        } else {
            labels.push("pod_name", if pod { &event.object_name } else { "" });
        }
        labels.sort();
        out.point(|line| {
            let (measurement, field) =
                if self.with_fields { ("events", "message") } else { ("log/events", "value") };
            line.extend_from_slice(measurement.as_bytes());
            push_tags(line, &labels, &self.cluster, &[]);
            line.push(b' ');
            line.extend_from_slice(field.as_bytes());
            line.extend_from_slice(b"=\"");
            if self.with_fields {
                push_text(line, event.message.as_bytes());
            } else {
                push_text(line, &EventObject::of(event).indented());
            }
            line.push(b'"');
            // Without a time the server takes its own.
            if !event.last_seen.is_never() {
                line.push(b' ');
                push_int(line, event.last_seen.nanos());
            }
            line.push(b'\n');
        });
    }
}

/// A text inside quotes; line breaks may stay.
fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

impl Name {
    fn new(metric: &str, with_fields: bool) -> Self {
        let (measurement, field) = match metric.split_once('/') {
            Some(parts) if with_fields => parts,
            _ => (metric, "value"),
        };
        let mut out = vec![b' '];
        push_escaped(&mut out, field, is_tag_special);
        out.push(b'=');
        Self { measurement: escaped(measurement, is_measurement_special), field: out }
    }
}

/// Every tag but those named in `left_out`, with its comma before it, sorted by key.
fn push_tags(out: &mut Vec<u8>, labels: &Labels, cluster: &[u8], left_out: &[&str]) {
    let push_cluster = |out: &mut Vec<u8>| {
        out.extend_from_slice(b",cluster_name=");
        out.extend_from_slice(cluster);
    };
    let mut cluster_is_there = false;
    for (key, value) in labels.iter() {
        if value.is_empty() || left_out.contains(&key) {
            continue;
        }
        if !cluster_is_there && key >= CLUSTER {
            push_cluster(out);
            cluster_is_there = true;
            if key == CLUSTER {
                continue;
            }
        }
        out.push(b',');
        push_escaped(out, key, is_tag_special);
        out.push(b'=');
        push_escaped(out, value, is_tag_special);
    }
    if !cluster_is_there {
        push_cluster(out);
    }
}

fn escaped(text: &str, special: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut out = Vec::new();
    push_escaped(&mut out, text, special);
    out
}

/// A backslash before what is special; a line break, which cannot be said, becomes a space.
fn push_escaped(out: &mut Vec<u8>, text: &str, special: impl Fn(u8) -> bool) {
    for byte in text.bytes() {
        let byte = if matches!(byte, b'\n' | b'\r') { b' ' } else { byte };
        if special(byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    if text.ends_with('\\') {
        // A backslash at the end would escape what follows.
        out.extend_from_slice(b"\\ ");
    }
}

fn is_tag_special(byte: u8) -> bool {
    matches!(byte, b',' | b' ' | b'=')
}

fn is_measurement_special(byte: u8) -> bool {
    matches!(byte, b',' | b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_durations_cannot_smuggle_statements() {
        assert_eq!(identifier("k8s"), "k8s");
        assert_eq!(identifier("a b\"; DROP DATABASE x"), "\"a b\\\"; DROP DATABASE x\"");
        for good in ["7d", "1w2d", "36h", "0s", "100ms"] {
            assert!(is_duration(good), "{good}");
        }
        for bad in ["d", "7", "7d;", "7x", "7d 8"] {
            assert!(!is_duration(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_special_is_escaped() {
        let check = |text, expected: &str| {
            assert_eq!(String::from_utf8(escaped(text, is_tag_special)).unwrap(), expected);
        };
        check("a:b,c=d e", "a:b\\,c\\=d\\ e");
        check("two\nlines", "two\\ lines");
        check("end\\", "end\\\\ ");
    }
}
