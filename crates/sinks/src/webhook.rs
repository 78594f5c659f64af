//! Webhook: a POST of JSON for each event or alert, as a template has it, signed.

use http::HeaderName;
use model::{Alert, Event, Timestamp};

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::credentials::bearer;
use crate::plan::{AlertPlan, EncodeAlerts, EncodeEvents, EventPlan, Transport};
use crate::settings::Settings;
use crate::template::Template;
use crate::text::{push_float, push_int, push_json, push_object};
use crate::transport::{Body, HttpPlan, Sign};
use crate::{Alerts, Error, Events, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "webhook",
    name: "Webhook Sink",
    settings: &[
        (
            "template",
            "JSON in which {{field}} is replaced (default: all fields as one object); of an event: \
             uid, namespace, kind, name, reason, type, message, source, count, first_seen, \
             last_seen; of an alert: name, state (firing or resolved), labels, annotations, \
             labels.NAME, annotations.NAME, value, started, ended, link",
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
    alerts: Some(Alerts { plan: alert_plan }),
};

/// Most bytes of one body.
const BYTES: usize = 1 << 20;

fn plan(settings: &Settings) -> Result<EventPlan, Error> {
    let template = Template::read(settings, |out, field| {
        FIELDS.contains(&field) && {
            push_field(out, field, &Event::default());
            true
        }
    })?;
    let encode = Box::new(Webhook { template });
    Ok(EventPlan { encode, framing: framing(), transport: transport(settings)?, concurrency: 1 })
}

fn alert_plan(settings: &Settings) -> Result<AlertPlan, Error> {
    let example = Alert {
        name: "".into(),
        labels: Vec::new(),
        annotations: Vec::new(),
        value: 0.0,
        started: Timestamp::NEVER,
        ended: Timestamp::NEVER,
        link: "".into(),
    };
    let template = Template::read(settings, |out, field| push_alert_field(out, field, &example))?;
    let encode = Box::new(Webhook { template });
    Ok(AlertPlan { encode, framing: framing(), transport: transport(settings)?, concurrency: 1 })
}

fn framing() -> Framing {
    Framing { joins: false, ..Framing::lines(1, BYTES) }
}

fn transport(settings: &Settings) -> Result<Transport, Error> {
    let text = settings.text_or("address", "");
    let scheme = if text.starts_with("https:") { "https" } else { "http" };
    let default = if scheme == "https" { "localhost:443" } else { "localhost:80" };
    let Address { authority, path, .. } = Address::parse(text, default);
    let path = if path.is_empty() { "/" } else { &*path };
    let sign = settings.secret("secret", "secret_file")?.map(|secret| {
        let header = HeaderName::from_static("x-taffrail-signature");
        Sign::Hmac { header, secret }
    });
    Ok(Transport::Http(Box::new(HttpPlan {
        destination: path.to_owned(),
        body: Body::Json("application/json"),
        headers: bearer(settings)?,
        id_header: Some(HeaderName::from_static("idempotency-key")),
        sign,
        ..HttpPlan::post(format!("{scheme}://{authority}"), path.to_owned())
    })))
}

struct Webhook {
    template: Option<Template>,
}

impl EncodeEvents for Webhook {
    fn event(&mut self, _: Timestamp, event: &Event, out: &mut Chunks<'_>) {
        out.point(|body| match &self.template {
            None => push_event(body, event),
            Some(template) => template.write(body, |out, field| {
                push_field(out, field, event);
                true
            }),
        });
    }
}

impl EncodeAlerts for Webhook {
    fn alert(&mut self, _: Timestamp, alert: &Alert, out: &mut Chunks<'_>) {
        out.point(|body| match &self.template {
            None => push_alert(body, alert),
            Some(template) => {
                template.write(body, |out, field| push_alert_field(out, field, alert));
            }
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
    push_fields(out, FIELDS, |out, field| push_field(out, field, event));
}

/// Fields of an alert by name.
const ALERT_FIELDS: &[&str] =
    &["name", "state", "labels", "annotations", "value", "started", "ended", "link"];

/// Writes a field as JSON, or says that there is none of that name.
fn push_alert_field(out: &mut Vec<u8>, field: &str, alert: &Alert) -> bool {
    match field {
        "name" => push_json(out, &alert.name),
        "state" => push_json(out, if alert.fires() { "firing" } else { "resolved" }),
        "labels" => push_object(out, alert.labels.iter().map(|(name, value)| (name, value))),
        "annotations" => {
            push_object(out, alert.annotations.iter().map(|(name, value)| (name, value)));
        }
        // JSON has neither infinities nor what is no number.
        "value" if !alert.value.is_finite() => out.extend_from_slice(b"null"),
        "value" => push_float(out, alert.value),
        "started" => push_json(out, &alert.started.to_rfc3339_seconds()),
        "ended" if alert.fires() => out.extend_from_slice(b"null"),
        "ended" => push_json(out, &alert.ended.to_rfc3339_seconds()),
        "link" => push_json(out, &alert.link),
        _ => match field.split_once('.') {
            Some(("labels", name)) => push_json(out, alert.label(name)),
            Some(("annotations", name)) => push_json(out, alert.annotation(name)),
            _ => return false,
        },
    }
    true
}

/// An alert as one JSON object.
fn push_alert(out: &mut Vec<u8>, alert: &Alert) {
    push_fields(out, ALERT_FIELDS, |out, field| {
        push_alert_field(out, field, alert);
    });
}

/// One JSON object of the named fields, whose values `push` writes.
fn push_fields(out: &mut Vec<u8>, fields: &[&str], push: impl Fn(&mut Vec<u8>, &str)) {
    for (at, field) in fields.iter().enumerate() {
        out.push(if at == 0 { b'{' } else { b',' });
        push_json(out, field);
        out.push(b':');
        push(out, field);
    }
    out.push(b'}');
}
