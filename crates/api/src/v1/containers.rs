//! `GET /containers`: containers of pods with usage and what they are doing.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::{
    Batch, ContainerSpec, ContainerState, ContainerStatus, EntityKind, Inventory, Owner, Pod,
    Registry, Termination, metric,
};
use serde::Serialize;

use super::cell::{Cpu, Memory, Number, Row, millis, time_key};
use super::list::{Key, List, Page, Sort, is};
use super::pods::WorkloadName;
use super::respond;
use crate::ApiState;
use crate::error::Error;

const SORTS: &[Sort] = &[
    Sort::Name,
    Sort::Namespace,
    Sort::Node,
    Sort::Cpu,
    Sort::CpuShare,
    Sort::Memory,
    Sort::MemoryShare,
    Sort::Restarts,
    Sort::Started,
];

#[derive(Debug, Serialize)]
pub(super) struct Item {
    namespace: String,
    pod: String,
    name: String,
    node: Option<String>,
    workload: Option<WorkloadName>,
    image: Option<String>,
    /// `running`, `waiting`, `terminated`; `None` where nobody says.
    state: Option<&'static str>,
    reason: String,
    /// Since when it runs.
    started: Option<i64>,
    ready: Option<bool>,
    restarts: Option<u32>,
    /// How its previous run ended, or this one where it ended.
    last: Option<End>,
    cpu: Cpu,
    memory: Memory,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct End {
    reason: String,
    exit_code: i32,
    finished: Option<i64>,
}

impl From<&Termination> for End {
    fn from(end: &Termination) -> Self {
        Self {
            reason: end.reason.to_string(),
            exit_code: end.exit_code,
            finished: millis(end.finished),
        }
    }
}

pub(crate) async fn containers(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(gather(&state, uri.query().unwrap_or("")))
}

/// A container that a pod's spec or the batch names.
struct Candidate<'a> {
    namespace: &'a str,
    pod: &'a str,
    name: &'a str,
    node: &'a str,
    owner: Option<&'a Owner>,
    spec: Option<&'a ContainerSpec>,
    status: Option<&'a ContainerStatus>,
    row: Row<'a>,
}

fn gather(state: &ApiState, query: &str) -> Result<List<Item>, Error> {
    let page = Page::parse(query, SORTS, &["namespace", "node", "pod"])?;
    let latest = state.window.latest();
    let batch = latest.as_deref();
    let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
    let mut candidates = candidates(batch, &inventory);
    candidates.retain(|one| {
        (page.shows(one.name) || page.shows(one.pod))
            && page.filter.namespace(one.namespace)
            && is(&page.filter.nodes, one.node)
            && is(&page.filter.pods, one.pod)
    });
    let (total, shown) = page.of(candidates, |one| one.sort_key(page.sort), Candidate::by_name);
    let items = shown.iter().map(Candidate::item).collect();
    Ok(List::new(batch.map(Batch::timestamp), total, items))
}

type Name<'a> = (&'a str, &'a str, &'a str);

fn candidates<'a>(batch: Option<&'a Batch>, inventory: &'a Inventory) -> Vec<Candidate<'a>> {
    let mut rows: HashMap<Name<'a>, (Row<'a>, bool)> = HashMap::new();
    if let Some(table) = batch.map(|batch| batch.table(EntityKind::Container)) {
        for (row, entity) in table.entities().iter().enumerate() {
            let (namespace, pod) = (entity.namespace(), entity.pod());
            let name = (namespace.unwrap_or_default(), pod.unwrap_or_default(), entity.name());
            let watched = table.context(row).pod.is_some();
            rows.insert(name, (Row(Some((table, row))), watched));
        }
    }
    let mut found = Vec::with_capacity(rows.len());
    for pod in inventory.pods() {
        for spec in &pod.containers {
            let row = rows.remove(&(&*pod.namespace, &*pod.name, &*spec.name));
            found.push(Candidate::of_pod(
                pod,
                inventory,
                spec,
                row.map_or(Row(None), |(row, _)| row),
            ));
        }
    }
    // What the watches knew when it was measured and no longer know is gone.
    for ((namespace, pod, name), (row, _)) in rows.into_iter().filter(|(_, (_, seen))| !seen) {
        let node = row.0.and_then(|(table, row)| table.context(row).node.as_ref());
        let node = node.map_or("", |node| &*node.name);
        found.push(Candidate {
            namespace,
            pod,
            name,
            node,
            owner: None,
            spec: None,
            status: None,
            row,
        });
    }
    found
}

/// The containers of one pod, as the list shows them, in the order of its spec.
pub(super) fn items_of(batch: Option<&Batch>, inventory: &Inventory, pod: &Pod) -> Vec<Item> {
    let mut registry = Registry::default();
    let owner = registry.pod(&pod.namespace, &pod.name, "");
    let mut item = |spec: &ContainerSpec| {
        let entity = registry.container(&owner, &spec.name);
        let row = Row(batch.and_then(|batch| batch.find(&entity)));
        Candidate::of_pod(pod, inventory, spec, row).item()
    };
    pod.containers.iter().map(&mut item).collect()
}

impl<'a> Candidate<'a> {
    fn of_pod(
        pod: &'a Pod,
        inventory: &'a Inventory,
        spec: &'a ContainerSpec,
        row: Row<'a>,
    ) -> Self {
        let status = pod.statuses.iter().find(|status| *status.name == *spec.name);
        Self {
            namespace: &pod.namespace,
            pod: &pod.name,
            name: &spec.name,
            node: &pod.node,
            owner: inventory.top_owner(pod),
            spec: Some(spec),
            status,
            row,
        }
    }

    fn by_name(left: &Self, right: &Self) -> Ordering {
        let name = |one: &Self| (one.name, one.namespace, one.pod);
        (left.name, left.namespace, left.pod).cmp(&name(right))
    }

    fn sort_key(&self, sort: Sort) -> Option<Key<'a>> {
        let row = &self.row;
        let number = match sort {
            Sort::Namespace => return Some(Key::Text(self.namespace)),
            Sort::Node => return Some(self.node).filter(|node| !node.is_empty()).map(Key::Text),
            Sort::Cpu => row.get(metric::CPU_USAGE_RATE).map(|Number(value)| value),
            Sort::CpuShare => row.share(metric::CPU_USAGE_RATE, metric::CPU_LIMIT),
            Sort::Memory => row.get(metric::MEMORY_WORKING_SET).map(|Number(value)| value),
            Sort::MemoryShare => row.share(metric::MEMORY_WORKING_SET, metric::MEMORY_LIMIT),
            Sort::Restarts => self.status.map(|status| f64::from(status.restart_count)),
            Sort::Started => match self.status.map(|status| &status.state) {
                Some(ContainerState::Running(since)) => time_key(*since),
                _ => None,
            },
            _ => None,
        };
        number.map(Key::Number)
    }

    fn item(&self) -> Item {
        let state = self.status.map(|status| &status.state);
        let (name, reason, started) = match state {
            None | Some(ContainerState::Unknown) => (None, "", None),
            Some(ContainerState::Waiting(reason)) => (Some("waiting"), &**reason, None),
            Some(ContainerState::Running(since)) => (Some("running"), "", millis(*since)),
            Some(ContainerState::Terminated(end)) => (Some("terminated"), &*end.reason, None),
        };
        let last = self.status.and_then(end_of);
        Item {
            namespace: self.namespace.to_owned(),
            pod: self.pod.to_owned(),
            name: self.name.to_owned(),
            node: Some(self.node).filter(|node| !node.is_empty()).map(str::to_owned),
            workload: self.owner.map(WorkloadName::from),
            image: self.spec.map(|spec| spec.image.to_string()),
            state: name,
            reason: reason.to_owned(),
            started,
            ready: self.status.map(|status| status.ready),
            restarts: self.status.map(|status| status.restart_count),
            last: last.map(End::from),
            cpu: self.row.cpu(),
            memory: self.row.memory(),
        }
    }
}

/// How a container ended: this time, else the last.
pub(super) fn end_of(status: &ContainerStatus) -> Option<&Termination> {
    match &status.state {
        ContainerState::Terminated(end) => Some(end),
        _ => status.last_termination.as_deref(),
    }
}
