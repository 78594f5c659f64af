//! Loki: events as log lines of JSON, for its push API.

use http::HeaderName;
use model::{Event, Timestamp};

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::credentials::{basic, bearer};
use crate::plan::{EncodeEvents, EventPlan, Transport};
use crate::settings::{Secret, Settings};
use crate::text::{push_int, push_json};
use crate::transport::{Body, Finish, HttpPlan};
use crate::webhook::push_event;
use crate::{Error, Events, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "loki",
    name: "Loki Sink",
    settings: &[
        ("tenant", "value of the header X-Scope-OrgID"),
        ("user", "user"),
        ("pw", "password"),
        ("pw_file", "file that holds the password"),
        ("token", "bearer token"),
        ("token_file", "file that holds the bearer token"),
        ("cluster", "value of the label cluster (default: none)"),
        ("job", "value of the label job (default kubernetes-events)"),
        ("insecuressl", "true: do not verify the server's certificate"),
    ],
    example: "loki:http://loki:3100?cluster=production",
    notice: None,
    metrics: None,
    events: Some(Events { name: "Loki Sink", plan }),
    alerts: None,
};

/// Most events and bytes of one push, before compression.
const EVENTS: u32 = 1000;
const BYTES: usize = 1 << 20;

fn plan(settings: &Settings) -> Result<EventPlan, Error> {
    let address = Address::parse(settings.text_or("address", ""), "localhost:3100");
    let path = match &*address.path {
        "" | "/" => "/loki/api/v1/push",
        path => path,
    };
    let mut headers = bearer(settings)?;
    if let Some(tenant) = settings.text("tenant") {
        headers.push((HeaderName::from_static("x-scope-orgid"), Secret::from(tenant)));
    }
    let transport = Transport::Http(Box::new(HttpPlan {
        destination: path.to_owned(),
        body: Body::Json("application/json"),
        finish: Finish::Gzip,
        basic: basic(settings)?,
        headers,
        ..HttpPlan::post(address.base(), path.to_owned())
    }));
    let mut labels = Vec::new();
    for (name, default) in [("cluster", ""), ("job", "kubernetes-events")] {
        let value = settings.text_or(name, default);
        if !value.is_empty() {
            push_label(&mut labels, name, value);
        }
    }
    let framing = Framing {
        head: b"{\"streams\":[".into(),
        separator: b",",
        tail: b"]}",
        ..Framing::lines(EVENTS, BYTES)
    };
    Ok(EventPlan { encode: Box::new(Loki { labels }), framing, transport, concurrency: 1 })
}

struct Loki {
    /// Those of every stream, each with a comma after it.
    labels: Vec<u8>,
}

impl EncodeEvents for Loki {
    fn event(&mut self, timestamp: Timestamp, event: &Event, out: &mut Chunks<'_>) {
        let time = if event.last_seen.is_never() { timestamp } else { event.last_seen };
        let mut line = Vec::new();
        push_event(&mut line, event);
        let line = String::from_utf8(line).unwrap_or_default();
        out.point(|stream| {
            stream.extend_from_slice(b"{\"stream\":{");
            stream.extend_from_slice(&self.labels);
            // Few values each, so that streams stay few.
            for (name, value) in [
                ("namespace", &event.namespace),
                ("kind", &event.object_kind),
                ("type", &event.event_type),
                ("reason", &event.reason),
            ] {
                if !value.is_empty() {
                    push_label(stream, name, value);
                }
            }
            stream.pop_if(|last| *last == b',');
            stream.extend_from_slice(b"},\"values\":[[\"");
            push_int(stream, time.nanos());
            stream.extend_from_slice(b"\",");
            push_json(stream, &line);
            stream.extend_from_slice(b"]]}");
        });
    }
}

fn push_label(out: &mut Vec<u8>, name: &str, value: &str) {
    push_json(out, name);
    out.push(b':');
    push_json(out, value);
    out.push(b',');
}
