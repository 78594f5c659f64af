//! Google Kubernetes Engine's own metrics in Cloud Monitoring v3, in the old model of resources
//! (`gke_container`), the new one (`k8s_*`) or both.

mod models;

use std::time::Duration;

use model::{Batch, Entity, EntityKind, MetricId, Table, Timestamp, Value};

use crate::chunks::{Chunks, Framing};
use crate::google::{
    API, BYTES, CONCURRENCY, CREDENTIALS, Google, PROJECT, Point, SERIES, is_set, machine,
    push_labels, push_point,
};
use crate::labels::Labels;
use crate::plan::{Encode, Plan, Transport};
use crate::select::{Selection, value};
use crate::settings::Settings;
use crate::text::push_json;
use crate::{Error, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "stackdriver",
    name: "Stackdriver Sink",
    settings: &[
        PROJECT,
        CREDENTIALS,
        API,
        ("use_old_resources", "true (default): write gke_container resources"),
        ("use_new_resources", "true: write k8s_container, k8s_pod and k8s_node resources"),
        ("cluster_name", "name of the cluster (default: the machine's attribute cluster-name)"),
        ("cluster_location", "location (default: the attribute cluster-location, else zone)"),
        ("zone", "zone (default: the machine's own); required elsewhere"),
        ("min_interval_sec", "seconds between batches that are sent (default 0: every batch)"),
        ("batch_export_timeout_sec", "accepted without effect: see queue_age"),
        ("initial_delay_sec", "accepted without effect: series begin before their first point"),
    ],
    example: "stackdriver:?project=my-project&zone=europe-west1-b&cluster_name=production\
              &cluster_location=europe-west1&use_new_resources=true",
    notice: Some(
        "Google has retired the old resources (gke_container): give use_old_resources=false and \
         use_new_resources=true",
    ),
    metrics: Some(plan),
    events: None,
    alerts: None,
};

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let google = Google::new(settings, "monitoring.googleapis.com", "/v3/projects/{}/timeSeries")?;
    let given = |name: &str, from: &str| {
        let text = settings.text(name).filter(|text| !text.is_empty());
        text.map(str::to_owned).or_else(|| machine(from))
    };
    let zone = given("zone", "instance/zone");
    let zone = zone.map(|zone| zone.rsplit('/').next().unwrap_or_default().to_owned());
    let zone = zone.ok_or_else(|| {
        settings.bad("zone", "", "zones: name one, this is no machine of Google's")
    })?;
    let location = given("cluster_location", "instance/attributes/cluster-location");
    let seconds: u64 = settings.number("min_interval_sec", 0, &0)?;
    // Before the batch after, whatever the difference of some milliseconds.
    let interval = Duration::from_secs(seconds).saturating_sub(Duration::from_millis(500));
    let encode = Stackdriver {
        selection,
        old: settings.flag("use_old_resources", true)?,
        new: settings.flag("use_new_resources", false)?,
        place: Place {
            project: google.project.clone(),
            cluster: given("cluster_name", "instance/attributes/cluster-name").unwrap_or_default(),
            location: location.unwrap_or_else(|| zone.clone()),
            zone,
        },
        interval,
        last: Timestamp::NEVER,
        labels: Labels::default(),
    };
    let framing = Framing {
        head: b"{\"timeSeries\":[".into(),
        separator: b",",
        tail: b"]}",
        ..Framing::lines(SERIES, BYTES)
    };
    let transport = Transport::Http(Box::new(google.http));
    Ok(Plan { encode: Box::new(encode), framing, transport, concurrency: CONCURRENCY })
}

struct Stackdriver {
    selection: Selection,
    old: bool,
    new: bool,
    place: Place,
    interval: Duration,
    /// The last batch that was sent.
    last: Timestamp,
    labels: Labels,
}

/// Where the cluster is.
struct Place {
    project: String,
    cluster: String,
    location: String,
    zone: String,
}

/// A time series with one point.
struct Series<'a> {
    metric: &'a str,
    labels: &'a [(&'a str, &'a str)],
    resource: &'a str,
    resource_labels: &'a [(&'a str, &'a str)],
    point: Point,
}

impl Series<'_> {
    fn push(&self, out: &mut Chunks<'_>) {
        out.point(|out| {
            out.extend_from_slice(b"{\"metric\":{\"type\":");
            push_json(out, self.metric);
            out.extend_from_slice(b",\"labels\":");
            push_labels(out, self.labels, false);
            out.extend_from_slice(b"},\"resource\":{\"type\":");
            push_json(out, self.resource);
            out.extend_from_slice(b",\"labels\":");
            push_labels(out, self.resource_labels, false);
            out.extend_from_slice(b"},");
            push_point(out, &self.point);
            out.push(b'}');
        });
    }
}

/// One metric set, with the part of it that the row is, if it is one.
struct Set<'a> {
    table: &'a Table,
    row: usize,
    entity: &'a Entity,
    owner: &'a Entity,
    labels: &'a Labels,
    started: Timestamp,
    end: Timestamp,
}

impl Set<'_> {
    /// A metric's value in the row.
    fn get(&self, metric: MetricId) -> Option<Value> {
        value(self.table.column(metric)?, self.row)
    }

    fn int(&self, metric: MetricId) -> Option<i64> {
        self.get(metric).map(Value::as_i64)
    }
}

impl Encode for Stackdriver {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let now = batch.timestamp();
        if !self.last.is_never() && now.since(self.last) < self.interval {
            return;
        }
        self.last = now;
        let mut labels = std::mem::take(&mut self.labels);
        for selected in self.selection.tables(batch) {
            let kind = selected.table.kind();
            if !is_set(kind) && !kind.is_labeled_part() {
                continue;
            }
            self.selection.for_each_row(batch, &selected, &mut labels, |row, labels| {
                let started =
                    batch.find(row.owner).map_or(Timestamp::NEVER, |(table, at)| table.started(at));
                if !is_set(row.owner.kind()) || started.is_never() || started >= now {
                    return;
                }
                let set = Set {
                    table: selected.table,
                    row: row.at,
                    entity: row.entity,
                    owner: row.owner,
                    labels,
                    started,
                    end: now,
                };
                if self.old {
                    self.place.push_old(&set, out);
                }
                if self.new {
                    self.place.push_new(&set, out);
                }
            });
        }
        self.labels = labels;
    }
}

/// Whether Heapster knew the part by a volume's or device's name.
fn is_stored(kind: EntityKind) -> bool {
    matches!(kind, EntityKind::Volume | EntityKind::Filesystem)
}
