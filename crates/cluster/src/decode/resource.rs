//! The rules by which a kubelet's `/metrics/resource` becomes rows.
//!
//! Families: `k8s.io/kubernetes` `pkg/kubelet/metrics/collectors/resource_metrics.go`.

use model::{EntityKind, MetricId, Row, Timestamp, metric};

use super::DecodeError;
use super::rows::{Rows, nanos, whole};
use crate::wire::resource::{Sample, scan};

/// How a family's value becomes a metric.
#[derive(Clone, Copy)]
enum Meaning {
    /// Seconds of CPU → nanoseconds.
    Cpu,
    /// Bytes as they are.
    Bytes(MetricId),
    /// Unix seconds.
    Start,
    /// 1 when the kubelet failed to measure something.
    Failed,
}

/// Every family that is read, and what of.
const FAMILIES: &[(&str, EntityKind, Meaning)] = &[
    ("node_cpu_usage_seconds_total", EntityKind::Node, Meaning::Cpu),
    ("node_memory_working_set_bytes", EntityKind::Node, Meaning::Bytes(metric::MEMORY_WORKING_SET)),
    ("node_swap_usage_bytes", EntityKind::Node, Meaning::Bytes(metric::SWAP_USAGE)),
    ("pod_cpu_usage_seconds_total", EntityKind::Pod, Meaning::Cpu),
    ("pod_memory_working_set_bytes", EntityKind::Pod, Meaning::Bytes(metric::MEMORY_WORKING_SET)),
    ("pod_swap_usage_bytes", EntityKind::Pod, Meaning::Bytes(metric::SWAP_USAGE)),
    ("container_start_time_seconds", EntityKind::Container, Meaning::Start),
    ("container_cpu_usage_seconds_total", EntityKind::Container, Meaning::Cpu),
    (
        "container_memory_working_set_bytes",
        EntityKind::Container,
        Meaning::Bytes(metric::MEMORY_WORKING_SET),
    ),
    ("container_swap_usage_bytes", EntityKind::Container, Meaning::Bytes(metric::SWAP_USAGE)),
    ("scrape_error", EntityKind::Cluster, Meaning::Failed),
    ("resource_scrape_error", EntityKind::Cluster, Meaning::Failed),
];

fn meaning(family: &str) -> Option<(EntityKind, Meaning)> {
    FAMILIES.iter().find(|row| row.0 == family).map(|row| (row.1, row.2))
}

/// Writes a whole answer, or nothing when it cannot be read.
pub(super) fn read(body: &[u8], rows: &mut Rows<'_>) -> Result<(), DecodeError> {
    let wanted = |family: &str| meaning(family).is_some();
    let samples = scan(body, wanted).collect::<Result<Vec<_>, _>>()?;
    let failed = samples.iter().any(|sample| {
        matches!(meaning(sample.family), Some((_, Meaning::Failed))) && sample.value > 0.0
    });
    if samples.iter().all(|sample| matches!(meaning(sample.family), Some((_, Meaning::Failed)))) {
        let reason = if failed {
            "the kubelet could not measure anything (scrape_error is 1)"
        } else {
            "no resource metrics in the answer"
        };
        return Err(DecodeError { reason: reason.to_owned(), offset: body.len() });
    }
    for sample in &samples {
        write(sample, rows);
    }
    Ok(())
}

fn write(sample: &Sample<'_>, rows: &mut Rows<'_>) {
    let Some((kind, meaning)) = meaning(sample.family) else { return };
    let Some(row) = row_of(sample, kind, rows) else { return };
    let measured = sample.timestamp_ms.map_or(rows.now, Timestamp::from_millis);
    let (metric, value) = match meaning {
        Meaning::Cpu => (metric::CPU_USAGE, nanos(sample.value)),
        Meaning::Bytes(metric) => (metric, whole(sample.value)),
        Meaning::Failed => return,
        Meaning::Start => {
            if let Some(started) = nanos(sample.value) {
                let table = rows.draft.table(row.kind);
                if table.started(row.row).is_never() {
                    let scraped = table.scraped(row.row);
                    rows.set_times(row, Timestamp::from_nanos(started), scraped);
                }
            }
            return;
        }
    };
    let table = rows.draft.table_mut(row.kind);
    // The CPU sample's time is what rates need; others only stand in for it.
    if table.scraped(row.row).is_never() {
        table.set_scraped(row.row, measured);
    }
    if table.get(row.row, metric).is_none() {
        if metric == metric::CPU_USAGE {
            table.set_scraped(row.row, measured);
        }
        rows.set(row, metric, value);
    }
}

fn row_of(sample: &Sample<'_>, kind: EntityKind, rows: &mut Rows<'_>) -> Option<Row> {
    if kind == EntityKind::Node {
        let entity = rows.draft.registry.node(&rows.node.name);
        return Some(rows.insert(&entity));
    }
    let (namespace, pod) = (sample.label("namespace"), sample.label("pod"));
    if namespace.is_empty() || pod.is_empty() {
        return None;
    }
    let pod = rows.draft.registry.pod(&namespace, &pod, "");
    if kind == EntityKind::Pod {
        return Some(rows.insert(&pod));
    }
    let container = sample.label("container");
    if kind != EntityKind::Container || container.is_empty() {
        return None;
    }
    let container = rows.draft.registry.container(&pod, &container);
    Some(rows.insert(&container))
}
