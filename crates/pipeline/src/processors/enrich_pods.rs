//! Pods and containers get what the inventory knows: context, requests, limits, restarts.
//!
//! A container without its pod gets a pod row, and a pod without one of its containers gets a row
//! for that container, so that what was asked for is summed whether or not it was measured.

use std::sync::Arc;

use metrics::counter;
use model::{
    ContainerSpec, Context, Draft, EntityKind, Kind, Metric, Pod, SharedInventory, Table, Value,
    ValueType, metric, read_in_turns,
};

use super::sums::{NO_ROW, row32};
use super::{Options, State};
use crate::telemetry;

/// What a kubelet reports with a start time.
const MEASURED: [EntityKind; 4] =
    [EntityKind::Node, EntityKind::SystemContainer, EntityKind::Pod, EntityKind::Container];

pub(super) fn run(draft: &mut Draft, inventory: &SharedInventory, _: &Options, state: &mut State) {
    for kind in MEASURED {
        default_created(draft.table_mut(kind));
    }
    complete_pods(draft, inventory, 0);
    let reported = draft.table(EntityKind::Pod).len();
    pod_rows(draft, &mut state.rows);
    complete_pods(draft, inventory, reported);
    complete_containers(draft, &state.rows, &mut state.counts);
    add_unreported_containers(draft, &state.counts);
}

/// The pod row of each container row, added where it is missing.
pub(super) fn pod_rows(draft: &mut Draft, rows: &mut Vec<u32>) {
    let (containers, pods) = draft.read_and_fill(EntityKind::Container, EntityKind::Pod);
    rows.clear();
    let mut last = None;
    for (at, container) in containers.entities().iter().enumerate() {
        let Some(parent) = container.parent() else {
            rows.push(NO_ROW);
            continue;
        };
        let row = match last {
            Some((pod, row)) if Arc::ptr_eq(pod, parent) => row,
            _ => {
                let known = pods.len();
                let row = pods.insert(parent);
                if row == known {
                    pods.context_mut(row).node.clone_from(&containers.context(at).node);
                }
                row
            }
        };
        last = Some((parent, row));
        rows.push(row32(row));
    }
}

/// What is not known better was created when its counters began, as Heapster's sources have it.
fn default_created(table: &mut Table) {
    for row in 0..table.len() {
        if table.created(row).is_never() {
            table.set_created(row, table.started(row));
        }
    }
}

/// Completes pods from row `first` on.
fn complete_pods(draft: &mut Draft, inventory: &SharedInventory, first: usize) {
    let pods = draft.table_mut(EntityKind::Pod);
    read_in_turns(inventory, first..pods.len(), |inventory, row| {
        let entity = &pods.entities()[row];
        let Some(pod) = inventory.pod(entity.namespace().unwrap_or_default(), entity.name()) else {
            return;
        };
        let context = pods.context_mut(row);
        if context.node.is_none() {
            context.node = inventory.node(&pod.node).map(Arc::clone);
        }
        context.pod = Some(Arc::clone(pod));
        if !pod.started.is_never() {
            pods.set_created(row, pod.started);
        }
    });
}

/// Completes containers from their pods; counts, by pod row, those that the pod's spec names.
fn complete_containers(draft: &mut Draft, pod_rows: &[u32], reported: &mut Vec<u32>) {
    let (pods, containers) = draft.read_and_fill(EntityKind::Pod, EntityKind::Container);
    reported.clear();
    reported.resize(pods.len(), 0);
    for (row, pod_row) in pod_rows.iter().enumerate().filter(|(_, pod)| **pod != NO_ROW) {
        let pod_row = *pod_row as usize;
        let known = pods.context(pod_row);
        let context = containers.context_mut(row);
        context.pod.clone_from(&known.pod);
        if context.node.is_none() {
            context.node.clone_from(&known.node);
        }
        let Some(pod) = &known.pod else { continue };
        let entity = Arc::clone(&containers.entities()[row]);
        if let Some(spec) = pod.containers.iter().find(|spec| *spec.name == *entity.name()) {
            reported[pod_row] += 1;
            put_requests(containers, row, spec);
        }
        if put_restarts(containers, row, pod, entity.name()) && !pod.started.is_never() {
            containers.set_created(row, pod.started);
        }
    }
}

/// Adds the containers that a pod's spec names and no kubelet reported. A pod that has ended
/// asks for nothing any more.
fn add_unreported_containers(draft: &mut Draft, reported: &[u32]) {
    for (row, reported) in reported.iter().enumerate() {
        let pods = draft.table(EntityKind::Pod);
        let Context { node, pod: Some(pod), .. } = pods.context(row) else { continue };
        let expected = pod.containers.len();
        if *reported as usize >= expected || matches!(&*pod.phase, "Succeeded" | "Failed") {
            continue;
        }
        let (pod, node) = (Arc::clone(pod), node.clone());
        let entity = Arc::clone(&pods.entities()[row]);
        for spec in &pod.containers {
            let container = draft.registry.container(&entity, &spec.name);
            let containers = draft.table_mut(EntityKind::Container);
            if containers.find(&container).is_some() {
                continue;
            }
            let row = containers.insert(&container);
            *containers.context_mut(row) =
                Context { node: node.clone(), pod: Some(Arc::clone(&pod)), namespace: None };
            put_requests(containers, row, spec);
            put_restarts(containers, row, &pod, &spec.name);
        }
    }
}

/// Requests and limits; a standard resource that the spec does not name is 0, as in Heapster.
fn put_requests(containers: &mut Table, row: usize, spec: &ContainerSpec) {
    let (requests, limits) = (&spec.requests, &spec.limits);
    for (metric, amount) in [
        (metric::CPU_REQUEST, requests.cpu_millicores),
        (metric::CPU_LIMIT, limits.cpu_millicores),
        (metric::MEMORY_REQUEST, requests.memory_bytes),
        (metric::MEMORY_LIMIT, limits.memory_bytes),
        (metric::EPHEMERAL_STORAGE_REQUEST, requests.ephemeral_storage_bytes),
        (metric::EPHEMERAL_STORAGE_LIMIT, limits.ephemeral_storage_bytes),
    ] {
        containers.set_int(row, metric, amount.unwrap_or(0));
    }
    for (resource, amount) in &spec.extended_requests {
        let metric = extended_request(containers, resource);
        match containers.column_for(&metric) {
            Some(column) => column.set(row, Value::Int(*amount)),
            None => counter!(telemetry::COLUMNS_REFUSED).increment(1),
        }
    }
}

/// The metric `<resource>/request`, which the table already names when it has that column.
fn extended_request(containers: &Table, resource: &str) -> Metric {
    let named = containers.columns().iter().map(model::Column::metric).find(|metric| {
        matches!(metric, Metric::Custom { name, .. }
            if name.strip_suffix("/request") == Some(resource))
    });
    named.cloned().unwrap_or_else(|| Metric::Custom {
        name: format!("{resource}/request").into(),
        kind: Kind::Gauge,
        value: ValueType::Int,
    })
}

/// Whether the pod's status names the container.
fn put_restarts(containers: &mut Table, row: usize, pod: &Pod, name: &str) -> bool {
    let Some(status) = pod.statuses.iter().find(|status| *status.name == *name) else {
        return false;
    };
    containers.set_int(row, metric::RESTART_COUNT, i64::from(status.restart_count));
    true
}
