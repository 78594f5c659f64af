//! `GET /stats/summary`: the kubelet's stats/v1alpha1 Summary. Fields and their order follow a
//! recorded Kubernetes 1.21 kubelet.

use std::borrow::Cow;

use serde::Serialize;

use super::{RunningContainer, RunningPod, View};
use crate::life::Pod;
use crate::plan::{Controller, Plan, Sec};
use crate::usage::{Cpu, Disk, Memory, Network, System};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    node: Node<'a>,
    pods: Vec<PodStats<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Node<'a> {
    #[serde(rename = "nodeName")]
    name: &'a str,
    system_containers: Vec<ContainerStats<'a>>,
    start_time: String,
    cpu: CpuStats<'a>,
    memory: MemoryStats<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<NetworkStats<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fs: Option<FsStats<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime: Option<Runtime<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rlimit: Option<Rlimit<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Runtime<'a> {
    image_fs: FsStats<'a>,
}

#[derive(Serialize)]
struct Rlimit<'a> {
    time: &'a str,
    maxpid: u32,
    curproc: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PodStats<'a> {
    pod_ref: PodRef<'a>,
    start_time: String,
    containers: Vec<ContainerStats<'a>>,
    cpu: CpuStats<'a>,
    memory: MemoryStats<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<NetworkStats<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volume: Vec<VolumeStats<'a>>,
    #[serde(rename = "ephemeral-storage", skip_serializing_if = "Option::is_none")]
    ephemeral_storage: Option<FsStats<'a>>,
    #[serde(rename = "process_stats", skip_serializing_if = "Option::is_none")]
    process_stats: Option<ProcessStats>,
}

#[derive(Serialize)]
struct PodRef<'a> {
    name: &'a str,
    namespace: &'a str,
    uid: &'a str,
}

#[derive(Serialize)]
struct ProcessStats {
    process_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStats<'a> {
    name: Cow<'a, str>,
    start_time: String,
    cpu: CpuStats<'a>,
    memory: MemoryStats<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rootfs: Option<FsStats<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logs: Option<FsStats<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CpuStats<'a> {
    time: &'a str,
    usage_nano_cores: u64,
    usage_core_nano_seconds: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MemoryStats<'a> {
    time: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    available_bytes: Option<u64>,
    usage_bytes: u64,
    working_set_bytes: u64,
    rss_bytes: u64,
    page_faults: u64,
    major_page_faults: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InterfaceStats<'a> {
    name: &'a str,
    rx_bytes: u64,
    rx_errors: u64,
    tx_bytes: u64,
    tx_errors: u64,
}

#[derive(Serialize)]
struct NetworkStats<'a> {
    time: &'a str,
    #[serde(flatten)]
    default: InterfaceStats<'a>,
    interfaces: [InterfaceStats<'a>; 1],
}

#[derive(Serialize, Clone)]
#[serde(rename_all = "camelCase")]
struct FsStats<'a> {
    time: &'a str,
    available_bytes: u64,
    capacity_bytes: u64,
    used_bytes: u64,
    inodes_free: u64,
    inodes: u64,
    inodes_used: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VolumeStats<'a> {
    #[serde(flatten)]
    fs: FsStats<'a>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pvc_ref: Option<PvcRef<'a>>,
}

#[derive(Serialize)]
struct PvcRef<'a> {
    name: String,
    namespace: &'a str,
}

/// The Summary as JSON; only CPU and memory of it when `lean`, as `?only_cpu_and_memory=true`.
pub(crate) fn render(view: &View<'_>, lean: bool) -> Vec<u8> {
    let now = view.time(view.t);
    let pods = view.pods();
    let page = Page { view, now: &now, lean, disk: view.plan.node_disk(view.index, view.t) };
    let stats: Vec<_> = pods.iter().map(|pod| page.pod(pod)).collect();
    let summary = Summary { node: page.node(&pods), pods: stats };
    serde_json::to_vec(&summary).unwrap_or_default()
}

/// CPU of the node, and of its parts: pods, kubelet, runtime, misc.
pub(super) fn node_cpu(view: &View<'_>) -> (Cpu, [(&'static str, Cpu); 4]) {
    let parts = [
        ("pods", view.plan.pods_cpu(view.index, view.t)),
        ("kubelet", view.plan.system_cpu(view.index, System::Kubelet, view.t)),
        ("runtime", view.plan.system_cpu(view.index, System::Runtime, view.t)),
        ("misc", view.plan.system_cpu(view.index, System::Misc, view.t)),
    ];
    let sum = parts.iter().fold(Cpu::default(), |sum, (_, part)| Cpu {
        nanoseconds: sum.nanoseconds + part.nanoseconds,
        nanocores: sum.nanocores + part.nanocores,
    });
    (sum, parts)
}

/// Memory of the node, and of its parts in the same order.
pub(super) fn node_memory(view: &View<'_>, pods: &[RunningPod<'_>]) -> (Memory, [Memory; 4]) {
    let mut all = pods.iter().map(|pod| pod_memory(view, pod)).fold(Memory::default(), add);
    // Counted from CPU time, so that they do not fall when a pod leaves.
    all.page_faults = view.plan.pods_cpu(view.index, view.t).nanoseconds / 4_000_000;
    all.major_page_faults = all.page_faults / 30_000;
    let part = |part| view.plan.system_memory(view.index, part, view.t);
    let parts = [all, part(System::Kubelet), part(System::Runtime), part(System::Misc)];
    let mut sum = parts.into_iter().fold(Memory::default(), add);
    let capacity = view.node.memory_bytes;
    // The page cache takes what is free, up to a third of the machine.
    sum.usage =
        (sum.usage + (capacity / 3).min(capacity.saturating_sub(sum.usage) / 2)) / 4096 * 4096;
    sum.available = Some(capacity.saturating_sub(sum.working_set));
    (sum, parts)
}

pub(super) fn pod_memory(view: &View<'_>, pod: &RunningPod<'_>) -> Memory {
    let containers: Vec<Memory> = pod.containers.iter().map(|one| one.memory).collect();
    let mut memory = Plan::pod_memory(&containers);
    // Counted from CPU time, so that they do not fall when a container restarts.
    memory.page_faults = view.plan.pod_cpu(&pod.pod, view.t).nanoseconds / 4_000_000;
    memory.major_page_faults = memory.page_faults / 30_000;
    memory
}

fn add(a: Memory, b: Memory) -> Memory {
    Memory {
        usage: a.usage + b.usage,
        working_set: a.working_set + b.working_set,
        rss: a.rss + b.rss,
        available: None,
        page_faults: a.page_faults + b.page_faults,
        major_page_faults: a.major_page_faults + b.major_page_faults,
    }
}

/// What all parts of one answer share.
struct Page<'a> {
    view: &'a View<'a>,
    now: &'a str,
    lean: bool,
    disk: Disk,
}

impl<'a> Page<'a> {
    fn node(&self, pods: &[RunningPod<'_>]) -> Node<'a> {
        let view = self.view;
        let (cpu, parts) = node_cpu(view);
        let (memory, memories) = node_memory(view, pods);
        let (booted, now) = (view.node.booted, self.now);
        let full = !self.lean;
        let system_containers = parts
            .iter()
            .zip(memories)
            .map(|((name, cpu), mut memory)| {
                if *name == "pods" {
                    memory.available =
                        Some(view.node.memory_bytes.saturating_sub(memory.working_set));
                }
                ContainerStats {
                    name: Cow::Borrowed(name),
                    start_time: view.time(booted + 11),
                    cpu: self.cpu(*cpu),
                    memory: self.memory(memory),
                    rootfs: None,
                    logs: None,
                }
            })
            .collect();
        Node {
            name: &view.node.name,
            system_containers,
            start_time: view.time(booted),
            cpu: self.cpu(cpu),
            memory: self.memory(memory),
            network: full.then(|| self.network(view.plan.node_network(view.index, view.t))),
            fs: full.then(|| self.fs(self.disk, None)),
            runtime: full.then(|| Runtime {
                image_fs: self.fs(view.plan.image_disk(view.index, view.t), None),
            }),
            rlimit: full.then(|| Rlimit {
                time: now,
                maxpid: 32_768,
                curproc: 180 + pods.len() * 9,
            }),
        }
    }

    fn pod(&self, pod: &'a RunningPod<'a>) -> PodStats<'a> {
        let view = self.view;
        let host_network = pod.workload.template.controller == Controller::DaemonSet;
        let full = !self.lean;
        let network =
            (full && !host_network).then(|| self.network(view.plan.pod_network(&pod.pod, view.t)));
        let used: u64 = pod
            .containers
            .iter()
            .map(|one| view.plan.container_disk(&pod.pod, one.index, one.since, view.t))
            .map(|(root, logs)| root + logs)
            .sum();
        PodStats {
            pod_ref: PodRef {
                name: &pod.name,
                namespace: view.plan.namespace(pod.workload.namespace),
                uid: &pod.uid,
            },
            start_time: view.time(pod.started),
            containers: pod.containers.iter().map(|one| self.container(&pod.pod, one)).collect(),
            cpu: self.cpu(view.plan.pod_cpu(&pod.pod, view.t)),
            memory: self.memory(pod_memory(view, pod)),
            network,
            volume: if full { self.volumes(pod) } else { Vec::new() },
            ephemeral_storage: full.then(|| self.fs(self.disk, Some((used + 4096, 14)))),
            process_stats: full.then_some(ProcessStats { process_count: 0 }),
        }
    }

    fn container(&self, pod: &Pod, one: &'a RunningContainer) -> ContainerStats<'a> {
        let view = self.view;
        let disks =
            (!self.lean).then(|| view.plan.container_disk(pod, one.index, one.since, view.t));
        ContainerStats {
            name: Cow::Borrowed(&one.name),
            start_time: view.time(one.since),
            cpu: self.cpu(one.cpu),
            memory: self.memory(one.memory),
            rootfs: disks.map(|(root, _)| self.fs(self.disk, Some((root, 11)))),
            logs: disks.map(|(_, logs)| self.fs(self.disk, Some((logs, 1)))),
        }
    }

    fn volumes(&self, pod: &RunningPod<'a>) -> Vec<VolumeStats<'a>> {
        let view = self.view;
        let token = Disk { capacity: 67_108_864, used: 12_288, inodes: 1_024_000, inodes_used: 9 };
        let projected = VolumeStats {
            fs: self.fs(token, None),
            name: view.plan.token_volume(&pod.pod),
            pvc_ref: None,
        };
        let claim = view.plan.volume(pod.pod.slot, view.t).map(|disk| VolumeStats {
            fs: self.fs(disk, None),
            name: "data".to_owned(),
            pvc_ref: Some(PvcRef {
                name: view.plan.claim_name(pod.pod.slot),
                namespace: view.plan.namespace(pod.workload.namespace),
            }),
        });
        claim.into_iter().chain([projected]).collect()
    }

    fn cpu(&self, cpu: Cpu) -> CpuStats<'a> {
        CpuStats {
            time: self.now,
            usage_nano_cores: cpu.nanocores,
            usage_core_nano_seconds: cpu.nanoseconds,
        }
    }

    fn memory(&self, memory: Memory) -> MemoryStats<'a> {
        MemoryStats {
            time: self.now,
            available_bytes: memory.available,
            usage_bytes: memory.usage,
            working_set_bytes: memory.working_set,
            rss_bytes: memory.rss,
            page_faults: memory.page_faults,
            major_page_faults: memory.major_page_faults,
        }
    }

    fn network(&self, network: Network) -> NetworkStats<'a> {
        let eth0 = || InterfaceStats {
            name: "eth0",
            rx_bytes: network.received,
            rx_errors: 0,
            tx_bytes: network.sent,
            tx_errors: 0,
        };
        NetworkStats { time: self.now, default: eth0(), interfaces: [eth0()] }
    }

    /// A filesystem, or the (bytes, inodes) that something uses of it.
    fn fs(&self, disk: Disk, part: Option<(u64, u64)>) -> FsStats<'a> {
        let (used_bytes, inodes_used) = part.unwrap_or((disk.used, disk.inodes_used));
        FsStats {
            time: self.now,
            available_bytes: disk.capacity.saturating_sub(disk.used),
            capacity_bytes: disk.capacity,
            used_bytes,
            inodes_free: disk.inodes.saturating_sub(disk.inodes_used),
            inodes: disk.inodes,
            inodes_used,
        }
    }
}

/// Start of a pod's containers as the kubelet tells it, for the formats beside the Summary.
pub(super) fn unix_seconds(view: &View<'_>, t: Sec) -> i64 {
    view.millis(t) / 1000
}
