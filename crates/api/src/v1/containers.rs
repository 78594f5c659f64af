//! `GET /containers`: containers of pods with usage, image and state.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::{
    Batch, ContainerSpec, ContainerState, ContainerStatus, EntityKind, Inventory, Pod, metric,
};
use serde::Serialize;

use super::cell::{Cpu, Memory, Number, Row, Workload};
use super::list::{Filter, List, Page, Sort};
use super::respond;
use crate::ApiState;
use crate::error::Error;

const SORTS: &[Sort] = &[Sort::Name, Sort::Cpu, Sort::Memory, Sort::Restarts];

const FILTERS: &[Filter] = &[Filter::Namespace, Filter::Node, Filter::Pod];

#[derive(Debug, Serialize)]
struct Item {
    namespace: String,
    pod: String,
    name: String,
    node: Option<String>,
    workload: Option<Workload>,
    image: Option<String>,
    state: Option<&'static str>,
    reason: String,
    ready: Option<bool>,
    restarts: Option<u32>,
    cpu: Cpu,
    memory: Memory,
}

pub(crate) async fn containers(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(gather(&state, uri.query().unwrap_or("")))
}

/// A container that the watches or the batch know.
struct Candidate<'a> {
    namespace: &'a str,
    pod_name: &'a str,
    name: &'a str,
    pod: Option<&'a Arc<Pod>>,
    row: Row<'a>,
}

fn gather(state: &ApiState, query: &str) -> Result<List<Item>, Error> {
    let page = Page::parse(query, SORTS, FILTERS)?;
    let latest = state.window.latest();
    let batch = latest.as_deref();
    let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
    let mut candidates = measured(batch, &inventory);
    add_unmeasured(&mut candidates, &inventory);
    candidates.retain(|one| {
        page.shows(one.name)
            && page.wants(Filter::Namespace, Some(one.namespace))
            && page.wants(Filter::Pod, Some(one.pod_name))
            && page.wants(Filter::Node, one.node())
    });
    let (total, shown) = page.of(candidates, |one| one.sort_value(page.sort), Candidate::by_name);
    let items = shown.iter().map(|one| one.item(&inventory)).collect();
    Ok(List::new(batch.map(Batch::timestamp), total, items))
}

/// Containers of the batch, those left out whose pods the watches knew then and no longer know.
fn measured<'a>(batch: Option<&'a Batch>, inventory: &'a Inventory) -> Vec<Candidate<'a>> {
    let Some(table) = batch.map(|batch| batch.table(EntityKind::Container)) else {
        return Vec::new();
    };
    let mut candidates = Vec::with_capacity(table.len());
    for (row, entity) in table.entities().iter().enumerate() {
        let Some(parent) = entity.parent() else { continue };
        let (namespace, pod_name) = (parent.namespace().unwrap_or_default(), parent.name());
        let pod = inventory.pod(namespace, pod_name);
        if pod.is_none() && table.context(row).pod.is_some() {
            continue;
        }
        let row = Row(Some((table, row)));
        candidates.push(Candidate { namespace, pod_name, name: entity.name(), pod, row });
    }
    candidates
}

fn add_unmeasured<'a>(candidates: &mut Vec<Candidate<'a>>, inventory: &'a Inventory) {
    let seen: HashSet<(&str, &str, &str)> =
        candidates.iter().map(|one| (one.namespace, one.pod_name, one.name)).collect();
    let mut new = Vec::new();
    for pod in inventory.pods() {
        let (namespace, pod_name) = (&*pod.namespace, &*pod.name);
        let unseen = |one: &&ContainerSpec| !seen.contains(&(namespace, pod_name, &*one.name));
        new.extend(pod.containers.iter().filter(unseen).map(|container| Candidate {
            namespace,
            pod_name,
            name: &container.name,
            pod: Some(pod),
            row: Row(None),
        }));
    }
    candidates.extend(new);
}

impl Candidate<'_> {
    fn by_name(left: &Self, right: &Self) -> Ordering {
        (left.name, left.pod_name, left.namespace).cmp(&(
            right.name,
            right.pod_name,
            right.namespace,
        ))
    }

    fn node(&self) -> Option<&str> {
        if let Some(pod) = self.pod {
            return Some(&*pod.node).filter(|node| !node.is_empty());
        }
        let (table, row) = self.row.0?;
        table.context(row).node.as_ref().map(|node| &*node.name)
    }

    fn status(&self) -> Option<&ContainerStatus> {
        self.pod?.statuses.iter().find(|status| *status.name == *self.name)
    }

    fn sort_value(&self, sort: Sort) -> Option<f64> {
        let number = match sort {
            Sort::Cpu => self.row.get(metric::CPU_USAGE_RATE),
            Sort::Memory => self.row.get(metric::MEMORY_WORKING_SET),
            Sort::Restarts => return self.status().map(|status| f64::from(status.restart_count)),
            _ => None,
        };
        number.map(|Number(value)| value)
    }

    fn item(&self, inventory: &Inventory) -> Item {
        let spec =
            self.pod.and_then(|pod| pod.containers.iter().find(|one| *one.name == *self.name));
        let status = self.status();
        let (state, reason) = status.map_or((None, ""), |status| state(&status.state));
        Item {
            namespace: self.namespace.to_owned(),
            pod: self.pod_name.to_owned(),
            name: self.name.to_owned(),
            node: self.node().map(str::to_owned),
            workload: self.pod.and_then(|pod| Workload::of(pod, inventory)),
            image: spec.map(|spec| spec.image.to_string()),
            state,
            reason: reason.to_owned(),
            ready: status.map(|status| status.ready),
            restarts: status.map(|status| status.restart_count),
            cpu: self.row.cpu(),
            memory: self.row.memory(),
        }
    }
}

/// A state's name and the reason for it.
fn state(state: &ContainerState) -> (Option<&'static str>, &str) {
    match state {
        ContainerState::Unknown => (None, ""),
        ContainerState::Waiting(reason) => (Some("waiting"), reason),
        ContainerState::Terminated(end) => (Some("terminated"), &end.reason),
        ContainerState::Running(_) => (Some("running"), ""),
    }
}
