//! The answer of a kubelet before 1.18 to `POST /stats/container`: cAdvisor's JSON, a map from
//! cgroup to container, in narrow structs that borrow from the body.
//!
//! Follows `github.com/google/cadvisor/info/v1`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::summary::{Number, Time};

/// The whole answer by cgroup name.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Containers<'a>(#[serde(borrow)] pub BTreeMap<Cow<'a, str>, Container<'a>>);

/// A cgroup.
#[derive(Debug, Deserialize)]
pub struct Container<'a> {
    /// Its name.
    #[serde(borrow, default)]
    pub name: Cow<'a, str>,
    /// Other names; the first one counts.
    #[serde(borrow, default)]
    pub aliases: Option<Vec<Cow<'a, str>>>,
    /// What it is.
    #[serde(borrow, default)]
    pub spec: Spec<'a>,
    /// Measurements; the last one counts.
    #[serde(borrow, default)]
    pub stats: Option<Vec<Stats<'a>>>,
}

/// What a cgroup is and what is measured of it.
#[derive(Debug, Default, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "as on the wire")]
pub struct Spec<'a> {
    /// When it was created.
    #[serde(default)]
    pub creation_time: Time,
    /// Labels of the container.
    #[serde(borrow, default)]
    pub labels: Option<BTreeMap<Cow<'a, str>, Cow<'a, str>>>,
    /// CPU is measured.
    #[serde(default)]
    pub has_cpu: bool,
    /// Memory is measured.
    #[serde(default)]
    pub has_memory: bool,
    /// Network is measured.
    #[serde(default)]
    pub has_network: bool,
    /// Filesystems are measured.
    #[serde(default)]
    pub has_filesystem: bool,
    /// Disks are measured.
    #[serde(default)]
    pub has_diskio: bool,
}

/// One measurement.
#[derive(Debug, Deserialize)]
pub struct Stats<'a> {
    /// When.
    #[serde(default)]
    pub timestamp: Time,
    /// CPU.
    #[serde(default)]
    pub cpu: Cpu,
    /// Memory.
    #[serde(default)]
    pub memory: Memory,
    /// Network.
    #[serde(default)]
    pub network: Network,
    /// Filesystems.
    #[serde(borrow, default)]
    pub filesystem: Option<Vec<Filesystem<'a>>>,
    /// Disks.
    #[serde(borrow, default)]
    pub diskio: DiskIo<'a>,
    /// GPUs and the like.
    #[serde(borrow, default)]
    pub accelerators: Option<Vec<Accelerator<'a>>>,
}

/// CPU.
#[derive(Debug, Default, Deserialize)]
pub struct Cpu {
    /// Used so far.
    #[serde(default)]
    pub usage: CpuUsage,
    /// Runnable threads.
    #[serde(default)]
    pub load_average: Number,
}

/// CPU used so far.
#[derive(Debug, Default, Deserialize)]
pub struct CpuUsage {
    /// Nanoseconds over all cores.
    #[serde(default)]
    pub total: Number,
}

/// Memory in bytes.
#[derive(Debug, Default, Deserialize)]
pub struct Memory {
    /// Everything.
    #[serde(default)]
    pub usage: Number,
    /// Page cache.
    #[serde(default)]
    pub cache: Number,
    /// Anonymous memory.
    #[serde(default)]
    pub rss: Number,
    /// Swap in use.
    #[serde(default)]
    pub swap: Number,
    /// What the kernel cannot easily drop.
    #[serde(default)]
    pub working_set: Number,
    /// Faults.
    #[serde(default)]
    pub container_data: Faults,
}

/// Page faults so far.
#[derive(Debug, Default, Deserialize)]
pub struct Faults {
    /// All.
    #[serde(default)]
    pub pgfault: Number,
    /// Those that read from disk.
    #[serde(default)]
    pub pgmajfault: Number,
}

/// Network.
#[derive(Debug, Default, Deserialize)]
pub struct Network {
    /// Every interface.
    #[serde(default)]
    pub interfaces: Option<Vec<Interface>>,
}

/// Counters of an interface.
#[derive(Debug, Default, Deserialize)]
pub struct Interface {
    /// Bytes received.
    #[serde(default)]
    pub rx_bytes: Number,
    /// Errors while receiving.
    #[serde(default)]
    pub rx_errors: Number,
    /// Bytes sent.
    #[serde(default)]
    pub tx_bytes: Number,
    /// Errors while sending.
    #[serde(default)]
    pub tx_errors: Number,
}

/// A filesystem in bytes and inodes.
#[derive(Debug, Deserialize)]
pub struct Filesystem<'a> {
    /// Its device.
    #[serde(borrow, default)]
    pub device: Cow<'a, str>,
    /// Size.
    #[serde(default)]
    pub capacity: Number,
    /// In use.
    #[serde(default)]
    pub usage: Number,
    /// Free.
    #[serde(default)]
    pub available: Number,
    /// Whether inodes are counted.
    #[serde(default)]
    pub has_inodes: bool,
    /// Inodes in all.
    #[serde(default)]
    pub inodes: Number,
    /// Inodes free.
    #[serde(default)]
    pub inodes_free: Number,
}

/// Disks.
#[derive(Debug, Default, Deserialize)]
pub struct DiskIo<'a> {
    /// Bytes by disk.
    #[serde(borrow, default)]
    pub io_service_bytes: Option<Vec<Disk<'a>>>,
}

/// A disk's counters.
#[derive(Debug, Deserialize)]
pub struct Disk<'a> {
    /// Its device; may be empty.
    #[serde(borrow, default)]
    pub device: Cow<'a, str>,
    /// Device number.
    #[serde(default)]
    pub major: u64,
    /// Device number.
    #[serde(default)]
    pub minor: u64,
    /// Bytes.
    #[serde(default)]
    pub stats: DiskStats,
}

/// Bytes so far.
#[derive(Debug, Default, Deserialize)]
pub struct DiskStats {
    /// Read.
    #[serde(rename = "Read", default)]
    pub read: Number,
    /// Written.
    #[serde(rename = "Write", default)]
    pub write: Number,
}

/// A GPU or the like.
#[derive(Debug, Deserialize)]
pub struct Accelerator<'a> {
    /// `nvidia`.
    #[serde(borrow, default)]
    pub make: Cow<'a, str>,
    /// `tesla-p100`.
    #[serde(borrow, default)]
    pub model: Cow<'a, str>,
    /// Its id.
    #[serde(borrow, default)]
    pub id: Cow<'a, str>,
    /// Bytes in all.
    #[serde(default)]
    pub memory_total: Number,
    /// Bytes in use.
    #[serde(default)]
    pub memory_used: Number,
    /// Percent of time in use.
    #[serde(default)]
    pub duty_cycle: Number,
}
