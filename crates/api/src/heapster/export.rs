//! `/api/v1/metric-export`: the newest batch in the shape that GKE read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use model::{
    Batch, Column, Entity, EntityKind, Kind, Table, Timestamp, Value, descriptor, for_each_label,
};
use serde::{Serialize, Serializer};

use super::model::Time;
use super::schema::{LABELED, exported};
use super::{gojson, json};
use crate::{ApiState, number};

/// Kinds that are exported, in this order.
const KINDS: [EntityKind; 4] =
    [EntityKind::Node, EntityKind::Pod, EntityKind::Container, EntityKind::SystemContainer];

/// Labels that are exported.
const LABELS: [&str; 9] = [
    "nodename",
    "hostname",
    "host_id",
    "container_name",
    "container_base_image",
    "pod_name",
    "pod_id",
    "namespace_id",
    "labels",
];

/// Rows of parts by the entity that they belong to.
type Parts<'a> = HashMap<&'a Arc<Entity>, Vec<(&'a Table, usize)>>;

/// Answers the newest batch; `null` before the first, nothing when export is disabled.
pub(crate) async fn export(State(state): State<Arc<ApiState>>) -> Response {
    if state.options.disable_export {
        return json(gojson::compact(&[(); 0]));
    }
    let latest = state.window.latest();
    let sets = latest.as_deref().map(|batch| sets(&state, batch));
    json(gojson::compact(&sets))
}

fn sets<'a>(state: &ApiState, batch: &'a Batch) -> Vec<Set<'a>> {
    let parts = parts(batch);
    let mut sets = Vec::new();
    for table in KINDS.map(|kind| batch.table(kind)) {
        for row in 0..table.len() {
            let labels = labels(state, table, row);
            let metrics = metrics(state, batch.timestamp(), (table, row), &parts);
            sets.push(Set { metrics, labels });
        }
    }
    sets
}

fn parts(batch: &Batch) -> Parts<'_> {
    let mut parts = Parts::new();
    for table in batch.tables().iter().filter(|table| table.kind().is_labeled_part()) {
        for (row, part) in table.entities().iter().enumerate() {
            if let Some(owner) = part.parent() {
                parts.entry(owner).or_default().push((table, row));
            }
        }
    }
    for rows in parts.values_mut() {
        rows.sort_by(|left, right| name(left).cmp(name(right)));
    }
    parts
}

fn name<'a>((table, row): &(&'a Table, usize)) -> &'a str {
    table.entities()[*row].name()
}

fn labels(state: &ApiState, table: &Table, row: usize) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for_each_label(table, row, &state.labels, |key, value| {
        if LABELS.contains(&key) {
            labels.insert(key.to_owned(), value.to_owned());
        }
    });
    let fixed = match table.kind() {
        EntityKind::Node => Some("machine"),
        EntityKind::Pod => Some("/pod"),
        _ => None,
    };
    if let Some(name) = fixed {
        labels.insert("container_name".to_owned(), name.to_owned());
    }
    labels
}

fn metrics<'a>(
    state: &ApiState,
    batch_time: Timestamp,
    (table, row): (&'a Table, usize),
    parts: &Parts<'a>,
) -> BTreeMap<&'a str, Vec<Point>> {
    let mut metrics: BTreeMap<&str, Vec<Point>> = BTreeMap::new();
    let started = table.started(row);
    let point = |column: &Column, value: Value, labels: BTreeMap<String, String>| {
        let start = match column.metric().kind() {
            Kind::Counter => started,
            Kind::Gauge => batch_time,
        };
        Point { start: Time(start), end: Time(batch_time), labels, value: Number(value) }
    };
    for id in exported() {
        if let Some(column) = table.column(id)
            && let Some(value) = column.get(row)
        {
            metrics.insert(descriptor(id).name, vec![point(column, value, BTreeMap::new())]);
        }
    }
    for (part_table, part_row) in parts.get(&table.entities()[row]).into_iter().flatten() {
        for id in LABELED {
            let Some(column) = part_table.column(id) else { continue };
            let Some(value) = column.get(*part_row) else { continue };
            let mut labels = BTreeMap::new();
            for_each_label(part_table, *part_row, &state.labels, |key, value| {
                labels.insert(key.to_owned(), value.to_owned());
            });
            let points = metrics.entry(descriptor(id).name).or_default();
            points.push(point(column, value, labels));
        }
    }
    metrics
}

#[derive(Serialize)]
struct Set<'a> {
    metrics: BTreeMap<&'a str, Vec<Point>>,
    labels: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Point {
    start: Time,
    end: Time,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    value: Number,
}

struct Number(Value);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Int(value) => serializer.serialize_i64(value),
            Value::Float(value) => number::serialize(value, serializer),
        }
    }
}
