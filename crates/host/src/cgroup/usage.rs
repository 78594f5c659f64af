//! What one cgroup uses, read from its files; v1 and v2 in the same terms.

use crate::tree::{Tree, value_of};

/// What a cgroup uses. A number whose file is missing is `None`. All cover its children.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// CPU time, ns.
    pub(crate) cpu_ns: Option<i64>,
    pub(crate) cfs_periods: Option<i64>,
    pub(crate) cfs_throttled_periods: Option<i64>,
    /// Memory with cache, bytes.
    pub(crate) memory: Option<i64>,
    /// `memory` without file pages that were not used lately, bytes.
    pub(crate) working_set: Option<i64>,
    /// Anonymous memory, bytes.
    pub(crate) rss: Option<i64>,
    /// File pages, bytes.
    pub(crate) cache: Option<i64>,
    /// Bytes.
    pub(crate) swap: Option<i64>,
    pub(crate) page_faults: Option<i64>,
    pub(crate) major_page_faults: Option<i64>,
    pub(crate) devices: Vec<DeviceUsage>,
}

/// A cgroup's I/O on one block device, bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceUsage {
    /// `8:0`
    pub(crate) number: String,
    pub(crate) read_bytes: i64,
    pub(crate) written_bytes: i64,
}

/// Folders of one cgroup in the trees of v1's controllers.
#[derive(Debug)]
pub(super) struct Folders {
    pub(super) cpu_time: Option<String>,
    pub(super) cpu: Option<String>,
    pub(super) memory: Option<String>,
    pub(super) block: Option<String>,
}

impl Usage {
    /// Whether neither CPU nor memory could be read.
    pub(super) fn is_unknown(&self) -> bool {
        self.cpu_ns.is_none() && self.memory.is_none()
    }

    fn put_memory(&mut self, usage: Option<i64>, stat: &str, names: &MemoryNames) {
        self.memory = usage;
        self.working_set =
            usage.map(|usage| (usage - value_of(stat, names.inactive_file).unwrap_or(0)).max(0));
        self.rss = value_of(stat, names.rss);
        self.cache = value_of(stat, names.cache);
        self.page_faults = value_of(stat, names.page_faults);
        self.major_page_faults = value_of(stat, names.major_page_faults);
    }

    fn put_throttling(&mut self, cpu_stat: &str) {
        self.cfs_periods = value_of(cpu_stat, "nr_periods");
        self.cfs_throttled_periods = value_of(cpu_stat, "nr_throttled");
    }
}

/// What `memory.stat` calls things.
struct MemoryNames {
    inactive_file: &'static str,
    rss: &'static str,
    cache: &'static str,
    page_faults: &'static str,
    major_page_faults: &'static str,
}

const V1: MemoryNames = MemoryNames {
    inactive_file: "total_inactive_file",
    rss: "total_rss",
    cache: "total_cache",
    page_faults: "total_pgfault",
    major_page_faults: "total_pgmajfault",
};
const V2: MemoryNames = MemoryNames {
    inactive_file: "inactive_file",
    rss: "anon",
    cache: "file",
    page_faults: "pgfault",
    major_page_faults: "pgmajfault",
};

/// A cgroup of v2.
pub(super) fn unified(tree: &Tree<'_>, folder: &str) -> Usage {
    let mut usage = Usage::default();
    let cpu_stat = tree.text(&format!("{folder}/cpu.stat")).unwrap_or_default();
    usage.cpu_ns = value_of(&cpu_stat, "usage_usec").map(|micros| micros.saturating_mul(1000));
    usage.put_throttling(&cpu_stat);
    let memory_stat = tree.text(&format!("{folder}/memory.stat")).unwrap_or_default();
    usage.put_memory(tree.number(&format!("{folder}/memory.current")), &memory_stat, &V2);
    usage.swap = tree.number(&format!("{folder}/memory.swap.current"));
    let io_stat = tree.text(&format!("{folder}/io.stat")).unwrap_or_default();
    usage.devices = io_stat.lines().filter_map(device_of_v2).collect();
    usage
}

/// A cgroup of v1, whose controllers have trees of their own.
pub(super) fn split(tree: &Tree<'_>, folders: &Folders) -> Usage {
    let text = |folder: &Option<String>, file: &str| {
        folder.as_ref().and_then(|folder| tree.text(&format!("{folder}/{file}")))
    };
    let number = |folder: &Option<String>, file: &str| {
        text(folder, file).and_then(|text| text.trim().parse().ok())
    };
    let mut usage =
        Usage { cpu_ns: number(&folders.cpu_time, "cpuacct.usage"), ..Usage::default() };
    usage.put_throttling(&text(&folders.cpu, "cpu.stat").unwrap_or_default());
    let memory_stat = text(&folders.memory, "memory.stat").unwrap_or_default();
    usage.put_memory(number(&folders.memory, "memory.usage_in_bytes"), &memory_stat, &V1);
    usage.swap = value_of(&memory_stat, "total_swap");
    let io = text(&folders.block, "blkio.throttle.io_service_bytes_recursive")
        .or_else(|| text(&folders.block, "blkio.throttle.io_service_bytes"));
    usage.devices = devices_of_v1(&io.unwrap_or_default());
    usage
}

/// `8:0 rbytes=1 wbytes=2 rios=3 …`
fn device_of_v2(line: &str) -> Option<DeviceUsage> {
    let (number, rest) = line.split_once(' ')?;
    let value = |key: &str| {
        rest.split(' ').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('=')?.parse().ok())
    };
    Some(DeviceUsage {
        number: number.to_owned(),
        read_bytes: value("rbytes")?,
        written_bytes: value("wbytes")?,
    })
}

/// Lines of `8:0 Read 1`, one device's in a row.
fn devices_of_v1(text: &str) -> Vec<DeviceUsage> {
    let mut devices: Vec<DeviceUsage> = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(number), Some(what), Some(Ok(bytes))) =
            (words.next(), words.next(), words.next().map(str::parse))
        else {
            continue;
        };
        if devices.last().is_none_or(|device| device.number != number) {
            let number = number.to_owned();
            devices.push(DeviceUsage { number, read_bytes: 0, written_bytes: 0 });
        }
        let Some(device) = devices.last_mut() else { continue };
        match what {
            "Read" => device.read_bytes = bytes,
            "Write" => device.written_bytes = bytes,
            _ => {}
        }
    }
    devices
}
