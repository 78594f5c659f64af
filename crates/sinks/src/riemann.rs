//! Riemann: protocol buffers over TCP, an answer to each message; metrics and events.

use model::{Batch, Event, Timestamp, Value};

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::event_object::EventObject;
use crate::labels::Labels;
use crate::plan::{Encode, EncodeEvents, EventPlan, Plan, Transport};
use crate::protobuf::{push_bytes, push_double, push_float, push_message, push_sint, push_uint};
use crate::select::{Selection, value};
use crate::settings::Settings;
use crate::transport::Peer;
use crate::{Error, Events, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "riemann",
    name: "Riemann Sink",
    settings: &[
        ("ttl", "seconds for which a value holds (default 60)"),
        ("state", "state of every metric (default none)"),
        ("tags", "tag of every event, repeatable (default heapster)"),
        ("host", "host of what has none (default: this machine's name)"),
        ("batchsize", "events in a message (default 1000)"),
    ],
    example: "riemann:http://riemann:5555?ttl=120&tags=kubernetes&host=production",
    notice: None,
    metrics: Some(plan),
    events: Some(Events { name: "Riemann Sink", plan: event_plan }),
    alerts: None,
};

/// Most bytes of one message.
const BYTES: usize = 1 << 20;
/// Where Linux tells the machine's name.
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let encode = Riemann { selection, common: common(settings)?, labels: Labels::default() };
    let (framing, transport) = (framing(settings)?, transport(settings));
    Ok(Plan { encode: Box::new(encode), framing, transport, concurrency: 1 })
}

fn event_plan(settings: &Settings) -> Result<EventPlan, Error> {
    let encode = RiemannEvents { common: common(settings)? };
    let (framing, transport) = (framing(settings)?, transport(settings));
    Ok(EventPlan { encode: Box::new(encode), framing, transport, concurrency: 1 })
}

fn framing(settings: &Settings) -> Result<Framing, Error> {
    Ok(Framing::lines(settings.number("batchsize", 1000, &1)?, BYTES))
}

fn transport(settings: &Settings) -> Transport {
    let address = Address::parse(settings.text_or("address", ""), "riemann-heapster:5555");
    Transport::Riemann(Peer::new(address))
}

fn common(settings: &Settings) -> Result<Common, Error> {
    let mut tags: Vec<String> = settings.all("tags").map(str::to_owned).collect();
    if tags.is_empty() {
        tags.push("heapster".to_owned());
    }
    let host = match settings.text_or("host", "") {
        "" => std::fs::read_to_string(HOSTNAME).unwrap_or_default(),
        host => host.to_owned(),
    };
    Ok(Common {
        ttl: settings.number("ttl", 60.0, &0.0)?,
        state: settings.text_or("state", "").to_owned(),
        tags,
        host: host.trim().to_owned(),
    })
}

/// What every event says alike.
struct Common {
    ttl: f32,
    state: String,
    tags: Vec<String>,
    /// This machine, for what has no host.
    host: String,
}

/// What one event says.
struct Said<'a> {
    time: Timestamp,
    state: &'a str,
    service: &'a str,
    host: &'a str,
    description: &'a str,
    value: Value,
}

/// Fields of `Msg` and `Event` in Riemann's proto.
mod field {
    pub(super) const EVENTS: u8 = 6;
    pub(super) const TIME: u8 = 1;
    pub(super) const STATE: u8 = 2;
    pub(super) const SERVICE: u8 = 3;
    pub(super) const HOST: u8 = 4;
    pub(super) const DESCRIPTION: u8 = 5;
    pub(super) const TAGS: u8 = 7;
    pub(super) const TTL: u8 = 8;
    pub(super) const ATTRIBUTES: u8 = 9;
    pub(super) const METRIC_SINT64: u8 = 13;
    pub(super) const METRIC_D: u8 = 14;
    pub(super) const KEY: u8 = 1;
    pub(super) const VALUE: u8 = 2;
}

impl Common {
    /// Appends an event; `labels` are its attributes, in their order.
    fn push(&self, out: &mut Vec<u8>, said: &Said<'_>, labels: &Labels) {
        push_message(out, field::EVENTS, |event| {
            push_uint(event, field::TIME, said.time.secs().cast_unsigned());
            let host = if said.host.is_empty() { &self.host } else { said.host };
            let texts = [
                (field::STATE, said.state),
                (field::SERVICE, said.service),
                (field::HOST, host),
                (field::DESCRIPTION, said.description),
            ];
            for (number, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
                push_bytes(event, number, text.as_bytes());
            }
            for tag in &self.tags {
                push_bytes(event, field::TAGS, tag.as_bytes());
            }
            push_float(event, field::TTL, self.ttl);
            for (key, value) in labels.iter() {
                push_message(event, field::ATTRIBUTES, |pair| {
                    push_bytes(pair, field::KEY, key.as_bytes());
                    push_bytes(pair, field::VALUE, value.as_bytes());
                });
            }
            match said.value {
                Value::Int(value) => push_sint(event, field::METRIC_SINT64, value),
                Value::Float(value) => push_double(event, field::METRIC_D, value),
            }
        });
    }
}

struct Riemann {
    selection: Selection,
    common: Common,
    labels: Labels,
}

impl Encode for Riemann {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let Self { selection, common, labels } = self;
        for selected in selection.tables(batch) {
            selection.for_each_row(batch, &selected, labels, |row, labels| {
                for column in &selected.columns {
                    let Some(value) = value(column, row.at) else { continue };
                    let said = Said {
                        time: batch.timestamp(),
                        state: &common.state,
                        service: column.metric().name(),
                        host: labels.get("hostname"),
                        description: "",
                        value,
                    };
                    out.point(|bytes| common.push(bytes, &said, labels));
                }
            });
        }
    }
}

struct RiemannEvents {
    common: Common,
}

impl EncodeEvents for RiemannEvents {
    fn event(&mut self, timestamp: Timestamp, event: &Event, out: &mut Chunks<'_>) {
        let object = EventObject::of(event);
        let seconds = |time: Timestamp| {
            if time.is_never() { String::new() } else { time.secs().to_string() }
        };
        let mut attributes = Labels::default();
        attributes.push("namespace", &event.namespace);
        attributes.push("uid", &event.object_uid);
        attributes.push("name", &event.object_name);
        attributes.push("api-version", &object.involved_object.api_version);
        attributes.push("resource-version", &object.involved_object.resource_version);
        attributes.push("field-path", &event.object_field);
        attributes.push("component", &event.component);
        attributes.push("first-timestamp", &seconds(event.first_seen));
        attributes.push("last-timestamp", &seconds(event.last_seen));
        attributes.sort();
        let said = Said {
            time: timestamp,
            state: if &*event.event_type == "Normal" { "ok" } else { "warning" },
            service: &format!("{}.{}", event.object_kind, event.reason),
            host: &event.host,
            description: &event.message,
            value: Value::Int(event.count.into()),
        };
        out.point(|bytes| self.common.push(bytes, &said, &attributes));
    }
}
