//! Kafka: a JSON message for each metric, and for each event.

use model::{Batch, Event, Timestamp};

use crate::chunks::{Chunks, Framing};
use crate::event_object::EventObject;
use crate::labels::Labels;
use crate::plan::{Encode, EncodeEvents, EventPlan, Plan, Transport};
use crate::select::{Selection, value};
use crate::settings::Settings;
use crate::text::{push_json, push_object, push_value};
use crate::transport::{Compression, Hash, KafkaPlan, Sasl};
use crate::{Error, Events, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "kafka",
    name: "kafka",
    settings: &[
        ("brokers", "host:port of a broker to begin with, repeatable; required"),
        ("timeseriestopic", "topic of metrics (default heapster-metrics)"),
        ("eventstopic", "topic of events (default heapster-events)"),
        ("compression", "none (default), gzip, snappy, lz4"),
        ("user", "user, for a log-in by SASL"),
        ("password", "password of the user"),
        ("password_file", "file that holds the password"),
        (
            "mechanism",
            "plain (default; sends the password, so use TLS), scram-sha-256, scram-sha-512",
        ),
        ("tls", "true: TLS; also on with cacert, or with cert and key"),
        ("insecuressl", "true: do not verify the brokers' certificates"),
    ],
    example: "kafka:?brokers=kafka:9092&timeseriestopic=metrics&compression=gzip",
    notice: None,
    metrics: Some(plan),
    events: Some(Events { name: "Apache Kafka Sink", plan: event_plan }),
    alerts: None,
};

/// Most messages and bytes of one request: brokers take a megabyte where nobody says otherwise.
const MESSAGES: u32 = 10_000;
const BYTES: usize = 900_000;
/// The tag that names an event.
const EVENT_ID: &str = "eventID";

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let topic = settings.text_or("timeseriestopic", "heapster-metrics");
    let encode = Kafka { selection, labels: Labels::default(), json: Vec::new() };
    let (framing, transport) = (Framing::lines(MESSAGES, BYTES), transport(settings, topic)?);
    Ok(Plan { encode: Box::new(encode), framing, transport, concurrency: 1 })
}

fn event_plan(settings: &Settings) -> Result<EventPlan, Error> {
    let topic = settings.text_or("eventstopic", "heapster-events");
    let (framing, transport) = (Framing::lines(MESSAGES, BYTES), transport(settings, topic)?);
    Ok(EventPlan { encode: Box::new(KafkaEvents), framing, transport, concurrency: 1 })
}

fn transport(settings: &Settings, topic: &str) -> Result<Transport, Error> {
    let brokers: Vec<String> =
        settings.all("brokers").filter(|text| !text.is_empty()).map(str::to_owned).collect();
    if brokers.is_empty() {
        return Err(settings.bad("brokers", "", "host:port of a broker"));
    }
    let compression = match settings.text_or("compression", "none") {
        "none" => Compression::None,
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        other => return Err(settings.bad("compression", other, "none, gzip, snappy, lz4")),
    };
    let password = settings.secret("password", "password_file")?;
    let user = settings.text("user").filter(|user| !user.is_empty());
    let scram = match settings.text_or("mechanism", "plain") {
        "plain" => None,
        "scram-sha-256" => Some(Hash::Sha256),
        "scram-sha-512" => Some(Hash::Sha512),
        other => {
            return Err(settings.bad("mechanism", other, "plain, scram-sha-256, scram-sha-512"));
        }
    };
    let sasl =
        user.zip(password).map(|(user, password)| Sasl { user: user.to_owned(), password, scram });
    let has = |name| settings.text(name).is_some_and(|value| !value.is_empty());
    let tls = settings.flag("tls", has("cacert") || has("cert") && has("key"))?;
    Ok(Transport::Kafka(Box::new(KafkaPlan {
        brokers,
        topic: topic.to_owned(),
        compression,
        sasl,
        tls,
    })))
}

/// Appends a message as [`KafkaPlan`] wants it: time, length, bytes.
fn push_message(out: &mut Vec<u8>, time: Timestamp, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&time.millis().to_be_bytes());
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

struct Kafka {
    selection: Selection,
    labels: Labels,
    /// The labels of one row as JSON; reused.
    json: Vec<u8>,
}

impl Encode for Kafka {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let Self { selection, labels, json } = self;
        let time = batch.timestamp().to_rfc3339_seconds();
        for selected in selection.tables(batch) {
            selection.for_each_row(batch, &selected, labels, |row, labels| {
                json.clear();
                push_object(json, labels.iter());
                for column in &selected.columns {
                    let Some(value) = value(column, row.at) else { continue };
                    out.point(|out| {
                        push_message(out, batch.timestamp(), |out| {
                            out.extend_from_slice(b"{\"MetricsName\":");
                            push_json(out, column.metric().name());
                            out.extend_from_slice(b",\"MetricsValue\":{\"value\":");
                            push_value(out, value);
                            out.extend_from_slice(b"},\"MetricsTimestamp\":");
                            push_json(out, &time);
                            out.extend_from_slice(b",\"MetricsTags\":");
                            out.extend_from_slice(json);
                            out.push(b'}');
                        });
                    });
                }
            });
        }
    }
}

struct KafkaEvents;

impl EncodeEvents for KafkaEvents {
    fn event(&mut self, timestamp: Timestamp, event: &Event, out: &mut Chunks<'_>) {
        let object = EventObject::of(event).indented();
        let mut tags = vec![(EVENT_ID, &*event.uid), ("hostname", &*event.host)];
        if &*event.object_kind == "Pod" {
            tags.extend([("pod_id", &*event.object_uid), ("pod_name", &*event.object_name)]);
        }
        let time = if event.last_seen.is_never() { timestamp } else { event.last_seen };
        out.point(|out| {
            push_message(out, time, |out| {
                out.extend_from_slice(b"{\"EventValue\":");
                push_json(out, &String::from_utf8_lossy(&object));
                out.extend_from_slice(b",\"EventTimestamp\":");
                push_json(out, &event.last_seen.to_rfc3339_seconds());
                out.extend_from_slice(b",\"EventTags\":");
                push_object(out, tags);
                out.push(b'}');
            });
        });
    }
}
