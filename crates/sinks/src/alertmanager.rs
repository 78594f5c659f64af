//! Alertmanager: alerts to its API, version 2, as Prometheus sends them.

use model::{Alert, Timestamp};
use once::Order as _;

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::credentials::bearer;
use crate::plan::{AlertPlan, EncodeAlerts, Transport};
use crate::settings::Settings;
use crate::text::{push_json, push_object};
use crate::transport::{Body, HttpPlan};
use crate::{Alerts, Error, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "alertmanager",
    name: "Alertmanager Sink",
    settings: &[
        ("token", "bearer token"),
        ("token_file", "file that holds the bearer token"),
        ("insecuressl", "true: do not verify the server's certificate"),
    ],
    example: "alertmanager:http://alertmanager:9093",
    notice: None,
    metrics: None,
    events: None,
    alerts: Some(Alerts { plan }),
};

/// Most alerts of one request, as Prometheus.
const ALERTS: u32 = 64;
/// Most bytes of one request.
const BYTES: usize = 1 << 20;
/// How long an alert fires on when nothing more is heard, milliseconds: four times the pause
/// between two messages, as Prometheus.
const FIRES_ON_MS: i64 = 240_000;

fn plan(settings: &Settings) -> Result<AlertPlan, Error> {
    let text = settings.text_or("address", "http://localhost:9093");
    let scheme = if text.starts_with("https:") { "https" } else { "http" };
    let Address { authority, path, .. } = Address::parse(text, "localhost:9093");
    let path = format!("{}/api/v2/alerts", path.trim_end_matches('/'));
    let framing = Framing {
        head: b"[".to_vec(),
        separator: b",",
        tail: b"]",
        ..Framing::lines(ALERTS, BYTES)
    };
    let transport = Transport::Http(Box::new(HttpPlan {
        destination: path.clone(),
        body: Body::Json("application/json"),
        headers: bearer(settings)?,
        ..HttpPlan::post(format!("{scheme}://{authority}"), path)
    }));
    Ok(AlertPlan { encode: Box::new(Alertmanager), framing, transport, concurrency: 1 })
}

struct Alertmanager;

impl EncodeAlerts for Alertmanager {
    fn alert(&mut self, timestamp: Timestamp, alert: &Alert, out: &mut Chunks<'_>) {
        let ends = if alert.fires() {
            Timestamp::from_millis(timestamp.millis().saturating_add(FIRES_ON_MS))
        } else {
            alert.ended
        };
        out.point(|body| {
            body.extend_from_slice(b"{\"labels\":");
            let name: (Box<str>, Box<str>) = ("alertname".into(), alert.name.clone());
            let mut labels: Vec<&(Box<str>, Box<str>)> = alert.labels.iter().collect();
            labels.push(&name);
            labels.order();
            push_object(body, labels.into_iter().map(|(name, value)| (name, value)));
            body.extend_from_slice(b",\"annotations\":");
            push_object(body, alert.annotations.iter().map(|(name, value)| (name, value)));
            body.extend_from_slice(b",\"startsAt\":");
            push_json(body, &alert.started.to_string());
            body.extend_from_slice(b",\"endsAt\":");
            push_json(body, &ends.to_string());
            if !alert.link.is_empty() {
                body.extend_from_slice(b",\"generatorURL\":");
                push_json(body, &alert.link);
            }
            body.push(b'}');
        });
    }
}
