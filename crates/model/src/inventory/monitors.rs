//! What others ask to be scraped: monitors of the Prometheus operator, and the services and
//! endpoint slices that they select. Held only where scraping is switched on.

use std::sync::Arc;

use super::Inventory;
use super::shelf::{Shelf, held};

type Pairs = Box<[(Box<str>, Box<str>)]>;

/// Whose monitor it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum MonitorKind {
    /// Selects services.
    #[default]
    Service,
    /// Selects pods.
    Pod,
}

impl MonitorKind {
    /// As scrape pools are named (`serviceMonitor`).
    pub const fn pool(self) -> &'static str {
        match self {
            Self::Service => "serviceMonitor",
            Self::Pod => "podMonitor",
        }
    }
}

/// One condition on a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// The label has one of these values.
    In(Box<str>, Box<[Box<str>]>),
    /// The label is absent or has none of these values.
    NotIn(Box<str>, Box<[Box<str>]>),
    /// There is such a label.
    Exists(Box<str>),
    /// There is no such label.
    Absent(Box<str>),
}

impl Requirement {
    /// Whether labels, sorted by key, satisfy it.
    pub fn accepts(&self, labels: &[(Box<str>, Box<str>)]) -> bool {
        let value = |key: &str| {
            let at = labels.binary_search_by(|(name, _)| (**name).cmp(key)).ok()?;
            labels.get(at).map(|(_, value)| &**value)
        };
        let among = |value: Option<&str>, values: &[Box<str>]| {
            value.is_some_and(|value| values.iter().any(|one| **one == *value))
        };
        match self {
            Self::In(key, values) => among(value(key), values),
            Self::NotIn(key, values) => !among(value(key), values),
            Self::Exists(key) => value(key).is_some(),
            Self::Absent(key) => value(key).is_none(),
        }
    }
}

/// In which namespaces a monitor selects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum NamespaceChoice {
    /// Its own.
    #[default]
    Own,
    /// Every one.
    Any,
    /// These.
    Names(Box<[Box<str>]>),
}

/// A port of a pod, by name or number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortChoice {
    /// The port's name: of the service for service monitors, of the container for pod monitors.
    Name(Box<str>),
    /// The container port's name.
    TargetName(Box<str>),
    /// The container port's number.
    TargetNumber(u16),
    /// None is chosen: any port.
    Any,
}

/// A relabelling rule as it is written; absent fields have Prometheus' defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RelabelRule {
    /// Whose values are joined.
    pub source_labels: Box<[Box<str>]>,
    /// Between the values.
    pub separator: Option<Box<str>>,
    /// The label that is written.
    pub target_label: Box<str>,
    /// Must match the whole of the joined values.
    pub regex: Option<Box<str>>,
    /// For `hashmod`.
    pub modulus: u64,
    /// What is written, with `$1` and the like.
    pub replacement: Option<Box<str>>,
    /// `replace`, `keep`, …; empty for `replace`.
    pub action: Box<str>,
}

/// How TLS to a target is verified.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ScrapeTls {
    /// Takes any certificate.
    pub skip_verify: bool,
    /// The name that the certificate must have, in place of the address.
    pub server_name: Box<str>,
}

/// Names of query parameters, with the values of each.
pub type ScrapeParams = Box<[(Box<str>, Box<[Box<str>]>)]>;

/// One endpoint of a monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorEndpoint {
    /// Which port.
    pub port: PortChoice,
    /// The path, with its slash; empty for `/metrics`.
    pub path: Box<str>,
    /// `http`, `https`, or empty for `http`.
    pub scheme: Box<str>,
    /// Query parameters.
    pub params: ScrapeParams,
    /// How often, as Prometheus writes it (`1m30s`); empty for the usual.
    pub interval: Box<str>,
    /// How long an answer may take, likewise.
    pub timeout: Box<str>,
    /// Whether labels of samples win over the target's.
    pub honor_labels: bool,
    /// Whether timestamps of samples are taken.
    pub honor_timestamps: bool,
    /// Whether pods that ended are left out.
    pub only_running: bool,
    /// TLS.
    pub tls: ScrapeTls,
    /// Rules for targets.
    pub relabel: Box<[RelabelRule]>,
    /// Rules for samples.
    pub metric_relabel: Box<[RelabelRule]>,
    /// Why it cannot be scraped; `None` where it can.
    pub refused: Option<Box<str>>,
}

/// A `ServiceMonitor` or `PodMonitor`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Monitor {
    /// Which kind.
    pub kind: MonitorKind,
    /// Namespace.
    pub namespace: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// Where it selects.
    pub namespaces: NamespaceChoice,
    /// What it selects; all must hold.
    pub selector: Box<[Requirement]>,
    /// What is scraped of what is selected.
    pub endpoints: Box<[MonitorEndpoint]>,
    /// The label of the selected object that becomes `job`; empty for none.
    pub job_label: Box<str>,
    /// Labels of services that targets get.
    pub target_labels: Box<[Box<str>]>,
    /// Labels of pods that targets get.
    pub pod_target_labels: Box<[Box<str>]>,
    /// Whether targets get `__meta_kubernetes_node_…` labels.
    pub attach_node: bool,
    /// Most samples of a scrape; 0 for no bound of its own.
    pub sample_limit: u64,
    /// Most labels of a sample; likewise.
    pub label_limit: u64,
    /// Most bytes of a label's name; likewise.
    pub label_name_limit: u64,
    /// Most bytes of a label's value; likewise.
    pub label_value_limit: u64,
    /// Most targets of an endpoint; likewise.
    pub target_limit: u64,
    /// Why nothing of it can be scraped; `None` where it can.
    pub refused: Option<Box<str>>,
}

/// A service, in what monitors need of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Service {
    /// Namespace.
    pub namespace: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// Labels, sorted by key.
    pub labels: Pairs,
}

/// A port of an endpoint slice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SlicePort {
    /// Name; may be empty.
    pub name: Box<str>,
    /// Number.
    pub port: u16,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: Box<str>,
}

/// An endpoint of a slice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SliceEndpoint {
    /// Addresses.
    pub addresses: Box<[Box<str>]>,
    /// Whether it is ready; unknown counts as ready.
    pub ready: bool,
    /// Kind of what is behind it (`Pod`).
    pub target_kind: Box<str>,
    /// Name of what is behind it.
    pub target_name: Box<str>,
    /// The node it is on; may be empty.
    pub node: Box<str>,
    /// Its host name; may be empty.
    pub hostname: Box<str>,
}

/// A part of a service's endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointSlice {
    /// Namespace.
    pub namespace: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// The service; empty where it belongs to none.
    pub service: Box<str>,
    /// `IPv4`, `IPv6` or `FQDN`.
    pub address_type: Box<str>,
    /// Ports, which every endpoint has.
    pub ports: Box<[SlicePort]>,
    /// Endpoints.
    pub endpoints: Box<[SliceEndpoint]>,
}

held!(ServiceMonitor scraped.service_monitors);
held!(PodMonitor scraped.pod_monitors);
held!(Service scraped.services);
held!(EndpointSlice scraped.slices);

/// A monitor that selects services.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceMonitor {
    /// Namespace.
    pub namespace: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// What it says.
    pub monitor: Arc<Monitor>,
}

/// A monitor that selects pods.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodMonitor {
    /// Namespace.
    pub namespace: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// What it says.
    pub monitor: Arc<Monitor>,
}

/// What is held for scraping.
#[derive(Debug, Default)]
pub(super) struct Scraped {
    service_monitors: Shelf<ServiceMonitor>,
    pod_monitors: Shelf<PodMonitor>,
    services: Shelf<Service>,
    slices: Shelf<EndpointSlice>,
}

impl Inventory {
    /// Every monitor, in no order.
    pub fn monitors(&self) -> impl Iterator<Item = &Arc<Monitor>> {
        let services = self.scraped.service_monitors.all().map(|one| &one.monitor);
        services.chain(self.scraped.pod_monitors.all().map(|one| &one.monitor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_read_labels_as_kubernetes_does() {
        let labels: Pairs = Box::new([("app".into(), "a".into()), ("tier".into(), "".into())]);
        let values = |all: &[&str]| all.iter().map(|one| Box::from(*one)).collect::<Box<[_]>>();
        for (requirement, expected) in [
            (Requirement::In("app".into(), values(&["b", "a"])), true),
            (Requirement::In("app".into(), values(&["b"])), false),
            (Requirement::In("none".into(), values(&[""])), false),
            (Requirement::NotIn("app".into(), values(&["b"])), true),
            (Requirement::NotIn("app".into(), values(&["a"])), false),
            (Requirement::NotIn("none".into(), values(&["a"])), true),
            (Requirement::Exists("tier".into()), true),
            (Requirement::Absent("tier".into()), false),
            (Requirement::Absent("none".into()), true),
        ] {
            assert_eq!(requirement.accepts(&labels), expected, "{requirement:?}");
        }
    }
}
