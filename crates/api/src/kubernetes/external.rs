//! `external.metrics.k8s.io`: what is stored, by its labels: `pod_network_rx_rate` of one namespace,
//! `cluster_cpu_usage_rate` from any.

use std::sync::{Arc, PoisonError};

use axum::response::Response;
use http::Request;
use model::{EntityKind, Inventory, Table};
use serde_json::{Map, Value, json};

use super::measure::{Measure, part_label};
use super::quantity;
use super::selector::Selection;
use super::status::Status;
use super::stored::{self, Asked};
use crate::ApiState;
use crate::limits::{MAX_METRIC_VALUES, hit};

/// The group.
pub(super) const GROUP: &str = "external.metrics.k8s.io";
/// Its versions.
pub(super) const VERSIONS: [&str; 1] = ["v1beta1"];
/// The kind of every answer.
pub(super) const LIST: &str = "ExternalMetricValueList";
/// Kinds of things whose metrics are served; the longer of two names that begin alike first.
pub(super) const KINDS: [EntityKind; 9] = [
    EntityKind::Cluster,
    EntityKind::Namespace,
    EntityKind::Workload,
    EntityKind::Pod,
    EntityKind::Container,
    EntityKind::Node,
    EntityKind::Volume,
    EntityKind::Filesystem,
    EntityKind::Accelerator,
];

type Labels = Vec<(Box<str>, Box<str>)>;

/// Answers `path` (what follows the version).
pub(super) fn answer<B>(
    state: &Arc<ApiState>,
    version: &str,
    path: &str,
    request: &Request<B>,
) -> Result<Response, Status> {
    let asked = Asked::read(state, GROUP, path, request)?;
    let (namespace, name) = match asked.parts().as_slice() {
        ["namespaces", namespace, name] => (*namespace, *name),
        _ => return Err(Status::no_path()),
    };
    let wanted = asked.selection("labelSelector")?;
    let batch = asked.batch()?;
    let found = KINDS.into_iter().find_map(|kind| {
        let rest = name.strip_prefix(kind.name())?.strip_prefix('_')?;
        Some((kind, Measure::find(&batch, kind, rest)?))
    });
    let Some((kind, measure)) = found else {
        let message = format!("the server could not find the metric {name}");
        return Err(Status::missing_metric(message));
    };
    let window = measure.is_rate().then(|| state.status.facts().resolution.as_secs());
    let (table, parts) = (batch.table(kind), measure.parts(&batch, kind, &Selection::default()));
    let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
    let mut items: Vec<Value> = Vec::new();
    for row in 0..table.len() {
        if table.entities()[row].namespace().is_some_and(|own| own != namespace) {
            continue;
        }
        let own = labels(&inventory, table, row);
        let with_objects: Labels = own.iter().cloned().chain(object_labels(table, row)).collect();
        if !wanted.matches(namespace, name, &with_objects) {
            continue;
        }
        let Some(value) = measure.value(table, row, &parts) else { continue };
        if items.len() >= MAX_METRIC_VALUES {
            hit("metric_values");
            return Err(Status::bad_request(format!(
                "more than {MAX_METRIC_VALUES} values: select some by label"
            )));
        }
        let shown: Map<String, Value> =
            own.into_iter().map(|(key, value)| (key.into(), String::from(value).into())).collect();
        let mut item = json!({
            "metricName": name, "metricLabels": shown,
            "timestamp": stored::time(&batch, table, row).to_rfc3339_seconds(),
            "value": quantity::number(value),
        });
        if let Some(seconds) = window {
            item["windowSeconds"] = seconds.into();
        }
        items.push(item);
    }
    drop(inventory);
    Ok(stored::list(asked, LIST, &format!("{GROUP}/{version}"), &items))
}

/// Our own labels of a row.
fn labels(inventory: &Inventory, table: &Table, row: usize) -> Labels {
    let (entity, context) = (&table.entities()[row], table.context(row));
    let mut labels = Labels::new();
    let mut add = |key: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            labels.push((key.into(), value.into()));
        }
    };
    add("namespace", entity.namespace());
    add("pod", entity.pod());
    add("container", entity.container());
    let node = context.node.as_ref().map(|node| &*node.name);
    add("node", entity.node().or(node));
    if entity.kind() == EntityKind::Workload {
        add("workload", Some(entity.name()));
        add("workload_type", Some(entity.variant()));
    } else if let Some(top) = context.pod.as_ref().and_then(|pod| inventory.top_owner(pod)) {
        add("workload", Some(&top.name));
        add("workload_type", Some(&top.kind));
    }
    if let Some((key, value)) = part_label(entity) {
        add(key, Some(value));
    }
    labels
}

/// Labels of the Kubernetes object behind a row: they select, but are not shown.
fn object_labels(table: &Table, row: usize) -> Labels {
    let context = table.context(row);
    let found = match table.kind() {
        EntityKind::Node | EntityKind::Filesystem => context.node.as_ref().map(|one| &*one.labels),
        EntityKind::Namespace => context.namespace.as_ref().map(|one| &*one.labels),
        _ => context.pod.as_ref().map(|one| &*one.labels),
    };
    found.map(<[_]>::to_vec).unwrap_or_default()
}
