//! The inventory: nodes, pods, namespaces and workloads as the product sees them.
//!
//! Filled by the cluster crate's watches, read by processors and the API. Records are immutable
//! and shared (`Arc`); a change replaces the record.

mod bookmark;
mod bounds;
mod claims;
mod commons;
mod monitors;
mod named;
mod shelf;
mod turns;

pub use bookmark::Bookmark;
pub use bounds::{Autoscaler, Quota, Truth};
pub use claims::{Claim, PersistentVolume};
pub use commons::Commons;
pub use monitors::{
    EndpointSlice, Monitor, MonitorEndpoint, MonitorKind, NamespaceChoice, PodMonitor, PortChoice,
    RelabelRule, Requirement, ScrapeParams, ScrapeTls, Service, ServiceMonitor, SliceEndpoint,
    SlicePort,
};
pub use named::Line;
pub use shelf::{Held, Shelf};
pub use turns::read_in_turns;

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use crate::{Shared, Timestamp, Word};
use named::{Named, Places};

/// Whether a node says that it is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ready {
    /// The condition is `True`.
    Yes,
    /// The condition is `False` or `Unknown`.
    No,
    /// There is no such condition.
    #[default]
    Unstated,
}

/// Amounts of the three standard resources; `None` where the object names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Resources {
    /// CPU in millicores.
    pub cpu_millicores: Option<i64>,
    /// Memory in bytes.
    pub memory_bytes: Option<i64>,
    /// Ephemeral storage in bytes.
    pub ephemeral_storage_bytes: Option<i64>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// `metadata.name`.
    pub name: Box<str>,
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// The `Hostname` address, else the name.
    pub hostname: Box<str>,
    /// `spec.externalID` or the configured annotation; may be empty.
    pub host_id: Box<str>,
    /// Every address as (type, address), in the object's order.
    pub addresses: Box<[(Box<str>, Box<str>)]>,
    /// `status.daemonEndpoints.kubeletEndpoint.Port`; 0 when absent.
    pub kubelet_port: u16,
    /// Where its kubelet has resource metrics: the annotation `metrics.k8s.io/resource-metrics-path`;
    /// empty for the usual path.
    pub resource_path: Box<str>,
    /// The `Ready` condition.
    pub ready: Ready,
    /// Conditions other than `Ready` that are `True` (`MemoryPressure`, …).
    pub pressures: Box<[Box<str>]>,
    /// Cordoned.
    pub unschedulable: bool,
    /// Labels, sorted by key.
    pub labels: Box<[(Box<str>, Box<str>)]>,
    /// What the machine has.
    pub capacity: Resources,
    /// What pods may use.
    pub allocatable: Resources,
    /// How many pods it may run; 0 when unstated.
    pub pod_capacity: u32,
    /// Kubelet version.
    pub kubelet_version: Box<str>,
    /// Kernel version.
    pub kernel_version: Box<str>,
    /// Name of the operating system's image.
    pub os_image: Box<str>,
    /// Container runtime and its version.
    pub runtime_version: Box<str>,
    /// `spec.providerID`.
    pub provider_id: Box<str>,
    /// `spec.podCIDR`.
    pub pod_cidr: Box<str>,
    /// What keeps pods away.
    pub taints: Box<[Taint]>,
    /// `metadata.creationTimestamp`.
    pub created: Timestamp,
}

/// What keeps pods away from a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taint {
    /// Key.
    pub key: Box<str>,
    /// Value; may be empty.
    pub value: Box<str>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: Box<str>,
}

/// An owner reference that is the controller.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Owner {
    /// Kind (`ReplicaSet`).
    pub kind: Word,
    /// Name.
    pub name: Word,
}

/// A container as the pod's spec names it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct ContainerSpec {
    /// Its name.
    pub name: Box<str>,
    /// Its image.
    pub image: Arc<str>,
    /// Requests of the standard resources.
    pub requests: Resources,
    /// Limits of the standard resources.
    pub limits: Resources,
    /// Ports as (name, number); the name may be empty.
    pub ports: Box<[(Box<str>, u16)]>,
    /// Requests of other resources (`nvidia.com/gpu`), whole numbers.
    pub extended_requests: Box<[(Box<str>, i64)]>,
}

/// What a container is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ContainerState {
    /// Not known.
    #[default]
    Unknown,
    /// Waiting, with the reason (`CrashLoopBackOff`).
    Waiting(Word),
    /// Running since then.
    Running(Timestamp),
    /// Ended.
    Terminated(Box<Termination>),
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Termination {
    /// `OOMKilled`, `Error`, `Completed`, …
    pub reason: Word,
    /// The process's exit code.
    pub exit_code: i32,
    /// When.
    pub finished: Timestamp,
}

/// A container's status.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContainerStatus {
    /// Its name.
    pub name: Word,
    /// How often it restarted.
    pub restart_count: u32,
    /// Whether it passes its readiness probe.
    pub ready: bool,
    /// What it is doing.
    pub state: ContainerState,
    /// How its previous run ended.
    pub last_termination: Option<Box<Termination>>,
}

/// The annotations by which a pod asks to be scraped, as they stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScrapeHint {
    /// `prometheus.io/scrape`
    pub scrape: Word,
    /// `prometheus.io/port`
    pub port: Word,
    /// `prometheus.io/path`
    pub path: Word,
    /// `prometheus.io/scheme`
    pub scheme: Word,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pod {
    /// `metadata.namespace`.
    pub namespace: Word,
    /// `metadata.name`.
    pub name: Box<str>,
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// `spec.nodeName`; empty while unscheduled.
    pub node: Word,
    /// `status.phase`.
    pub phase: Word,
    /// `status.reason` (`Evicted`); usually empty.
    pub reason: Word,
    /// Labels, sorted by key; one list for equal ones, once in an inventory.
    pub labels: Shared<(Box<str>, Box<str>)>,
    /// The controlling owner.
    pub owner: Option<Owner>,
    /// Containers of the spec, init and ephemeral ones left out; likewise.
    pub containers: Shared<ContainerSpec>,
    /// Their statuses.
    pub statuses: Box<[ContainerStatus]>,
    /// (volume name, claim name) of volumes that come from a claim.
    pub claims: Box<[(Box<str>, Box<str>)]>,
    /// Shares the node's network.
    pub host_network: bool,
    /// `status.podIP`.
    pub ip: Box<str>,
    /// `status.hostIP`.
    pub host_ip: Word,
    /// `spec.priorityClassName`.
    pub priority_class: Word,
    /// `status.qosClass`.
    pub qos_class: Word,
    /// The `Ready` condition.
    pub ready: Ready,
    /// What its `prometheus.io/…` annotations ask for.
    pub scrape: Option<Box<ScrapeHint>>,
    /// `status.startTime`.
    pub started: Timestamp,
    /// `metadata.creationTimestamp`.
    pub created: Timestamp,
    /// `metadata.deletionTimestamp`; never while it lives.
    pub deleted: Timestamp,
    /// Where its resource metrics were found.
    pub measured: Bookmark,
}

impl Named for Pod {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// A namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Namespace {
    /// `metadata.name`.
    pub name: Box<str>,
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// Labels, sorted by key.
    pub labels: Box<[(Box<str>, Box<str>)]>,
    /// `status.phase`.
    pub phase: Box<str>,
    /// `metadata.creationTimestamp`.
    pub created: Timestamp,
}

/// A controller of pods, or of such controllers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Workload {
    /// Namespace.
    pub namespace: Word,
    /// Kind (`Deployment`).
    pub kind: Word,
    /// Name.
    pub name: Word,
    /// Its own controlling owner (a `ReplicaSet`'s Deployment).
    pub owner: Option<Owner>,
    /// Replicas wanted; `None` where the kind has no such number.
    pub desired: Option<i64>,
    /// Replicas ready.
    pub ready: Option<i64>,
    /// Its other numbers.
    pub counts: Counts,
    /// `metadata.creationTimestamp`.
    pub created: Timestamp,
}

/// What a workload says beside wanted and ready; `None` (and never) where the kind says none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Pods there are (a job's: running).
    pub current: Option<i64>,
    /// Pods of the newest template.
    pub updated: Option<i64>,
    /// Pods ready for long enough.
    pub available: Option<i64>,
    /// A daemon set's pods where none should be.
    pub misscheduled: Option<i64>,
    /// A job's pods that must succeed.
    pub completions: Option<i64>,
    /// A job's pods that succeeded.
    pub succeeded: Option<i64>,
    /// A job's pods that failed.
    pub failed: Option<i64>,
    /// How often the object was changed: `metadata.generation`.
    pub generation: Option<i64>,
    /// The change that its controller has seen.
    pub observed: Option<i64>,
    /// A cron job's jobs that run.
    pub active: Option<i64>,
    /// Whether a job ended well; `None` while it has not ended.
    pub complete: Option<bool>,
    /// Whether a cron job runs no jobs.
    pub suspended: Option<bool>,
    /// When a job began.
    pub started: Timestamp,
    /// When a job was complete.
    pub ended: Timestamp,
    /// When a cron job ran a job last.
    pub scheduled: Timestamp,
}

/// Everything the watches know now.
#[derive(Debug, Default)]
pub struct Inventory {
    nodes: HashMap<Box<str>, Arc<Node>>,
    pods: Places<Pod>,
    namespaces: HashMap<Box<str>, Arc<Namespace>>,
    /// namespace → (kind, name) → workload
    workloads: HashMap<Box<str>, HashMap<Owner, Arc<Workload>>>,
    claims: Shelf<Claim>,
    volumes: Shelf<PersistentVolume>,
    autoscalers: Shelf<Autoscaler>,
    quotas: Shelf<Quota>,
    scraped: monitors::Scraped,
    commons: Commons,
}

/// The inventory as it is shared between watches (writers) and readers. Hold the lock briefly.
pub type SharedInventory = Arc<RwLock<Inventory>>;

/// How many owners are followed from a pod; a longer chain is cut there.
const MAX_OWNERS: usize = 8;

impl Inventory {
    /// The node of that name.
    pub fn node(&self, name: &str) -> Option<&Arc<Node>> {
        self.nodes.get(name)
    }

    /// Every node, in no order.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &Arc<Node>> {
        self.nodes.values()
    }

    /// The pod of that namespace and name.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<&Arc<Pod>> {
        self.pods.get(namespace, name)
    }

    /// Every pod, in no order.
    pub fn pods(&self) -> impl Iterator<Item = &Arc<Pod>> {
        self.pods.all()
    }

    /// The namespaces that pods are in, in no order.
    pub fn pod_namespaces(&self) -> impl Iterator<Item = &str> {
        self.pods.namespaces()
    }

    /// The pods of one namespace, in no order.
    pub fn pods_in(&self, namespace: &str) -> impl Iterator<Item = &Arc<Pod>> {
        self.pods.within(namespace)
    }

    /// The pods of one namespace, by name. It is kept up to date at little cost while nobody holds
    /// it.
    pub fn pods_by_name(&self, namespace: &str) -> Line<Pod> {
        self.pods.line(namespace)
    }

    /// Number of pods.
    pub fn pod_count(&self) -> usize {
        self.pods.len()
    }

    /// The namespace of that name.
    pub fn namespace(&self, name: &str) -> Option<&Arc<Namespace>> {
        self.namespaces.get(name)
    }

    /// Every namespace, in no order.
    pub fn namespaces(&self) -> impl ExactSizeIterator<Item = &Arc<Namespace>> {
        self.namespaces.values()
    }

    /// The workload of that namespace, kind and name.
    pub fn workload(&self, namespace: &str, owner: &Owner) -> Option<&Arc<Workload>> {
        self.workloads.get(namespace)?.get(owner)
    }

    /// Every workload, in no order.
    pub fn workloads(&self) -> impl Iterator<Item = &Arc<Workload>> {
        self.workloads.values().flat_map(HashMap::values)
    }

    /// The top of a pod's owner chain (Pod → `ReplicaSet` → Deployment, Job → CronJob): the last
    /// owner that is named, known to the watches or not. `None` for a bare pod.
    pub fn top_owner<'a>(&'a self, pod: &'a Pod) -> Option<&'a Owner> {
        let mut top = pod.owner.as_ref()?;
        for _ in 0..MAX_OWNERS {
            match self.workload(&pod.namespace, top).and_then(|found| found.owner.as_ref()) {
                Some(next) => top = next,
                None => break,
            }
        }
        Some(top)
    }

    /// Adds or replaces a node.
    pub fn put_node(&mut self, node: Arc<Node>) {
        self.nodes.insert(node.name.clone(), node);
    }

    /// Forgets a node.
    pub fn remove_node(&mut self, name: &str) {
        self.nodes.remove(name);
    }

    /// Adds or replaces a pod; what others hold already of an equal one, it holds with them.
    pub fn put_pod(&mut self, mut pod: Arc<Pod>) {
        if let Some(fresh) = Arc::get_mut(&mut pod) {
            self.commons.share_pod(fresh);
        }
        self.pods.put(pod);
    }

    /// Forgets a pod.
    pub fn remove_pod(&mut self, namespace: &str, name: &str) {
        self.pods.remove(namespace, name);
    }

    /// Adds or replaces a namespace.
    pub fn put_namespace(&mut self, namespace: Arc<Namespace>) {
        self.namespaces.insert(namespace.name.clone(), namespace);
    }

    /// Forgets a namespace.
    pub fn remove_namespace(&mut self, name: &str) {
        self.namespaces.remove(name);
    }

    /// Adds or replaces a workload.
    pub fn put_workload(&mut self, mut workload: Arc<Workload>) {
        if let Some(fresh) = Arc::get_mut(&mut workload) {
            self.commons.share_workload(fresh);
        }
        let key = Owner { kind: workload.kind.clone(), name: workload.name.clone() };
        self.workloads.entry((*workload.namespace).into()).or_default().insert(key, workload);
    }

    /// Forgets a workload.
    pub fn remove_workload(&mut self, namespace: &str, owner: &Owner) {
        if let Some(workloads) = self.workloads.get_mut(namespace) {
            workloads.remove(owner);
            if workloads.is_empty() {
                self.workloads.remove(namespace);
            }
        }
    }

    /// Keeps only the nodes that `keep` accepts (after a relist).
    pub fn retain_nodes(&mut self, mut keep: impl FnMut(&Node) -> bool) {
        self.nodes.retain(|_, node| keep(node));
    }

    /// Keeps only the pods that `keep` accepts (after a relist).
    pub fn retain_pods(&mut self, keep: impl FnMut(&Pod) -> bool) {
        self.pods.retain(keep);
    }

    /// Keeps only the namespaces that `keep` accepts (after a relist).
    pub fn retain_namespaces(&mut self, mut keep: impl FnMut(&Namespace) -> bool) {
        self.namespaces.retain(|_, namespace| keep(namespace));
    }

    /// Keeps only the workloads that `keep` accepts (after a relist).
    pub fn retain_workloads(&mut self, mut keep: impl FnMut(&Workload) -> bool) {
        self.workloads.retain(|_, workloads| {
            workloads.retain(|_, workload| keep(workload));
            !workloads.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(kind: &str, name: &str) -> Owner {
        Owner { kind: kind.into(), name: name.into() }
    }

    #[test]
    fn a_pod_belongs_to_the_top_of_its_owners() {
        let mut inventory = Inventory::default();
        let pod = Pod {
            namespace: "ns".into(),
            name: "web-1".into(),
            owner: Some(owner("ReplicaSet", "web-abc")),
            ..Pod::default()
        };
        assert_eq!(inventory.top_owner(&pod), Some(&owner("ReplicaSet", "web-abc")));
        inventory.put_workload(Arc::new(Workload {
            namespace: "ns".into(),
            kind: "ReplicaSet".into(),
            name: "web-abc".into(),
            owner: Some(owner("Deployment", "web")),
            ..Workload::default()
        }));
        assert_eq!(inventory.top_owner(&pod), Some(&owner("Deployment", "web")));
        assert_eq!(inventory.top_owner(&Pod::default()), None);
    }
}
