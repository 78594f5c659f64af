//! `GET /namespaces`: namespaces with the sums of their pods.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::{Batch, EntityKind, Inventory, Registry, metric};
use serde::Serialize;

use super::cell::{Cpu, Memory, Network, Number, Row};
use super::list::{Key, List, Page, Sort};
use super::respond;
use crate::ApiState;
use crate::error::Error;

const SORTS: &[Sort] = &[
    Sort::Name,
    Sort::Cpu,
    Sort::CpuShare,
    Sort::Memory,
    Sort::MemoryShare,
    Sort::Network,
    Sort::Restarts,
    Sort::Pods,
];

#[derive(Debug, Serialize)]
pub(super) struct Item {
    name: String,
    pods: Option<Number>,
    restarts: Option<Number>,
    cpu: Cpu,
    memory: Memory,
    network: Network,
}

pub(crate) async fn namespaces(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(gather(&state, uri.query().unwrap_or("")))
}

fn gather(state: &ApiState, query: &str) -> Result<List<Item>, Error> {
    let page = Page::parse(query, SORTS, &["namespace"])?;
    let latest = state.window.latest();
    let batch = latest.as_deref();
    let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
    let pods = count_pods(&inventory);
    let mut shown: BTreeMap<&str, Row<'_>> = BTreeMap::new();
    for namespace in inventory.namespaces() {
        shown.insert(&namespace.name, Row(None));
    }
    if let Some(table) = batch.map(|batch| batch.table(EntityKind::Namespace)) {
        for (row, entity) in table.entities().iter().enumerate() {
            shown.insert(entity.name(), Row(Some((table, row))));
        }
    }
    let candidates: Vec<_> = shown
        .into_iter()
        .filter(|(name, _)| page.shows(name) && page.filter.namespace(name))
        .collect();
    let value =
        |(name, row): &(&str, Row<'_>)| sort_value(page.sort, name, row, &pods).map(Key::Number);
    let (total, shown) = page.of(candidates, value, |left, right| left.0.cmp(right.0));
    let items = shown.iter().map(|(name, row)| item(name, row, &pods)).collect();
    Ok(List::new(batch.map(Batch::timestamp), total, items))
}

fn item(name: &str, row: &Row<'_>, pods: &HashMap<String, u32>) -> Item {
    Item {
        name: name.to_owned(),
        pods: pod_count(name, row, pods),
        restarts: row.get(metric::RESTART_COUNT),
        cpu: row.cpu(),
        memory: row.memory(),
        network: row.network(),
    }
}

/// The item of one namespace, as the list shows it; `None` where nobody knows it.
pub(super) fn item_of(batch: Option<&Batch>, inventory: &Inventory, name: &str) -> Option<Item> {
    let row = Row(batch.and_then(|batch| batch.find(&Registry::default().namespace(name))));
    if inventory.namespace(name).is_none() && row.0.is_none() {
        return None;
    }
    Some(item(name, &row, &count_pods(inventory)))
}

fn sort_value(sort: Sort, name: &str, row: &Row<'_>, pods: &HashMap<String, u32>) -> Option<f64> {
    let number = match sort {
        Sort::Cpu => row.get(metric::CPU_USAGE_RATE),
        Sort::Memory => row.get(metric::MEMORY_WORKING_SET),
        Sort::Restarts => row.get(metric::RESTART_COUNT),
        Sort::Pods => pod_count(name, row, pods),
        Sort::Network => return row.network().sum(),
        Sort::CpuShare => return row.share(metric::CPU_USAGE_RATE, metric::CPU_REQUEST),
        Sort::MemoryShare => return row.share(metric::MEMORY_WORKING_SET, metric::MEMORY_REQUEST),
        _ => None,
    };
    number.map(|Number(value)| value)
}

fn pod_count(name: &str, row: &Row<'_>, pods: &HashMap<String, u32>) -> Option<Number> {
    let counted = || pods.get(name).map(|count| Number(f64::from(*count)));
    row.get(metric::PODS).or_else(counted)
}

fn count_pods(inventory: &Inventory) -> HashMap<String, u32> {
    let mut counts: HashMap<String, u32> =
        inventory.namespaces().map(|namespace| (namespace.name.to_string(), 0)).collect();
    for pod in inventory.pods() {
        match counts.get_mut(&*pod.namespace) {
            Some(count) => *count += 1,
            None => {
                counts.insert(pod.namespace.to_string(), 1);
            }
        }
    }
    counts
}
