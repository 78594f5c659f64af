//! The rules by which a kubelet's summary becomes rows.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use model::{Entity, EntityKind, Kind, Row, Timestamp, Value, ValueType, metric};

use super::Decoder;
use super::rows::Rows;
use crate::wire::summary::{
    ContainerStats, Cpu, Filesystem, Memory, Network, NodeStats, PodStats, Summary, Swap,
};

/// Writes a whole summary.
pub(super) fn fill(summary: &Summary<'_>, decoder: &mut Decoder, mut rows: Rows<'_>) {
    node(&summary.node, decoder, &mut rows);
    for pod in newest(&summary.pods) {
        fill_pod(pod, decoder, &mut rows);
    }
}

/// Difference from Heapster: the node is named as the API server names it, so that its rows meet
/// those of its pods also where the kubelet calls itself otherwise.
fn node(stats: &NodeStats<'_>, decoder: &mut Decoder, rows: &mut Rows<'_>) {
    let node_name = Arc::clone(rows.node);
    let entity = rows.draft.registry.node(&node_name.name);
    let row = rows.insert(&entity);
    let times = [
        stats.cpu.map(|cpu| cpu.time.0),
        stats.memory.map(|memory| memory.time.0),
        stats.network.map(|network| network.time.0),
    ];
    let scraped = first_known(times);
    rows.set_times(row, stats.start_time.0, scraped);
    cpu(rows, row, stats.cpu);
    memory(rows, row, stats.memory);
    swap(rows, row, stats.swap);
    network(rows, row, stats.network);
    rows.set(row, metric::PROCESSES, stats.rlimit.and_then(|rlimit| rlimit.curproc.0));
    if let Some(fs) = stats.fs {
        filesystem(rows, (EntityKind::Filesystem, &entity, "/"), fs, scraped, stats.start_time.0);
        rows.set(row, metric::EPHEMERAL_STORAGE_USAGE, fs.used_bytes.0);
    }
    for stats in &stats.system_containers {
        let name = system_container_name(&stats.name);
        if name.is_empty() {
            continue;
        }
        let system_container = rows.draft.registry.system_container(&entity, name);
        container(stats, &system_container, decoder, rows);
    }
}

fn fill_pod(stats: &PodStats<'_>, decoder: &mut Decoder, rows: &mut Rows<'_>) {
    let name = &stats.pod_ref;
    let entity = rows.draft.registry.pod(&name.namespace, &name.name, &name.uid);
    if is_leftover(stats, &entity, rows) {
        return;
    }
    let row = rows.insert(&entity);
    // Heapster knew only the network's time, so pods in the node's network had no rates.
    let scraped = first_known([
        stats.network.map(|network| network.time.0),
        stats.cpu.map(|cpu| cpu.time.0),
        stats.memory.map(|memory| memory.time.0),
    ]);
    rows.set_times(row, stats.start_time.0, scraped);
    // Heapster divided growth of CPU by growth of the network's time.
    if let Some(cpu) = stats.cpu {
        rows.set_compute_time(row, cpu.time.0);
    }
    cpu(rows, row, stats.cpu);
    memory(rows, row, stats.memory);
    swap(rows, row, stats.swap);
    network(rows, row, stats.network);
    let used = stats.ephemeral_storage.and_then(|storage| storage.used_bytes.0);
    rows.set(row, metric::EPHEMERAL_STORAGE_USAGE, used);
    let processes = stats.process_stats.and_then(|processes| processes.process_count.0);
    rows.set(row, metric::PROCESSES, processes.filter(|count| *count > 0));
    let mut id = String::new();
    for volume in &stats.volume {
        id.clear();
        id.push_str("Volume:");
        id.push_str(&volume.name);
        let part = (EntityKind::Volume, &entity, &*id);
        filesystem(rows, part, volume.filesystem(), scraped, stats.start_time.0);
    }
    for (at, stats) in pod_containers(&stats.containers) {
        if !is_newest(&at, stats) {
            continue;
        }
        let container_entity = rows.draft.registry.container(&entity, &stats.name);
        container(stats, &container_entity, decoder, rows);
    }
}

/// Whether another node in this draft already reported a younger pod of that name (a
/// `StatefulSet`'s pod that moved, still listed by its old kubelet). Heapster: last writer wins.
fn is_leftover(stats: &PodStats<'_>, entity: &Entity, rows: &Rows<'_>) -> bool {
    let table = rows.draft.table(EntityKind::Pod);
    table.find(entity).is_some_and(|row| table.started(row) > stats.start_time.0)
}

/// The pods with names, the youngest where a name occurs twice.
fn newest<'s, 'a>(pods: &'s [PodStats<'a>]) -> impl Iterator<Item = &'s PodStats<'a>> {
    let mut by_name: HashMap<(&str, &str), usize> = HashMap::with_capacity(pods.len());
    for (at, pod) in pods.iter().enumerate() {
        match by_name.entry((&pod.pod_ref.namespace, &pod.pod_ref.name)) {
            Entry::Vacant(slot) => {
                slot.insert(at);
            }
            Entry::Occupied(mut slot) => {
                let seen = pods.get(*slot.get()).map(|pod| pod.start_time.0);
                if seen < Some(pod.start_time.0) {
                    slot.insert(at);
                }
            }
        }
    }
    pods.iter().enumerate().filter_map(move |(at, pod)| {
        let name = (&*pod.pod_ref.namespace, &*pod.pod_ref.name);
        let named = !name.0.is_empty() && !name.1.is_empty();
        (named && by_name.get(&name) == Some(&at)).then_some(pod)
    })
}

type Siblings<'s, 'a> = (usize, &'s [ContainerStats<'a>]);

fn pod_containers<'s, 'a>(
    containers: &'s [ContainerStats<'a>],
) -> impl Iterator<Item = (Siblings<'s, 'a>, &'s ContainerStats<'a>)> {
    containers
        .iter()
        .enumerate()
        .filter(|(_, stats)| !stats.name.is_empty())
        .map(move |(at, stats)| ((at, containers), stats))
}

/// Whether no other container of that name started later: a restarted container may be listed
/// with its ended predecessor.
fn is_newest((at, siblings): &Siblings<'_, '_>, stats: &ContainerStats<'_>) -> bool {
    siblings.iter().enumerate().filter(|(other, _)| other != at).all(|(other, sibling)| {
        sibling.name != stats.name
            || sibling.start_time.0 < stats.start_time.0
            || (sibling.start_time.0 == stats.start_time.0 && *at < other)
    })
}

fn container(
    stats: &ContainerStats<'_>,
    entity: &Arc<Entity>,
    decoder: &mut Decoder,
    rows: &mut Rows<'_>,
) {
    let row = rows.insert(entity);
    let started = stats.start_time.0;
    let scraped = first_known([
        stats.cpu.map(|cpu| cpu.time.0),
        stats.memory.map(|memory| memory.time.0),
        None,
    ]);
    rows.set_times(row, started, scraped);
    cpu(rows, row, stats.cpu);
    memory(rows, row, stats.memory);
    swap(rows, row, stats.swap);
    if let Some(rootfs) = stats.rootfs {
        filesystem(rows, (EntityKind::Filesystem, entity, "/"), rootfs, scraped, started);
    }
    if let Some(logs) = stats.logs {
        filesystem(rows, (EntityKind::Filesystem, entity, "logs"), logs, scraped, started);
    }
    // Heapster crashed here when a usedBytes was absent.
    let used = |fs: Option<Filesystem>| fs.and_then(|fs| fs.used_bytes.0);
    if let (EntityKind::Container, Some(rootfs), Some(logs)) =
        (entity.kind(), used(stats.rootfs), used(stats.logs))
    {
        rows.set(row, metric::EPHEMERAL_STORAGE_USAGE, Some(rootfs.saturating_add(logs)));
    }
    accelerators(stats, entity, rows, scraped);
    user_metrics(stats, row, decoder, rows);
}

fn accelerators(
    stats: &ContainerStats<'_>,
    entity: &Arc<Entity>,
    rows: &mut Rows<'_>,
    scraped: Timestamp,
) {
    for accelerator in &stats.accelerators {
        let variant = format!("{}/{}", accelerator.make, accelerator.model);
        let part = rows.draft.registry.accelerator(entity, &variant, &accelerator.id);
        let row = rows.draft.insert(&part);
        rows.draft.table_mut(EntityKind::Accelerator).set_scraped(row.row, scraped);
        rows.set(row, metric::ACCELERATOR_MEMORY_TOTAL, accelerator.memory_total.0);
        rows.set(row, metric::ACCELERATOR_MEMORY_USED, accelerator.memory_used.0);
        rows.set(row, metric::ACCELERATOR_DUTY_CYCLE, accelerator.duty_cycle.0);
    }
}

fn user_metrics(stats: &ContainerStats<'_>, row: Row, decoder: &mut Decoder, rows: &mut Rows<'_>) {
    for user_metric in &stats.user_defined_metrics {
        let Some(value) = user_metric.value.filter(|_| !user_metric.name.is_empty()) else {
            continue;
        };
        let kind = if user_metric.kind == "cumulative" { Kind::Counter } else { Kind::Gauge };
        let Some(metric) = decoder.custom_metric(&user_metric.name, kind, ValueType::Float) else {
            continue;
        };
        match rows.draft.table_mut(row.kind).column_for(metric) {
            Some(column) => column.set(row.row, Value::Float(value)),
            None => metrics::counter!(crate::telemetry::CUSTOM_METRICS_DROPPED).increment(1),
        }
    }
}

fn cpu(rows: &mut Rows<'_>, row: Row, cpu: Option<Cpu>) {
    let Some(cpu) = cpu else { return };
    rows.set(row, metric::CPU_USAGE, cpu.usage_core_nano_seconds.0);
}

fn memory(rows: &mut Rows<'_>, row: Row, memory: Option<Memory>) {
    let Some(memory) = memory else { return };
    rows.set(row, metric::MEMORY_USAGE, memory.usage_bytes.0);
    rows.set(row, metric::MEMORY_WORKING_SET, memory.working_set_bytes.0);
    rows.set(row, metric::MEMORY_RSS, memory.rss_bytes.0);
    rows.set(row, metric::MEMORY_PAGE_FAULTS, memory.page_faults.0);
    rows.set(row, metric::MEMORY_MAJOR_PAGE_FAULTS, memory.major_page_faults.0);
}

fn swap(rows: &mut Rows<'_>, row: Row, swap: Option<Swap>) {
    rows.set(row, metric::SWAP_USAGE, swap.and_then(|swap| swap.swap_usage_bytes.0));
}

fn network(rows: &mut Rows<'_>, row: Row, network: Option<Network>) {
    let Some(network) = network else { return };
    rows.set(row, metric::NETWORK_RX, network.rx_bytes.0);
    rows.set(row, metric::NETWORK_RX_ERRORS, network.rx_errors.0);
    rows.set(row, metric::NETWORK_TX, network.tx_bytes.0);
    rows.set(row, metric::NETWORK_TX_ERRORS, network.tx_errors.0);
}

fn filesystem(
    rows: &mut Rows<'_>,
    (kind, owner, id): (EntityKind, &Arc<Entity>, &str),
    fs: Filesystem,
    owner_scraped: Timestamp,
    started: Timestamp,
) {
    let scraped = first_known([Some(fs.time.0), Some(owner_scraped), None]);
    let row = rows.part(kind, owner, id, scraped, started);
    rows.set(row, metric::FILESYSTEM_USAGE, fs.used_bytes.0);
    rows.set(row, metric::FILESYSTEM_LIMIT, fs.capacity_bytes.0);
    rows.set(row, metric::FILESYSTEM_AVAILABLE, fs.available_bytes.0);
    rows.set(row, metric::FILESYSTEM_INODES, fs.inodes.0);
    rows.set(row, metric::FILESYSTEM_INODES_FREE, fs.inodes_free.0);
}

/// Heapster's names of two system containers.
fn system_container_name(name: &str) -> &str {
    match name {
        "runtime" => "docker-daemon",
        "misc" => "system",
        other => other,
    }
}

fn first_known(times: [Option<Timestamp>; 3]) -> Timestamp {
    times.into_iter().flatten().find(|time| !time.is_never()).unwrap_or(Timestamp::NEVER)
}
