//! `GET /nodes`: nodes with usage, state, and how their kubelet answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::{Batch, Entity, EntityKind, Inventory, Node, Ready, Registry, Target, metric};
use serde::Serialize;

use super::cell::{Filesystem, Network, NodeCpu, NodeMemory, Number, Row, millis, time_key};
use super::list::{Key, List, Page, Sort};
use super::respond;
use super::targets::TargetCell;
use crate::ApiState;
use crate::error::Error;

/// The resource id of a node's root filesystem.
const ROOT: &str = "/";

const SORTS: &[Sort] = &[
    Sort::Name,
    Sort::Cpu,
    Sort::CpuShare,
    Sort::Memory,
    Sort::MemoryShare,
    Sort::Network,
    Sort::Filesystem,
    Sort::Pods,
    Sort::Started,
];

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    name: String,
    ready: Option<bool>,
    unschedulable: bool,
    pressures: Vec<String>,
    created: Option<i64>,
    kubelet_version: Option<String>,
    pods: Option<Number>,
    pod_capacity: Option<u32>,
    cpu: NodeCpu,
    memory: NodeMemory,
    network: Network,
    filesystem: Filesystem,
    uptime_ms: Option<Number>,
    target: Option<TargetCell>,
}

pub(crate) async fn nodes(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(gather(&state, uri.query().unwrap_or("")))
}

/// A node that the watches or the batch know.
struct Candidate<'a> {
    name: &'a str,
    node: Option<Arc<Node>>,
    row: Row<'a>,
}

fn gather(state: &ApiState, query: &str) -> Result<List<Item>, Error> {
    let page = Page::parse(query, SORTS, &["label"])?;
    let latest = state.window.latest();
    let batch = latest.as_deref();
    let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
    let known: Vec<Arc<Node>> = inventory.nodes().map(Arc::clone).collect();
    let mut shown: BTreeMap<&str, Candidate<'_>> = BTreeMap::new();
    for node in &known {
        let candidate =
            Candidate { name: &node.name, node: Some(Arc::clone(node)), row: Row(None) };
        shown.insert(&node.name, candidate);
    }
    for (table, row, entity) in rows(batch) {
        let context = table.context(row).node.as_ref().map(Arc::clone);
        let name = entity.name();
        let new = Candidate { name, node: context, row: Row(None) };
        shown.entry(name).or_insert(new).row = Row(Some((table, row)));
    }
    let pods = pods_by_node(&inventory, &page);
    let labelled = |one: &Candidate<'_>| match &one.node {
        Some(node) => page.filter.labels(&node.labels),
        None => !page.filter.needs_object(),
    };
    let wanted = |one: &Candidate<'_>| page.shows(one.name) && labelled(one);
    let candidates: Vec<_> = shown.into_values().filter(wanted).collect();
    let value = |one: &Candidate<'_>| sort_value(batch, page.sort, one, &pods).map(Key::Number);
    let (total, page) = page.of(candidates, value, |left, right| left.name.cmp(right.name));
    let targets: HashMap<&str, &Target> =
        batch.map(Batch::targets).unwrap_or_default().iter().map(|one| (&*one.node, one)).collect();
    let pods = if pods.is_empty() { count_pods(&inventory) } else { pods };
    let item = |one: &Candidate<'_>| item(batch, one, &pods, targets.get(one.name).copied());
    let items = page.iter().map(item).collect();
    Ok(List::new(batch.map(Batch::timestamp), total, items))
}

/// The item of one node, as the list shows it; `None` where nobody knows it.
pub(super) fn item_of(batch: Option<&Batch>, inventory: &Inventory, name: &str) -> Option<Item> {
    let found = batch.and_then(|batch| batch.find(&Registry::default().node(name)));
    let context = found.and_then(|(table, row)| table.context(row).node.as_ref());
    let node = inventory.node(name).or(context).map(Arc::clone);
    if node.is_none() && found.is_none() {
        return None;
    }
    let one = Candidate { name, node, row: Row(found) };
    let targets = batch.map(Batch::targets).unwrap_or_default();
    let target = targets.iter().find(|target| &*target.node == name);
    Some(item(batch, &one, &count_pods(inventory), target))
}

fn rows(batch: Option<&Batch>) -> impl Iterator<Item = (&model::Table, usize, &Arc<Entity>)> {
    let table = batch.map(|batch| batch.table(EntityKind::Node));
    table.into_iter().flat_map(|table| {
        table.entities().iter().enumerate().map(move |(row, entity)| (table, row, entity))
    })
}

/// Counting every pod is only worth it for sorting by pods.
fn pods_by_node(inventory: &Inventory, page: &Page) -> HashMap<String, u32> {
    if page.sort == Sort::Pods { count_pods(inventory) } else { HashMap::new() }
}

/// How many pods the watches know by node, those that ended left out.
fn count_pods(inventory: &Inventory) -> HashMap<String, u32> {
    let mut counts = HashMap::new();
    let running = |phase: &str| !matches!(phase, "Succeeded" | "Failed");
    for pod in inventory.pods().filter(|pod| !pod.node.is_empty() && running(&pod.phase)) {
        match counts.get_mut(&*pod.node) {
            Some(count) => *count += 1,
            None => {
                counts.insert(pod.node.to_string(), 1);
            }
        }
    }
    counts
}

fn pod_count(one: &Candidate<'_>, pods: &HashMap<String, u32>) -> Option<Number> {
    let counted = || pods.get(one.name).map(|count| Number(f64::from(*count)));
    one.row.get(metric::PODS).or_else(counted)
}

fn sort_value(
    batch: Option<&Batch>,
    sort: Sort,
    one: &Candidate<'_>,
    pods: &HashMap<String, u32>,
) -> Option<f64> {
    let number = match sort {
        Sort::Cpu => one.row.get(metric::CPU_USAGE_RATE),
        Sort::Memory => one.row.get(metric::MEMORY_WORKING_SET),
        Sort::Pods => pod_count(one, pods),
        Sort::Network => return one.row.network().sum(),
        Sort::Filesystem => filesystem_of(batch, one).usage,
        Sort::CpuShare => {
            return one.row.share(metric::CPU_USAGE_RATE, metric::CPU_NODE_ALLOCATABLE);
        }
        Sort::MemoryShare => {
            return one.row.share(metric::MEMORY_WORKING_SET, metric::MEMORY_NODE_ALLOCATABLE);
        }
        Sort::Started => return one.node.as_ref().and_then(|node| time_key(node.created)),
        _ => None,
    };
    number.map(|number| number.0)
}

fn item(
    batch: Option<&Batch>,
    one: &Candidate<'_>,
    pods: &HashMap<String, u32>,
    target: Option<&Target>,
) -> Item {
    let node = one.node.as_deref();
    Item {
        name: one.name.to_owned(),
        ready: node.and_then(|node| match node.ready {
            Ready::Yes => Some(true),
            Ready::No => Some(false),
            Ready::Unstated => None,
        }),
        unschedulable: node.is_some_and(|node| node.unschedulable),
        pressures: node
            .map(|node| node.pressures.iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
        created: node.and_then(|node| millis(node.created)),
        kubelet_version: node
            .map(|node| node.kubelet_version.to_string())
            .filter(|version| !version.is_empty()),
        pods: pod_count(one, pods),
        pod_capacity: node.map(|node| node.pod_capacity).filter(|capacity| *capacity > 0),
        cpu: one.row.cpu_of_node(node),
        memory: one.row.memory_of_node(node),
        network: one.row.network(),
        filesystem: filesystem_of(batch, one),
        uptime_ms: one.row.get(metric::UPTIME),
        target: target.map(TargetCell::from),
    }
}

fn filesystem_of(batch: Option<&Batch>, one: &Candidate<'_>) -> Filesystem {
    match (batch, one.row.0) {
        (Some(batch), Some((table, row))) => node_filesystem(batch, &table.entities()[row]),
        _ => Filesystem { usage: None, limit: None },
    }
}

/// Usage and size of a node's root filesystem.
pub(super) fn node_filesystem(batch: &Batch, node: &Arc<Entity>) -> Filesystem {
    let root = Registry::default().part(EntityKind::Filesystem, node, ROOT);
    let row = Row(batch.find(&root));
    Filesystem {
        usage: row.get(metric::FILESYSTEM_USAGE),
        limit: row.get(metric::FILESYSTEM_LIMIT),
    }
}
