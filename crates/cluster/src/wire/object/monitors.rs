//! Monitors of the Prometheus operator, services and endpoint slices, in the fields that scraping
//! needs.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A `ServiceMonitor` or `PodMonitor` as it is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MonitorSpec {
    /// Of service monitors.
    pub endpoints: Vec<Value>,
    /// Of pod monitors.
    pub pod_metrics_endpoints: Vec<Value>,
    /// What is selected.
    pub selector: LabelSelector,
    /// Where.
    pub namespace_selector: NamespaceSelector,
    /// The label that becomes `job`.
    pub job_label: Option<String>,
    /// Labels of services that targets get.
    pub target_labels: Vec<String>,
    /// Labels of pods that targets get.
    pub pod_target_labels: Vec<String>,
    /// Whether targets get labels of their node.
    pub attach_metadata: Option<AttachMetadata>,
    /// Most samples.
    pub sample_limit: Option<u64>,
    /// Most targets.
    pub target_limit: Option<u64>,
    /// Most labels.
    pub label_limit: Option<u64>,
    /// Most bytes of a label's name.
    pub label_name_length_limit: Option<u64>,
    /// Most bytes of a label's value.
    pub label_value_length_limit: Option<u64>,
}

/// A selector of labels.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    /// Labels that must be so.
    pub match_labels: Option<BTreeMap<String, String>>,
    /// Conditions that must hold.
    pub match_expressions: Option<Vec<Expression>>,
}

/// A condition on a label.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Expression {
    /// The label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,
    /// For the first two.
    pub values: Option<Vec<String>>,
}

/// Which namespaces.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NamespaceSelector {
    /// Every one.
    pub any: bool,
    /// These; none for the monitor's own.
    pub match_names: Option<Vec<String>>,
}

/// What targets get of their surroundings.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct AttachMetadata {
    /// Labels of the node.
    pub node: bool,
}

/// An endpoint of a monitor. What needs a secret, or a file of Prometheus' own pod, is read only
/// to say so.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MonitorEndpoint {
    /// A port's name.
    pub port: Option<String>,
    /// A container port's name or number.
    pub target_port: Option<Value>,
    /// A container port's number.
    pub port_number: Option<u16>,
    /// The path.
    pub path: Option<String>,
    /// `http` or `https`.
    pub scheme: Option<String>,
    /// Query parameters.
    pub params: Option<BTreeMap<String, Vec<String>>>,
    /// How often.
    pub interval: Option<String>,
    /// How long an answer may take.
    pub scrape_timeout: Option<String>,
    /// Whether labels of samples win.
    pub honor_labels: bool,
    /// Whether timestamps of samples are taken; by default they are.
    pub honor_timestamps: Option<bool>,
    /// Whether pods that ended are left out; by default they are.
    pub filter_running: Option<bool>,
    /// TLS.
    pub tls_config: Option<TlsConfig>,
    /// Rules for targets.
    pub relabelings: Option<Vec<Relabeling>>,
    /// Rules for samples.
    pub metric_relabelings: Option<Vec<Relabeling>>,
    /// Needs a secret.
    pub basic_auth: Option<Value>,
    /// Needs a secret.
    pub authorization: Option<Value>,
    /// Needs a secret.
    pub oauth2: Option<Value>,
    /// Needs a secret; the operator's default is an empty reference.
    pub bearer_token_secret: Option<KeyReference>,
    /// Needs a file.
    pub bearer_token_file: Option<String>,
    /// A proxy.
    pub proxy_url: Option<String>,
}

/// A reference to a key of a secret or config map.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct KeyReference {
    /// The object's name.
    pub name: String,
    /// The key.
    pub key: String,
}

/// TLS of an endpoint.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TlsConfig {
    /// Takes any certificate.
    pub insecure_skip_verify: bool,
    /// The name that the certificate must have.
    pub server_name: Option<String>,
    /// Needs a secret or config map.
    pub ca: Option<Value>,
    /// Needs a secret or config map.
    pub cert: Option<Value>,
    /// Needs a secret.
    pub key_secret: Option<KeyReference>,
    /// Needs a file.
    pub ca_file: Option<String>,
    /// Needs a file.
    pub cert_file: Option<String>,
    /// Needs a file.
    pub key_file: Option<String>,
}

/// A relabelling rule.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Relabeling {
    /// Whose values are joined.
    pub source_labels: Option<Vec<String>>,
    /// Between them.
    pub separator: Option<String>,
    /// The label that is written.
    pub target_label: Option<String>,
    /// Must match.
    pub regex: Option<String>,
    /// For `hashmod`.
    pub modulus: Option<u64>,
    /// What is written.
    pub replacement: Option<String>,
    /// What is done.
    pub action: Option<String>,
}

/// An endpoint of a slice.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SliceEndpoint {
    /// Addresses.
    pub addresses: Vec<String>,
    /// How it stands.
    pub conditions: Option<SliceConditions>,
    /// What is behind it.
    pub target_ref: Option<TargetRef>,
    /// The node it is on.
    pub node_name: Option<String>,
    /// Its host name.
    pub hostname: Option<String>,
}

/// How an endpoint stands.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SliceConditions {
    /// Unknown counts as ready.
    pub ready: Option<bool>,
}

/// What is behind an endpoint.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TargetRef {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// A port of a slice.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SlicePort {
    /// Its name.
    pub name: Option<String>,
    /// Its number.
    pub port: Option<u16>,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: Option<String>,
}
