//! A sink of any kind, whatever it takes, with an address of the test's in the settings of its own
//! example.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use model::{
    Alert, AlertBatch, Batch, Draft, EntityKind, Event, EventBatch, LabelOptions, MetricId, Node,
    Registry, Timestamp, metric,
};
use sinks::{AlertSink, EventSink, Kind, Setup, Sink, SinkStatus};

use crate::fixtures::example;

/// A sink of metrics, or of events or alerts where the kind takes only those.
pub(crate) enum Any {
    Metrics(Box<Sink>, MetricId),
    Events(Box<EventSink>),
    Alerts(Box<AlertSink>),
}

impl Any {
    pub(crate) fn new(kind: &Kind, settings: Vec<(String, String)>) -> Self {
        // Signed is by the time that it is: servers compare.
        let clock = || Timestamp::from_millis(jiff::Timestamp::now().as_millisecond());
        let setup = Setup {
            settings,
            labels: LabelOptions::default(),
            output: Box::new(io::sink()),
            clock: sinks::Clock::new(clock),
        };
        if kind.takes_metrics() {
            // Google's names have no rate among them.
            let google = kind.key == "stackdriver";
            let metric = if google { metric::MEMORY_WORKING_SET } else { metric::CPU_USAGE_RATE };
            Self::Metrics(Box::new(kind.build(setup).unwrap()), metric)
        } else if kind.takes_events() {
            Self::Events(Box::new(kind.build_events(setup).unwrap()))
        } else {
            Self::Alerts(Box::new(kind.build_alerts(setup).unwrap()))
        }
    }

    /// Exports the batch of `minute`: one point.
    pub(crate) fn export(&mut self, minute: i64, value: i64) {
        self.export_many(1, minute, value);
    }

    /// Exports the batch of `minute`: that many points.
    pub(crate) fn export_many(&mut self, points: usize, minute: i64, value: i64) {
        match self {
            Self::Metrics(sink, metric) => {
                sink.export(&node_batch(*metric, points, minute, value)).unwrap();
            }
            Self::Events(sink) => sink.export(&event_batch(points, minute, value)).unwrap(),
            Self::Alerts(sink) => sink.export(&alert_batch(points, minute, value)).unwrap(),
        }
    }

    /// How it stands; `None` for a sink that prints.
    pub(crate) fn status(&self) -> Option<SinkStatus> {
        let handle = match self {
            Self::Metrics(sink, _) => sink.status(),
            Self::Events(sink) => sink.status(),
            Self::Alerts(sink) => sink.status(),
        };
        handle.map(|handle| handle.status())
    }

    /// As [`Sink::settled`].
    pub(crate) async fn settled(&self) {
        match self {
            Self::Metrics(sink, _) => sink.settled().await,
            Self::Events(sink) => sink.settled().await,
            Self::Alerts(sink) => sink.settled().await,
        }
    }
}

/// The settings of the kind's example, with everything that it sends to at `address`. A key of
/// Google's is written into `folder`.
pub(crate) fn aimed(kind: &Kind, address: &str, folder: &Path) -> Vec<(String, String)> {
    let http = format!("http://{address}");
    let (name, value) = match kind.key {
        "kafka" => ("brokers", address.to_owned()),
        "gcm" | "stackdriver" | "gcl" | "librato" => ("api", http),
        "honeycomb" => ("apihost", http),
        "elasticsearch" => ("nodes", http),
        "graphite" => ("address", format!("tcp://{address}")),
        "statsd" => ("address", format!("udp://{address}")),
        "email" => ("address", format!("smtp://{address}")),
        "wavefront" => ("address", address.to_owned()),
        "s3" => ("address", format!("{http}/bucket")),
        "files" => ("address", folder.join("files").display().to_string()),
        _ => ("address", http),
    };
    let mut settings = example(kind);
    // Nothing is left to gather, and everything may go.
    let replaced = [name, "metrics", "autoscaling", "queue", "batch_time"];
    settings.retain(|(name, _)| !replaced.contains(&&**name));
    settings.push((name.to_owned(), value));
    if name == "api" && kind.key != "librato" {
        let file = write_key(folder, address);
        settings.push(("credentials".to_owned(), file));
    }
    if ["files", "s3"].contains(&kind.key) {
        settings.push(("batch_time".to_owned(), "1s".to_owned()));
        settings.push(("batch_bytes".to_owned(), "1".to_owned()));
    }
    settings
}

/// Writes the key of an account of Google's whose tokens come from `address`.
pub(crate) fn write_key(folder: &Path, address: &str) -> String {
    let pem = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/google-test-key.pem");
    let key = serde_json::json!({
        "client_email": "me@p1.iam.gserviceaccount.com",
        "private_key": fs::read_to_string(pem).unwrap(),
        "token_uri": format!("http://{address}/token"),
        "project_id": "p1",
    });
    let file = folder.join("key.json");
    fs::write(&file, key.to_string()).unwrap();
    file.display().to_string()
}

/// One point of each node.
fn node_batch(metric: MetricId, nodes: usize, minute: i64, value: i64) -> Batch {
    let mut draft = Draft::new(Timestamp::from_secs(60 * minute), Registry::default());
    for number in 1..=nodes {
        let name = format!("n{number}");
        let entity = draft.registry.node(&name);
        let row = draft.insert(&entity).row;
        let table = draft.table_mut(EntityKind::Node);
        let node = Node { name: (&*name).into(), hostname: (&*name).into(), ..Node::default() };
        table.context_mut(row).node = Some(Arc::new(node));
        table.set_started(row, Timestamp::from_secs(60 * (minute - 100)));
        table.set_int(row, metric, value);
    }
    Arc::into_inner(draft.freeze().0).unwrap()
}

/// Events that happened `count` times.
fn event_batch(events: usize, minute: i64, count: i64) -> EventBatch {
    let timestamp = Timestamp::from_secs(60 * minute);
    let event = |number| Event {
        uid: format!("event-{minute}-{number}").into(),
        namespace: "shop".into(),
        object_kind: "Pod".into(),
        object_name: "web-0".into(),
        reason: "BackOff".into(),
        event_type: "Warning".into(),
        message: "back-off".into(),
        count: count.try_into().unwrap(),
        first_seen: timestamp,
        last_seen: timestamp,
        ..Event::default()
    };
    EventBatch { timestamp, events: (0..events).map(event).collect() }
}

/// Alerts that began in this minute and last for an hour, with `value` in an annotation.
fn alert_batch(alerts: usize, minute: i64, value: i64) -> AlertBatch {
    let timestamp = Timestamp::from_secs(60 * minute);
    let alert = |number| Alert {
        name: format!("Alert{number}").into(),
        labels: vec![("minute".into(), minute.to_string().into())],
        annotations: vec![("value".into(), value.to_string().into())],
        value: 1.0,
        started: timestamp,
        ended: Timestamp::from_secs(60 * (minute + 60)),
        link: "".into(),
    };
    AlertBatch { timestamp, alerts: (0..alerts).map(alert).collect() }
}
