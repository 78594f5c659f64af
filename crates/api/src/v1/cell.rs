//! Cells of the answers: numbers, times and the groups of values that entities share.

use model::{MetricId, Node, Resources, Table, Timestamp, Value, metric};
use serde::{Serialize, Serializer};

use crate::number;

/// A number: whole ones are printed without a fraction, negative ones as 0 (the model API does
/// the same, and no metric is meant to be negative).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Number(pub(super) f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        number::serialize(self.0.max(0.0), serializer)
    }
}

fn whole(value: i64) -> Number {
    Number(Value::Int(value).as_f64())
}

/// Milliseconds since the epoch; `None` for a time that never was.
pub(super) fn millis(time: Timestamp) -> Option<i64> {
    (!time.is_never()).then(|| time.millis())
}

/// A time as a number to sort by.
pub(super) fn time_key(time: Timestamp) -> Option<f64> {
    millis(time).map(|millis| Value::Int(millis).as_f64())
}

/// The values of one entity in the newest batch, if it was measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a>(pub(super) Option<(&'a Table, usize)>);

impl Row<'_> {
    pub(super) fn get(&self, metric: MetricId) -> Option<Number> {
        self.0.and_then(|(table, row)| table.get(row, metric)).map(|value| Number(value.as_f64()))
    }

    pub(super) fn cpu(&self) -> Cpu {
        Cpu {
            usage: self.get(metric::CPU_USAGE_RATE),
            request: self.get(metric::CPU_REQUEST),
            limit: self.get(metric::CPU_LIMIT),
        }
    }

    /// Without a measurement what the node's object states: a failed kubelet hides no capacity.
    pub(super) fn cpu_of_node(&self, node: Option<&Node>) -> NodeCpu {
        let stated =
            |of: fn(&Node) -> &Resources| node.and_then(|node| of(node).cpu_millicores).map(whole);
        NodeCpu {
            cpu: self.cpu(),
            allocatable: self
                .get(metric::CPU_NODE_ALLOCATABLE)
                .or_else(|| stated(|node| &node.allocatable)),
            capacity: self.get(metric::CPU_NODE_CAPACITY).or_else(|| stated(|node| &node.capacity)),
        }
    }

    pub(super) fn memory(&self) -> Memory {
        Memory {
            working_set: self.get(metric::MEMORY_WORKING_SET),
            usage: self.get(metric::MEMORY_USAGE),
            rss: self.get(metric::MEMORY_RSS),
            request: self.get(metric::MEMORY_REQUEST),
            limit: self.get(metric::MEMORY_LIMIT),
        }
    }

    /// As [`Row::cpu_of_node`].
    pub(super) fn memory_of_node(&self, node: Option<&Node>) -> NodeMemory {
        let stated =
            |of: fn(&Node) -> &Resources| node.and_then(|node| of(node).memory_bytes).map(whole);
        NodeMemory {
            memory: self.memory(),
            allocatable: self
                .get(metric::MEMORY_NODE_ALLOCATABLE)
                .or_else(|| stated(|node| &node.allocatable)),
            capacity: self
                .get(metric::MEMORY_NODE_CAPACITY)
                .or_else(|| stated(|node| &node.capacity)),
        }
    }

    /// How much of `whole` is `part`; `None` where either is missing or there is nothing to share.
    pub(super) fn share(&self, part: MetricId, whole: MetricId) -> Option<f64> {
        let (Number(part), Number(whole)) = (self.get(part)?, self.get(whole)?);
        (whole > 0.0).then(|| part / whole)
    }

    pub(super) fn network(&self) -> Network {
        Network {
            rx_rate: self.get(metric::NETWORK_RX_RATE),
            tx_rate: self.get(metric::NETWORK_TX_RATE),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Cpu {
    pub(super) usage: Option<Number>,
    request: Option<Number>,
    limit: Option<Number>,
}

#[derive(Debug, Serialize)]
pub(super) struct NodeCpu {
    #[serde(flatten)]
    pub(super) cpu: Cpu,
    allocatable: Option<Number>,
    capacity: Option<Number>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Memory {
    pub(super) working_set: Option<Number>,
    usage: Option<Number>,
    rss: Option<Number>,
    request: Option<Number>,
    limit: Option<Number>,
}

#[derive(Debug, Serialize)]
pub(super) struct NodeMemory {
    #[serde(flatten)]
    pub(super) memory: Memory,
    allocatable: Option<Number>,
    capacity: Option<Number>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Network {
    rx_rate: Option<Number>,
    tx_rate: Option<Number>,
}

impl Network {
    /// Received and sent together, for sorting.
    pub(super) fn sum(&self) -> Option<f64> {
        match (self.rx_rate, self.tx_rate) {
            (None, None) => None,
            (rx, tx) => Some(rx.map_or(0.0, |rate| rate.0) + tx.map_or(0.0, |rate| rate.0)),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Filesystem {
    pub(super) usage: Option<Number>,
    pub(super) limit: Option<Number>,
}
