//! The metric catalog: one table that names every metric Taffrail knows.
//!
//! Whatever prints or reads a metric's name (Heapster's API, sinks, Prometheus, the dashboard)
//! reads it from here, so that names never drift apart. Source of names, kinds and units:
//! Heapster's metric model; rows it lacks say so by an empty set of Heapster kinds.

use crate::EntityKind;

/// A metric's position in [`CATALOG`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricId(u8);

impl MetricId {
    /// Position in [`CATALOG`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// How a metric's values move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Only grows until its entity restarts (Heapster: cumulative).
    Counter,
    /// Goes up and down.
    Gauge,
}

/// How values are kept and printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// 64-bit signed integer.
    Int,
    /// 64-bit float.
    Float,
}

/// What one unit of a metric's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A plain number.
    Count,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Events per second.
    PerSecond,
    /// Milliseconds.
    Milliseconds,
    /// Nanoseconds.
    Nanoseconds,
    /// Thousandths of a core.
    Millicores,
    /// A part of one (0.37 is 37 %).
    Ratio,
    /// Hundredths.
    Percent,
}

impl Unit {
    /// The name used in Taffrail's API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::BytesPerSecond => "bytes_per_second",
            Self::PerSecond => "per_second",
            Self::Milliseconds => "ms",
            Self::Nanoseconds => "ns",
            Self::Millicores => "millicores",
            Self::Ratio => "ratio",
            Self::Percent => "percent",
        }
    }
}

/// A set of entity kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    const NONE: Self = Self(0);

    const fn of(kinds: &[EntityKind]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < kinds.len() {
            bits |= 1 << kinds[at].index();
            at += 1;
        }
        Self(bits)
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `kind` is in the set.
    pub const fn contains(self, kind: EntityKind) -> bool {
        self.0 & (1 << kind.index()) != 0
    }

    /// The kinds in the set.
    pub fn iter(self) -> impl Iterator<Item = EntityKind> {
        EntityKind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

/// One row of [`CATALOG`].
#[derive(Debug, Clone, Copy)]
pub struct Descriptor {
    /// Its position.
    pub id: MetricId,
    /// Heapster's name, which is also Taffrail's (`cpu/usage_rate`).
    pub name: &'static str,
    /// Counter or gauge.
    pub kind: Kind,
    /// Integer or float.
    pub value: ValueType,
    /// Unit of a value.
    pub unit: Unit,
    /// Entity kinds that carry it.
    pub entities: Kinds,
    /// Entity kinds on which Heapster had it; others are ours.
    pub heapster: Kinds,
    /// Name of the closest Prometheus series, where one exists (`container_*`, `kube_*`, …).
    pub prometheus: Option<&'static str>,
    /// One sentence.
    pub help: &'static str,
}

impl Descriptor {
    /// Heapster's unit string as its export schema prints it; empty for plain numbers.
    pub const fn heapster_unit(&self) -> &'static str {
        match self.unit {
            Unit::Bytes => "bytes",
            Unit::Milliseconds => "ms",
            Unit::Nanoseconds => "ns",
            _ => "",
        }
    }
}

/// The row of `id`.
pub fn descriptor(id: MetricId) -> &'static Descriptor {
    &CATALOG[id.index()]
}

/// The metric of that name; `None` for custom metrics and extended resources.
pub fn lookup(name: &str) -> Option<MetricId> {
    CATALOG.iter().find(|row| row.name == name).map(|row| row.id)
}

use EntityKind::{
    Accelerator, Cluster, Container, Disk, Filesystem, Namespace, Node, Pod, SystemContainer,
    Volume, Workload,
};

/// Node, pod, container, system container: what a kubelet measures.
const MEASURED: Kinds = Kinds::of(&[Node, Pod, Container, SystemContainer]);
/// Node and pod: what has a network.
const NETWORKED: Kinds = Kinds::of(&[Node, Pod]);
/// What is summed from pods.
const SUMS: Kinds = Kinds::of(&[Namespace, Workload, Cluster]);
/// The sums that Heapster had.
const OLD_SUMS: Kinds = Kinds::of(&[Namespace, Cluster]);
const NODE: Kinds = Kinds::of(&[Node]);
const NODE_AND_CLUSTER: Kinds = Kinds::of(&[Node, Cluster]);
/// What has requests and limits.
const REQUESTED: Kinds = Kinds::of(&[Container, Pod, Node]);
const STORED: Kinds = Kinds::of(&[Node, Pod, Container]);
const FILESYSTEMS: Kinds = Kinds::of(&[Filesystem, Volume]);
const DISKS: Kinds = Kinds::of(&[Disk]);
const ACCELERATORS: Kinds = Kinds::of(&[Accelerator]);
const CONTAINED: Kinds = Kinds::of(&[Container, Pod]);
const NONE: Kinds = Kinds::NONE;

macro_rules! catalog {
    ($($constant:ident $name:literal $kind:ident $value:ident $unit:ident
       $entities:expr, $heapster:expr, $prometheus:expr, $help:literal;)*) => {
        /// The identifiers of the catalog's rows.
        pub mod metric {
            use super::MetricId;
            #[derive(Clone, Copy)]
            #[repr(u8)]
            #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "an enum numbers the constants below")]
            enum Position { $($constant),* }
            $(
                #[doc = concat!("`", $name, "`: ", $help)]
                pub const $constant: MetricId = MetricId(Position::$constant as u8);
            )*
        }

        /// Every metric with a fixed name.
        pub const CATALOG: &[Descriptor] = &[$(Descriptor {
            id: metric::$constant,
            name: $name,
            kind: Kind::$kind,
            value: ValueType::$value,
            unit: Unit::$unit,
            entities: $entities,
            heapster: $heapster,
            prometheus: $prometheus,
            help: $help,
        }),*];
    };
}

catalog! {
    UPTIME "uptime" Counter Int Milliseconds
        MEASURED, MEASURED, None,
        "Number of milliseconds since the container was started";
    CPU_USAGE "cpu/usage" Counter Int Nanoseconds
        MEASURED, MEASURED, Some("container_cpu_usage_seconds_total"),
        "Cumulative CPU usage on all cores";
    CPU_LOAD "cpu/load" Gauge Int Count
        MEASURED, MEASURED, Some("container_cpu_load_average_10s"), "CPU load";
    CPU_USAGE_RATE "cpu/usage_rate" Gauge Int Millicores
        MEASURED.and(SUMS), MEASURED.and(OLD_SUMS), None,
        "CPU usage on all cores in millicores";
    CPU_REQUEST "cpu/request" Gauge Int Millicores
        REQUESTED.and(SUMS), REQUESTED.and(OLD_SUMS),
        Some("kube_pod_container_resource_requests"),
        "CPU request (the guaranteed amount of resources) in millicores";
    CPU_LIMIT "cpu/limit" Gauge Int Millicores
        REQUESTED.and(SUMS), REQUESTED.and(OLD_SUMS),
        Some("kube_pod_container_resource_limits"), "CPU hard limit in millicores";
    CPU_NODE_CAPACITY "cpu/node_capacity" Gauge Float Millicores
        NODE_AND_CLUSTER, NODE, Some("kube_node_status_capacity"), "CPU capacity of a node";
    CPU_NODE_ALLOCATABLE "cpu/node_allocatable" Gauge Float Millicores
        NODE_AND_CLUSTER, NODE, Some("kube_node_status_allocatable"), "CPU allocatable of a node";
    CPU_NODE_UTILIZATION "cpu/node_utilization" Gauge Float Ratio
        NODE_AND_CLUSTER, NODE, None, "CPU utilization as a share of node allocatable";
    CPU_NODE_RESERVATION "cpu/node_reservation" Gauge Float Ratio
        NODE_AND_CLUSTER, NODE, None, "Share of CPU that is reserved on the node allocatable";
    MEMORY_USAGE "memory/usage" Gauge Int Bytes
        MEASURED.and(SUMS), MEASURED.and(OLD_SUMS), Some("container_memory_usage_bytes"),
        "Total memory usage";
    MEMORY_CACHE "memory/cache" Gauge Int Bytes
        MEASURED, MEASURED, Some("container_memory_cache"), "Cache memory";
    MEMORY_RSS "memory/rss" Gauge Int Bytes
        MEASURED.and(SUMS), MEASURED, Some("container_memory_rss"), "RSS memory";
    MEMORY_WORKING_SET "memory/working_set" Gauge Int Bytes
        MEASURED.and(SUMS), MEASURED, Some("container_memory_working_set_bytes"),
        "Total working set usage. Working set is the memory being used and not easily dropped by the kernel";
    MEMORY_PAGE_FAULTS "memory/page_faults" Counter Int Count
        MEASURED, MEASURED, Some("container_memory_failures_total"), "Number of page faults";
    MEMORY_MAJOR_PAGE_FAULTS "memory/major_page_faults" Counter Int Count
        MEASURED, MEASURED, Some("container_memory_failures_total"), "Number of major page faults";
    MEMORY_PAGE_FAULTS_RATE "memory/page_faults_rate" Gauge Float PerSecond
        MEASURED, MEASURED, None, "Rate of page faults in counts per second";
    MEMORY_MAJOR_PAGE_FAULTS_RATE "memory/major_page_faults_rate" Gauge Float PerSecond
        MEASURED, MEASURED, None, "Rate of major page faults in counts per second";
    MEMORY_REQUEST "memory/request" Gauge Int Bytes
        REQUESTED.and(SUMS), REQUESTED.and(OLD_SUMS),
        Some("kube_pod_container_resource_requests"),
        "Memory request (the guaranteed amount of resources) in bytes";
    MEMORY_LIMIT "memory/limit" Gauge Int Bytes
        REQUESTED.and(SUMS), REQUESTED.and(OLD_SUMS),
        Some("kube_pod_container_resource_limits"), "Memory hard limit in bytes";
    MEMORY_NODE_CAPACITY "memory/node_capacity" Gauge Float Bytes
        NODE_AND_CLUSTER, NODE, Some("kube_node_status_capacity"), "Memory capacity of a node";
    MEMORY_NODE_ALLOCATABLE "memory/node_allocatable" Gauge Float Bytes
        NODE_AND_CLUSTER, NODE, Some("kube_node_status_allocatable"),
        "Memory allocatable of a node";
    MEMORY_NODE_UTILIZATION "memory/node_utilization" Gauge Float Ratio
        NODE_AND_CLUSTER, NODE, None, "Memory utilization as a share of memory allocatable";
    MEMORY_NODE_RESERVATION "memory/node_reservation" Gauge Float Ratio
        NODE_AND_CLUSTER, NODE, None, "Share of memory that is reserved on the node allocatable";
    EPHEMERAL_STORAGE_USAGE "ephemeral_storage/usage" Gauge Int Bytes
        STORED.and(SUMS), STORED, None, "Ephemeral storage usage";
    EPHEMERAL_STORAGE_REQUEST "ephemeral_storage/request" Gauge Int Bytes
        REQUESTED.and(SUMS), REQUESTED, Some("kube_pod_container_resource_requests"),
        "Ephemeral storage request (the guaranteed amount of resources) in bytes";
    EPHEMERAL_STORAGE_LIMIT "ephemeral_storage/limit" Gauge Int Bytes
        REQUESTED.and(SUMS), REQUESTED, Some("kube_pod_container_resource_limits"),
        "Ephemeral storage hard limit in bytes";
    EPHEMERAL_STORAGE_NODE_CAPACITY "ephemeral_storage/node_capacity" Gauge Float Bytes
        NODE, NODE, Some("kube_node_status_capacity"), "Ephemeral storage capacity of a node";
    EPHEMERAL_STORAGE_NODE_ALLOCATABLE "ephemeral_storage/node_allocatable" Gauge Float Bytes
        NODE, NODE, Some("kube_node_status_allocatable"),
        "Ephemeral storage allocatable of a node";
    EPHEMERAL_STORAGE_NODE_UTILIZATION "ephemeral_storage/node_utilization" Gauge Float Ratio
        NODE, NODE, None, "Ephemeral storage utilization as a share of allocatable";
    EPHEMERAL_STORAGE_NODE_RESERVATION "ephemeral_storage/node_reservation" Gauge Float Ratio
        NODE, NODE, None, "Share of ephemeral storage that is reserved on the node allocatable";
    NETWORK_RX "network/rx" Counter Int Bytes
        NETWORKED, NETWORKED, Some("container_network_receive_bytes_total"),
        "Cumulative number of bytes received over the network";
    NETWORK_RX_ERRORS "network/rx_errors" Counter Int Count
        NETWORKED, NETWORKED, Some("container_network_receive_errors_total"),
        "Cumulative number of errors while receiving over the network";
    NETWORK_RX_RATE "network/rx_rate" Gauge Float BytesPerSecond
        NETWORKED.and(SUMS), NETWORKED, None,
        "Rate of bytes received over the network in bytes per second";
    NETWORK_RX_ERRORS_RATE "network/rx_errors_rate" Gauge Float PerSecond
        NETWORKED.and(SUMS), NETWORKED, None,
        "Rate of errors receiving over the network in errors per second";
    NETWORK_TX "network/tx" Counter Int Bytes
        NETWORKED, NETWORKED, Some("container_network_transmit_bytes_total"),
        "Cumulative number of bytes sent over the network";
    NETWORK_TX_ERRORS "network/tx_errors" Counter Int Count
        NETWORKED, NETWORKED, Some("container_network_transmit_errors_total"),
        "Cumulative number of errors while sending over the network";
    NETWORK_TX_RATE "network/tx_rate" Gauge Float BytesPerSecond
        NETWORKED.and(SUMS), NETWORKED, None,
        "Rate of bytes transmitted over the network in bytes per second";
    NETWORK_TX_ERRORS_RATE "network/tx_errors_rate" Gauge Float PerSecond
        NETWORKED.and(SUMS), NETWORKED, None,
        "Rate of errors transmitting over the network";
    FILESYSTEM_USAGE "filesystem/usage" Gauge Int Bytes
        FILESYSTEMS, FILESYSTEMS, Some("container_fs_usage_bytes"),
        "Total number of bytes consumed on a filesystem";
    FILESYSTEM_LIMIT "filesystem/limit" Gauge Int Bytes
        FILESYSTEMS, FILESYSTEMS, Some("container_fs_limit_bytes"),
        "The total size of filesystem in bytes";
    FILESYSTEM_AVAILABLE "filesystem/available" Gauge Int Bytes
        FILESYSTEMS, FILESYSTEMS, Some("kubelet_volume_stats_available_bytes"),
        "The number of available bytes remaining in a the filesystem";
    FILESYSTEM_INODES "filesystem/inodes" Gauge Int Count
        FILESYSTEMS, FILESYSTEMS, Some("container_fs_inodes_total"),
        "The number of available inodes in a the filesystem";
    FILESYSTEM_INODES_FREE "filesystem/inodes_free" Gauge Int Count
        FILESYSTEMS, FILESYSTEMS, Some("container_fs_inodes_free"),
        "The number of free inodes remaining in a the filesystem";
    DISK_IO_READ_BYTES "disk/io_read_bytes" Counter Int Bytes
        DISKS, DISKS, Some("container_fs_reads_bytes_total"), "Cumulative number of bytes read from disk";
    DISK_IO_WRITE_BYTES "disk/io_write_bytes" Counter Int Bytes
        DISKS, DISKS, Some("container_fs_writes_bytes_total"),
        "Cumulative number of bytes written to disk";
    DISK_IO_READ_BYTES_RATE "disk/io_read_bytes_rate" Gauge Float BytesPerSecond
        DISKS, DISKS, None, "Rate of bytes read from disk in bytes per second";
    DISK_IO_WRITE_BYTES_RATE "disk/io_write_bytes_rate" Gauge Float BytesPerSecond
        DISKS, DISKS, None, "Rate of bytes written to disk in bytes per second";
    CPU_CFS_THROTTLED_TIME "cpu/cfs_throttled_time" Counter Int Nanoseconds
        Kinds::of(&[Pod, Container, SystemContainer]), NONE,
        Some("container_cpu_cfs_throttled_seconds_total"),
        "Cumulative time that the CPU limit throttled";
    DISK_IO_READS "disk/io_reads" Counter Int Count
        DISKS, NONE, Some("container_fs_reads_total"), "Cumulative number of reads completed";
    DISK_IO_WRITES "disk/io_writes" Counter Int Count
        DISKS, NONE, Some("container_fs_writes_total"), "Cumulative number of writes completed";
    NETWORK_RX_PACKETS "network/rx_packets" Counter Int Count
        NETWORKED, NONE, Some("container_network_receive_packets_total"),
        "Cumulative number of packets received over the network";
    NETWORK_RX_DROPPED "network/rx_dropped" Counter Int Count
        NETWORKED, NONE, Some("container_network_receive_packets_dropped_total"),
        "Cumulative number of packets dropped while receiving";
    NETWORK_TX_PACKETS "network/tx_packets" Counter Int Count
        NETWORKED, NONE, Some("container_network_transmit_packets_total"),
        "Cumulative number of packets sent over the network";
    NETWORK_TX_DROPPED "network/tx_dropped" Counter Int Count
        NETWORKED, NONE, Some("container_network_transmit_packets_dropped_total"),
        "Cumulative number of packets dropped while sending";
    ACCELERATOR_MEMORY_TOTAL "accelerator/memory_total" Gauge Int Bytes
        ACCELERATORS, ACCELERATORS, Some("container_accelerator_memory_total_bytes"),
        "Total accelerator memory (in bytes)";
    ACCELERATOR_MEMORY_USED "accelerator/memory_used" Gauge Int Bytes
        ACCELERATORS, ACCELERATORS, Some("container_accelerator_memory_used_bytes"),
        "Total accelerator memory allocated (in bytes)";
    ACCELERATOR_DUTY_CYCLE "accelerator/duty_cycle" Gauge Int Percent
        ACCELERATORS, ACCELERATORS, Some("container_accelerator_duty_cycle"),
        "Percent of time over the past sample period (10s) during which the accelerator was actively processing";
    RESTART_COUNT "restart_count" Gauge Int Count
        CONTAINED.and(SUMS), CONTAINED, Some("kube_pod_container_status_restarts_total"),
        "Number of container restarts";
    PODS "pods" Gauge Int Count
        NODE_AND_CLUSTER.and(SUMS), NONE, None, "Number of pods that were measured";
    SWAP_USAGE "memory/swap" Gauge Int Bytes
        MEASURED, NONE, Some("container_memory_swap"), "Swap in use";
    PROCESSES "processes" Gauge Int Count
        MEASURED, NONE, Some("container_processes"),
        "Number of processes";
    CPU_CFS_PERIODS "cpu/cfs_periods" Counter Int Count
        Kinds::of(&[Pod, Container, SystemContainer]), NONE,
        Some("container_cpu_cfs_periods_total"),
        "Number of elapsed enforcement periods of the CPU limit";
    CPU_CFS_THROTTLED_PERIODS "cpu/cfs_throttled_periods" Counter Int Count
        Kinds::of(&[Pod, Container, SystemContainer]), NONE,
        Some("container_cpu_cfs_throttled_periods_total"),
        "Number of enforcement periods in which the CPU limit throttled";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_at_their_own_position_with_unique_names() {
        for (position, row) in CATALOG.iter().enumerate() {
            assert_eq!(row.id.index(), position, "{}", row.name);
            assert_eq!(lookup(row.name), Some(row.id));
            for kind in row.heapster.iter() {
                assert!(row.entities.contains(kind), "{} on {}", row.name, kind.name());
            }
        }
    }
}
