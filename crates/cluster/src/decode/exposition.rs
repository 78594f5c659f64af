//! The rules by which a kubelet's `/metrics/cadvisor` becomes rows.
//!
//! Families and labels: google/cadvisor `metrics/prometheus.go` as the kubelet serves it. Opt-in:
//! the text grows with every container and costs the kubelet more than its summary.

use model::{EntityKind, MetricId, Row, Timestamp, Value, metric};

use super::DecodeError;
use super::rows::{Rows, nanos, whole};
use crate::wire::resource::{Sample, scan};

/// The pause container's name.
const PAUSE: &str = "POD";

/// How a family's value becomes a metric.
#[derive(Clone, Copy)]
enum Meaning {
    /// Seconds of CPU → nanoseconds; only the total of all cores.
    Cpu,
    /// Seconds → nanoseconds.
    Nanos(MetricId),
    /// A number as it is.
    Whole(MetricId),
    /// Page faults, by `failure_type`; only the container's own `scope`.
    Faults,
    /// Summed over interfaces.
    Network(MetricId),
    /// By `device`, on a part of that kind.
    Part(EntityKind, MetricId),
    /// Unix seconds.
    Start,
    /// 1 when cAdvisor failed.
    Failed,
}

/// Every family that is read.
const FAMILIES: &[(&str, Meaning)] = &[
    ("container_cpu_usage_seconds_total", Meaning::Cpu),
    ("container_cpu_load_average_10s", Meaning::Whole(metric::CPU_LOAD)),
    ("container_cpu_cfs_periods_total", Meaning::Whole(metric::CPU_CFS_PERIODS)),
    (
        "container_cpu_cfs_throttled_periods_total",
        Meaning::Whole(metric::CPU_CFS_THROTTLED_PERIODS),
    ),
    ("container_cpu_cfs_throttled_seconds_total", Meaning::Nanos(metric::CPU_CFS_THROTTLED_TIME)),
    ("container_memory_usage_bytes", Meaning::Whole(metric::MEMORY_USAGE)),
    ("container_memory_cache", Meaning::Whole(metric::MEMORY_CACHE)),
    ("container_memory_rss", Meaning::Whole(metric::MEMORY_RSS)),
    ("container_memory_swap", Meaning::Whole(metric::SWAP_USAGE)),
    ("container_memory_working_set_bytes", Meaning::Whole(metric::MEMORY_WORKING_SET)),
    ("container_memory_failures_total", Meaning::Faults),
    ("container_processes", Meaning::Whole(metric::PROCESSES)),
    ("container_network_receive_bytes_total", Meaning::Network(metric::NETWORK_RX)),
    ("container_network_receive_errors_total", Meaning::Network(metric::NETWORK_RX_ERRORS)),
    ("container_network_transmit_bytes_total", Meaning::Network(metric::NETWORK_TX)),
    ("container_network_transmit_errors_total", Meaning::Network(metric::NETWORK_TX_ERRORS)),
    ("container_fs_usage_bytes", Meaning::Part(EntityKind::Filesystem, metric::FILESYSTEM_USAGE)),
    ("container_fs_limit_bytes", Meaning::Part(EntityKind::Filesystem, metric::FILESYSTEM_LIMIT)),
    ("container_fs_inodes_total", Meaning::Part(EntityKind::Filesystem, metric::FILESYSTEM_INODES)),
    (
        "container_fs_inodes_free",
        Meaning::Part(EntityKind::Filesystem, metric::FILESYSTEM_INODES_FREE),
    ),
    ("container_fs_reads_bytes_total", Meaning::Part(EntityKind::Disk, metric::DISK_IO_READ_BYTES)),
    (
        "container_fs_writes_bytes_total",
        Meaning::Part(EntityKind::Disk, metric::DISK_IO_WRITE_BYTES),
    ),
    ("container_fs_reads_total", Meaning::Part(EntityKind::Disk, metric::DISK_IO_READS)),
    ("container_fs_writes_total", Meaning::Part(EntityKind::Disk, metric::DISK_IO_WRITES)),
    ("container_network_receive_packets_total", Meaning::Network(metric::NETWORK_RX_PACKETS)),
    (
        "container_network_receive_packets_dropped_total",
        Meaning::Network(metric::NETWORK_RX_DROPPED),
    ),
    ("container_network_transmit_packets_total", Meaning::Network(metric::NETWORK_TX_PACKETS)),
    (
        "container_network_transmit_packets_dropped_total",
        Meaning::Network(metric::NETWORK_TX_DROPPED),
    ),
    ("container_start_time_seconds", Meaning::Start),
    ("container_scrape_error", Meaning::Failed),
];

fn meaning(family: &str) -> Option<Meaning> {
    FAMILIES.iter().find(|row| row.0 == family).map(|row| row.1)
}

/// Writes a whole answer, or nothing when it cannot be read.
pub(super) fn read(body: &[u8], rows: &mut Rows<'_>) -> Result<(), DecodeError> {
    let wanted = |family: &str| meaning(family).is_some();
    let samples = scan(body, wanted).collect::<Result<Vec<_>, _>>()?;
    let failure = |sample: &Sample<'_>| matches!(meaning(sample.family), Some(Meaning::Failed));
    if samples.iter().all(failure) {
        let reason = "no container metrics in the answer".to_owned();
        return Err(DecodeError { reason, offset: body.len() });
    }
    for sample in &samples {
        if let (Some(meaning), Some(row)) = (meaning(sample.family), row_of(sample, rows)) {
            write(sample, meaning, row, rows);
        }
    }
    Ok(())
}

/// The row that a sample belongs to; `None` for a sample that says nothing of it.
fn row_of(sample: &Sample<'_>, rows: &mut Rows<'_>) -> Option<Row> {
    let (namespace, pod) = (sample.label("namespace"), sample.label("pod"));
    let container = sample.label("container");
    let network = matches!(meaning(sample.family), Some(Meaning::Network(_)));
    if !namespace.is_empty() && !pod.is_empty() {
        let pod = rows.draft.registry.pod(&namespace, &pod, "");
        let pause =
            container == PAUSE || (container.is_empty() && !sample.label("name").is_empty());
        return match &*container {
            // The pause container owns the pod's network; its own use is part of the pod's cgroup.
            _ if pause => network.then(|| rows.insert(&pod)),
            "" => Some(rows.insert(&pod)),
            name if !network => {
                let container = rows.draft.registry.container(&pod, name);
                Some(rows.insert(&container))
            }
            _ => None,
        };
    }
    let node = rows.draft.registry.node(&rows.node.name);
    match sample.label("id").trim_start_matches('/') {
        "" => Some(rows.insert(&node)),
        _ if network => None,
        cgroup => {
            let system_container = rows.draft.registry.system_container(&node, cgroup);
            Some(rows.insert(&system_container))
        }
    }
}

fn write(sample: &Sample<'_>, meaning: Meaning, row: Row, rows: &mut Rows<'_>) {
    let measured = sample.timestamp_ms.map_or(rows.now, Timestamp::from_millis);
    if rows.draft.table(row.kind).scraped(row.row).is_never() {
        rows.draft.table_mut(row.kind).set_scraped(row.row, measured);
    }
    match meaning {
        Meaning::Cpu => {
            if matches!(&*sample.label("cpu"), "" | "total") {
                rows.set_compute_time(row, measured);
                rows.set(row, metric::CPU_USAGE, nanos(sample.value));
            }
        }
        Meaning::Nanos(metric) => rows.set(row, metric, nanos(sample.value)),
        Meaning::Whole(metric) => rows.set(row, metric, whole(sample.value)),
        Meaning::Faults => match (&*sample.label("scope"), &*sample.label("failure_type")) {
            ("" | "container", "pgfault") => {
                rows.set(row, metric::MEMORY_PAGE_FAULTS, whole(sample.value));
            }
            ("" | "container", "pgmajfault") => {
                rows.set(row, metric::MEMORY_MAJOR_PAGE_FAULTS, whole(sample.value));
            }
            _ => {}
        },
        Meaning::Network(metric) => {
            if let Some(value) = whole(sample.value) {
                let table = rows.draft.table_mut(row.kind);
                table.set_scraped(row.row, measured);
                table.column_mut(metric).add(row.row, Value::Int(value));
            }
        }
        Meaning::Part(kind, metric) => part(sample, (kind, metric), row, rows),
        Meaning::Start => {
            if let Some(started) = nanos(sample.value).filter(|at| *at > 0) {
                let scraped = rows.draft.table(row.kind).scraped(row.row);
                rows.set_times(row, Timestamp::from_nanos(started), scraped);
            }
        }
        Meaning::Failed => {}
    }
}

fn part(
    sample: &Sample<'_>,
    (kind, metric): (EntityKind, MetricId),
    row: Row,
    rows: &mut Rows<'_>,
) {
    let device = sample.label("device");
    let table = rows.draft.table(row.kind);
    let (scraped, started) = (table.scraped(row.row), table.started(row.row));
    let Some(owner) = table.entities().get(row.row).map(std::sync::Arc::clone) else { return };
    if !device.is_empty() {
        let part = rows.part(kind, &owner, &device, scraped, started);
        rows.set(part, metric, whole(sample.value));
    }
}
