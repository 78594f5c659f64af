//! Which Prometheus series stand for which metric of which kind of entity: one table.
//!
//! Names and labels follow cAdvisor, the kubelet, node-exporter and kube-prometheus; names that
//! begin with `taffrail_` are every metric of the catalog in base units.

use std::sync::Arc;

use model::{CATALOG, Descriptor, EntityKind, Kind, MetricId, Unit, descriptor, metric};

use EntityKind::{Accelerator, Container, Disk, Filesystem, Node, Pod, SystemContainer, Volume};

/// Where Prometheus would have scraped a series: decides its labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// The kubelet's `/metrics/cadvisor`.
    Cadvisor,
    /// The kubelet's `/metrics/resource`.
    Resource,
    /// The kubelet's `/metrics`: volumes with a claim.
    Volumes,
    /// node-exporter.
    NodeExporter,
    /// A recording rule of the kubernetes-mixin.
    Rule,
    /// Ours.
    Own,
}

impl Family {
    /// Labels that every series of the family has.
    pub(super) fn fixed(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Cadvisor => &[("job", "kubelet"), ("metrics_path", "/metrics/cadvisor")],
            Self::Resource => &[("job", "kubelet"), ("metrics_path", "/metrics/resource")],
            Self::Volumes => &[("job", "kubelet"), ("metrics_path", "/metrics")],
            Self::NodeExporter => &[("job", "node-exporter")],
            Self::Rule | Self::Own => &[],
        }
    }
}

/// A series name over one kind of entity.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) name: Arc<str>,
    pub(super) kind: EntityKind,
    pub(super) family: Family,
    pub(super) column: MetricId,
    /// Taken from `column`.
    pub(super) minus: Option<MetricId>,
    /// Value in the catalog's unit that is 1 here.
    pub(super) per: f64,
    /// Labels that every series of the view has beside the family's.
    pub(super) extra: &'static [(&'static str, &'static str)],
    pub(super) counter: bool,
    pub(super) help: &'static str,
}

const NANOS: f64 = 1e9;
const MILLIS: f64 = 1e3;

/// (name, family, kinds, metric, per, extra labels)
type Row = (
    &'static str,
    Family,
    &'static [EntityKind],
    MetricId,
    f64,
    &'static [(&'static str, &'static str)],
);

const MEASURED: &[EntityKind] = &[Container, Pod, SystemContainer, Node];
const NETWORKED: &[EntityKind] = &[Pod, Node];
const ETH0: &[(&str, &str)] = &[("interface", "eth0")];
const NONE: &[(&str, &str)] = &[];

const ROWS: &[Row] = {
    use Family::{Cadvisor, NodeExporter, Resource, Rule, Volumes};
    use metric as m;
    &[
        (
            "container_cpu_usage_seconds_total",
            Cadvisor,
            MEASURED,
            m::CPU_USAGE,
            NANOS,
            &[("cpu", "total")],
        ),
        ("container_cpu_load_average_10s", Cadvisor, MEASURED, m::CPU_LOAD, 1.0, NONE),
        (
            "container_cpu_cfs_periods_total",
            Cadvisor,
            &[Container, Pod],
            m::CPU_CFS_PERIODS,
            1.0,
            NONE,
        ),
        (
            "container_cpu_cfs_throttled_seconds_total",
            Cadvisor,
            &[Container, Pod],
            m::CPU_CFS_THROTTLED_TIME,
            NANOS,
            NONE,
        ),
        (
            "container_cpu_cfs_throttled_periods_total",
            Cadvisor,
            &[Container, Pod],
            m::CPU_CFS_THROTTLED_PERIODS,
            1.0,
            NONE,
        ),
        ("container_memory_usage_bytes", Cadvisor, MEASURED, m::MEMORY_USAGE, 1.0, NONE),
        ("container_memory_cache", Cadvisor, MEASURED, m::MEMORY_CACHE, 1.0, NONE),
        ("container_memory_rss", Cadvisor, MEASURED, m::MEMORY_RSS, 1.0, NONE),
        ("container_memory_swap", Cadvisor, MEASURED, m::SWAP_USAGE, 1.0, NONE),
        (
            "container_memory_working_set_bytes",
            Cadvisor,
            MEASURED,
            m::MEMORY_WORKING_SET,
            1.0,
            NONE,
        ),
        (
            "container_memory_failures_total",
            Cadvisor,
            MEASURED,
            m::MEMORY_PAGE_FAULTS,
            1.0,
            &[("failure_type", "pgfault"), ("scope", "container")],
        ),
        (
            "container_memory_failures_total",
            Cadvisor,
            MEASURED,
            m::MEMORY_MAJOR_PAGE_FAULTS,
            1.0,
            &[("failure_type", "pgmajfault"), ("scope", "container")],
        ),
        ("container_processes", Cadvisor, MEASURED, m::PROCESSES, 1.0, NONE),
        ("container_spec_memory_limit_bytes", Cadvisor, &[Container], m::MEMORY_LIMIT, 1.0, NONE),
        ("container_network_receive_bytes_total", Cadvisor, NETWORKED, m::NETWORK_RX, 1.0, ETH0),
        (
            "container_network_receive_errors_total",
            Cadvisor,
            NETWORKED,
            m::NETWORK_RX_ERRORS,
            1.0,
            ETH0,
        ),
        (
            "container_network_receive_packets_total",
            Cadvisor,
            NETWORKED,
            m::NETWORK_RX_PACKETS,
            1.0,
            ETH0,
        ),
        (
            "container_network_receive_packets_dropped_total",
            Cadvisor,
            NETWORKED,
            m::NETWORK_RX_DROPPED,
            1.0,
            ETH0,
        ),
        ("container_network_transmit_bytes_total", Cadvisor, NETWORKED, m::NETWORK_TX, 1.0, ETH0),
        (
            "container_network_transmit_errors_total",
            Cadvisor,
            NETWORKED,
            m::NETWORK_TX_ERRORS,
            1.0,
            ETH0,
        ),
        (
            "container_network_transmit_packets_total",
            Cadvisor,
            NETWORKED,
            m::NETWORK_TX_PACKETS,
            1.0,
            ETH0,
        ),
        (
            "container_network_transmit_packets_dropped_total",
            Cadvisor,
            NETWORKED,
            m::NETWORK_TX_DROPPED,
            1.0,
            ETH0,
        ),
        ("container_fs_usage_bytes", Cadvisor, &[Filesystem], m::FILESYSTEM_USAGE, 1.0, NONE),
        ("container_fs_limit_bytes", Cadvisor, &[Filesystem], m::FILESYSTEM_LIMIT, 1.0, NONE),
        ("container_fs_inodes_total", Cadvisor, &[Filesystem], m::FILESYSTEM_INODES, 1.0, NONE),
        ("container_fs_inodes_free", Cadvisor, &[Filesystem], m::FILESYSTEM_INODES_FREE, 1.0, NONE),
        ("container_fs_reads_bytes_total", Cadvisor, &[Disk], m::DISK_IO_READ_BYTES, 1.0, NONE),
        ("container_fs_writes_bytes_total", Cadvisor, &[Disk], m::DISK_IO_WRITE_BYTES, 1.0, NONE),
        ("container_fs_reads_total", Cadvisor, &[Disk], m::DISK_IO_READS, 1.0, NONE),
        ("container_fs_writes_total", Cadvisor, &[Disk], m::DISK_IO_WRITES, 1.0, NONE),
        (
            "container_accelerator_memory_total_bytes",
            Cadvisor,
            &[Accelerator],
            m::ACCELERATOR_MEMORY_TOTAL,
            1.0,
            NONE,
        ),
        (
            "container_accelerator_memory_used_bytes",
            Cadvisor,
            &[Accelerator],
            m::ACCELERATOR_MEMORY_USED,
            1.0,
            NONE,
        ),
        (
            "container_accelerator_duty_cycle",
            Cadvisor,
            &[Accelerator],
            m::ACCELERATOR_DUTY_CYCLE,
            1.0,
            NONE,
        ),
        ("node_cpu_usage_seconds_total", Resource, &[Node], m::CPU_USAGE, NANOS, NONE),
        ("node_memory_working_set_bytes", Resource, &[Node], m::MEMORY_WORKING_SET, 1.0, NONE),
        ("pod_cpu_usage_seconds_total", Resource, &[Pod], m::CPU_USAGE, NANOS, NONE),
        ("pod_memory_working_set_bytes", Resource, &[Pod], m::MEMORY_WORKING_SET, 1.0, NONE),
        (
            "kubelet_volume_stats_available_bytes",
            Volumes,
            &[Volume],
            m::FILESYSTEM_AVAILABLE,
            1.0,
            NONE,
        ),
        ("kubelet_volume_stats_capacity_bytes", Volumes, &[Volume], m::FILESYSTEM_LIMIT, 1.0, NONE),
        ("kubelet_volume_stats_used_bytes", Volumes, &[Volume], m::FILESYSTEM_USAGE, 1.0, NONE),
        ("kubelet_volume_stats_inodes", Volumes, &[Volume], m::FILESYSTEM_INODES, 1.0, NONE),
        (
            "kubelet_volume_stats_inodes_free",
            Volumes,
            &[Volume],
            m::FILESYSTEM_INODES_FREE,
            1.0,
            NONE,
        ),
        ("node_memory_MemTotal_bytes", NodeExporter, &[Node], m::MEMORY_NODE_CAPACITY, 1.0, NONE),
        ("node_filesystem_size_bytes", NodeExporter, &[Filesystem], m::FILESYSTEM_LIMIT, 1.0, NONE),
        (
            "node_filesystem_avail_bytes",
            NodeExporter,
            &[Filesystem],
            m::FILESYSTEM_AVAILABLE,
            1.0,
            NONE,
        ),
        (
            "node_filesystem_free_bytes",
            NodeExporter,
            &[Filesystem],
            m::FILESYSTEM_AVAILABLE,
            1.0,
            NONE,
        ),
        ("node_memory_Cached_bytes", NodeExporter, &[Node], m::MEMORY_CACHE, 1.0, NONE),
        (
            "node_network_receive_packets_total",
            NodeExporter,
            &[Node],
            m::NETWORK_RX_PACKETS,
            1.0,
            &[("device", "eth0")],
        ),
        (
            "node_network_transmit_packets_total",
            NodeExporter,
            &[Node],
            m::NETWORK_TX_PACKETS,
            1.0,
            &[("device", "eth0")],
        ),
        (
            "node_network_receive_packets_dropped_total",
            NodeExporter,
            &[Node],
            m::NETWORK_RX_DROPPED,
            1.0,
            &[("device", "eth0")],
        ),
        (
            "node_network_transmit_packets_dropped_total",
            NodeExporter,
            &[Node],
            m::NETWORK_TX_DROPPED,
            1.0,
            &[("device", "eth0")],
        ),
        ("node_disk_read_bytes_total", NodeExporter, &[Disk], m::DISK_IO_READ_BYTES, 1.0, NONE),
        ("node_disk_written_bytes_total", NodeExporter, &[Disk], m::DISK_IO_WRITE_BYTES, 1.0, NONE),
        ("node_disk_reads_completed_total", NodeExporter, &[Disk], m::DISK_IO_READS, 1.0, NONE),
        ("node_disk_writes_completed_total", NodeExporter, &[Disk], m::DISK_IO_WRITES, 1.0, NONE),
        ("node_filesystem_files", NodeExporter, &[Filesystem], m::FILESYSTEM_INODES, 1.0, NONE),
        (
            "node_filesystem_files_free",
            NodeExporter,
            &[Filesystem],
            m::FILESYSTEM_INODES_FREE,
            1.0,
            NONE,
        ),
        (
            "node_network_receive_bytes_total",
            NodeExporter,
            &[Node],
            m::NETWORK_RX,
            1.0,
            &[("device", "eth0")],
        ),
        (
            "node_network_transmit_bytes_total",
            NodeExporter,
            &[Node],
            m::NETWORK_TX,
            1.0,
            &[("device", "eth0")],
        ),
        (
            "node_namespace_pod_container:container_cpu_usage_seconds_total:sum_irate",
            Rule,
            &[Container],
            m::CPU_USAGE_RATE,
            MILLIS,
            NONE,
        ),
        (
            "node_namespace_pod_container:container_cpu_usage_seconds_total:sum_rate5m",
            Rule,
            &[Container],
            m::CPU_USAGE_RATE,
            MILLIS,
            NONE,
        ),
        (
            "node_namespace_pod_container:container_memory_working_set_bytes",
            Rule,
            &[Container],
            m::MEMORY_WORKING_SET,
            1.0,
            NONE,
        ),
        (
            "node_namespace_pod_container:container_memory_rss",
            Rule,
            &[Container],
            m::MEMORY_RSS,
            1.0,
            NONE,
        ),
        (
            "node_namespace_pod_container:container_memory_cache",
            Rule,
            &[Container],
            m::MEMORY_CACHE,
            1.0,
            NONE,
        ),
        (
            "node_namespace_pod_container:container_memory_swap",
            Rule,
            &[Container],
            m::SWAP_USAGE,
            1.0,
            NONE,
        ),
    ]
};

/// Every view, sorted by name.
pub(super) fn all() -> Vec<View> {
    let mut views = Vec::new();
    for (name, family, kinds, column, per, extra) in ROWS {
        let name: Arc<str> = (*name).into();
        for kind in *kinds {
            views.push(View {
                name: Arc::clone(&name),
                kind: *kind,
                family: *family,
                column: *column,
                minus: None,
                per: *per,
                extra,
                counter: descriptor(*column).kind == Kind::Counter,
                help: descriptor(*column).help,
            });
        }
    }
    views.push(View {
        name: "node_memory_MemAvailable_bytes".into(),
        kind: Node,
        family: Family::NodeExporter,
        column: metric::MEMORY_NODE_CAPACITY,
        minus: Some(metric::MEMORY_WORKING_SET),
        per: 1.0,
        extra: NONE,
        counter: false,
        help: "Memory of the node that is not part of its working set",
    });
    for row in CATALOG {
        let (suffix, per) = base(row);
        let stem = row.name.replace('/', "_");
        // A stem that tells its unit does not tell it twice.
        let suffix = if stem.ends_with(suffix) { "" } else { suffix };
        views.extend(row.entities.iter().map(|kind| View {
            name: format!("taffrail_{}_{stem}{suffix}", kind.name()).into(),
            kind,
            family: Family::Own,
            column: row.id,
            minus: None,
            per,
            extra: NONE,
            counter: row.kind == Kind::Counter,
            help: row.help,
        }));
    }
    views.sort_by(|a, b| a.name.cmp(&b.name));
    views
}

/// What a metric's name ends in, and how much of its unit is one base unit.
fn base(row: &Descriptor) -> (&'static str, f64) {
    let counter = row.kind == Kind::Counter;
    match row.unit {
        Unit::Nanoseconds => ("_seconds_total", NANOS),
        Unit::Milliseconds => ("_seconds", MILLIS),
        Unit::Millicores => ("_cores", MILLIS),
        Unit::Bytes if counter => ("_bytes_total", 1.0),
        Unit::Bytes => ("_bytes", 1.0),
        Unit::BytesPerSecond => ("_bytes_per_second", 1.0),
        Unit::PerSecond => ("_per_second", 1.0),
        Unit::Ratio => ("_ratio", 1.0),
        Unit::Percent => ("_percent", 1.0),
        Unit::Count if counter => ("_total", 1.0),
        Unit::Count => ("", 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_kind_occur_once_with_the_same_labels() {
        let views = all();
        for (at, one) in views.iter().enumerate() {
            let same = |other: &View| {
                (&other.name, other.kind, other.extra) == (&one.name, one.kind, one.extra)
            };
            assert!(!views[..at].iter().any(same), "{} on {}", one.name, one.kind.name());
        }
    }
}
