//! `/api/v1/metric-export-schema`: which metrics and labels the export has.

use axum::response::Response;
use model::{Descriptor, EntityKind, Kind, MetricId, ValueType, descriptor, metric};
use serde::Serialize;

use super::{gojson, json};

/// Exported metrics of an entity itself, in Heapster's order.
const PLAIN: [MetricId; 16] = [
    metric::UPTIME,
    metric::CPU_USAGE,
    metric::CPU_LOAD,
    metric::EPHEMERAL_STORAGE_USAGE,
    metric::MEMORY_USAGE,
    metric::MEMORY_RSS,
    metric::MEMORY_CACHE,
    metric::MEMORY_WORKING_SET,
    metric::MEMORY_PAGE_FAULTS,
    metric::MEMORY_MAJOR_PAGE_FAULTS,
    metric::NETWORK_RX,
    metric::NETWORK_RX_ERRORS,
    metric::NETWORK_TX,
    metric::NETWORK_TX_ERRORS,
    metric::CPU_LIMIT,
    metric::MEMORY_LIMIT,
];

/// Exported metrics of labeled parts.
pub(super) const LABELED: [MetricId; 12] = [
    metric::DISK_IO_READ_BYTES,
    metric::DISK_IO_READ_BYTES_RATE,
    metric::DISK_IO_WRITE_BYTES,
    metric::DISK_IO_WRITE_BYTES_RATE,
    metric::FILESYSTEM_USAGE,
    metric::FILESYSTEM_LIMIT,
    metric::FILESYSTEM_AVAILABLE,
    metric::FILESYSTEM_INODES,
    metric::FILESYSTEM_INODES_FREE,
    metric::ACCELERATOR_MEMORY_TOTAL,
    metric::ACCELERATOR_MEMORY_USED,
    metric::ACCELERATOR_DUTY_CYCLE,
];

const COMMON_LABELS: [Label; 3] = [
    label("nodename", "Name of the node"),
    label("hostname", "Hostname of the node"),
    label(
        "host_id",
        "Identifier of the host, from the cloud provider or the configured annotation",
    ),
];

const POD_LABELS: [Label; 4] = [
    label("pod_name", "Name of the pod"),
    label("pod_id", "UID of the pod"),
    label("namespace_id", "UID of the pod's namespace"),
    label("labels", "Kubernetes labels as key:value pairs, joined"),
];

const RESOURCE_LABELS: &[Label] = &[label("resource_id", "Which device, filesystem or volume")];

const ACCELERATOR_LABELS: &[Label] = &[
    label("make", "Who made the accelerator"),
    label("model", "Model of the accelerator"),
    label("accelerator_id", "Identifier of the accelerator"),
];

/// Exported metrics of an entity itself.
pub(super) fn exported() -> impl Iterator<Item = MetricId> {
    PLAIN.into_iter()
}

/// Answers the schema.
pub(crate) async fn schema() -> Response {
    let metrics = PLAIN.into_iter().chain(LABELED).map(|id| MetricSchema::of(descriptor(id)));
    json(gojson::pretty(&Schema {
        metrics: metrics.collect(),
        common_labels: &COMMON_LABELS,
        pod_labels: &POD_LABELS,
    }))
}

#[derive(Serialize)]
struct Schema {
    metrics: Vec<MetricSchema>,
    common_labels: &'static [Label],
    pod_labels: &'static [Label],
}

#[derive(Serialize)]
struct MetricSchema {
    name: &'static str,
    description: &'static str,
    #[serde(skip_serializing_if = "<[Label]>::is_empty")]
    labels: &'static [Label],
    #[serde(rename = "type")]
    kind: &'static str,
    value_type: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    units: &'static str,
}

#[derive(Serialize)]
struct Label {
    key: &'static str,
    description: &'static str,
}

const fn label(key: &'static str, description: &'static str) -> Label {
    Label { key, description }
}

impl MetricSchema {
    fn of(row: &'static Descriptor) -> Self {
        let labels: &[Label] = if row.entities.contains(EntityKind::Accelerator) {
            ACCELERATOR_LABELS
        } else if row.entities.iter().any(EntityKind::is_labeled_part) {
            RESOURCE_LABELS
        } else {
            &[]
        };
        Self {
            name: row.name,
            description: row.help,
            labels,
            kind: match row.kind {
                Kind::Counter => "cumulative",
                Kind::Gauge => "gauge",
            },
            value_type: match row.value {
                ValueType::Int => "int64",
                ValueType::Float => "double",
            },
            units: row.heapster_unit(),
        }
    }
}
