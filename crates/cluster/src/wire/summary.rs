//! The kubelet's `/stats/summary`: narrow structs that borrow from the body. Knows nothing of what
//! the numbers become.
//!
//! Follows `k8s.io/kubelet/pkg/apis/stats/v1alpha1`. Every number may be absent; one that no
//! measurement can be (negative, or beyond an i64, as underflown counters are) reads as absent.

use std::borrow::Cow;
use std::fmt;

use model::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// The whole answer.
#[derive(Debug, Deserialize)]
pub struct Summary<'a> {
    /// The node itself.
    #[serde(borrow)]
    pub node: NodeStats<'a>,
    /// Its pods.
    #[serde(borrow, default, deserialize_with = "null_is_empty")]
    pub pods: Vec<PodStats<'a>>,
}

/// The node's own numbers.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStats<'a> {
    /// The name that the kubelet gave itself.
    #[serde(borrow, default)]
    pub node_name: Cow<'a, str>,
    /// Cgroups outside pods.
    #[serde(borrow, default, deserialize_with = "null_is_empty")]
    pub system_containers: Vec<ContainerStats<'a>>,
    /// When the machine started.
    #[serde(default)]
    pub start_time: Time,
    /// CPU.
    pub cpu: Option<Cpu>,
    /// Memory.
    pub memory: Option<Memory>,
    /// Network, the default interface's numbers.
    pub network: Option<Network>,
    /// The kubelet's root filesystem.
    pub fs: Option<Filesystem>,
    /// Process numbers.
    pub rlimit: Option<Rlimit>,
    /// Swap.
    pub swap: Option<Swap>,
}

/// A pod's numbers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodStats<'a> {
    /// Which pod.
    #[serde(borrow)]
    pub pod_ref: PodRef<'a>,
    /// When it started.
    #[serde(default)]
    pub start_time: Time,
    /// Its containers.
    #[serde(borrow, default, deserialize_with = "null_is_empty")]
    pub containers: Vec<ContainerStats<'a>>,
    /// CPU of the pod's cgroup.
    pub cpu: Option<Cpu>,
    /// Memory of the pod's cgroup.
    pub memory: Option<Memory>,
    /// Network of the pod's namespace.
    pub network: Option<Network>,
    /// Volumes.
    #[serde(borrow, default, deserialize_with = "null_is_empty")]
    pub volume: Vec<Volume<'a>>,
    /// Ephemeral storage.
    #[serde(rename = "ephemeral-storage")]
    pub ephemeral_storage: Option<Filesystem>,
    /// Processes.
    #[serde(rename = "process_stats")]
    pub process_stats: Option<Processes>,
    /// Swap.
    pub swap: Option<Swap>,
}

/// A pod's names.
#[derive(Debug, Deserialize)]
pub struct PodRef<'a> {
    /// Name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Namespace.
    #[serde(borrow)]
    pub namespace: Cow<'a, str>,
    /// Uid; a hash of its file for a static pod.
    #[serde(borrow, default)]
    pub uid: Cow<'a, str>,
}

/// A container's or system container's numbers.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStats<'a> {
    /// Its name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// When it started.
    #[serde(default)]
    pub start_time: Time,
    /// CPU.
    pub cpu: Option<Cpu>,
    /// Memory.
    pub memory: Option<Memory>,
    /// Accelerators.
    #[serde(borrow, default, deserialize_with = "null_is_empty")]
    pub accelerators: Vec<Accelerator<'a>>,
    /// Writable layer.
    pub rootfs: Option<Filesystem>,
    /// Log files.
    pub logs: Option<Filesystem>,
    /// Metrics the container defines itself.
    #[serde(borrow, default, deserialize_with = "null_is_empty")]
    pub user_defined_metrics: Vec<UserMetric<'a>>,
    /// Swap.
    pub swap: Option<Swap>,
}

/// CPU.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cpu {
    /// When it was read.
    #[serde(default)]
    pub time: Time,
    /// Nanoseconds of CPU used since the start.
    #[serde(default)]
    pub usage_core_nano_seconds: Number,
}

/// Memory in bytes, faults in counts.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// When it was read.
    #[serde(default)]
    pub time: Time,
    /// Everything, page cache included.
    #[serde(default)]
    pub usage_bytes: Number,
    /// What the kernel cannot easily drop.
    #[serde(default)]
    pub working_set_bytes: Number,
    /// Anonymous memory.
    #[serde(default)]
    pub rss_bytes: Number,
    /// Page faults since the start.
    #[serde(default)]
    pub page_faults: Number,
    /// Page faults that read from disk since the start.
    #[serde(default)]
    pub major_page_faults: Number,
}

/// The default interface's counters.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// When they were read.
    #[serde(default)]
    pub time: Time,
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

/// A filesystem, in bytes and inodes.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Filesystem {
    /// When it was read.
    #[serde(default)]
    pub time: Time,
    /// Bytes free for users.
    #[serde(default)]
    pub available_bytes: Number,
    /// Size in bytes.
    #[serde(default)]
    pub capacity_bytes: Number,
    /// Bytes used by the thing itself, which may share the filesystem.
    #[serde(default)]
    pub used_bytes: Number,
    /// Inodes free.
    #[serde(default)]
    pub inodes_free: Number,
    /// Inodes in all.
    #[serde(default)]
    pub inodes: Number,
}

/// A pod's volume.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume<'a> {
    /// The volume's name in the pod's spec.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// When it was read.
    #[serde(default)]
    pub time: Time,
    /// Bytes free for users.
    #[serde(default)]
    pub available_bytes: Number,
    /// Size in bytes.
    #[serde(default)]
    pub capacity_bytes: Number,
    /// Bytes used.
    #[serde(default)]
    pub used_bytes: Number,
    /// Inodes free.
    #[serde(default)]
    pub inodes_free: Number,
    /// Inodes in all.
    #[serde(default)]
    pub inodes: Number,
}

impl Volume<'_> {
    /// Its numbers, without the name.
    pub fn filesystem(&self) -> Filesystem {
        Filesystem {
            time: self.time,
            available_bytes: self.available_bytes,
            capacity_bytes: self.capacity_bytes,
            used_bytes: self.used_bytes,
            inodes_free: self.inodes_free,
            inodes: self.inodes,
        }
    }
}

/// Processes of the machine.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
pub struct Rlimit {
    /// How many run.
    #[serde(default)]
    pub curproc: Number,
}

/// Processes of a pod.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
pub struct Processes {
    /// How many run; 0 where the runtime does not count them.
    #[serde(default)]
    pub process_count: Number,
}

/// Swap.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Swap {
    /// Bytes in use.
    #[serde(default)]
    pub swap_usage_bytes: Number,
}

/// A GPU or the like.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
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

/// A metric that a container defines itself.
#[derive(Debug, Deserialize)]
pub struct UserMetric<'a> {
    /// Its name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// `gauge`, `cumulative` or `delta`.
    #[serde(rename = "type", borrow, default)]
    pub kind: Cow<'a, str>,
    /// Its value.
    #[serde(default)]
    pub value: Option<f64>,
}

/// A measured number; `None` when absent, null, negative or beyond an i64.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Number(pub Option<i64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or null")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
        Ok(Number(i64::try_from(value).ok()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Number, E> {
        Ok(Number((value >= 0).then_some(value)))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    fn visit_f64<E: Error>(self, value: f64) -> Result<Number, E> {
        Ok(Number((0.0..9.2e18).contains(&value).then_some(value as i64)))
    }

    fn visit_unit<E: Error>(self) -> Result<Number, E> {
        Ok(Number(None))
    }
}

/// A point in time; never when absent or null.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub Timestamp);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an RFC 3339 time or null")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
        Timestamp::parse_rfc3339(text)
            .map(Time)
            .ok_or_else(|| E::custom(format_args!("{text:?} is not an RFC 3339 time")))
    }

    fn visit_unit<E: Error>(self) -> Result<Time, E> {
        Ok(Time::default())
    }
}

/// Go writes an empty slice as `null` in places.
fn null_is_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
