//! Honeycomb: one JSON event per metric set, labels and values side by side.

use http::HeaderName;
use model::{Batch, Event, Metric, MetricId, Timestamp, metric};

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::labels::Labels;
use crate::plan::{Encode, EncodeEvents, EventPlan, Plan, Transport};
use crate::select::{Selection, value};
use crate::settings::Settings;
use crate::text::{push_int, push_json, push_value};
use crate::transport::{Body, HttpPlan};
use crate::{Error, Events, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "honeycomb",
    name: "Honeycomb Sink",
    settings: &[
        ("dataset", "data set (default heapster)"),
        ("writekey", "key of the team; required"),
        ("writekey_file", "file that holds the key"),
        ("apihost", "server (default https://api.honeycomb.io/)"),
    ],
    example: "honeycomb:?dataset=heapster&writekey=$HONEYCOMB_WRITEKEY",
    notice: None,
    metrics: Some(plan),
    events: Some(Events { name: "Honeycomb Sink", plan: event_plan }),
    alerts: None,
};

/// Most events and bytes of one request.
const EVENTS: u32 = 100;
const BYTES: usize = 1 << 20;
/// Counters that are also there as rates, and are left out.
const COUNTERS: &[MetricId] = &[
    metric::CPU_USAGE,
    metric::MEMORY_PAGE_FAULTS,
    metric::MEMORY_MAJOR_PAGE_FAULTS,
    metric::NETWORK_RX,
    metric::NETWORK_RX_ERRORS,
    metric::NETWORK_TX,
    metric::NETWORK_TX_ERRORS,
];

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let encode = Honeycomb { selection, labels: Labels::default() };
    let (encode, framing) = (Box::new(encode), framing());
    Ok(Plan { encode, framing, transport: transport(settings)?, concurrency: 1 })
}

fn event_plan(settings: &Settings) -> Result<EventPlan, Error> {
    let (encode, framing) = (Box::new(HoneycombEvents), framing());
    Ok(EventPlan { encode, framing, transport: transport(settings)?, concurrency: 1 })
}

fn framing() -> Framing {
    Framing { head: b"[".into(), separator: b",", tail: b"]", ..Framing::lines(EVENTS, BYTES) }
}

fn transport(settings: &Settings) -> Result<Transport, Error> {
    let host = settings.text_or("apihost", settings.text_or("address", ""));
    let address = Address::parse(host, "api.honeycomb.io:443");
    let scheme = if address.scheme == "http" { "http" } else { "https" };
    let dataset = settings.text_or("dataset", "heapster");
    let Some(key) = settings.secret("writekey", "writekey_file")? else {
        return Err(settings.bad("writekey", "", "the keys of a team"));
    };
    let escaped: String = form_urlencoded::byte_serialize(dataset.as_bytes()).collect();
    Ok(Transport::Http(Box::new(HttpPlan {
        destination: format!("/{dataset}"),
        body: Body::Json("application/json"),
        headers: vec![(HeaderName::from_static("x-honeycomb-team"), key)],
        ..HttpPlan::post(
            format!("{scheme}://{}", address.authority),
            format!("{}/1/batch/{escaped}", address.path.trim_end_matches('/')),
        )
    })))
}

struct Honeycomb {
    selection: Selection,
    labels: Labels,
}

impl Encode for Honeycomb {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let Self { selection, labels } = self;
        let end = format!("}},\"Timestamp\":\"{}\"}}", batch.timestamp().to_rfc3339_seconds());
        for mut selected in selection.tables(batch) {
            if selected.table.kind().is_labeled_part() {
                // An event has one value per name: Heapster left these out as well.
                continue;
            }
            selected.columns.retain(|column| match column.metric() {
                Metric::Known(id) => !COUNTERS.contains(id),
                Metric::Custom { .. } => true,
            });
            selection.for_each_row(batch, &selected, labels, |row, labels| {
                let values = selected.columns.iter().filter_map(|column| {
                    Some((column.metric().name(), Field::Value(value(column, row.at)?)))
                });
                let mut fields: Vec<_> = values.collect();
                if fields.is_empty() {
                    return;
                }
                fields.extend(labels.iter().map(|(key, value)| (key, Field::Label(value))));
                fields.sort_unstable_by_key(|(key, _)| *key);
                out.point(|event| {
                    event.extend_from_slice(b"{\"Data\":{");
                    for (at, (key, field)) in fields.into_iter().enumerate() {
                        if at > 0 {
                            event.push(b',');
                        }
                        push_json(event, key);
                        event.push(b':');
                        match field {
                            Field::Value(value) => push_value(event, value),
                            Field::Label(text) => push_json(event, text),
                        }
                    }
                    event.extend_from_slice(end.as_bytes());
                });
            });
        }
    }
}

struct HoneycombEvents;

impl EncodeEvents for HoneycombEvents {
    fn event(&mut self, _: Timestamp, event: &Event, out: &mut Chunks<'_>) {
        let texts = |out: &mut Vec<u8>, texts: &[(&str, &str)]| {
            for (key, value) in texts {
                push_json(out, key);
                out.push(b':');
                push_json(out, value);
                out.push(b',');
            }
        };
        out.point(|line| {
            line.extend_from_slice(b"{\"Data\":{");
            texts(
                line,
                &[
                    ("namespace", &event.namespace),
                    ("kind", &event.object_kind),
                    ("name", &event.object_name),
                    ("subobject", &event.object_field),
                    ("source.component", &event.component),
                    ("source.host", &event.host),
                ],
            );
            line.extend_from_slice(b"\"count\":");
            push_int(line, event.count.into());
            line.push(b',');
            texts(line, &[("type", &event.event_type), ("reason", &event.reason)]);
            line.extend_from_slice(b"\"message\":");
            push_json(line, &event.message);
            line.extend_from_slice(b"},\"Timestamp\":\"");
            line.extend_from_slice(event.last_seen.to_rfc3339_seconds().as_bytes());
            line.extend_from_slice(b"\"}");
        });
    }
}

enum Field<'a> {
    Value(model::Value),
    Label(&'a str),
}
