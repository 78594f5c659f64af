//! `GET /workloads`: what runs pods, of every kind, with the sums of its pods.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::{Batch, EntityKind, Inventory, Owner, Pod, Registry, Workload, metric};
use serde::Serialize;

use super::cell::{Cpu, Memory, Network, Number, Row};
use super::list::{Key, List, Page, Sort, is};
use super::pods::{WorkloadName, restarts};
use super::respond;
use crate::ApiState;
use crate::error::Error;

const SORTS: &[Sort] = &[
    Sort::Name,
    Sort::Namespace,
    Sort::Kind,
    Sort::Cpu,
    Sort::CpuShare,
    Sort::Memory,
    Sort::MemoryShare,
    Sort::Network,
    Sort::Restarts,
    Sort::Pods,
    Sort::Ready,
];

#[derive(Debug, Serialize)]
pub(super) struct Item {
    namespace: String,
    kind: String,
    name: String,
    owner: Option<WorkloadName>,
    desired: Option<i64>,
    ready: Option<i64>,
    pods: Number,
    restarts: Number,
    cpu: Cpu,
    memory: Memory,
    network: Network,
}

pub(crate) async fn workloads(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(gather(&state, uri.query().unwrap_or("")))
}

type Name<'a> = (&'a str, &'a str, &'a str);

/// How many pods a workload has, and how often their containers restarted.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    pods: u32,
    restarts: u32,
}

struct Candidate<'a> {
    namespace: &'a str,
    kind: &'a str,
    name: &'a str,
    workload: Option<&'a Arc<Workload>>,
    row: Row<'a>,
    counts: Counts,
}

fn gather(state: &ApiState, query: &str) -> Result<List<Item>, Error> {
    let page = Page::parse(query, SORTS, &["namespace", "kind"])?;
    let latest = state.window.latest();
    let batch = latest.as_deref();
    let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
    let mut candidates = candidates(batch, &inventory);
    candidates.retain(|one| {
        let owned = one.workload.is_some_and(|workload| workload.owner.is_some());
        page.shows(one.name)
            && page.filter.namespace(one.namespace)
            && is(&page.filter.kinds, one.kind)
            // What another workload owns is only shown to who asks for its kind.
            && (!owned || !page.filter.kinds.is_empty())
    });
    let (total, shown) = page.of(candidates, |one| one.sort_key(page.sort), Candidate::by_name);
    let items = shown.iter().map(Candidate::item).collect();
    Ok(List::new(batch.map(Batch::timestamp), total, items))
}

/// Workloads that the watches or the batch know, and owners that only pods name.
fn candidates<'a>(batch: Option<&'a Batch>, inventory: &'a Inventory) -> Vec<Candidate<'a>> {
    let counts = counts(inventory);
    let mut rows: HashMap<Name<'a>, Row<'a>> = HashMap::new();
    if let Some(table) = batch.map(|batch| batch.table(EntityKind::Workload)) {
        for (row, entity) in table.entities().iter().enumerate() {
            let name = (entity.namespace().unwrap_or_default(), entity.variant(), entity.name());
            rows.insert(name, Row(Some((table, row))));
        }
    }
    let mut found = Vec::new();
    let mut add = |name: Name<'a>, workload, row| {
        let (namespace, kind, own) = name;
        let counts = counts.get(&name).copied().unwrap_or_default();
        found.push(Candidate { namespace, kind, name: own, workload, row, counts });
    };
    let mut seen: HashSet<Name<'a>> = HashSet::new();
    for workload in inventory.workloads() {
        let name: Name<'a> = (&workload.namespace, &workload.kind, &workload.name);
        seen.insert(name);
        add(name, Some(workload), rows.remove(&name).unwrap_or(Row(None)));
    }
    for name in counts.keys().filter(|name| !seen.contains(*name)) {
        add(*name, None, rows.remove(name).unwrap_or(Row(None)));
    }
    for (name, row) in rows {
        add(name, None, row);
    }
    found
}

/// By top owner and, where that is another, by direct owner.
fn counts(inventory: &Inventory) -> HashMap<Name<'_>, Counts> {
    let mut counts: HashMap<Name<'_>, Counts> = HashMap::new();
    for pod in inventory.pods() {
        let top = inventory.top_owner(pod);
        let direct = pod.owner.as_ref().filter(|owner| top.is_none_or(|top| top != *owner));
        for owner in top.into_iter().chain(direct) {
            let count = counts.entry(full_name(pod, owner)).or_default();
            count.pods += 1;
            count.restarts += restarts(pod);
        }
    }
    counts
}

fn full_name<'a>(pod: &'a Pod, owner: &'a Owner) -> Name<'a> {
    (&pod.namespace, &owner.kind, &owner.name)
}

/// The item of one workload, as the list shows it; `None` where nobody knows it.
pub(super) fn item_of(
    batch: Option<&Batch>,
    inventory: &Inventory,
    (namespace, kind, name): Name<'_>,
) -> Option<Item> {
    let entity = Registry::default().workload(namespace, kind, name);
    let row = Row(batch.and_then(|batch| batch.find(&entity)));
    let owner = Owner { kind: kind.into(), name: name.into() };
    let workload = inventory.workload(namespace, &owner);
    let counts = counts(inventory).get(&(namespace, kind, name)).copied();
    if workload.is_none() && row.0.is_none() && counts.is_none() {
        return None;
    }
    let counts = counts.unwrap_or_default();
    Some(Candidate { namespace, kind, name, workload, row, counts }.item())
}

impl<'a> Candidate<'a> {
    fn by_name(left: &Self, right: &Self) -> Ordering {
        let name = |one: &Self| (one.name, one.namespace, one.kind);
        (left.name, left.namespace, left.kind).cmp(&name(right))
    }

    fn sort_key(&self, sort: Sort) -> Option<Key<'a>> {
        let row = &self.row;
        let number = match sort {
            Sort::Namespace => return Some(Key::Text(self.namespace)),
            Sort::Kind => return Some(Key::Text(self.kind)),
            Sort::Cpu => row.get(metric::CPU_USAGE_RATE).map(|Number(value)| value),
            Sort::CpuShare => row.share(metric::CPU_USAGE_RATE, metric::CPU_REQUEST),
            Sort::Memory => row.get(metric::MEMORY_WORKING_SET).map(|Number(value)| value),
            Sort::MemoryShare => row.share(metric::MEMORY_WORKING_SET, metric::MEMORY_REQUEST),
            Sort::Network => row.network().sum(),
            Sort::Restarts => Some(self.restarts().0),
            Sort::Pods => Some(self.pods().0),
            Sort::Ready => self.ready_share(),
            _ => None,
        };
        number.map(Key::Number)
    }

    /// As measured; what the watches count, where nothing was.
    fn pods(&self) -> Number {
        self.row.get(metric::PODS).unwrap_or(Number(f64::from(self.counts.pods)))
    }

    fn restarts(&self) -> Number {
        let counted = Number(f64::from(self.counts.restarts));
        self.row.get(metric::RESTART_COUNT).unwrap_or(counted)
    }

    fn ready_share(&self) -> Option<f64> {
        let workload = self.workload?;
        let (ready, desired) = (workload.ready?, workload.desired?);
        let float = |count: i64| model::Value::Int(count).as_f64();
        (desired > 0).then(|| float(ready) / float(desired))
    }

    fn item(&self) -> Item {
        Item {
            namespace: self.namespace.to_owned(),
            kind: self.kind.to_owned(),
            name: self.name.to_owned(),
            owner: self.workload.and_then(|one| one.owner.as_ref()).map(WorkloadName::from),
            desired: self.workload.and_then(|one| one.desired),
            ready: self.workload.and_then(|one| one.ready),
            pods: self.pods(),
            restarts: self.restarts(),
            cpu: self.row.cpu(),
            memory: self.row.memory(),
            network: self.row.network(),
        }
    }
}
