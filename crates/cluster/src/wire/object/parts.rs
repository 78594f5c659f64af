//! Specs and statuses of the watched objects, in the fields that the inventory keeps.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Amounts, Time};

/// What a node shall be.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct NodeSpec {
    /// Name at the cloud; removed from newer objects.
    #[serde(rename = "externalID")]
    pub external_id: Option<String>,
    /// Cordoned.
    pub unschedulable: Option<bool>,
    /// Its id at the cloud.
    #[serde(rename = "providerID", default)]
    pub provider_id: String,
    /// Addresses of its pods.
    #[serde(rename = "podCIDR", default)]
    pub pod_cidr: String,
    /// What keeps pods away.
    pub taints: Option<Vec<Taint>>,
}

/// A taint.
#[derive(Debug, Clone, Deserialize)]
pub struct Taint {
    /// Key.
    #[serde(default)]
    pub key: String,
    /// Value.
    #[serde(default)]
    pub value: String,
    /// Effect.
    #[serde(default)]
    pub effect: String,
}

/// What a node is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// What the machine has.
    pub capacity: Option<Amounts>,
    /// What pods may use.
    pub allocatable: Option<Amounts>,
    /// Conditions.
    pub conditions: Option<Vec<Condition>>,
    /// Addresses.
    pub addresses: Option<Vec<Address>>,
    /// Ports of daemons.
    pub daemon_endpoints: Option<DaemonEndpoints>,
    /// Versions.
    pub node_info: Option<NodeInfo>,
}

/// A condition.
#[derive(Debug, Clone, Deserialize)]
pub struct Condition {
    /// Which.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    #[serde(default)]
    pub status: String,
}

/// An address.
#[derive(Debug, Clone, Deserialize)]
pub struct Address {
    /// `InternalIP`, `Hostname`, …
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The address.
    #[serde(default)]
    pub address: String,
}

/// Ports of daemons.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DaemonEndpoints {
    /// The kubelet's.
    pub kubelet_endpoint: Option<Endpoint>,
}

/// A port.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Endpoint {
    /// Its number; the object writes it in upper case.
    #[serde(rename = "Port", default)]
    pub port: u16,
}

/// Versions.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeInfo {
    /// The kubelet's.
    #[serde(default)]
    pub kubelet_version: String,
    /// The kernel's.
    #[serde(default)]
    pub kernel_version: String,
    /// The operating system's.
    #[serde(default)]
    pub os_image: String,
    /// The container runtime's.
    #[serde(default)]
    pub container_runtime_version: String,
}

/// The annotations of a pod that are read.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ScrapeAnnotations {
    /// Whether it wants to be scraped.
    #[serde(rename = "prometheus.io/scrape", default)]
    pub scrape: String,
    /// On which port.
    #[serde(rename = "prometheus.io/port", default)]
    pub port: String,
    /// Below which path.
    #[serde(rename = "prometheus.io/path", default)]
    pub path: String,
    /// Over `http` or `https`.
    #[serde(rename = "prometheus.io/scheme", default)]
    pub scheme: String,
}

/// What a pod shall be.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodSpec {
    /// Where it runs.
    pub node_name: Option<String>,
    /// Shares the node's network.
    pub host_network: Option<bool>,
    /// Its priority's name.
    #[serde(default)]
    pub priority_class_name: String,
    /// Containers.
    pub containers: Option<Vec<Container>>,
    /// Volumes.
    pub volumes: Option<Vec<Volume>>,
}

/// A container.
#[derive(Debug, Clone, Deserialize)]
pub struct Container {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its image.
    #[serde(default)]
    pub image: String,
    /// Requests and limits.
    pub resources: Option<ContainerResources>,
    /// Ports.
    pub ports: Option<Vec<Port>>,
}

/// A port of a container.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its number.
    #[serde(default)]
    pub container_port: u16,
}

/// Requests and limits.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ContainerResources {
    /// Requests.
    pub requests: Option<Amounts>,
    /// Limits.
    pub limits: Option<Amounts>,
}

/// A volume.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// The claim it comes from.
    pub persistent_volume_claim: Option<Claim>,
}

/// A volume claim.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Its name.
    #[serde(default)]
    pub claim_name: String,
}

/// What a pod is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodStatus {
    /// `Running`, …
    #[serde(default)]
    pub phase: String,
    /// `Evicted`, …
    #[serde(default)]
    pub reason: String,
    /// When the kubelet took it on.
    #[serde(default)]
    pub start_time: Time,
    /// Its address.
    #[serde(rename = "podIP", default)]
    pub pod_ip: String,
    /// Its node's address.
    #[serde(rename = "hostIP", default)]
    pub host_ip: String,
    /// Quality of service.
    #[serde(default)]
    pub qos_class: String,
    /// Conditions.
    pub conditions: Option<Vec<Condition>>,
    /// Its containers.
    pub container_statuses: Option<Vec<ContainerStatus>>,
}

/// A container's status.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStatus {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// How often it restarted.
    #[serde(default)]
    pub restart_count: u32,
    /// Whether it passes its readiness probe.
    #[serde(default)]
    pub ready: bool,
    /// What it is doing.
    pub state: Option<State>,
    /// What it did before.
    pub last_state: Option<State>,
}

/// What a container is doing; one of the three.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct State {
    /// Waiting.
    pub waiting: Option<Waiting>,
    /// Running.
    pub running: Option<Running>,
    /// Ended.
    pub terminated: Option<Terminated>,
}

/// Waiting.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Waiting {
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// Running.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// Since.
    #[serde(default)]
    pub started_at: Time,
}

/// Ended.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terminated {
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// The process's exit code.
    #[serde(default)]
    pub exit_code: i32,
    /// When.
    #[serde(default)]
    pub finished_at: Time,
}

/// What a namespace is.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct NamespaceStatus {
    /// `Active` or `Terminating`.
    #[serde(default)]
    pub phase: String,
}

/// What a claim shall be.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimSpec {
    /// Bytes asked for.
    pub resources: Option<ContainerResources>,
    /// Its class.
    #[serde(default)]
    pub storage_class_name: String,
    /// The volume it is bound to.
    #[serde(default)]
    pub volume_name: String,
}

/// What a claim is.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ClaimStatus {
    /// `Bound`, `Pending` or `Lost`.
    #[serde(default)]
    pub phase: String,
    /// Bytes there are.
    pub capacity: Option<Amounts>,
}

/// Replicas wanted.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Replicas {
    /// How many; the API server's default is 1.
    pub replicas: Option<i64>,
}

/// Replicas there are.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaStatus {
    /// How many there are.
    pub replicas: Option<i64>,
    /// How many are ready.
    pub ready_replicas: Option<i64>,
    /// How many are of the newest template.
    pub updated_replicas: Option<i64>,
    /// How many are ready for long enough.
    pub available_replicas: Option<i64>,
    /// The change that its controller has seen.
    pub observed_generation: Option<i64>,
}

/// Pods of a daemon set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DaemonStatus {
    /// Wanted.
    pub desired_number_scheduled: Option<i64>,
    /// Ready.
    pub number_ready: Option<i64>,
    /// There.
    pub current_number_scheduled: Option<i64>,
    /// Of the newest template.
    pub updated_number_scheduled: Option<i64>,
    /// Ready for long enough.
    pub number_available: Option<i64>,
    /// Where none should be.
    pub number_misscheduled: Option<i64>,
    /// The change that its controller has seen.
    pub observed_generation: Option<i64>,
}

/// Completions of a job.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct JobSpec {
    /// How many pods may run at once.
    pub parallelism: Option<i64>,
    /// How many pods must succeed.
    pub completions: Option<i64>,
}

/// Pods of a job.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// How many are ready.
    pub ready: Option<i64>,
    /// How many run.
    pub active: Option<i64>,
    /// How many succeeded.
    pub succeeded: Option<i64>,
    /// How many failed.
    pub failed: Option<i64>,
    /// When it began.
    #[serde(default)]
    pub start_time: Time,
    /// When it was complete.
    #[serde(default)]
    pub completion_time: Time,
    /// How it ended.
    pub conditions: Option<Vec<Condition>>,
}

/// What a cron job shall do.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct CronSpec {
    /// Whether it runs nothing.
    pub suspend: Option<bool>,
}

/// What a cron job did.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CronStatus {
    /// Jobs that run.
    pub active: Option<Vec<IgnoredAny>>,
    /// When it ran a job last.
    #[serde(default)]
    pub last_schedule_time: Time,
}
