//! The rules by which a kubelet's `/stats/container` becomes rows.

use std::borrow::Cow;
use std::sync::Arc;

use model::{Entity, EntityKind, Row, Timestamp, metric};

use super::rows::Rows;
use crate::wire::cadvisor::{Accelerator, Container, Containers, Interface, Spec, Stats};
use crate::wire::summary::Number;

/// The container name of a pod's pause container.
const PAUSE: &str = "POD";

/// Writes a whole answer.
pub(super) fn fill(containers: &Containers<'_>, mut rows: Rows<'_>) {
    for container in containers.0.values() {
        let Some(stats) = container.stats.as_ref().and_then(|stats| stats.last()) else {
            continue;
        };
        match classify(container, &mut rows) {
            Set::Whole(entity) => measured(&entity, &container.spec, stats, &mut rows),
            Set::Pod(entity) => pod(&entity, &container.spec, stats, &mut rows),
            Set::Nothing => {}
        }
    }
}

enum Set {
    Whole(Arc<Entity>),
    Pod(Arc<Entity>),
    Nothing,
}

fn classify(container: &Container<'_>, rows: &mut Rows<'_>) -> Set {
    let name = container.aliases.as_ref().and_then(|aliases| aliases.first());
    let name = name.unwrap_or(&container.name);
    let node_name = Arc::clone(rows.node);
    let registry = &mut rows.draft.registry;
    if container.name == "/" {
        return Set::Whole(registry.node(&node_name.name));
    }
    let label = |key: &str| {
        container.spec.labels.as_ref().and_then(|labels| labels.get(key)).map_or("", |v| &**v)
    };
    let pod_name = label("io.kubernetes.pod.name");
    // Kubernetes 1.0 wrote "namespace/name" into the one label.
    let (namespace, pod_name) =
        pod_name.split_once('/').unwrap_or((label("io.kubernetes.pod.namespace"), pod_name));
    let container_name = match label("io.kubernetes.container.name") {
        "" => legacy_container_name(name),
        name => name,
    };
    if container_name.is_empty() || namespace.is_empty() || pod_name.is_empty() {
        let name = name.trim_start_matches('/');
        if name.is_empty() {
            return Set::Nothing;
        }
        let node = registry.node(&node_name.name);
        return Set::Whole(registry.system_container(&node, name));
    }
    let pod = registry.pod(namespace, pod_name, label("io.kubernetes.pod.uid"));
    if container_name == PAUSE {
        return Set::Pod(pod);
    }
    Set::Whole(registry.container(&pod, container_name))
}

/// `k8s_<container>.<hash>_…`, as Kubernetes 1.0 named containers. Heapster crashed on names that
/// only resemble it.
fn legacy_container_name(name: &str) -> &str {
    name.trim_start_matches('/')
        .strip_prefix("k8s_")
        .and_then(|rest| rest.split_once('.'))
        .map_or("", |(container, _)| container)
}

/// Difference from Heapster: the pause container gives its pod the network it owns and nothing
/// else, so that a pod's CPU and memory are the sums of its containers and not the pause's.
fn pod(entity: &Arc<Entity>, spec: &Spec<'_>, stats: &Stats<'_>, rows: &mut Rows<'_>) {
    let row = rows.insert(entity);
    rows.set_times(row, spec.creation_time.0, stats.timestamp.0);
    network(spec, stats, row, rows);
}

fn measured(entity: &Arc<Entity>, spec: &Spec<'_>, stats: &Stats<'_>, rows: &mut Rows<'_>) {
    let row = rows.insert(entity);
    rows.set_times(row, spec.creation_time.0, stats.timestamp.0);
    if spec.has_cpu {
        rows.set(row, metric::CPU_USAGE, stats.cpu.usage.total.0);
        rows.set(row, metric::CPU_LOAD, stats.cpu.load_average.0);
    }
    if spec.has_memory {
        let memory = &stats.memory;
        rows.set(row, metric::MEMORY_USAGE, memory.usage.0);
        rows.set(row, metric::MEMORY_CACHE, memory.cache.0);
        rows.set(row, metric::MEMORY_RSS, memory.rss.0);
        rows.set(row, metric::MEMORY_WORKING_SET, memory.working_set.0);
        rows.set(row, metric::SWAP_USAGE, memory.swap.0);
        rows.set(row, metric::MEMORY_PAGE_FAULTS, memory.container_data.pgfault.0);
        rows.set(row, metric::MEMORY_MAJOR_PAGE_FAULTS, memory.container_data.pgmajfault.0);
    }
    if matches!(entity.kind(), EntityKind::Node | EntityKind::Pod) {
        network(spec, stats, row, rows);
    }
    let times = (stats.timestamp.0, spec.creation_time.0);
    if spec.has_filesystem {
        filesystems(entity, stats, times, rows);
    }
    if spec.has_diskio {
        disks(entity, stats, times, rows);
    }
    if entity.kind() == EntityKind::Container {
        for accelerator in stats.accelerators.iter().flatten() {
            fill_accelerator(entity, accelerator, stats.timestamp.0, rows);
        }
    }
}

/// Sums over every interface. An absent counter counts as 0, as in Go.
fn network(spec: &Spec<'_>, stats: &Stats<'_>, row: Row, rows: &mut Rows<'_>) {
    if !spec.has_network {
        return;
    }
    let sum = |counter: fn(&Interface) -> Number| {
        let counters = stats.network.interfaces.iter().flatten().map(counter);
        Some(counters.filter_map(|number| number.0).fold(0, i64::saturating_add))
    };
    rows.set(row, metric::NETWORK_RX, sum(|interface| interface.rx_bytes));
    rows.set(row, metric::NETWORK_RX_ERRORS, sum(|interface| interface.rx_errors));
    rows.set(row, metric::NETWORK_TX, sum(|interface| interface.tx_bytes));
    rows.set(row, metric::NETWORK_TX_ERRORS, sum(|interface| interface.tx_errors));
}

fn filesystems(
    entity: &Arc<Entity>,
    stats: &Stats<'_>,
    (scraped, started): (Timestamp, Timestamp),
    rows: &mut Rows<'_>,
) {
    for fs in stats.filesystem.iter().flatten() {
        let row = rows.part(EntityKind::Filesystem, entity, &fs.device, scraped, started);
        rows.set(row, metric::FILESYSTEM_USAGE, fs.usage.0);
        rows.set(row, metric::FILESYSTEM_LIMIT, fs.capacity.0);
        rows.set(row, metric::FILESYSTEM_AVAILABLE, fs.available.0);
        if fs.has_inodes {
            rows.set(row, metric::FILESYSTEM_INODES, fs.inodes.0);
            rows.set(row, metric::FILESYSTEM_INODES_FREE, fs.inodes_free.0);
        }
    }
}

fn disks(
    entity: &Arc<Entity>,
    stats: &Stats<'_>,
    (scraped, started): (Timestamp, Timestamp),
    rows: &mut Rows<'_>,
) {
    for disk in stats.diskio.io_service_bytes.iter().flatten() {
        let id = match &*disk.device {
            "" => Cow::Owned(format!("{}:{}", disk.major, disk.minor)),
            device => Cow::Borrowed(device),
        };
        let row = rows.part(EntityKind::Disk, entity, &id, scraped, started);
        rows.set(row, metric::DISK_IO_READ_BYTES, Some(disk.stats.read.0.unwrap_or(0)));
        rows.set(row, metric::DISK_IO_WRITE_BYTES, Some(disk.stats.write.0.unwrap_or(0)));
    }
}

fn fill_accelerator(
    entity: &Arc<Entity>,
    accelerator: &Accelerator<'_>,
    scraped: Timestamp,
    rows: &mut Rows<'_>,
) {
    let variant = format!("{}/{}", accelerator.make, accelerator.model);
    let part = rows.draft.registry.accelerator(entity, &variant, &accelerator.id);
    let row = rows.draft.insert(&part);
    rows.draft.table_mut(EntityKind::Accelerator).set_scraped(row.row, scraped);
    rows.set(row, metric::ACCELERATOR_MEMORY_TOTAL, accelerator.memory_total.0);
    rows.set(row, metric::ACCELERATOR_MEMORY_USED, accelerator.memory_used.0);
    rows.set(row, metric::ACCELERATOR_DUTY_CYCLE, accelerator.duty_cycle.0);
}
