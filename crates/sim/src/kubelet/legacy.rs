//! `POST /stats/container/`: cAdvisor's v1 container stats, the endpoint old collectors read.
//! Only what those collectors use of it is answered, in the shape they expect.

use serde_json::{Map, Value, json};

use super::summary::{node_cpu, node_memory, pod_memory};
use super::{RunningPod, View};
use crate::plan::Controller;
use crate::seed::{digest, mix};
use crate::usage::{Disk, Memory, Network};

struct Entry<'a> {
    name: String,
    labels: Value,
    image: &'a str,
    created: String,
    nanoseconds: u64,
    memory: Memory,
    network: Option<Network>,
    disk: Option<Disk>,
}

/// The whole answer: container name → `ContainerInfo` with one sample.
pub(crate) fn render(view: &View<'_>) -> Vec<u8> {
    let pods = view.pods();
    let mut answer = Map::new();
    for entry in
        node_entries(view, &pods).into_iter().chain(pods.iter().flat_map(|p| pod_entries(view, p)))
    {
        let info = info(view, &entry);
        answer.insert(entry.name, info);
    }
    serde_json::to_vec(&answer).unwrap_or_default()
}

fn node_entries(view: &View<'_>, pods: &[RunningPod<'_>]) -> Vec<Entry<'static>> {
    let (cpu, parts) = node_cpu(view);
    let (memory, memories) = node_memory(view, pods);
    let created = view.time(view.node.booted);
    let system = |name: &str, nanoseconds, memory| Entry {
        name: name.to_owned(),
        labels: json!({}),
        image: "",
        created: created.clone(),
        nanoseconds,
        memory,
        network: None,
        disk: None,
    };
    let mut entries = vec![Entry {
        network: Some(view.plan.node_network(view.index, view.t)),
        disk: Some(view.plan.node_disk(view.index, view.t)),
        ..system("/", cpu.nanoseconds, memory)
    }];
    for ((name, cpu), memory) in parts.iter().zip(memories) {
        let path = match *name {
            "pods" => "/kubepods.slice",
            "kubelet" => "/system.slice/kubelet.service",
            "runtime" => "/system.slice/containerd.service",
            _ => "/system.slice",
        };
        entries.push(system(path, cpu.nanoseconds, memory));
    }
    entries
}

fn pod_entries(view: &View<'_>, pod: &RunningPod<'_>) -> Vec<Entry<'static>> {
    let plan = view.plan;
    let labels = |container: &str| {
        json!({
            "io.kubernetes.container.name": container,
            "io.kubernetes.pod.name": pod.name,
            "io.kubernetes.pod.namespace": **plan.namespace(pod.workload.namespace),
            "io.kubernetes.pod.uid": pod.uid,
        })
    };
    let host_network = pod.workload.template.controller == Controller::DaemonSet;
    let sandbox = digest(mix(plan.pod_seed(pod.pod.slot, pod.pod.generation), 40));
    let mut entries = vec![Entry {
        name: format!("/kubepods.slice/pod{}/{sandbox}", pod.uid),
        labels: labels("POD"),
        image: "registry.k8s.io/pause:3.10",
        created: view.time(pod.started),
        nanoseconds: plan.pod_cpu(&pod.pod, view.t).nanoseconds,
        memory: pod_memory(view, pod),
        network: (!host_network).then(|| plan.pod_network(&pod.pod, view.t)),
        disk: None,
    }];
    for one in &pod.containers {
        let id = plan.container_id(&pod.pod, one.index, one.life.restarts);
        let (root, _) = plan.container_disk(&pod.pod, one.index, one.since, view.t);
        entries.push(Entry {
            name: format!("/kubepods.slice/pod{}/{id}", pod.uid),
            labels: labels(&one.name),
            image: plan.base_image(pod.pod.slot, one.index),
            created: view.time(one.since),
            nanoseconds: one.cpu.nanoseconds,
            memory: one.memory,
            network: None,
            disk: Some(Disk { used: root, ..plan.node_disk(view.index, view.t) }),
        });
    }
    entries
}

fn info(view: &View<'_>, entry: &Entry<'_>) -> Value {
    let network = entry.network.map(|network| {
        json!({ "interfaces": [{
            "name": "eth0",
            "rx_bytes": network.received, "rx_packets": network.received / 620, "rx_errors": 0, "rx_dropped": 0,
            "tx_bytes": network.sent, "tx_packets": network.sent / 540, "tx_errors": 0, "tx_dropped": 0,
        }] })
    });
    let disk = entry.disk.map(|disk| {
        json!([{
            "device": "/dev/vda1", "type": "vfs",
            "capacity": disk.capacity, "usage": disk.used,
            "available": disk.capacity.saturating_sub(disk.used),
            "has_inodes": true, "inodes": disk.inodes,
            "inodes_free": disk.inodes.saturating_sub(disk.inodes_used),
        }])
    });
    // Reads and writes grow with CPU time.
    let io = entry.disk.map_or_else(
        || json!({}),
        |_| {
            let (read, write) = (entry.nanoseconds / 11_000, entry.nanoseconds / 4_700);
            json!({ "io_service_bytes": [{
            "device": "/dev/vda", "major": 254, "minor": 0,
            "stats": { "Read": read, "Write": write, "Total": read + write },
        }] })
        },
    );
    json!({
        "name": entry.name,
        "spec": {
            "creation_time": entry.created,
            "labels": entry.labels,
            "has_cpu": true, "has_memory": true,
            "has_network": network.is_some(),
            "has_filesystem": disk.is_some(), "has_diskio": disk.is_some(),
            "image": entry.image,
        },
        "stats": [{
            "timestamp": view.time(view.t),
            "cpu": { "usage": { "total": entry.nanoseconds }, "load_average": 0 },
            "memory": {
                "usage": entry.memory.usage,
                "cache": entry.memory.usage.saturating_sub(entry.memory.rss),
                "rss": entry.memory.rss,
                "working_set": entry.memory.working_set,
                "container_data": {
                    "pgfault": entry.memory.page_faults,
                    "pgmajfault": entry.memory.major_page_faults,
                },
            },
            "network": network.unwrap_or_else(|| json!({})),
            "filesystem": disk.unwrap_or_else(|| json!([])),
            "diskio": io,
        }],
    })
}
