//! Which metrics of a set are sent under which names, in the old and in the new model.

use model::{EntityKind, MetricId, Timestamp, Value, metric};

use super::{Place, Series, Set, is_stored};
use crate::chunks::Chunks;
use crate::google::Point;

/// What is not easily dropped of memory, and the rest.
const NON_EVICTABLE: &str = "non-evictable";
const EVICTABLE: &str = "evictable";
/// Nanoseconds and milliseconds of a second, thousandths of a core.
const NANOS: f64 = 1e9;
const THOUSAND: f64 = 1e3;

/// A metric's name below its prefix, its labels, its value, whether it is a counter.
type One<'a> = (&'a str, Vec<(&'a str, &'a str)>, Value, bool);

/// Divides an integer.
fn over(value: Value, divisor: f64) -> Value {
    Value::Float(value.as_f64() / divisor)
}

impl Set<'_> {
    /// Memory in use that is easily dropped, and that is not.
    fn memory(&self) -> [(Option<Value>, &'static str); 2] {
        let (usage, working) =
            (self.int(metric::MEMORY_USAGE), self.int(metric::MEMORY_WORKING_SET));
        let evictable = usage.zip(working).map(|(usage, working)| Value::Int(usage - working));
        [(evictable, EVICTABLE), (working.map(Value::Int), NON_EVICTABLE)]
    }

    /// Minor and major page faults.
    fn faults(&self) -> [(Option<Value>, &'static str); 2] {
        let (all, major) =
            (self.int(metric::MEMORY_PAGE_FAULTS), self.int(metric::MEMORY_MAJOR_PAGE_FAULTS));
        let minor = all.zip(major).map(|(all, major)| Value::Int(all - major));
        [(major.map(Value::Int), "major"), (minor, "minor")]
    }

    fn accelerator(&self) -> Vec<(&str, &str)> {
        let variant = self.entity.variant();
        let (make, model) = variant.split_once('/').unwrap_or((variant, ""));
        vec![("make", make), ("model", model), ("accelerator_id", self.entity.name())]
    }

    /// A volume's name without its prefix.
    fn volume(&self) -> &str {
        self.entity.name().strip_prefix("Volume:").unwrap_or(self.entity.name())
    }
}

/// Metrics that are sent as they are, if they are there.
fn plain<'a>(
    out: &mut Vec<One<'a>>,
    set: &Set<'_>,
    labels: &[(&'a str, &'a str)],
    rows: &[(MetricId, &'a str, bool)],
) {
    for (metric, name, counter) in rows {
        out.extend(set.get(*metric).map(|value| (*name, labels.to_vec(), value, *counter)));
    }
}

impl Place {
    /// The set's metrics on a `gke_container`.
    pub(super) fn push_old(&self, set: &Set<'_>, out: &mut Chunks<'_>) {
        let container = match set.owner.kind() {
            EntityKind::Node => "machine",
            EntityKind::Pod => "",
            _ => set.owner.name(),
        };
        let resource = [
            ("project_id", &*self.project),
            ("cluster_name", &self.cluster),
            ("zone", &self.zone),
            ("instance_id", set.labels.get("host_id")),
            ("namespace_id", set.labels.get("namespace_id")),
            ("pod_id", set.labels.get("pod_id")),
            ("container_name", container),
        ];
        for (name, labels, value, counter) in old(set) {
            let series = Series {
                metric: &format!("container.googleapis.com/container/{name}"),
                labels: &labels,
                resource: "gke_container",
                resource_labels: &resource,
                point: Point { value, start: counter.then_some(set.started), end: set.end },
            };
            series.push(out);
        }
    }

    /// The set's metrics on a resource of its own kind.
    pub(super) fn push_new(&self, set: &Set<'_>, out: &mut Chunks<'_>) {
        let mut resource = vec![
            ("project_id", &*self.project),
            ("location", &*self.location),
            ("cluster_name", &*self.cluster),
        ];
        let (kind, prefix) = match set.owner.kind() {
            EntityKind::Container => ("k8s_container", "container"),
            EntityKind::Pod => ("k8s_pod", "pod"),
            EntityKind::SystemContainer => ("k8s_node", "node_daemon"),
            _ => ("k8s_node", "node"),
        };
        if kind == "k8s_node" {
            resource.push(("node_name", set.labels.get("nodename")));
        } else {
            resource.push(("namespace_name", set.labels.get("namespace_name")));
            resource.push(("pod_name", set.labels.get("pod_name")));
        }
        if kind == "k8s_container" {
            resource.push(("container_name", set.owner.name()));
        }
        for (name, labels, value, counter) in new(set) {
            let start = counter.then(|| start_of(set, name));
            if start.is_some_and(|start| start.is_never() || start >= set.end) {
                continue;
            }
            let series = Series {
                metric: &format!("kubernetes.io/{prefix}/{name}"),
                labels: &labels,
                resource: kind,
                resource_labels: &resource,
                point: Point { value, start, end: set.end },
            };
            series.push(out);
        }
    }
}

/// Restarts are counted from the pod's beginning, all else from the container's.
fn start_of(set: &Set<'_>, name: &str) -> Timestamp {
    let pod = set.table.context(set.row).pod.as_ref();
    match (name, pod) {
        ("restart_count", Some(pod)) => pod.created,
        _ => set.started,
    }
}

fn old<'a>(set: &'a Set<'_>) -> Vec<One<'a>> {
    let mut out: Vec<One<'a>> = Vec::new();
    let kind = set.entity.kind();
    if is_stored(kind) {
        let device = [("device_name", set.entity.name())];
        let rows = [
            (metric::FILESYSTEM_USAGE, "disk/bytes_used", false),
            (metric::FILESYSTEM_LIMIT, "disk/bytes_total", false),
        ];
        plain(&mut out, set, &device, &rows);
        return out;
    }
    if kind == EntityKind::Accelerator {
        plain(&mut out, set, &set.accelerator(), ACCELERATOR);
        return out;
    }
    let scaled = |metric, divisor| set.get(metric).map(|value| over(value, divisor));
    let named =
        |name, value: Option<Value>, counter| value.map(|value| (name, Vec::new(), value, counter));
    out.extend(named("uptime", scaled(metric::UPTIME, THOUSAND), true));
    out.extend(named("cpu/reserved_cores", scaled(metric::CPU_LIMIT, THOUSAND), false));
    out.extend(named("cpu/usage_time", scaled(metric::CPU_USAGE, NANOS), true));
    let total = if kind == EntityKind::Node {
        set.int(metric::MEMORY_NODE_ALLOCATABLE).map(Value::Int)
    } else {
        set.get(metric::MEMORY_LIMIT)
    };
    out.extend(named("memory/bytes_total", total, false));
    for (value, label) in set.memory() {
        out.extend(
            value.map(|value| ("memory/bytes_used", vec![("memory_type", label)], value, false)),
        );
    }
    for (value, label) in set.faults() {
        let labels = vec![("fault_type", label)];
        out.extend(value.map(|value| ("memory/page_fault_count", labels, value, true)));
    }
    let rows = [
        (metric::NETWORK_RX, "network/received_bytes_count", true),
        (metric::NETWORK_TX, "network/sent_bytes_count", true),
    ];
    plain(&mut out, set, &[], &rows);
    out.extend(
        gpu_request(set).map(|(name, value)| (name, vec![("resource_name", GPU)], value, false)),
    );
    out
}

/// The extended resource that stands for accelerators, and the metric of its requests.
const GPU: &str = "nvidia.com/gpu";
const GPU_REQUEST: &str = "nvidia.com/gpu/request";

fn gpu_request(set: &Set<'_>) -> Option<(&'static str, Value)> {
    let column = set.table.columns().iter().find(|column| column.metric().name() == GPU_REQUEST)?;
    Some(("accelerator/request", column.get(set.row)?))
}

const ACCELERATOR: &[(MetricId, &str, bool)] = &[
    (metric::ACCELERATOR_MEMORY_TOTAL, "accelerator/memory_total", false),
    (metric::ACCELERATOR_MEMORY_USED, "accelerator/memory_used", false),
    (metric::ACCELERATOR_DUTY_CYCLE, "accelerator/duty_cycle", false),
];

fn new<'a>(set: &'a Set<'_>) -> Vec<One<'a>> {
    match (set.owner.kind(), set.entity.kind()) {
        (EntityKind::Container, EntityKind::Accelerator) => {
            let mut out = Vec::new();
            plain(&mut out, set, &set.accelerator(), ACCELERATOR);
            out
        }
        (EntityKind::Pod, EntityKind::Volume) => {
            let mut out = Vec::new();
            let rows = [
                (metric::FILESYSTEM_USAGE, "volume/used_bytes", false),
                (metric::FILESYSTEM_LIMIT, "volume/total_bytes", false),
            ];
            plain(&mut out, set, &[("volume_name", set.volume())], &rows);
            out
        }
        (EntityKind::Container, EntityKind::Container) => container(set),
        (EntityKind::Pod, EntityKind::Pod) => {
            let mut out = Vec::new();
            plain(&mut out, set, &[], &NETWORK);
            out
        }
        (EntityKind::Node, EntityKind::Node) => node(set),
        (EntityKind::SystemContainer, EntityKind::SystemContainer) => daemon(set),
        _ => Vec::new(),
    }
}

const NETWORK: [(MetricId, &str, bool); 2] = [
    (metric::NETWORK_RX, "network/received_bytes_count", true),
    (metric::NETWORK_TX, "network/sent_bytes_count", true),
];

fn container<'a>(set: &'a Set<'_>) -> Vec<One<'a>> {
    let mut out: Vec<One<'a>> = Vec::new();
    let scaled = |name, metric, divisor, counter| {
        set.get(metric).map(|value| (name, Vec::new(), over(value, divisor), counter))
    };
    out.extend(scaled("uptime", metric::UPTIME, THOUSAND, false));
    out.extend(scaled("cpu/core_usage_time", metric::CPU_USAGE, NANOS, true));
    out.extend(scaled("cpu/request_cores", metric::CPU_REQUEST, THOUSAND, false));
    out.extend(scaled("cpu/limit_cores", metric::CPU_LIMIT, THOUSAND, false));
    for (value, label) in set.memory() {
        out.extend(
            value.map(|value| ("memory/used_bytes", vec![("memory_type", label)], value, false)),
        );
    }
    let rows = [
        (metric::MEMORY_REQUEST, "memory/request_bytes", false),
        (metric::MEMORY_LIMIT, "memory/limit_bytes", false),
        (metric::EPHEMERAL_STORAGE_USAGE, "ephemeral_storage/used_bytes", false),
        (metric::EPHEMERAL_STORAGE_REQUEST, "ephemeral_storage/request_bytes", false),
        (metric::EPHEMERAL_STORAGE_LIMIT, "ephemeral_storage/limit_bytes", false),
        (metric::RESTART_COUNT, "restart_count", true),
    ];
    plain(&mut out, set, &[], &rows);
    out.extend(
        gpu_request(set).map(|(name, value)| (name, vec![("resource_name", GPU)], value, false)),
    );
    out
}

fn node<'a>(set: &'a Set<'_>) -> Vec<One<'a>> {
    let mut out: Vec<One<'a>> = Vec::new();
    let scaled = |name, metric, divisor, counter| {
        set.get(metric).map(|value| (name, Vec::new(), over(value, divisor), counter))
    };
    let whole =
        |name, metric| set.int(metric).map(|value| (name, Vec::new(), Value::Int(value), false));
    out.extend(scaled("cpu/core_usage_time", metric::CPU_USAGE, NANOS, true));
    out.extend(scaled("cpu/total_cores", metric::CPU_NODE_CAPACITY, THOUSAND, false));
    out.extend(scaled("cpu/allocatable_cores", metric::CPU_NODE_ALLOCATABLE, THOUSAND, false));
    for (value, label) in set.memory() {
        out.extend(
            value.map(|value| ("memory/used_bytes", vec![("memory_type", label)], value, false)),
        );
    }
    out.extend(whole("memory/total_bytes", metric::MEMORY_NODE_CAPACITY));
    out.extend(whole("memory/allocatable_bytes", metric::MEMORY_NODE_ALLOCATABLE));
    plain(&mut out, set, &[], &NETWORK);
    let ephemeral = metric::EPHEMERAL_STORAGE_NODE_CAPACITY;
    out.extend(whole("ephemeral_storage/total_bytes", ephemeral));
    out
}

fn daemon<'a>(set: &'a Set<'_>) -> Vec<One<'a>> {
    let component = ("component", set.owner.name());
    let cpu = set.get(metric::CPU_USAGE).map(|value| over(value, NANOS));
    let mut out: Vec<One<'a>> = cpu
        .map(|value| ("cpu/core_usage_time", vec![component], value, true))
        .into_iter()
        .collect();
    for (value, label) in set.memory() {
        let labels = vec![component, ("memory_type", label)];
        out.extend(value.map(|value| ("memory/used_bytes", labels, value, false)));
    }
    out
}
