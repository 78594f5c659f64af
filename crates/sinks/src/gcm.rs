//! Google Cloud Monitoring v3: every metric as a custom metric.

use http::Method;
use model::{Batch, CATALOG, Descriptor, Kind as MetricKind, Metric, MetricId, ValueType, metric};
use serde_json::json;

use crate::chunks::{Chunks, Framing};
use crate::google::{
    API, BYTES, CONCURRENCY, CREDENTIALS, Google, PROJECT, Point, SERIES, push_labels, push_point,
};
use crate::labels::Labels;
use crate::plan::{Encode, Plan, Transport};
use crate::select::{Selection, value};
use crate::settings::Settings;
use crate::text::push_json;
use crate::transport::Preparation;
use crate::{Error, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "gcm",
    name: "GCM Sink",
    settings: &[
        PROJECT,
        CREDENTIALS,
        API,
        ("autoscaling", "true, as metrics=autoscaling: only what the old autoscaler read"),
    ],
    example: "gcm:?project=my-project&metrics=autoscaling",
    notice: None,
    metrics: Some(plan),
    events: None,
    alerts: None,
};

/// Before a metric's name.
const PREFIX: &str = "custom.googleapis.com/kubernetes.io/";
/// Labels that are sent.
const LABELS: [&str; 9] = [
    "container_base_image",
    "container_name",
    "custom_metric_name",
    "host_id",
    "hostname",
    "namespace_name",
    "pod_name",
    "resource_id",
    "type",
];
/// Labels of the metrics that the old autoscaler read.
const AUTOSCALING_LABELS: [&str; 3] = ["hostname", "resource_id", "resource_type"];
/// What the old autoscaler read.
const AUTOSCALING: [MetricId; 8] = [
    metric::CPU_NODE_CAPACITY,
    metric::CPU_NODE_ALLOCATABLE,
    metric::CPU_NODE_UTILIZATION,
    metric::CPU_NODE_RESERVATION,
    metric::MEMORY_NODE_CAPACITY,
    metric::MEMORY_NODE_ALLOCATABLE,
    metric::MEMORY_NODE_UTILIZATION,
    metric::MEMORY_NODE_RESERVATION,
];

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let autoscaling = settings.flag("autoscaling", false)?;
    let mut google =
        Google::new(settings, "monitoring.googleapis.com", "/v3/projects/{}/timeSeries")?;
    let wanted = |row: &&Descriptor| {
        let had = row.heapster.iter().next().is_some();
        had && (!autoscaling || AUTOSCALING.contains(&row.id))
    };
    google.http.prepare =
        CATALOG.iter().filter(wanted).map(|row| described(row, &google.project)).collect();
    let framing = Framing {
        head: b"{\"timeSeries\":[".into(),
        separator: b",",
        tail: b"]}",
        ..Framing::lines(SERIES, BYTES)
    };
    let encode = Gcm { selection, autoscaling, labels: Labels::default() };
    let transport = Transport::Http(Box::new(google.http));
    Ok(Plan { encode: Box::new(encode), framing, transport, concurrency: CONCURRENCY })
}

/// The request that makes or changes a metric's descriptor.
fn described(row: &Descriptor, project: &str) -> Preparation {
    let keys: &[&str] = if AUTOSCALING.contains(&row.id) { &AUTOSCALING_LABELS } else { &LABELS };
    let labels: Vec<_> = keys.iter().map(|key| json!({ "key": key })).collect();
    let kind = if row.kind == MetricKind::Counter { "CUMULATIVE" } else { "GAUGE" };
    let value = if row.value == ValueType::Int { "INT64" } else { "DOUBLE" };
    let body = json!({
        "type": format!("{PREFIX}{}", row.name),
        "metricKind": kind,
        "valueType": value,
        "description": row.help,
        "labels": labels,
    });
    Preparation {
        method: Method::POST,
        target: format!("/v3/projects/{project}/metricDescriptors"),
        body: body.to_string(),
        must_work: true,
    }
}

struct Gcm {
    selection: Selection,
    autoscaling: bool,
    labels: Labels,
}

impl Encode for Gcm {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let Self { selection, autoscaling, labels } = self;
        for selected in selection.tables(batch) {
            selection.for_each_row(batch, &selected, labels, |row, labels| {
                let started = batch.find(row.owner).map(|(table, at)| table.started(at));
                for column in &selected.columns {
                    let Some(value) = value(column, row.at) else { continue };
                    let for_autoscaling = match column.metric() {
                        Metric::Known(id) => AUTOSCALING.contains(id),
                        Metric::Custom { .. } => false,
                    };
                    if *autoscaling && !for_autoscaling {
                        continue;
                    }
                    let sent: Vec<(&str, &str)> = if for_autoscaling {
                        vec![
                            ("hostname", labels.get("hostname")),
                            ("resource_id", labels.get("host_id")),
                            ("resource_type", "instance"),
                        ]
                    } else {
                        labels.iter().filter(|(key, _)| LABELS.contains(key)).collect()
                    };
                    let counter = column.metric().kind() == MetricKind::Counter;
                    let start = started.filter(|_| counter);
                    // A counter whose beginning is unknown, or not before now, is none there.
                    if start.is_some_and(|start| start.is_never() || start >= batch.timestamp()) {
                        continue;
                    }
                    out.point(|out| {
                        out.extend_from_slice(b"{\"metric\":{\"type\":");
                        push_json(out, &format!("{PREFIX}{}", column.metric().name()));
                        out.extend_from_slice(b",\"labels\":");
                        push_labels(out, &sent, false);
                        out.extend_from_slice(b"},");
                        push_point(out, &Point { value, start, end: batch.timestamp() });
                        out.push(b'}');
                    });
                }
            });
        }
    }
}
