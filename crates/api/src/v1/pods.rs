//! `GET /pods`: pods with usage and the state that matters most.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::{
    Batch, ContainerState, EntityKind, Inventory, Owner, Pod, Registry, Termination, metric,
};
use serde::Serialize;

use super::cell::{Cpu, Memory, Network, Number, Row, millis, time_key};
use super::containers::End;
use super::list::{Key, List, Page, Sort, is};
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
    Sort::Network,
    Sort::Filesystem,
    Sort::Restarts,
    Sort::Started,
];

const FILTERS: &[&str] = &["namespace", "node", "phase", "workload", "label"];

#[derive(Debug, Serialize)]
pub(super) struct Item {
    namespace: String,
    name: String,
    node: Option<String>,
    phase: Option<String>,
    reason: String,
    workload: Option<WorkloadName>,
    containers: Option<usize>,
    ready: Option<usize>,
    restarts: Option<u32>,
    /// How a container of it ended last.
    last: Option<End>,
    started: Option<i64>,
    cpu: Cpu,
    memory: Memory,
    network: Network,
}

/// A workload, named.
#[derive(Debug, Serialize)]
pub(super) struct WorkloadName {
    pub(super) kind: String,
    pub(super) name: String,
}

impl From<&Owner> for WorkloadName {
    fn from(owner: &Owner) -> Self {
        Self { kind: owner.kind.to_string(), name: owner.name.to_string() }
    }
}

pub(crate) async fn pods(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(gather(&state, uri.query().unwrap_or("")))
}

/// A pod that the watches or the batch know.
struct Candidate<'a> {
    namespace: &'a str,
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
    candidates.retain(|one| page.shows(one.name) && one.passes(&page, &inventory));
    let (total, shown) = page.of(candidates, |one| one.sort_key(page.sort), Candidate::by_name);
    let items = shown.iter().map(|one| one.item(batch, &inventory)).collect();
    Ok(List::new(batch.map(Batch::timestamp), total, items))
}

/// Pods of the batch, those left out that the watches knew then and no longer know.
fn measured<'a>(batch: Option<&'a Batch>, inventory: &'a Inventory) -> Vec<Candidate<'a>> {
    let Some(table) = batch.map(|batch| batch.table(EntityKind::Pod)) else { return Vec::new() };
    let mut candidates = Vec::with_capacity(table.len());
    for (row, entity) in table.entities().iter().enumerate() {
        let (namespace, name) = (entity.namespace().unwrap_or_default(), entity.name());
        let pod = inventory.pod(namespace, name);
        if pod.is_none() && table.context(row).pod.is_some() {
            continue;
        }
        candidates.push(Candidate { namespace, name, pod, row: Row(Some((table, row))) });
    }
    candidates
}

fn add_unmeasured<'a>(candidates: &mut Vec<Candidate<'a>>, inventory: &'a Inventory) {
    let seen: HashSet<(&str, &str)> =
        candidates.iter().map(|one| (one.namespace, one.name)).collect();
    let new = inventory.pods().filter(|pod| !seen.contains(&(&*pod.namespace, &*pod.name)));
    let new: Vec<_> = new
        .map(|pod| Candidate {
            namespace: &pod.namespace,
            name: &pod.name,
            pod: Some(pod),
            row: Row(None),
        })
        .collect();
    candidates.extend(new);
}

/// The item of one pod, as the list shows it; `None` where nobody knows it.
pub(super) fn item_of(
    batch: Option<&Batch>,
    inventory: &Inventory,
    namespace: &str,
    name: &str,
) -> Option<Item> {
    let found = batch.and_then(|batch| batch.find(&Registry::default().pod(namespace, name, "")));
    let pod = inventory.pod(namespace, name);
    if pod.is_none() && found.is_none() {
        return None;
    }
    Some(Candidate { namespace, name, pod, row: Row(found) }.item(batch, inventory))
}

impl<'a> Candidate<'a> {
    fn by_name(left: &Self, right: &Self) -> Ordering {
        (left.name, left.namespace).cmp(&(right.name, right.namespace))
    }

    fn node(&self) -> Option<&'a str> {
        if let Some(pod) = self.pod {
            return Some(&*pod.node).filter(|node| !node.is_empty());
        }
        let (table, row) = self.row.0?;
        table.context(row).node.as_ref().map(|node| &*node.name)
    }

    /// Whether the list's filters let it through.
    fn passes(&self, page: &Page, inventory: &Inventory) -> bool {
        let filter = &page.filter;
        let here =
            filter.namespace(self.namespace) && is(&filter.nodes, self.node().unwrap_or_default());
        let of_object = |pod: &Pod| {
            let owner = filter.workload.as_ref().map(|_| inventory.top_owner(pod));
            let wanted = filter.workload.as_ref().map(|(kind, name)| (&**kind, &**name));
            let held = owner.flatten().map(|owner| (&*owner.kind, &*owner.name));
            is(&filter.phases, &pod.phase)
                && (wanted.is_none() || wanted == held)
                && filter.labels(&pod.labels)
        };
        here && self.pod.map_or(!filter.needs_object(), |pod| of_object(pod))
    }

    fn restarts(&self) -> Option<u32> {
        self.pod.map(|pod| restarts(pod))
    }

    fn sort_key(&self, sort: Sort) -> Option<Key<'a>> {
        match sort {
            Sort::Namespace => Some(Key::Text(self.namespace)),
            Sort::Node => self.node().map(Key::Text),
            _ => self.sort_value(sort).map(Key::Number),
        }
    }

    fn sort_value(&self, sort: Sort) -> Option<f64> {
        let row = &self.row;
        let number = match sort {
            Sort::Cpu => row.get(metric::CPU_USAGE_RATE),
            Sort::CpuShare => return row.share(metric::CPU_USAGE_RATE, metric::CPU_LIMIT),
            Sort::Memory => row.get(metric::MEMORY_WORKING_SET),
            Sort::MemoryShare => {
                return row.share(metric::MEMORY_WORKING_SET, metric::MEMORY_LIMIT);
            }
            Sort::Filesystem => row.get(metric::EPHEMERAL_STORAGE_USAGE),
            Sort::Network => return row.network().sum(),
            Sort::Restarts => return self.restarts().map(f64::from),
            Sort::Started => return self.pod.and_then(|pod| time_key(pod.started)),
            _ => None,
        };
        number.map(|Number(value)| value)
    }

    fn item(&self, batch: Option<&Batch>, inventory: &Inventory) -> Item {
        let pod = self.pod.map(|pod| &**pod);
        let workload = pod.and_then(|pod| inventory.top_owner(pod)).map(WorkloadName::from);
        Item {
            namespace: self.namespace.to_owned(),
            name: self.name.to_owned(),
            node: self.node().map(str::to_owned),
            phase: pod.map(|pod| pod.phase.to_string()),
            reason: pod.map(reason).unwrap_or_default().to_owned(),
            workload,
            containers: self.containers(batch),
            ready: pod.map(|pod| pod.statuses.iter().filter(|status| status.ready).count()),
            restarts: self.restarts(),
            last: pod.and_then(last_end).map(End::from),
            started: pod.and_then(|pod| millis(pod.started)),
            cpu: self.row.cpu(),
            memory: self.row.memory(),
            network: self.row.network(),
        }
    }

    /// As many as the spec names; for a pod that only the kubelet knows, as many as were measured.
    fn containers(&self, batch: Option<&Batch>) -> Option<usize> {
        if let Some(pod) = self.pod {
            return Some(pod.containers.len());
        }
        let pod = Registry::default().pod(self.namespace, self.name, "");
        let containers = batch?.table(EntityKind::Container).entities().iter();
        Some(containers.filter(|container| container.parent() == Some(&pod)).count())
    }
}

/// How often the pod's containers restarted, together.
pub(super) fn restarts(pod: &Pod) -> u32 {
    pod.statuses.iter().map(|status| status.restart_count).sum()
}

/// The newest end of a container: of its run before, or of this one.
fn last_end(pod: &Pod) -> Option<&Termination> {
    let ends = pod.statuses.iter().flat_map(|status| {
        let own = match &status.state {
            ContainerState::Terminated(end) => Some(&**end),
            _ => None,
        };
        own.into_iter().chain(status.last_termination.as_deref())
    });
    ends.max_by_key(|end| end.finished)
}

/// Waiting reasons of a pod that merely starts.
pub(super) const STARTING: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// The reason that matters most: the pod's own, then why a container waits, then how one ended;
/// a mere start last.
pub(super) fn reason(pod: &Pod) -> &str {
    if !pod.reason.is_empty() {
        return &pod.reason;
    }
    let waiting = || {
        pod.statuses.iter().filter_map(|status| match &status.state {
            ContainerState::Waiting(reason) if !reason.is_empty() => Some(&**reason),
            _ => None,
        })
    };
    let ended = || {
        pod.statuses.iter().filter_map(|status| match &status.state {
            ContainerState::Terminated(end) if &*end.reason != "Completed" => Some(&*end.reason),
            _ => None,
        })
    };
    waiting()
        .find(|reason| !STARTING.contains(reason))
        .or_else(|| ended().find(|reason| !reason.is_empty()))
        .or_else(|| waiting().next())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use model::ContainerStatus;

    use super::*;

    #[test]
    fn the_reason_that_matters_most_is_shown() {
        let waiting = |reason: &str| ContainerState::Waiting(reason.into());
        let ended = |reason: &str| {
            ContainerState::Terminated(Box::new(Termination {
                reason: reason.into(),
                ..Termination::default()
            }))
        };
        let check = |own: &str, states: &[ContainerState], expected: &str| {
            let status = |state: &ContainerState| ContainerStatus {
                state: state.clone(),
                ..Default::default()
            };
            let statuses = states.iter().map(status).collect();
            let pod = Pod { reason: own.into(), statuses, ..Pod::default() };
            assert_eq!(reason(&pod), expected);
        };
        check("", &[], "");
        check("Evicted", &[ended("OOMKilled")], "Evicted");
        check("", &[ended("OOMKilled"), waiting("CrashLoopBackOff")], "CrashLoopBackOff");
        check("", &[waiting("ContainerCreating"), ended("OOMKilled")], "OOMKilled");
        check("", &[ended("Completed"), waiting("ContainerCreating")], "ContainerCreating");
        check("", &[ended("Completed")], "");
    }
}
