//! One node, namespace, workload or pod: what its list shows of it, and what only its page needs.

use std::sync::{Arc, PoisonError};

use axum::extract::{Path, State};
use axum::response::Response;
use http::Uri;
use model::{Batch, Inventory, Node, Owner, Pod, Ready};
use once::Order as _;
use serde::Serialize;

use super::cell::millis;
use super::pods::WorkloadName;
use super::status::no_parameters;
use super::{containers, namespaces, nodes, pods, respond, workloads};
use crate::ApiState;
use crate::error::Error;

/// What every page of one thing begins with.
#[derive(Debug, Serialize)]
struct Detail<I, M> {
    /// Of the batch that the numbers come from, in milliseconds.
    timestamp: Option<i64>,
    item: I,
    #[serde(flatten)]
    more: M,
}

/// Key and value.
type Label = (String, String);

#[derive(Debug, Serialize)]
struct Condition {
    name: String,
    /// As the object says it: `True`, `False`; `Unknown` where it says nothing.
    status: &'static str,
    /// Whether that is as it should be.
    good: bool,
    /// Why, in the object's word; may be empty.
    reason: String,
}

#[derive(Debug, Default, Serialize)]
struct OfNode {
    labels: Vec<Label>,
    addresses: Vec<Label>,
    conditions: Vec<Condition>,
}

#[derive(Debug, Default, Serialize)]
struct OfNamespace {
    labels: Vec<Label>,
    phase: String,
}

#[derive(Debug, Serialize)]
struct OfWorkload {
    /// Its owner, and that one's.
    owners: Vec<WorkloadName>,
    /// Workloads that it owns, such as a Deployment's `ReplicaSet`s.
    owned: Vec<Owned>,
}

#[derive(Debug, Serialize)]
struct Owned {
    kind: String,
    name: String,
    desired: Option<i64>,
    ready: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OfPod {
    uid: String,
    labels: Vec<Label>,
    created: Option<i64>,
    /// When its deletion was asked for.
    deleted: Option<i64>,
    host_network: bool,
    /// Direct owner first.
    owners: Vec<WorkloadName>,
    conditions: Vec<Condition>,
    containers: Vec<containers::Item>,
}

pub(crate) async fn node(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
    uri: Uri,
) -> Response {
    respond(found(&state, &uri, |batch, inventory| {
        let item = nodes::item_of(batch, inventory, &name)?;
        let more = inventory.node(&name).map(|node| OfNode {
            labels: labels(&node.labels),
            addresses: labels(&node.addresses),
            conditions: of_node(node),
        });
        Some((item, more.unwrap_or_default()))
    }))
}

pub(crate) async fn namespace(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
    uri: Uri,
) -> Response {
    respond(found(&state, &uri, |batch, inventory| {
        let item = namespaces::item_of(batch, inventory, &name)?;
        let more = inventory.namespace(&name).map(|namespace| OfNamespace {
            labels: labels(&namespace.labels),
            phase: namespace.phase.to_string(),
        });
        Some((item, more.unwrap_or_default()))
    }))
}

pub(crate) async fn workload(
    State(state): State<Arc<ApiState>>,
    Path((namespace, kind, name)): Path<(String, String, String)>,
    uri: Uri,
) -> Response {
    respond(found(&state, &uri, |batch, inventory| {
        let item = workloads::item_of(batch, inventory, (&namespace, &kind, &name))?;
        let own = Owner { kind: kind.as_str().into(), name: name.as_str().into() };
        let owner = inventory.workload(&namespace, &own).and_then(|one| one.owner.as_ref());
        let mut below: Vec<Owned> = inventory
            .workloads()
            .filter(|one| *one.namespace == *namespace && one.owner.as_ref() == Some(&own))
            .map(|one| Owned {
                kind: one.kind.to_string(),
                name: one.name.to_string(),
                desired: one.desired,
                ready: one.ready,
            })
            .collect();
        below.order_by(|left, right| left.name.cmp(&right.name));
        Some((item, OfWorkload { owners: owners(inventory, &namespace, owner), owned: below }))
    }))
}

pub(crate) async fn pod(
    State(state): State<Arc<ApiState>>,
    Path((namespace, name)): Path<(String, String)>,
    uri: Uri,
) -> Response {
    respond(found(&state, &uri, |batch, inventory| {
        let item = pods::item_of(batch, inventory, &namespace, &name)?;
        let none = Pod::default();
        let known = inventory.pod(&namespace, &name);
        let pod = known.map_or(&none, |pod| &**pod);
        let more = OfPod {
            uid: pod.uid.to_string(),
            labels: labels(&pod.labels),
            created: millis(pod.created).filter(|_| known.is_some()),
            deleted: millis(pod.deleted).filter(|_| known.is_some()),
            host_network: pod.host_network,
            owners: owners(inventory, &namespace, pod.owner.as_ref()),
            conditions: if known.is_some() { of_pod(pod) } else { Vec::new() },
            containers: containers::items_of(batch, inventory, pod),
        };
        Some((item, more))
    }))
}

fn found<I, M>(
    state: &ApiState,
    uri: &Uri,
    find: impl FnOnce(Option<&Batch>, &Inventory) -> Option<(I, M)>,
) -> Result<Detail<I, M>, Error> {
    no_parameters(uri)?;
    let latest = state.window.latest();
    let batch = latest.as_deref();
    let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
    let (item, more) = find(batch, &inventory).ok_or(Error::NoObject)?;
    Ok(Detail { timestamp: batch.map(|batch| batch.timestamp().millis()), item, more })
}

fn labels(labels: &[(Box<str>, Box<str>)]) -> Vec<Label> {
    labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

/// `owner` and the owners above it.
fn owners(inventory: &Inventory, namespace: &str, owner: Option<&Owner>) -> Vec<WorkloadName> {
    let mut chain = Vec::new();
    let mut next = owner;
    while let Some(owner) = next.filter(|_| chain.len() < 8) {
        chain.push(WorkloadName::from(owner));
        next = inventory.workload(namespace, owner).and_then(|one| one.owner.as_ref());
    }
    chain
}

fn condition(name: &str, holds: Option<bool>, wanted: bool, reason: &str) -> Condition {
    let status = match holds {
        Some(true) => "True",
        Some(false) => "False",
        None => "Unknown",
    };
    let good = holds == Some(wanted);
    Condition { name: name.to_owned(), status, good, reason: reason.to_owned() }
}

fn of_node(node: &Node) -> Vec<Condition> {
    let ready = match node.ready {
        Ready::Yes => Some(true),
        Ready::No => Some(false),
        Ready::Unstated => None,
    };
    let mut conditions = vec![condition("Ready", ready, true, "")];
    conditions.extend(node.pressures.iter().map(|name| condition(name, Some(true), false, "")));
    if node.unschedulable {
        conditions.push(condition("Unschedulable", Some(true), false, ""));
    }
    conditions
}

/// What the pod's own fields say of its way from scheduling to readiness.
fn of_pod(pod: &Pod) -> Vec<Condition> {
    let ready = pod.statuses.iter().filter(|status| status.ready).count();
    let all = ready == pod.containers.len();
    let ended = matches!(&*pod.phase, "Succeeded" | "Failed");
    let mut conditions = vec![condition("PodScheduled", Some(!pod.node.is_empty()), true, "")];
    if ended {
        conditions.push(condition(&pod.phase, Some(true), &*pod.phase == "Succeeded", &pod.reason));
    } else {
        let reason = if all { "" } else { pods::reason(pod) };
        conditions.push(condition("ContainersReady", Some(all), true, reason));
    }
    if !pod.deleted.is_never() {
        conditions.push(condition("Terminating", Some(true), false, ""));
    }
    conditions
}
