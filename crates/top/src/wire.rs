//! Answers of the API as far as they are shown; fields that are not, are not read.

use serde::{Deserialize, Serialize};

/// A page of any list.
#[derive(Debug, Deserialize)]
pub(crate) struct List {
    pub(crate) timestamp: Option<i64>,
    pub(crate) total: usize,
    pub(crate) items: Vec<Item>,
}

/// An item of any list: each has some of the fields.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) pod: Option<String>,
    pub(crate) node: Option<String>,
    pub(crate) phase: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) reason: Option<String>,
    /// A node's or container's is a boolean, a pod's or workload's a count.
    pub(crate) ready: Option<Ready>,
    pub(crate) desired: Option<i64>,
    /// A pod's.
    pub(crate) containers: Option<i64>,
    pub(crate) pods: Option<f64>,
    pub(crate) restarts: Option<f64>,
    pub(crate) cpu: Amounts,
    pub(crate) memory: Amounts,
    pub(crate) network: Network,
    pub(crate) target: Option<Target>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Ready {
    Is(bool),
    Count(i64),
}

/// CPU in millicores, or memory in bytes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Amounts {
    pub(crate) usage: Option<f64>,
    pub(crate) working_set: Option<f64>,
    pub(crate) request: Option<f64>,
    pub(crate) limit: Option<f64>,
    pub(crate) allocatable: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Network {
    pub(crate) rx_rate: Option<f64>,
    pub(crate) tx_rate: Option<f64>,
}

/// How a node's kubelet answers.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) state: String,
    pub(crate) hop: Option<String>,
}

/// What the process says of itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Status {
    pub(crate) version: String,
    pub(crate) cluster: Option<Cluster>,
    pub(crate) now: i64,
    pub(crate) resolution_ms: u64,
    pub(crate) targets: Targets,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Cluster {
    pub(crate) name: String,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Targets {
    pub(crate) up: usize,
    pub(crate) failed: usize,
}

/// The sums of everything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Overview {
    pub(crate) timestamp: Option<i64>,
    pub(crate) nodes: Nodes,
    pub(crate) pods: Pods,
    #[serde(deserialize_with = "amounts")]
    pub(crate) cpu: [Option<f64>; 3],
    #[serde(deserialize_with = "amounts")]
    pub(crate) memory: [Option<f64>; 3],
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Nodes {
    pub(crate) total: usize,
    pub(crate) ready: usize,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Pods {
    pub(crate) total: usize,
}

/// Usage, request, allocatable.
fn amounts<'de, D: serde::Deserializer<'de>>(source: D) -> Result<[Option<f64>; 3], D::Error> {
    let read = Amounts::deserialize(source)?;
    Ok([read.working_set.or(read.usage), read.request, read.allocatable])
}

/// One series of a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SeriesName {
    pub(crate) kind: &'static str,
    pub(crate) metric: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pod: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) workload_kind: Option<String>,
}

/// A query for many series.
#[derive(Debug, Serialize)]
pub(crate) struct Query {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) points: usize,
    pub(crate) series: Vec<SeriesName>,
}

/// What a query answers.
#[derive(Debug, Deserialize)]
pub(crate) struct Series {
    pub(crate) series: Vec<Values>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Values {
    pub(crate) avg: Vec<Option<f64>>,
}
