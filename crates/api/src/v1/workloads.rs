//! `GET /workloads`: the tops of pods' owner chains with the sums of their pods.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::{Batch, EntityKind, Inventory, Owner, metric};
use serde::Serialize;

use super::cell::{Cpu, Memory, Network, Number, Row};
use super::list::{Filter, List, Page, Sort};
use super::respond;
use crate::ApiState;
use crate::error::Error;

const SORTS: &[Sort] =
    &[Sort::Name, Sort::Cpu, Sort::Memory, Sort::Network, Sort::Restarts, Sort::Pods];

const FILTERS: &[Filter] = &[Filter::Namespace, Filter::Kind];

/// Namespace, kind and name.
type Key<'a> = (&'a str, &'a str, &'a str);

#[derive(Debug, Serialize)]
struct Item {
    namespace: String,
    kind: String,
    name: String,
    /// Replicas wanted and ready, where the kind has such numbers.
    desired: Option<i64>,
    ready: Option<i64>,
    pods: Option<Number>,
    restarts: Option<Number>,
    cpu: Cpu,
    memory: Memory,
    network: Network,
}

pub(crate) async fn workloads(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(gather(&state, uri.query().unwrap_or("")))
}

fn gather(state: &ApiState, query: &str) -> Result<List<Item>, Error> {
    let page = Page::parse(query, SORTS, FILTERS)?;
    let latest = state.window.latest();
    let batch = latest.as_deref();
    let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
    let mut shown: BTreeMap<Key<'_>, Row<'_>> = BTreeMap::new();
    for workload in inventory.workloads().filter(|workload| workload.owner.is_none()) {
        shown.insert((&workload.namespace, &workload.kind, &workload.name), Row(None));
    }
    if let Some(table) = batch.map(|batch| batch.table(EntityKind::Workload)) {
        for (row, entity) in table.entities().iter().enumerate() {
            let namespace = entity.namespace().unwrap_or_default();
            shown.insert((namespace, entity.variant(), entity.name()), Row(Some((table, row))));
        }
    }
    let passes = |(namespace, kind, name): &Key<'_>| {
        page.shows(name)
            && page.wants(Filter::Namespace, Some(namespace))
            && page.wants(Filter::Kind, Some(kind))
    };
    let candidates: Vec<_> = shown.into_iter().filter(|(key, _)| passes(key)).collect();
    let value = |(_, row): &(Key<'_>, Row<'_>)| sort_value(page.sort, row);
    let (total, shown) = page.of(candidates, value, |(left, _), (right, _)| {
        (left.2, left.0, left.1).cmp(&(right.2, right.0, right.1))
    });
    let items = shown.iter().map(|(key, row)| item(key, row, &inventory)).collect();
    Ok(List::new(batch.map(Batch::timestamp), total, items))
}

fn sort_value(sort: Sort, row: &Row<'_>) -> Option<f64> {
    let number = match sort {
        Sort::Cpu => row.get(metric::CPU_USAGE_RATE),
        Sort::Memory => row.get(metric::MEMORY_WORKING_SET),
        Sort::Restarts => row.get(metric::RESTART_COUNT),
        Sort::Pods => row.get(metric::PODS),
        Sort::Network => return row.network().sum(),
        Sort::Name | Sort::Filesystem | Sort::Started => None,
    };
    number.map(|Number(value)| value)
}

fn item(key: &Key<'_>, row: &Row<'_>, inventory: &Inventory) -> Item {
    let (namespace, kind, name) = *key;
    let owner = Owner { kind: kind.into(), name: name.into() };
    let known = inventory.workload(namespace, &owner);
    Item {
        namespace: namespace.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        desired: known.and_then(|workload| workload.desired),
        ready: known.and_then(|workload| workload.ready),
        pods: row.get(metric::PODS),
        restarts: row.get(metric::RESTART_COUNT),
        cpu: row.cpu(),
        memory: row.memory(),
        network: row.network(),
    }
}
