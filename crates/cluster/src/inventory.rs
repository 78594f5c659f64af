//! From Kubernetes objects to the product's inventory. Pure: knows no watch and no lock.

mod bounds;
mod monitors;

pub use bounds::{autoscaler, persistent_volume, quota};
pub use monitors::{endpoint_slice, pod_monitor, service, service_monitor};

use std::collections::BTreeMap;

use model::{
    Bookmark, Claim, ContainerSpec, ContainerState, ContainerStatus, Counts, Namespace, Node,
    Owner, Pod, Ready, Resources, ScrapeHint, Taint, Termination, Workload,
};

use crate::quantity;
use crate::wire::object::{self, Amounts, Metadata, OwnerReference};

type Pairs = Box<[(Box<str>, Box<str>)]>;

/// The node annotation with the path of its kubelet's resource metrics. metrics-server's.
const RESOURCE_PATH: &str = "metrics.k8s.io/resource-metrics-path";
/// Longest path that is taken from it.
const MAX_PATH_BYTES: usize = 256;

/// Whether a path leads to where it says: kubelets write their nodes' annotations themselves, and the
/// path may be asked through the API server.
fn is_plain_path(path: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'/' | b'-' | b'_' | b'.');
    path.starts_with('/')
        && path.len() <= MAX_PATH_BYTES
        && path.bytes().all(plain)
        && !path.split('/').any(|part| part == ".." || part == ".")
}

/// A node. Its host id is `spec.externalID`, else the annotation named `host_id_annotation`.
pub fn node(object: object::Node, host_id_annotation: &str) -> Node {
    let object::Node { metadata, spec, status } = object;
    let annotation = metadata.annotations.get(host_id_annotation).map(String::as_str);
    let host_id = spec.external_id.as_deref().filter(|id| !id.is_empty()).or(annotation);
    let addresses = status.addresses.unwrap_or_default();
    let hostname = addresses
        .iter()
        .rev()
        .find(|address| address.kind == "Hostname" && !address.address.is_empty());
    let conditions = status.conditions.unwrap_or_default();
    let capacity = status.capacity.unwrap_or_default();
    let pods = capacity.get("pods").and_then(|pods| quantity::value(&pods.0));
    let info = status.node_info.unwrap_or_default();
    let taints = spec.taints.unwrap_or_default().into_iter();
    Node {
        name: metadata.name().into(),
        uid: metadata.uid().into(),
        hostname: hostname.map_or(metadata.name(), |address| &address.address).into(),
        host_id: host_id.unwrap_or_default().into(),
        kubelet_port: status
            .daemon_endpoints
            .and_then(|endpoints| endpoints.kubelet_endpoint)
            .map_or(0, |endpoint| endpoint.port),
        resource_path: metadata
            .annotations
            .get(RESOURCE_PATH)
            .filter(|path| is_plain_path(path))
            .map_or_else(Box::default, |path| path.as_str().into()),
        ready: ready(&conditions),
        pressures: conditions
            .iter()
            .filter(|condition| condition.kind != "Ready" && condition.status == "True")
            .map(|condition| condition.kind.as_str().into())
            .collect(),
        unschedulable: spec.unschedulable.unwrap_or(false),
        capacity: resources(&capacity),
        allocatable: resources(&status.allocatable.unwrap_or_default()),
        pod_capacity: pods.and_then(|pods| u32::try_from(pods).ok()).unwrap_or(0),
        kubelet_version: info.kubelet_version.into(),
        kernel_version: info.kernel_version.into(),
        os_image: info.os_image.into(),
        runtime_version: info.container_runtime_version.into(),
        provider_id: spec.provider_id.into(),
        pod_cidr: spec.pod_cidr.into(),
        taints: taints.map(taint).collect(),
        created: metadata.created.0,
        addresses: addresses.into_iter().map(|a| (a.kind.into(), a.address.into())).collect(),
        labels: labels(metadata.labels),
    }
}

fn taint(object: object::Taint) -> Taint {
    let object::Taint { key, value, effect } = object;
    Taint { key: key.into(), value: value.into(), effect: effect.into() }
}

/// Heapster's rule: any `Ready` condition that is not `True` makes a node not ready.
fn ready(conditions: &[object::Condition]) -> Ready {
    let mut stated = conditions.iter().filter(|condition| condition.kind == "Ready").peekable();
    if stated.peek().is_none() {
        return Ready::Unstated;
    }
    if stated.all(|condition| condition.status == "True") { Ready::Yes } else { Ready::No }
}

/// A pod.
pub fn pod(object: object::Pod) -> Pod {
    let object::Pod { metadata, spec, status } = object;
    let claims = spec.volumes.unwrap_or_default().into_iter().filter_map(|volume| {
        let claim = volume.persistent_volume_claim?;
        Some((volume.name.into(), claim.claim_name.into()))
    });
    Pod {
        namespace: metadata.namespace().into(),
        name: metadata.name().into(),
        uid: metadata.uid().into(),
        node: spec.node_name.unwrap_or_default().into(),
        phase: status.phase.into(),
        reason: status.reason.into(),
        owner: controller(&metadata.owners),
        containers: spec.containers.unwrap_or_default().into_iter().map(container).collect(),
        statuses: status
            .container_statuses
            .unwrap_or_default()
            .into_iter()
            .map(self::status)
            .collect(),
        claims: claims.collect(),
        host_network: spec.host_network.unwrap_or(false),
        ip: status.pod_ip.into(),
        host_ip: status.host_ip.into(),
        priority_class: spec.priority_class_name.into(),
        qos_class: status.qos_class.into(),
        ready: ready(status.conditions.as_deref().unwrap_or_default()),
        scrape: scrape_hint(metadata.annotations),
        started: status.start_time.0,
        created: metadata.created.0,
        deleted: metadata.deleted.0,
        labels: labels(metadata.labels).into(),
        measured: Bookmark::default(),
    }
}

/// What the annotations ask for; nothing where none of them is there.
fn scrape_hint(annotations: object::ScrapeAnnotations) -> Option<Box<ScrapeHint>> {
    let object::ScrapeAnnotations { scrape, port, path, scheme } = annotations;
    if scrape.is_empty() {
        return None;
    }
    let (scrape, port) = (scrape.into(), port.into());
    Some(Box::new(ScrapeHint { scrape, port, path: path.into(), scheme: scheme.into() }))
}

fn container(object: object::Container) -> ContainerSpec {
    let ports = object.ports.unwrap_or_default().into_iter();
    let amounts = object.resources.unwrap_or_default();
    let requests = amounts.requests.unwrap_or_default();
    let extended = requests
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage"))
        .filter_map(|(name, amount)| Some((name.as_str().into(), quantity::value(&amount.0)?)));
    ContainerSpec {
        name: object.name.into(),
        image: object.image.into(),
        limits: resources(&amounts.limits.unwrap_or_default()),
        ports: ports.map(|port| (port.name.into(), port.container_port)).collect(),
        extended_requests: extended.collect(),
        requests: resources(&requests),
    }
}

fn status(object: object::ContainerStatus) -> ContainerStatus {
    ContainerStatus {
        name: object.name.into(),
        restart_count: object.restart_count,
        ready: object.ready,
        state: state(object.state.unwrap_or_default()),
        last_termination: object
            .last_state
            .and_then(|state| state.terminated)
            .map(|end| Box::new(termination(end))),
    }
}

fn state(object: object::State) -> ContainerState {
    match (object.waiting, object.running, object.terminated) {
        (_, Some(running), _) => ContainerState::Running(running.started_at.0),
        (_, _, Some(terminated)) => ContainerState::Terminated(Box::new(termination(terminated))),
        (Some(waiting), ..) => ContainerState::Waiting(waiting.reason.into()),
        (None, None, None) => ContainerState::Unknown,
    }
}

fn termination(object: object::Terminated) -> Termination {
    Termination {
        reason: object.reason.into(),
        exit_code: object.exit_code,
        finished: object.finished_at.0,
    }
}

/// A persistent volume claim.
pub fn claim(object: object::PersistentVolumeClaim) -> Claim {
    let object::PersistentVolumeClaim { metadata, spec, status } = object;
    let bytes = |amounts: Option<Amounts>| quantity::value(&amounts?.get("storage")?.0);
    Claim {
        namespace: metadata.namespace().into(),
        name: metadata.name().into(),
        phase: status.phase.into(),
        storage_class: spec.storage_class_name.into(),
        volume: spec.volume_name.into(),
        requested: bytes(spec.resources.and_then(|resources| resources.requests)),
        capacity: bytes(status.capacity),
        created: metadata.created.0,
    }
}

/// A namespace.
pub fn namespace(object: object::Namespace) -> Namespace {
    Namespace {
        name: object.metadata.name().into(),
        uid: object.metadata.uid().into(),
        phase: object.status.phase.into(),
        created: object.metadata.created.0,
        labels: labels(object.metadata.labels),
    }
}

/// A workload of `kind`, with its numbers of pods wanted and ready, and its other numbers.
pub fn workload<A>(
    metadata: &Metadata<A>,
    kind: &str,
    desired: Option<i64>,
    ready: Option<i64>,
    counts: Counts,
) -> Workload {
    Workload {
        namespace: metadata.namespace().into(),
        kind: kind.into(),
        name: metadata.name().into(),
        owner: controller(&metadata.owners),
        desired,
        ready,
        counts,
        created: metadata.created.0,
    }
}

fn controller(owners: &[OwnerReference]) -> Option<Owner> {
    let owner = owners.iter().find(|owner| owner.controller == Some(true))?;
    Some(Owner { kind: owner.kind.as_str().into(), name: owner.name.as_str().into() })
}

fn resources(amounts: &Amounts) -> Resources {
    let read = |name: &str, read: fn(&str) -> Option<i64>| {
        amounts.get(name).and_then(|amount| read(&amount.0))
    };
    Resources {
        cpu_millicores: read("cpu", quantity::milli_value),
        memory_bytes: read("memory", quantity::value),
        ephemeral_storage_bytes: read("ephemeral-storage", quantity::value),
    }
}

/// A map is sorted by key already.
fn labels(map: BTreeMap<String, String>) -> Pairs {
    map.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

#[cfg(test)]
mod tests;
