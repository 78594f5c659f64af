//! OpenTSDB: JSON points over HTTP.

use model::{Batch, Kind as MetricKind};

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::labels::Labels;
use crate::plan::{Encode, Plan, Transport};
use crate::select::{Selection, value};
use crate::settings::Settings;
use crate::text::{push_clean, push_int, push_json, push_value};
use crate::transport::{Body, HttpPlan};
use crate::{Error, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "opentsdb",
    name: "OpenTSDB Sink",
    settings: &[("cluster", "value of the tag cluster (default k8s-cluster)")],
    example: "opentsdb:http://opentsdb:4242?cluster=production",
    notice: None,
    metrics: Some(plan),
    events: None,
    alerts: None,
};

/// Most points and bytes of one request, as Heapster's client has them.
const PUT_POINTS: u32 = 75;
const PUT_BYTES: usize = 40_960;
const CLUSTER: &str = "cluster";

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let text = settings.text_or("address", "");
    let address = Address::parse(text, "127.0.0.1:4242");
    let scheme = match &*address.scheme {
        "" | "http" => "http",
        "https" => "https",
        _ => return Err(settings.bad("address", text, "http://host:port, https://host:port")),
    };
    let transport = Transport::Http(Box::new(HttpPlan {
        body: Body::Json("application/json; charset=UTF-8"),
        ..HttpPlan::post(format!("{scheme}://{}", address.authority), "/api/put?summary".to_owned())
    }));
    let framing = Framing {
        head: b"[".into(),
        separator: b",",
        tail: b"]",
        ..Framing::lines(PUT_POINTS, PUT_BYTES)
    };
    let cluster = settings.text_or("cluster", "k8s-cluster").to_owned();
    let encode = OpenTsdb {
        selection,
        cluster,
        labels: Labels::default(),
        tags: Vec::new(),
        clean: Vec::new(),
    };
    Ok(Plan { encode: Box::new(encode), framing, transport, concurrency: 1 })
}

struct OpenTsdb {
    selection: Selection,
    cluster: String,
    labels: Labels,
    /// The tags of one row as a JSON object; reused.
    tags: Vec<u8>,
    clean: Vec<u8>,
}

impl Encode for OpenTsdb {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let Self { selection, cluster, labels, tags, clean } = self;
        for selected in selection.tables(batch) {
            selection.for_each_row(batch, &selected, labels, |row, labels| {
                tags.clear();
                push_tags(tags, labels, cluster, clean);
                for column in &selected.columns {
                    let Some(value) = value(column, row.at) else { continue };
                    out.point(|point| {
                        point.extend_from_slice(b"{\"metric\":\"");
                        push_clean(point, column.metric().name(), |letter| {
                            is_plain(letter) && letter != '/'
                        });
                        point.extend_from_slice(match column.metric().kind() {
                            MetricKind::Counter => b"_cumulative\",\"timestamp\":",
                            MetricKind::Gauge => b"_gauge\",\"timestamp\":",
                        });
                        push_int(point, batch.timestamp().secs());
                        point.extend_from_slice(b",\"value\":");
                        push_value(point, value);
                        point.extend_from_slice(b",\"tags\":");
                        point.extend_from_slice(tags);
                        point.push(b'}');
                    });
                }
            });
        }
    }
}

/// Non-empty labels and the cluster, sorted by key.
fn push_tags(out: &mut Vec<u8>, labels: &Labels, cluster: &str, clean: &mut Vec<u8>) {
    let own = labels.iter().filter(|(key, value)| !value.is_empty() && *key != CLUSTER);
    let mut pairs: Vec<(&str, &str)> = own.collect();
    pairs.insert(pairs.partition_point(|(key, _)| *key < CLUSTER), (CLUSTER, cluster));
    out.push(b'{');
    for (at, (key, value)) in pairs.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        for (text, after) in [(key, &b":"[..]), (value, b"")] {
            clean.clear();
            push_clean(clean, text, is_plain);
            // Only ASCII is left.
            push_json(out, str::from_utf8(clean).unwrap_or_default());
            out.extend_from_slice(after);
        }
    }
    out.push(b'}');
}

/// What names and tags may hold.
fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '/')
}
