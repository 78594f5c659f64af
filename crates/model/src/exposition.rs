//! The names under which Prometheus and its dashboards know the catalog's metrics, and the labels
//! that go with them, as kube-prometheus has them.
//!
//! What nobody else measures is called `taffrail_<kind>_<metric>_<unit>`, in base units.

use std::borrow::Cow;

use crate::{
    Context, Entity, EntityKind, Kind, Metric, MetricId, Unit, descriptor, metric, sanitized,
};

/// A metric of one kind of entity as Prometheus has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Exposed {
    /// The metric's name.
    pub name: Cow<'static, str>,
    /// Labels besides those of the entity, sorted by name.
    pub labels: Vec<(&'static str, Cow<'static, str>)>,
    /// What a value is multiplied with to be in base units.
    pub scale: f64,
    /// Counter or gauge.
    pub kind: Kind,
}

/// How `metric` of entities of `kind` is exposed.
pub fn exposed(metric: &Metric, kind: EntityKind) -> Exposed {
    match metric {
        Metric::Known(id) => known(*id, kind),
        Metric::Custom { name, kind: counts, .. } => custom(name, kind, *counts),
    }
}

fn known(id: MetricId, kind: EntityKind) -> Exposed {
    use EntityKind::{Cluster, Container, Namespace, Node, SystemContainer, Volume, Workload};
    let row = descriptor(id);
    let (scale, unit) = base_unit(row.unit);
    let theirs = row.prometheus.filter(|name| {
        let is_request = name.starts_with("kube_pod_container_");
        let is_node_state = name.starts_with("kube_node_");
        match kind {
            Container => !is_node_state,
            Node => !is_request,
            Volume | Namespace | Workload | Cluster => false,
            _ => name.starts_with("container_"),
        }
    });
    let Some(name) = theirs else {
        let name = own_name(kind, row.name, unit, row.kind);
        return Exposed { name: name.into(), labels: Vec::new(), scale, kind: row.kind };
    };
    let mut labels: Vec<(&'static str, Cow<'static, str>)> = Vec::new();
    if name.starts_with("kube_") && !name.ends_with("_total") {
        let resource = row.name.split('/').next().unwrap_or_default();
        let unit = if resource == "cpu" { "core" } else { "byte" };
        labels.push(("resource", resource.into()));
        labels.push(("unit", unit.into()));
    } else if kind == Node && name.starts_with("container_") {
        labels.push(("id", "/".into()));
    }
    if id == metric::MEMORY_PAGE_FAULTS || id == metric::MEMORY_MAJOR_PAGE_FAULTS {
        let minor = id == metric::MEMORY_PAGE_FAULTS;
        labels.push(("failure_type", if minor { "pgfault" } else { "pgmajfault" }.into()));
        labels.push((
            "scope",
            if kind == SystemContainer { "hierarchy" } else { "container" }.into(),
        ));
    }
    labels.sort();
    let kind = if name.ends_with("_total") { Kind::Counter } else { row.kind };
    Exposed { name: name.into(), labels, scale, kind }
}

/// `custom/qps` keeps its own name; `nvidia.com/gpu/request` is a request like any other.
fn custom(name: &str, kind: EntityKind, counts: Kind) -> Exposed {
    if let (EntityKind::Container, Some(resource)) = (kind, name.strip_suffix("/request")) {
        let labels = vec![("resource", clean(resource).into()), ("unit", "integer".into())];
        let name = "kube_pod_container_resource_requests".into();
        return Exposed { name, labels, scale: 1.0, kind: Kind::Gauge };
    }
    let name = match name.strip_prefix("custom/") {
        Some(own) => clean(own),
        None => own_name(kind, name, "", counts),
    };
    Exposed { name: name.into(), labels: Vec::new(), scale: 1.0, kind: counts }
}

/// `taffrail_pod_cpu_usage_rate_cores`.
fn own_name(kind: EntityKind, metric: &str, unit: &str, counts: Kind) -> String {
    let mut name = format!("taffrail_{}_{}", kind.name(), clean(metric));
    if !unit.is_empty() && !name.ends_with(unit) {
        name.push('_');
        name.push_str(unit);
    }
    if counts == Kind::Counter {
        name.push_str("_total");
    }
    name
}

/// `text` with an underscore for every character that a name cannot have.
fn clean(text: &str) -> String {
    let mut name = sanitized(text).into_owned();
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
}

/// Prometheus's base unit, and the factor to it.
fn base_unit(unit: Unit) -> (f64, &'static str) {
    match unit {
        Unit::Count | Unit::PerSecond => (1.0, ""),
        Unit::Bytes => (1.0, "bytes"),
        Unit::BytesPerSecond => (1.0, "bytes_per_second"),
        Unit::Milliseconds => (1e-3, "seconds"),
        Unit::Nanoseconds => (1e-9, "seconds"),
        Unit::Millicores => (1e-3, "cores"),
        Unit::Ratio => (1.0, "ratio"),
        Unit::Percent => (1.0, "percent"),
    }
}

/// Calls `each` for every label of `entity`, in no promised order and never with an empty value.
/// `context` is that of the row, or of the owner of a part.
pub fn for_each_exposed_label(
    entity: &Entity,
    context: &Context,
    mut each: impl FnMut(&str, &str),
) {
    let name = entity.name();
    match entity.kind() {
        EntityKind::Workload => {
            each("workload", name);
            each("workload_type", entity.variant());
        }
        EntityKind::Volume => {
            let volume = name.strip_prefix("Volume:").unwrap_or(name);
            each("volume", volume);
            let claims = context.pod.iter().flat_map(|pod| &pod.claims);
            if let Some((_, claim)) = claims.into_iter().find(|(named, _)| **named == *volume) {
                each("persistentvolumeclaim", claim);
            }
        }
        EntityKind::Filesystem | EntityKind::Disk => each("device", name),
        EntityKind::Accelerator => {
            let (make, model) = entity.variant().split_once('/').unwrap_or((entity.variant(), ""));
            each("make", make);
            if !model.is_empty() {
                each("model", model);
            }
            each("acc_id", name);
        }
        _ => {}
    }
    let mut outermost = entity;
    while let Some(parent) = outermost.parent() {
        if outermost.kind() == EntityKind::SystemContainer {
            each("id", &format!("/{}", outermost.name()));
        } else if outermost.kind() == EntityKind::Container {
            each("container", outermost.name());
        }
        outermost = parent;
    }
    if let Some(namespace) = entity.namespace() {
        each("namespace", namespace);
    }
    if let Some(pod) = entity.pod() {
        each("pod", pod);
    }
    let belongs_to_no_node =
        matches!(entity.kind(), EntityKind::Cluster | EntityKind::Namespace | EntityKind::Workload);
    let node = entity.node().or_else(|| context.node.as_ref().map(|node| &*node.name));
    if let (false, Some(node)) = (belongs_to_no_node, node) {
        each("node", node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CATALOG, Registry};

    #[test]
    fn names_are_those_that_dashboards_ask_for() {
        use EntityKind::{Container, Namespace, Node, Pod, Volume};
        let check = |id, kind, name: &str, labels: &[(&str, &str)], scale: f64| {
            let exposed = exposed(&Metric::Known(id), kind);
            assert_eq!(exposed.name, name);
            let read: Vec<_> =
                exposed.labels.iter().map(|(name, value)| (*name, &**value)).collect();
            assert_eq!(read, labels, "{name}");
            assert!((exposed.scale - scale).abs() < f64::EPSILON, "{name}");
        };
        check(metric::CPU_USAGE, Container, "container_cpu_usage_seconds_total", &[], 1e-9);
        check(metric::CPU_USAGE, Node, "container_cpu_usage_seconds_total", &[("id", "/")], 1e-9);
        check(metric::CPU_USAGE_RATE, Pod, "taffrail_pod_cpu_usage_rate_cores", &[], 1e-3);
        let requests = "kube_pod_container_resource_requests";
        check(
            metric::CPU_REQUEST,
            Container,
            requests,
            &[("resource", "cpu"), ("unit", "core")],
            1e-3,
        );
        check(metric::CPU_REQUEST, Namespace, "taffrail_namespace_cpu_request_cores", &[], 1e-3);
        let memory = [("resource", "memory"), ("unit", "byte")];
        check(metric::MEMORY_NODE_CAPACITY, Node, "kube_node_status_capacity", &memory, 1.0);
        check(metric::MEMORY_RSS, Namespace, "taffrail_namespace_memory_rss_bytes", &[], 1.0);
        check(metric::FILESYSTEM_USAGE, Volume, "taffrail_volume_filesystem_usage_bytes", &[], 1.0);
        let fault = [("failure_type", "pgfault"), ("scope", "container")];
        check(metric::MEMORY_PAGE_FAULTS, Pod, "container_memory_failures_total", &fault, 1.0);
    }

    #[test]
    fn no_two_metrics_of_one_entity_are_the_same_series() {
        for kind in EntityKind::ALL {
            let mut seen = Vec::new();
            for row in CATALOG.iter().filter(|row| row.entities.contains(kind)) {
                let Exposed { name, labels, .. } = exposed(&Metric::Known(row.id), kind);
                assert!(
                    !seen.contains(&(name.clone(), labels.clone())),
                    "{name} of {}",
                    kind.name()
                );
                seen.push((name, labels));
            }
        }
    }

    #[test]
    fn labels_are_those_of_kube_prometheus() {
        let mut registry = Registry::default();
        let pod = registry.pod("ns", "web-0", "u");
        let container = registry.container(&pod, "c");
        let node = registry.node("n1");
        let kubelet = registry.system_container(&node, "kubelet");
        let check = |entity: &Entity, expected: &str| {
            let mut read = Vec::new();
            for_each_exposed_label(entity, &Context::default(), |name, value| {
                read.push(format!("{name}={value}"));
            });
            read.sort();
            assert_eq!(read.join(" "), expected);
        };
        check(&container, "container=c namespace=ns pod=web-0");
        check(&kubelet, "id=/kubelet node=n1");
        check(&registry.cluster(), "");
        check(
            &registry.workload("ns", "Deployment", "web"),
            "namespace=ns workload=web workload_type=Deployment",
        );
    }
}
