//! `custom.metrics.k8s.io`: what is stored, of one thing or many, as an HPA asks for it.
//!
//! Shapes and messages: Kubernetes' custom-metrics API server library. Differences:
//! `docs/decisions/0181`.

use std::sync::{Arc, PoisonError};

use axum::response::Response;
use http::Request;
use model::{Batch, Entity, EntityKind, Table, Timestamp};
use serde_json::{Value, json};

use super::measure::{Measure, Parts};
use super::quantity;
use super::selector::Selection;
use super::status::Status;
use super::stored::{self, Asked};
use crate::ApiState;
use crate::limits::{MAX_METRIC_VALUES, hit};

/// The group.
pub(super) const GROUP: &str = "custom.metrics.k8s.io";
/// Its versions, the preferred first.
pub(super) const VERSIONS: [&str; 2] = ["v1beta2", "v1beta1"];
/// The kind of every answer.
pub(super) const LIST: &str = "MetricValueList";

/// Something that metrics describe.
#[derive(Debug)]
pub(super) struct Described {
    /// Plural, with its group.
    pub(super) resource: &'static str,
    kind: &'static str,
    api_version: &'static str,
    pub(super) namespaced: bool,
    pub(super) entity: EntityKind,
}

const fn described(
    resource: &'static str,
    kind: &'static str,
    api_version: &'static str,
    entity: EntityKind,
) -> Described {
    let namespaced = !matches!(entity, EntityKind::Node | EntityKind::Namespace);
    Described { resource, kind, api_version, namespaced, entity }
}

/// Everything that metrics describe.
pub(super) const DESCRIBED: [Described; 11] = [
    described("pods", "Pod", "v1", EntityKind::Pod),
    described("nodes", "Node", "v1", EntityKind::Node),
    described("namespaces", "Namespace", "v1", EntityKind::Namespace),
    described("persistentvolumeclaims", "PersistentVolumeClaim", "v1", EntityKind::Volume),
    described("deployments.apps", "Deployment", "apps/v1", EntityKind::Workload),
    described("statefulsets.apps", "StatefulSet", "apps/v1", EntityKind::Workload),
    described("daemonsets.apps", "DaemonSet", "apps/v1", EntityKind::Workload),
    described("replicasets.apps", "ReplicaSet", "apps/v1", EntityKind::Workload),
    described("replicationcontrollers", "ReplicationController", "v1", EntityKind::Workload),
    described("jobs.batch", "Job", "batch/v1", EntityKind::Workload),
    described("cronjobs.batch", "CronJob", "batch/v1", EntityKind::Workload),
];

/// With or without its group, as both are written.
fn find(resource: &str) -> Option<&'static Described> {
    DESCRIBED
        .iter()
        .find(|one| one.resource == resource || one.resource.split('.').next() == Some(resource))
}

/// Answers `path` (what follows the version).
pub(super) fn answer<B>(
    state: &Arc<ApiState>,
    version: &str,
    path: &str,
    request: &Request<B>,
) -> Result<Response, Status> {
    let asked = Asked::read(state, GROUP, path, request)?;
    let (namespace, resource, name, metric) = match asked.parts().as_slice() {
        ["namespaces", namespace, "metrics", metric] => ("", "namespaces", *namespace, *metric),
        ["namespaces", namespace, resource, name, metric] => {
            (*namespace, *resource, *name, *metric)
        }
        [resource, name, metric] => ("", *resource, *name, *metric),
        _ => return Err(Status::no_path()),
    };
    let missing = || {
        let about = if name == "*" { String::new() } else { format!(" {name}") };
        Status::missing_metric(format!(
            "the server could not find the metric {metric} for {resource}{about}"
        ))
    };
    let thing = find(resource).filter(|one| one.namespaced != namespace.is_empty());
    let thing = thing.ok_or_else(missing)?;
    let labels = asked.selection("labelSelector")?;
    let of_metric = asked.selection("metricLabelSelector")?;
    let batch = asked.batch()?;
    let measure = Measure::find(&batch, thing.entity, metric).ok_or_else(missing)?;
    if thing.entity == EntityKind::Workload && !labels.is_empty() {
        return Err(Status::bad_request(
            "labels are known of pods, nodes and namespaces, not of workloads: name the workload",
        ));
    }
    let gathering = Gathering {
        thing,
        namespace,
        name: Some(name).filter(|name| *name != "*"),
        parts: measure.parts(&batch, thing.entity, &of_metric),
        measure: &measure,
        labels,
        // What is no part of something has no labels of its own.
        reachable: measure.has_parts() || of_metric.matches("", "", &[]),
    };
    let found = gathering.values(state, &batch)?;
    if found.is_empty() && gathering.name.is_some() {
        return Err(missing());
    }
    let window = measure.is_rate().then(|| state.status.facts().resolution.as_secs());
    let selector = of_metric.to_json();
    let items: Vec<Value> = found
        .iter()
        .map(|one| {
            let mut item = json!({
                "describedObject": thing.object(namespace, one.name),
                "timestamp": one.at.to_rfc3339_seconds(),
                "value": quantity::number(one.value),
            });
            if version == "v1beta1" {
                item["metricName"] = metric.into();
                item["selector"] = selector.clone();
            } else {
                item["metric"] = json!({ "name": metric, "selector": selector });
            }
            if let Some(seconds) = window {
                item["windowSeconds"] = seconds.into();
            }
            item
        })
        .collect();
    Ok(stored::list(asked, LIST, &format!("{GROUP}/{version}"), &items))
}

impl Described {
    fn object(&self, namespace: &str, name: &str) -> Value {
        let mut object = json!({
            "kind": self.kind, "name": name, "apiVersion": self.api_version,
        });
        if !namespace.is_empty() {
            object["namespace"] = namespace.into();
        }
        object
    }
}

/// One question, taken apart.
struct Gathering<'a> {
    thing: &'static Described,
    namespace: &'a str,
    /// `None` for all.
    name: Option<&'a str>,
    measure: &'a Measure,
    parts: Parts<'a>,
    labels: Selection,
    reachable: bool,
}

struct Found<'a> {
    name: &'a str,
    at: Timestamp,
    value: f64,
}

impl<'a> Gathering<'a> {
    /// The values, in order of name.
    fn values(&self, state: &ApiState, batch: &'a Batch) -> Result<Vec<Found<'a>>, Status> {
        let mut found = Vec::new();
        if !self.reachable {
            return Ok(found);
        }
        let table = batch.table(self.thing.entity);
        for (row, entity) in table.entities().iter().enumerate() {
            let Some(name) = self.name_of(table, row, entity) else { continue };
            if self.name.is_some_and(|wanted| wanted != name) || !self.wants(table, row, name) {
                continue;
            }
            let Some(value) = self.measure.value(table, row, &self.parts) else { continue };
            if found.len() >= MAX_METRIC_VALUES {
                hit("metric_values");
                return Err(Status::bad_request(format!(
                    "more than {MAX_METRIC_VALUES} values: select some by label or namespace"
                )));
            }
            found.push(Found { name, at: stored::time(batch, table, row), value });
        }
        found.sort_by(|left, right| left.name.cmp(right.name));
        // Of a claim that several pods mount, the fullest view.
        found.dedup_by(|later, kept| {
            let same = later.name == kept.name;
            if same {
                kept.value = kept.value.max(later.value);
            }
            same
        });
        let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
        if self.thing.entity == EntityKind::Pod {
            // What is gone since the last tick describes nothing.
            found.retain(|one| inventory.pod(self.namespace, one.name).is_some());
        }
        Ok(found)
    }

    /// The object's name, where the row is of the kind and the namespace that are asked for.
    fn name_of(&self, table: &'a Table, row: usize, entity: &'a Entity) -> Option<&'a str> {
        if self.thing.namespaced && entity.namespace() != Some(self.namespace) {
            return None;
        }
        match self.thing.entity {
            EntityKind::Workload if entity.variant() != self.thing.kind => None,
            EntityKind::Volume => {
                let name = entity.name().strip_prefix("Volume:").unwrap_or(entity.name());
                let claims = &table.context(row).pod.as_ref()?.claims;
                let claim = claims.iter().find(|(volume, _)| **volume == *name)?;
                Some(&*claim.1)
            }
            _ => Some(entity.name()),
        }
    }

    fn wants(&self, table: &Table, row: usize, name: &str) -> bool {
        if self.labels.is_empty() {
            return true;
        }
        let context = table.context(row);
        let labels = match self.thing.entity {
            EntityKind::Pod => context.pod.as_ref().map(|pod| &*pod.labels),
            EntityKind::Node => context.node.as_ref().map(|node| &*node.labels),
            EntityKind::Namespace => context.namespace.as_ref().map(|one| &*one.labels),
            _ => None,
        };
        self.labels.matches(self.namespace, name, labels.unwrap_or_default())
    }
}
