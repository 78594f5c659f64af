//! `GET /overview`: the whole cluster on one card.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::{Batch, EntityKind, Inventory, Ready, metric};
use once::Order as _;
use serde::Serialize;

use super::cell::{Filesystem, Network, NodeCpu, NodeMemory, Number, Row};
use super::nodes::node_filesystem;
use super::respond;
use super::status::no_parameters;
use super::volumes;
use crate::ApiState;
use crate::people::Sight;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Overview {
    timestamp: Option<i64>,
    nodes: Nodes,
    pods: Pods,
    namespaces: Option<usize>,
    containers: Option<usize>,
    workloads: Option<usize>,
    volumes: Option<usize>,
    /// Volumes with a claim that are nearly full.
    volumes_full: Option<usize>,
    restarts: Option<Number>,
    cpu: NodeCpu,
    memory: NodeMemory,
    network: Network,
    filesystem: Filesystem,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Nodes {
    total: Option<usize>,
    ready: Option<usize>,
    not_ready: Option<Vec<String>>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Pods {
    total: Option<usize>,
    by_phase: Option<BTreeMap<String, usize>>,
}

pub(crate) async fn overview(
    State(state): State<Arc<ApiState>>,
    sight: Option<Extension<Arc<Sight>>>,
    uri: Uri,
) -> Response {
    let part = sight.map(|Extension(sight)| sight).filter(|sight| !sight.whole());
    respond(no_parameters(&uri).map(|()| match part {
        Some(sight) => gather_part(&state, &sight),
        None => gather(&state),
    }))
}

fn gather(state: &ApiState) -> Overview {
    let latest = state.window.latest();
    let Some(batch) = latest.as_deref() else { return before_first_batch() };
    let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
    let cluster = batch.table(EntityKind::Cluster);
    let row = Row((!cluster.is_empty()).then_some((cluster, 0)));
    let measured = |kind: EntityKind| batch.table(kind).len();
    let (volumes, volumes_full) = volumes::count(batch, &inventory);
    Overview {
        timestamp: Some(batch.timestamp().millis()),
        nodes: nodes(batch, &inventory),
        pods: pods(batch, &inventory),
        namespaces: Some(inventory.namespaces().len().max(measured(EntityKind::Namespace))),
        containers: Some(measured(EntityKind::Container)),
        workloads: Some(workloads(&inventory).max(measured(EntityKind::Workload))),
        volumes: Some(volumes),
        volumes_full: Some(volumes_full),
        restarts: Some(row.get(metric::RESTART_COUNT).unwrap_or_else(|| restarts(&inventory))),
        cpu: row.cpu_of_node(None),
        memory: row.memory_of_node(None),
        network: row.network(),
        filesystem: filesystem(batch),
    }
}

/// What somebody sees who does not see the cluster: counts of their namespaces, and no sums.
fn gather_part(state: &ApiState, sight: &Sight) -> Overview {
    let latest = state.window.latest();
    let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
    let mut by_phase: BTreeMap<String, usize> = BTreeMap::new();
    let (mut total, mut containers, mut restarted) = (0, 0, 0.0);
    for pod in inventory.pods().filter(|pod| sight.namespace(&pod.namespace)) {
        total += 1;
        containers += pod.statuses.len();
        restarted += pod.statuses.iter().map(|one| f64::from(one.restart_count)).sum::<f64>();
        *by_phase.entry(pod.phase.to_string()).or_default() += 1;
    }
    let workloads = inventory.workloads().filter(|one| one.owner.is_none());
    let namespaces = inventory.namespaces().filter(|one| sight.namespace(&one.name));
    Overview {
        timestamp: latest.map(|batch| batch.timestamp().millis()),
        pods: Pods { total: Some(total), by_phase: Some(by_phase) },
        namespaces: Some(namespaces.count()),
        containers: Some(containers),
        workloads: Some(workloads.filter(|one| sight.namespace(&one.namespace)).count()),
        restarts: Some(Number(restarted)),
        ..before_first_batch()
    }
}

fn before_first_batch() -> Overview {
    let row = Row(None);
    Overview {
        timestamp: None,
        nodes: Nodes::default(),
        pods: Pods::default(),
        namespaces: None,
        containers: None,
        workloads: None,
        volumes: None,
        volumes_full: None,
        restarts: None,
        cpu: row.cpu_of_node(None),
        memory: row.memory_of_node(None),
        network: row.network(),
        filesystem: Filesystem { usage: None, limit: None },
    }
}

/// Workloads that no other owns, as their list shows them.
fn workloads(inventory: &Inventory) -> usize {
    inventory.workloads().filter(|workload| workload.owner.is_none()).count()
}

/// Nodes as the watches know them; where there are no watches, those of the batch.
fn nodes(batch: &Batch, inventory: &Inventory) -> Nodes {
    if inventory.nodes().len() > 0 {
        return count(inventory.nodes().map(|node| (&*node.name, node.ready)));
    }
    let table = batch.table(EntityKind::Node);
    let ready = |row: usize| table.context(row).node.as_ref().map(|node| node.ready);
    let rows = table.entities().iter().enumerate();
    count(rows.map(|(row, node)| (node.name(), ready(row).unwrap_or_default())))
}

/// A node that does not say whether it is ready counts as ready: it was measured.
fn count<'a>(nodes: impl ExactSizeIterator<Item = (&'a str, Ready)>) -> Nodes {
    let total = nodes.len();
    let mut not_ready: Vec<String> =
        nodes.filter(|(_, ready)| *ready == Ready::No).map(|(name, _)| name.to_owned()).collect();
    not_ready.order();
    Nodes { total: Some(total), ready: Some(total - not_ready.len()), not_ready: Some(not_ready) }
}

fn pods(batch: &Batch, inventory: &Inventory) -> Pods {
    let mut by_phase: BTreeMap<String, usize> = BTreeMap::new();
    let mut total = 0;
    for pod in inventory.pods() {
        total += 1;
        match by_phase.get_mut(&*pod.phase) {
            Some(count) => *count += 1,
            None => {
                by_phase.insert(pod.phase.to_string(), 1);
            }
        }
    }
    if total == 0 {
        total = batch.table(EntityKind::Pod).len();
    }
    Pods { total: Some(total), by_phase: Some(by_phase) }
}

fn restarts(inventory: &Inventory) -> Number {
    let counts = inventory.pods().flat_map(|pod| pod.statuses.iter());
    let sum: f64 = counts.map(|status| f64::from(status.restart_count)).sum();
    Number(sum)
}

/// The root filesystems of all nodes together.
fn filesystem(batch: &Batch) -> Filesystem {
    let mut sums: [Option<f64>; 2] = [None, None];
    for node in batch.table(EntityKind::Node).entities() {
        let filesystem = node_filesystem(batch, node);
        for (sum, value) in sums.iter_mut().zip([filesystem.usage, filesystem.limit]) {
            if let Some(Number(value)) = value {
                *sum = Some(sum.unwrap_or(0.0) + value);
            }
        }
    }
    let [usage, limit] = sums.map(|sum| sum.map(Number));
    Filesystem { usage, limit }
}
