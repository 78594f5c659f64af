//! Nodes: labels, capacity, addresses and conditions at a time.

use serde_json::{Value, json};

use super::{Cluster, Metadata, time};
use crate::identity::pod_network_of;
use crate::plan::{Node, Plan, Sec};
use crate::seed::{below, digest, mix, uuid};

/// Seconds between two reports of an unchanged node.
const HEARTBEAT: Sec = 300;
/// One node in so many runs short of disk now and then.
const PRESSED: u64 = 7;
const PRESSURE_PERIOD: Sec = 1500;
const PRESSURE_LENGTH: Sec = 150;
/// Pods a node takes unless it already has more.
const MOST_PODS: usize = 110;

/// Labels and name of a node.
pub(super) fn metadata(plan: &Plan, node: u32) -> Metadata {
    let machine = &plan.nodes[node as usize];
    let name = machine.name.to_string();
    let id = format!("127.0.0.1:{node}");
    Metadata {
        uid: uuid(mix(machine.seed, 32)),
        created: machine.booted + 40,
        labels: vec![
            ("beta.kubernetes.io/arch", "amd64".into()),
            ("beta.kubernetes.io/os", "linux".into()),
            ("kubernetes.io/arch", "amd64".into()),
            ("kubernetes.io/hostname", name.clone().into()),
            ("kubernetes.io/os", "linux".into()),
            ("node-role.kubernetes.io/worker", "".into()),
            ("node.kubernetes.io/instance-type", format!("sim.{}", machine.cores).into()),
            ("topology.kubernetes.io/region", "sim".into()),
            ("topology.kubernetes.io/zone", machine.zone.into()),
        ],
        annotations: vec![
            ("container.taffrail.dev/instance-id", id),
            ("node.alpha.kubernetes.io/ttl", "0".to_owned()),
            ("volumes.kubernetes.io/controller-managed-attach-detach", "true".to_owned()),
        ],
        name,
        ..Metadata::default()
    }
}

impl Plan {
    /// When the present stretch of disk pressure on a node began, if one is on.
    pub(crate) fn disk_pressure(&self, node: u32, t: Sec) -> Option<Sec> {
        let into = self.pressure_phase(node, t)?;
        (into < PRESSURE_LENGTH).then_some(t - into)
    }

    /// The first time after `t` at which a node reports something.
    pub(crate) fn next_node_change(&self, node: u32, t: Sec) -> Sec {
        let beat = self.last_heartbeat(node, t) + HEARTBEAT;
        let Some(into) = self.pressure_phase(node, t) else { return beat };
        let edge = if into < PRESSURE_LENGTH { PRESSURE_LENGTH } else { PRESSURE_PERIOD };
        beat.min(t - into + edge)
    }

    fn last_heartbeat(&self, node: u32, t: Sec) -> Sec {
        let phase = below(self.nodes[node as usize].seed, HEARTBEAT);
        t - (t - phase).rem_euclid(HEARTBEAT)
    }

    fn pressure_phase(&self, node: u32, t: Sec) -> Option<Sec> {
        let seed = self.nodes[node as usize].seed;
        // The third node always, so that small clusters have one too.
        if node != 2 && !mix(seed, 33).is_multiple_of(PRESSED) {
            return None;
        }
        // On the third node it begins within two minutes of the start.
        let first =
            if node == 2 { self.start + 100 } else { below(mix(seed, 34), PRESSURE_PERIOD) };
        Some((t - first).rem_euclid(PRESSURE_PERIOD))
    }
}

/// `spec` and `status` of a node.
pub(super) fn body(
    cluster: &Cluster,
    node: u32,
    lost: Option<Sec>,
    back: Option<Sec>,
    at: Sec,
) -> Value {
    let plan = &cluster.plan;
    let machine = &plan.nodes[node as usize];
    let network = format!("{}/24", pod_network_of(node));
    let mut spec = json!({ "podCIDR": network, "podCIDRs": [network] });
    let mut taints = Vec::new();
    if machine.cordoned {
        spec["unschedulable"] = true.into();
        taints.push(json!({
            "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule",
            "timeAdded": time(machine.booted + 7200),
        }));
    }
    if let Some(lost) = lost {
        for effect in ["NoSchedule", "NoExecute"] {
            let key = "node.kubernetes.io/unreachable";
            taints.push(json!({ "key": key, "effect": effect, "timeAdded": time(lost) }));
        }
    }
    if let Some(since) = plan.disk_pressure(node, at) {
        taints.push(json!({
            "key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule", "timeAdded": time(since),
        }));
    }
    if !taints.is_empty() {
        spec["taints"] = taints.into();
    }
    let resources = capacity(plan, node, machine);
    json!({
        "spec": spec,
        "status": {
            "capacity": resources.0,
            "allocatable": resources.1,
            "conditions": conditions(plan, node, lost, back, at),
            "addresses": [
                { "type": "InternalIP", "address": machine.address.to_string() },
                { "type": "Hostname", "address": *machine.name },
            ],
            "daemonEndpoints": { "kubeletEndpoint": { "Port": cluster.kubelet_port } },
            "nodeInfo": node_info(machine),
            "images": images(machine),
        },
    })
}

fn node_info(machine: &Node) -> Value {
    let id = uuid(machine.seed).replace('-', "");
    json!({
        "machineID": id, "systemUUID": uuid(machine.seed), "bootID": uuid(mix(machine.seed, 31)),
        "kernelVersion": "6.12.48", "osImage": "Debian GNU/Linux 13 (trixie)",
        "containerRuntimeVersion": "containerd://2.0.5", "kubeletVersion": "v1.32.4",
        "kubeProxyVersion": "v1.32.4", "operatingSystem": "linux", "architecture": "amd64",
    })
}

fn images(machine: &Node) -> Value {
    let names = [
        ("registry.k8s.io/kube-proxy:v1.32.4", 30_900_000),
        ("registry.k8s.io/pause:3.10", 320_368),
        ("quay.io/prometheus/node-exporter:v1.8.2", 11_500_000),
    ];
    let image = |(name, size): &(&str, u32)| {
        let hash = digest(mix(machine.seed, u64::from(*size)));
        json!({ "names": [format!("{name}@sha256:{hash}"), name], "sizeBytes": size })
    };
    names.iter().map(image).collect()
}

/// `capacity` and `allocatable`.
fn capacity(plan: &Plan, node: u32, machine: &Node) -> (Value, Value) {
    let disk = plan.node_disk(node, plan.start).capacity;
    let pods = MOST_PODS.max(plan.by_node[node as usize].len() + 20);
    let kib = machine.memory_bytes / 1024;
    let reserved = (kib / 20).max(256 * 1024);
    let capacity = json!({
        "cpu": machine.cores.to_string(),
        "ephemeral-storage": format!("{}Ki", disk / 1024),
        "hugepages-1Gi": "0", "hugepages-2Mi": "0",
        "memory": format!("{kib}Ki"), "pods": pods.to_string(),
    });
    let allocatable = json!({
        "cpu": format!("{}m", machine.cores * 1000 - 80),
        "ephemeral-storage": (disk / 10 * 9).to_string(),
        "hugepages-1Gi": "0", "hugepages-2Mi": "0",
        "memory": format!("{}Ki", kib - reserved), "pods": pods.to_string(),
    });
    (capacity, allocatable)
}

/// `status.conditions`. `lost` and `back` tell since when the node has been unreachable, or
/// reachable again.
pub(crate) fn conditions(
    plan: &Plan,
    node: u32,
    lost: Option<Sec>,
    back: Option<Sec>,
    at: Sec,
) -> Value {
    let booted = plan.nodes[node as usize].booted + 40;
    let beat = plan.last_heartbeat(node, lost.unwrap_or(at)).max(back.unwrap_or(booted));
    let pressure = plan.disk_pressure(node, at);
    let mut all = Vec::new();
    for (kind, reason, bad) in [
        ("MemoryPressure", "KubeletHasSufficientMemory", None),
        (
            "DiskPressure",
            "KubeletHasNoDiskPressure",
            pressure.map(|since| (since, "KubeletHasDiskPressure")),
        ),
        ("PIDPressure", "KubeletHasSufficientPID", None),
    ] {
        let words = match kind {
            "MemoryPressure" => "kubelet has sufficient memory available",
            "DiskPressure" if bad.is_some() => "kubelet has disk pressure",
            "DiskPressure" => "kubelet has no disk pressure",
            _ => "kubelet has sufficient PID available",
        };
        let (status, since, reason) = match bad {
            Some((since, reason)) => ("True", since, reason),
            None => (
                "False",
                plan.relieved(node, at).filter(|_| kind == "DiskPressure").unwrap_or(booted),
                reason,
            ),
        };
        all.push(condition(kind, status, beat, since, reason, words));
    }
    all.push(condition(
        "Ready",
        "True",
        beat,
        back.unwrap_or(booted),
        "KubeletReady",
        "kubelet is posting ready status",
    ));
    if let Some(lost) = lost {
        for one in &mut all {
            one["status"] = "Unknown".into();
            one["reason"] = "NodeStatusUnknown".into();
            one["message"] = "Kubelet stopped posting node status.".into();
            one["lastTransitionTime"] = time(lost).into();
        }
    }
    all.into()
}

impl Plan {
    /// When a node's last disk pressure ended.
    fn relieved(&self, node: u32, t: Sec) -> Option<Sec> {
        self.pressure_phase(node, t).map(|into| t - into + PRESSURE_LENGTH).filter(|at| *at <= t)
    }
}

fn condition(
    kind: &str,
    status: &str,
    beat: Sec,
    since: Sec,
    reason: &str,
    message: &str,
) -> Value {
    json!({
        "type": kind, "status": status, "lastHeartbeatTime": time(beat),
        "lastTransitionTime": time(since), "reason": reason, "message": message,
    })
}
