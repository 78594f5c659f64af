//! Which metrics history keeps, by kind of entity: what graphs, lists and old clients ask for.
//!
//! Chosen so that a pod with one container and one volume costs at most about 1 KiB for fifteen
//! ticks.

use model::{EntityKind, MetricId, Table, metric};

const SUMS: &[MetricId] = &[
    metric::CPU_USAGE_RATE,
    metric::CPU_REQUEST,
    metric::CPU_LIMIT,
    metric::CPU_NODE_CAPACITY,
    metric::CPU_NODE_ALLOCATABLE,
    metric::MEMORY_USAGE,
    metric::MEMORY_WORKING_SET,
    metric::MEMORY_RSS,
    metric::MEMORY_REQUEST,
    metric::MEMORY_LIMIT,
    metric::MEMORY_NODE_CAPACITY,
    metric::MEMORY_NODE_ALLOCATABLE,
    metric::EPHEMERAL_STORAGE_USAGE,
    metric::NETWORK_RX_RATE,
    metric::NETWORK_TX_RATE,
    metric::NETWORK_RX_ERRORS_RATE,
    metric::NETWORK_TX_ERRORS_RATE,
    metric::RESTART_COUNT,
    metric::PODS,
];

const POD: &[MetricId] = &[
    metric::CPU_USAGE_RATE,
    metric::CPU_REQUEST,
    metric::CPU_LIMIT,
    metric::MEMORY_USAGE,
    metric::MEMORY_WORKING_SET,
    metric::MEMORY_RSS,
    metric::MEMORY_REQUEST,
    metric::MEMORY_LIMIT,
    metric::EPHEMERAL_STORAGE_USAGE,
    metric::NETWORK_RX_RATE,
    metric::NETWORK_TX_RATE,
    metric::RESTART_COUNT,
];

const CONTAINER: &[MetricId] = &[
    metric::CPU_USAGE_RATE,
    metric::CPU_REQUEST,
    metric::CPU_LIMIT,
    metric::MEMORY_USAGE,
    metric::MEMORY_WORKING_SET,
    metric::MEMORY_REQUEST,
    metric::MEMORY_LIMIT,
];

const SYSTEM_CONTAINER: &[MetricId] =
    &[metric::CPU_USAGE_RATE, metric::MEMORY_USAGE, metric::MEMORY_WORKING_SET, metric::MEMORY_RSS];

const FILESYSTEM: &[MetricId] = &[metric::FILESYSTEM_USAGE, metric::FILESYSTEM_LIMIT];

const DISK: &[MetricId] = &[metric::DISK_IO_READ_BYTES_RATE, metric::DISK_IO_WRITE_BYTES_RATE];

const ACCELERATOR: &[MetricId] = &[
    metric::ACCELERATOR_MEMORY_TOTAL,
    metric::ACCELERATOR_MEMORY_USED,
    metric::ACCELERATOR_DUTY_CYCLE,
];

/// What old clients ask a quarter of an hour of: Heapster's model API, Kubernetes Dashboard's scraper.
const OLD_CLIENTS: &[MetricId] =
    &[metric::CPU_USAGE_RATE, metric::MEMORY_USAGE, metric::MEMORY_WORKING_SET];

/// The metrics of `kind` that history keeps; fewer of what there is most of when an archive has
/// the others.
pub(crate) const fn graphed(kind: EntityKind, archived: bool) -> &'static [MetricId] {
    match kind {
        EntityKind::Pod | EntityKind::Container | EntityKind::SystemContainer if archived => {
            OLD_CLIENTS
        }
        EntityKind::Volume | EntityKind::Filesystem | EntityKind::Disk if archived => &[],
        EntityKind::Cluster | EntityKind::Namespace | EntityKind::Workload | EntityKind::Node => {
            SUMS
        }
        EntityKind::Pod => POD,
        EntityKind::Container => CONTAINER,
        EntityKind::SystemContainer => SYSTEM_CONTAINER,
        EntityKind::Volume | EntityKind::Filesystem => FILESYSTEM,
        EntityKind::Disk => DISK,
        EntityKind::Accelerator => ACCELERATOR,
    }
}

/// Whether history keeps the entity of `row`: filesystems and disks only where they are a node's,
/// since each container has two.
pub(crate) fn keeps(table: &Table, row: usize) -> bool {
    match table.kind() {
        EntityKind::Filesystem | EntityKind::Disk => {
            table.entities()[row].parent().is_some_and(|parent| parent.kind() == EntityKind::Node)
        }
        _ => true,
    }
}
