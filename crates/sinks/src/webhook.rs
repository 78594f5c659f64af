//! Webhook: a POST of JSON for each event, as a template has it, signed.

use http::HeaderName;
use model::{Event, Timestamp};

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::credentials::bearer;
use crate::plan::{EncodeEvents, EventPlan, Transport};
use crate::settings::Settings;
use crate::text::{push_int, push_json};
use crate::transport::{Body, HttpPlan, Sign};
use crate::{Error, Events, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "webhook",
    name: "Webhook Sink",
    settings: &[
        (
            "template",
            "JSON in which {{field}} is replaced: uid, namespace, kind, name, reason, type, \
             message, source, count, first_seen, last_seen (default: all of them as one object)",
        ),
        ("template_file", "file that holds the template"),
        ("secret", "key of the HMAC-SHA256 over the body, in the header X-Taffrail-Signature"),
        ("secret_file", "file that holds that key"),
        ("token", "bearer token"),
        ("token_file", "file that holds the bearer token"),
        ("insecuressl", "true: do not verify the server's certificate"),
    ],
    example: "webhook:https://hooks.example.com/k8s?secret_file=/etc/hook/secret",
    notice: None,
    metrics: None,
    events: Some(Events { name: "Webhook Sink", plan }),
};

/// Most bytes of one body.
const BYTES: usize = 1 << 20;

fn plan(settings: &Settings) -> Result<EventPlan, Error> {
    let address = Address::parse(settings.text_or("address", ""), "localhost:80");
    let (scheme, authority) = if address.scheme == "https" {
        let https = Address::parse(settings.text_or("address", ""), "localhost:443");
        ("https", https.authority)
    } else {
        ("http", address.authority)
    };
    let path = if address.path.is_empty() { "/" } else { &*address.path };
    let sign = settings.secret("secret", "secret_file")?.map(|secret| {
        let header = HeaderName::from_static("x-taffrail-signature");
        Sign::Hmac { header, secret }
    });
    let transport = Transport::Http(Box::new(HttpPlan {
        destination: path.to_owned(),
        body: Body::Json("application/json"),
        headers: bearer(settings)?,
        id_header: Some(HeaderName::from_static("idempotency-key")),
        sign,
        ..HttpPlan::post(format!("{scheme}://{authority}"), path.to_owned())
    }));
    let template = match settings.path("template_file") {
        Some(path) => Some(settings.read("template_file", &path)?),
        None => settings.text("template").map(str::to_owned),
    };
    let template = template.map(|text| Template::parse(settings, &text)).transpose()?;
    let framing = Framing { joins: false, ..Framing::lines(1, BYTES) };
    Ok(EventPlan { encode: Box::new(Webhook { template }), framing, transport, concurrency: 1 })
}

struct Webhook {
    template: Option<Template>,
}

impl EncodeEvents for Webhook {
    fn event(&mut self, _: Timestamp, event: &Event, out: &mut Chunks<'_>) {
        out.point(|body| match &self.template {
            None => push_event(body, event),
            Some(template) => template.write(body, event),
        });
    }
}

/// Fields of an event by name.
const FIELDS: &[&str] = &[
    "uid",
    "namespace",
    "kind",
    "name",
    "reason",
    "type",
    "message",
    "source",
    "count",
    "first_seen",
    "last_seen",
];

/// Writes a field as JSON.
fn push_field(out: &mut Vec<u8>, field: &str, event: &Event) {
    match field {
        "uid" => push_json(out, &event.uid),
        "namespace" => push_json(out, &event.namespace),
        "kind" => push_json(out, &event.object_kind),
        "name" => push_json(out, &event.object_name),
        "reason" => push_json(out, &event.reason),
        "type" => push_json(out, &event.event_type),
        "message" => push_json(out, &event.message),
        "source" => push_json(out, &event.source),
        "count" => push_int(out, event.count.into()),
        "first_seen" => push_json(out, &event.first_seen.to_rfc3339_seconds()),
        _ => push_json(out, &event.last_seen.to_rfc3339_seconds()),
    }
}

/// An event as one JSON object.
pub(crate) fn push_event(out: &mut Vec<u8>, event: &Event) {
    for (at, field) in FIELDS.iter().enumerate() {
        out.push(if at == 0 { b'{' } else { b',' });
        push_json(out, field);
        out.push(b':');
        push_field(out, field, event);
    }
    out.push(b'}');
}

/// JSON with fields to be filled in.
struct Template {
    /// Text, and the field after it.
    parts: Vec<(String, &'static str)>,
    rest: String,
}

impl Template {
    fn parse(settings: &Settings, text: &str) -> Result<Self, Error> {
        let wrong = |value: &str| {
            settings.bad("template", value, "templates of JSON with {{fields}} of an event")
        };
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").ok_or_else(|| wrong(text))?;
            let known = FIELDS.iter().find(|field| **field == name.trim());
            parts.push((before.to_owned(), *known.ok_or_else(|| wrong(name))?));
            rest = after;
        }
        let template = Self { parts, rest: rest.to_owned() };
        let mut tried = Vec::new();
        template.write(&mut tried, &Event::default());
        let json: Result<serde_json::Value, _> = serde_json::from_slice(&tried);
        if json.is_err() { Err(wrong(text)) } else { Ok(template) }
    }

    /// Inside quotes a field stands without its own.
    fn write(&self, out: &mut Vec<u8>, event: &Event) {
        let mut quoted = false;
        let mut follow = |text: &str| {
            let mut escaped = false;
            for byte in text.bytes() {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => quoted = !quoted,
                    _ => {}
                }
            }
            quoted
        };
        for (text, field) in &self.parts {
            out.extend_from_slice(text.as_bytes());
            let inside = follow(text);
            let start = out.len();
            push_field(out, field, event);
            if inside && out.get(start) == Some(&b'"') {
                out.remove(start);
                out.pop();
            }
        }
        out.extend_from_slice(self.rest.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Clock;

    fn settings(template: &str) -> Settings {
        let pairs = vec![("template".to_owned(), template.to_owned())];
        Settings { sink: "webhook", pairs, clock: Clock::default() }
    }

    #[test]
    fn templates_are_filled_in_as_json() {
        let event = Event {
            reason: "Back\"Off".into(),
            object_name: "web-0".into(),
            count: 3,
            ..Event::default()
        };
        let text = r#"{"text": "{{name}}: {{reason}}", "count": {{count}}, "raw": {{reason}}}"#;
        let mut out = Vec::new();
        Template::parse(&settings(text), text).unwrap().write(&mut out, &event);
        let expected = r#"{"text": "web-0: Back\"Off", "count": 3, "raw": "Back\"Off"}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        for bad in ["{{nonsense}}", "{\"a\": {{name}", "{\"a\": {{name}}"] {
            assert!(Template::parse(&settings(bad), bad).is_err(), "{bad}");
        }
    }
}
