//! Filling: readings become rows of a draft.

use std::sync::Arc;

use model::{Draft, Entity, EntityKind, MetricId, Node, Ready, Resources, Timestamp, metric};

use crate::block::Disk;
use crate::cgroup::{Cgroup, Usage};
use crate::filesystem::Filesystem;
use crate::machine::Machine;
use crate::network::Network;

/// Everything one scrape read.
#[derive(Debug)]
pub(crate) struct Readings {
    pub(crate) machine: Machine,
    pub(crate) network: Option<Network>,
    pub(crate) disks: Vec<Disk>,
    pub(crate) filesystems: Vec<Filesystem>,
    pub(crate) cgroups: Vec<Cgroup>,
}

impl Readings {
    /// The machine as a node that offers all it has.
    pub(crate) fn node(&self, name: &str) -> Node {
        let root = self.root_filesystem();
        let resources = Resources {
            cpu_millicores: (self.machine.cpus > 0).then_some(self.machine.cpus * 1000),
            memory_bytes: self.machine.memory.total,
            ephemeral_storage_bytes: root.map(|root| root.size),
        };
        Node {
            name: name.into(),
            hostname: name.into(),
            ready: Ready::Yes,
            capacity: resources,
            allocatable: resources,
            created: self.booted(),
            ..Node::default()
        }
    }

    /// Adds rows for `node`, its parts and its system containers, as measured at `now`.
    pub(crate) fn fill(&self, draft: &mut Draft, node: &Arc<Node>, now: Timestamp) {
        let entity = draft.registry.node(&node.name);
        let booted = self.booted();
        let row = put(draft, &entity, Times { scraped: now, started: booted }, &self.totals());
        let table = draft.table_mut(EntityKind::Node);
        table.set_created(row, booted);
        table.context_mut(row).node = Some(Arc::clone(node));
        for filesystem in &self.filesystems {
            let part = draft.registry.part(EntityKind::Filesystem, &entity, &filesystem.mount);
            put(draft, &part, Times { scraped: now, started: booted }, &filesystem.values());
        }
        for disk in &self.disks {
            let part = draft.registry.part(EntityKind::Disk, &entity, &disk.path);
            let values = io(disk.read_bytes, disk.written_bytes);
            put(draft, &part, Times { scraped: now, started: booted }, &values);
        }
        for cgroup in &self.cgroups {
            let container = draft.registry.system_container(&entity, &cgroup.name);
            self.fill_cgroup(draft, &container, &cgroup.usage, node, now);
        }
    }

    fn fill_cgroup(
        &self,
        draft: &mut Draft,
        container: &Arc<Entity>,
        usage: &Usage,
        node: &Arc<Node>,
        now: Timestamp,
    ) {
        // A cgroup's folder does not tell reliably when it was made; falling counters do.
        let times = Times { scraped: now, started: Timestamp::NEVER };
        let row = put(draft, container, times, &usage.values());
        let table = draft.table_mut(EntityKind::SystemContainer);
        table.context_mut(row).node = Some(Arc::clone(node));
        for device in &usage.devices {
            if let Some(disk) = self.disks.iter().find(|disk| disk.number == device.number) {
                let part = draft.registry.part(EntityKind::Disk, container, &disk.path);
                put(draft, &part, times, &io(device.read_bytes, device.written_bytes));
            }
        }
    }

    fn booted(&self) -> Timestamp {
        self.machine.booted_secs.map_or(Timestamp::NEVER, Timestamp::from_secs)
    }

    fn root_filesystem(&self) -> Option<&Filesystem> {
        self.filesystems.iter().find(|filesystem| filesystem.mount == "/")
    }

    /// The node's own metrics. Ephemeral storage is the root filesystem, as the kubelet has it.
    fn totals(&self) -> [(MetricId, Option<i64>); 16] {
        let (machine, memory) = (&self.machine, &self.machine.memory);
        let network = |pick: fn(&Network) -> i64| self.network.as_ref().map(pick);
        [
            (metric::UPTIME, machine.uptime_ms),
            (metric::CPU_USAGE, machine.cpu_ns),
            (metric::CPU_LOAD, machine.load_milli),
            (metric::MEMORY_USAGE, memory.usage),
            (metric::MEMORY_WORKING_SET, memory.working_set),
            (metric::MEMORY_RSS, memory.rss),
            (metric::MEMORY_CACHE, memory.cache),
            (metric::SWAP_USAGE, memory.swap),
            (metric::MEMORY_PAGE_FAULTS, machine.page_faults),
            (metric::MEMORY_MAJOR_PAGE_FAULTS, machine.major_page_faults),
            (metric::PROCESSES, machine.processes),
            (metric::NETWORK_RX, network(|network| network.rx_bytes)),
            (metric::NETWORK_RX_ERRORS, network(|network| network.rx_errors)),
            (metric::NETWORK_TX, network(|network| network.tx_bytes)),
            (metric::NETWORK_TX_ERRORS, network(|network| network.tx_errors)),
            (metric::EPHEMERAL_STORAGE_USAGE, self.root_filesystem().map(|root| root.used)),
        ]
    }
}

impl Usage {
    fn values(&self) -> [(MetricId, Option<i64>); 10] {
        [
            (metric::CPU_USAGE, self.cpu_ns),
            (metric::CPU_CFS_PERIODS, self.cfs_periods),
            (metric::CPU_CFS_THROTTLED_PERIODS, self.cfs_throttled_periods),
            (metric::MEMORY_USAGE, self.memory),
            (metric::MEMORY_WORKING_SET, self.working_set),
            (metric::MEMORY_RSS, self.rss),
            (metric::MEMORY_CACHE, self.cache),
            (metric::SWAP_USAGE, self.swap),
            (metric::MEMORY_PAGE_FAULTS, self.page_faults),
            (metric::MEMORY_MAJOR_PAGE_FAULTS, self.major_page_faults),
        ]
    }
}

impl Filesystem {
    fn values(&self) -> [(MetricId, Option<i64>); 5] {
        [
            (metric::FILESYSTEM_USAGE, Some(self.used)),
            (metric::FILESYSTEM_LIMIT, Some(self.size)),
            (metric::FILESYSTEM_AVAILABLE, Some(self.available)),
            (metric::FILESYSTEM_INODES, Some(self.inodes)),
            (metric::FILESYSTEM_INODES_FREE, Some(self.inodes_free)),
        ]
    }
}

fn io(read_bytes: i64, written_bytes: i64) -> [(MetricId, Option<i64>); 2] {
    [
        (metric::DISK_IO_READ_BYTES, Some(read_bytes)),
        (metric::DISK_IO_WRITE_BYTES, Some(written_bytes)),
    ]
}

/// When a row was measured, and since when its counters count.
#[derive(Debug, Clone, Copy)]
struct Times {
    scraped: Timestamp,
    started: Timestamp,
}

/// The row of `entity`, filled with the values that are known.
fn put(
    draft: &mut Draft,
    entity: &Arc<Entity>,
    times: Times,
    values: &[(MetricId, Option<i64>)],
) -> usize {
    let row = draft.insert(entity).row;
    let table = draft.table_mut(entity.kind());
    table.set_scraped(row, times.scraped);
    table.set_started(row, times.started);
    for (metric, value) in values {
        if let Some(value) = value {
            table.set_int(row, *metric, *value);
        }
    }
    row
}
