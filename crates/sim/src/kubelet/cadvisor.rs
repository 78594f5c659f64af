//! `GET /metrics/cadvisor`: cAdvisor's families as Prometheus text, for the machine, the system's
//! slices, pods and containers. Names and labels follow a recorded Kubernetes 1.21 kubelet.

use std::fmt::Write;

use super::resource::nanos;
use super::summary::{node_cpu, node_memory, pod_memory, unix_seconds};
use super::{RunningPod, View};
use crate::plan::{Controller, Plan};
use crate::seed::{digest, mix, uuid};
use crate::usage::{Disk, Memory, Network, Resources, Throttling, float};

/// One cgroup and what it used; absent parts are absent in the answer.
struct Group {
    labels: String,
    cpu_nanoseconds: u64,
    memory: Memory,
    network: Option<Network>,
    disk: Option<Disk>,
    resources: Resources,
    throttling: Option<Throttling>,
    started: i64,
    processes: u32,
}

/// A family: name, type, help, and its samples of a group as (more labels, value).
type Family = (&'static str, &'static str, &'static str, fn(&Group) -> Vec<(String, f64)>);

const DEVICE: &str = "device=\"/dev/vda\"";

fn one(value: f64) -> Vec<(String, f64)> {
    vec![(String::new(), value)]
}

fn networked(group: &Group, value: fn(&Network) -> u64) -> Vec<(String, f64)> {
    let sample = |network| ("interface=\"eth0\"".to_owned(), float(value(network)));
    group.network.iter().map(sample).collect()
}

fn on_disk(group: &Group, value: fn(&Disk) -> u64) -> Vec<(String, f64)> {
    group.disk.iter().map(|disk| (DEVICE.to_owned(), float(value(disk)))).collect()
}

fn throttled(group: &Group, value: fn(&Throttling) -> f64) -> Vec<(String, f64)> {
    group.throttling.iter().map(|held| (String::new(), value(held))).collect()
}

/// Bytes read and written grow with CPU time: a believable stand-in for a disk's own pattern.
fn io(group: &Group, share: f64) -> Vec<(String, f64)> {
    if group.disk.is_none() {
        return Vec::new();
    }
    vec![(DEVICE.to_owned(), (nanos(group.cpu_nanoseconds) * share).floor())]
}

const FAMILIES: &[Family] = &[
    (
        "container_cpu_cfs_periods_total",
        "counter",
        "Number of elapsed enforcement period intervals.",
        |g| throttled(g, |held| float(held.periods)),
    ),
    (
        "container_cpu_cfs_throttled_periods_total",
        "counter",
        "Number of throttled period intervals.",
        |g| throttled(g, |held| float(held.throttled_periods)),
    ),
    (
        "container_cpu_cfs_throttled_seconds_total",
        "counter",
        "Total time duration the container has been throttled.",
        |g| throttled(g, |held| held.seconds),
    ),
    (
        "container_cpu_system_seconds_total",
        "counter",
        "Cumulative system cpu time consumed in seconds.",
        |g| one((nanos(g.cpu_nanoseconds) * 24.0).floor() / 100.0),
    ),
    (
        "container_cpu_usage_seconds_total",
        "counter",
        "Cumulative cpu time consumed in seconds.",
        |g| vec![("cpu=\"total\"".to_owned(), nanos(g.cpu_nanoseconds))],
    ),
    (
        "container_cpu_user_seconds_total",
        "counter",
        "Cumulative user cpu time consumed in seconds.",
        |g| one((nanos(g.cpu_nanoseconds) * 74.0).floor() / 100.0),
    ),
    ("container_fs_inodes_free", "gauge", "Number of available Inodes", |g| {
        on_disk(g, |disk| disk.inodes.saturating_sub(disk.inodes_used))
    }),
    ("container_fs_inodes_total", "gauge", "Number of Inodes", |g| on_disk(g, |disk| disk.inodes)),
    (
        "container_fs_limit_bytes",
        "gauge",
        "Number of bytes that can be consumed by the container on this filesystem.",
        |g| on_disk(g, |disk| disk.capacity),
    ),
    ("container_fs_reads_bytes_total", "counter", "Cumulative count of bytes read", |g| {
        io(g, 90_000.0)
    }),
    ("container_fs_reads_total", "counter", "Cumulative count of reads completed", |g| io(g, 9.0)),
    (
        "container_fs_usage_bytes",
        "gauge",
        "Number of bytes that are consumed by the container on this filesystem.",
        |g| on_disk(g, |disk| disk.used),
    ),
    ("container_fs_writes_bytes_total", "counter", "Cumulative count of bytes written", |g| {
        io(g, 210_000.0)
    }),
    ("container_fs_writes_total", "counter", "Cumulative count of writes completed", |g| {
        io(g, 16.0)
    }),
    ("container_last_seen", "gauge", "Last time a container was seen by the exporter", |_| {
        Vec::new()
    }),
    ("container_memory_cache", "gauge", "Number of bytes of page cache memory.", |g| {
        one(float(g.memory.usage.saturating_sub(g.memory.rss)))
    }),
    ("container_memory_failcnt", "counter", "Number of memory usage hits limits", |_| one(0.0)),
    (
        "container_memory_failures_total",
        "counter",
        "Cumulative count of memory allocation failures.",
        |g| {
            let line = |kind, scope, value| {
                (format!("failure_type=\"{kind}\",scope=\"{scope}\""), float(value))
            };
            let (minor, major) = (g.memory.page_faults, g.memory.major_page_faults);
            vec![
                line("pgfault", "container", minor),
                line("pgfault", "hierarchy", minor),
                line("pgmajfault", "container", major),
                line("pgmajfault", "hierarchy", major),
            ]
        },
    ),
    ("container_memory_mapped_file", "gauge", "Size of memory mapped files in bytes.", |g| {
        one(float(g.memory.rss / 16))
    }),
    ("container_memory_max_usage_bytes", "gauge", "Maximum memory usage recorded in bytes", |g| {
        one(float(g.memory.usage + g.memory.usage / 16))
    }),
    ("container_memory_rss", "gauge", "Size of RSS in bytes.", |g| one(float(g.memory.rss))),
    ("container_memory_swap", "gauge", "Container swap usage in bytes.", |_| one(0.0)),
    (
        "container_memory_usage_bytes",
        "gauge",
        "Current memory usage in bytes, including all memory regardless of when it was accessed",
        |g| one(float(g.memory.usage)),
    ),
    ("container_memory_working_set_bytes", "gauge", "Current working set in bytes.", |g| {
        one(float(g.memory.working_set))
    }),
    (
        "container_network_receive_bytes_total",
        "counter",
        "Cumulative count of bytes received",
        |g| networked(g, |n| n.received),
    ),
    (
        "container_network_receive_errors_total",
        "counter",
        "Cumulative count of errors encountered while receiving",
        |g| networked(g, |_| 0),
    ),
    (
        "container_network_receive_packets_dropped_total",
        "counter",
        "Cumulative count of packets dropped while receiving",
        |g| networked(g, |_| 0),
    ),
    (
        "container_network_receive_packets_total",
        "counter",
        "Cumulative count of packets received",
        |g| networked(g, |n| n.received / 620),
    ),
    (
        "container_network_transmit_bytes_total",
        "counter",
        "Cumulative count of bytes transmitted",
        |g| networked(g, |n| n.sent),
    ),
    (
        "container_network_transmit_errors_total",
        "counter",
        "Cumulative count of errors encountered while transmitting",
        |g| networked(g, |_| 0),
    ),
    (
        "container_network_transmit_packets_dropped_total",
        "counter",
        "Cumulative count of packets dropped while transmitting",
        |g| networked(g, |_| 0),
    ),
    (
        "container_network_transmit_packets_total",
        "counter",
        "Cumulative count of packets transmitted",
        |g| networked(g, |n| n.sent / 540),
    ),
    ("container_processes", "gauge", "Number of processes running inside the container.", |g| {
        one(f64::from(g.processes))
    }),
    ("container_spec_cpu_period", "gauge", "CPU period of the container.", |_| one(100_000.0)),
    ("container_spec_cpu_quota", "gauge", "CPU quota of the container.", |g| {
        let quota = f64::from(g.resources.cpu_limit) * 100.0;
        if quota > 0.0 { one(quota) } else { Vec::new() }
    }),
    ("container_spec_cpu_shares", "gauge", "CPU share of the container.", |g| {
        one(f64::from((g.resources.cpu_request * 1024 / 1000).max(2)))
    }),
    ("container_spec_memory_limit_bytes", "gauge", "Memory limit for the container.", |g| {
        one(f64::from(g.resources.memory_limit) * 1_048_576.0)
    }),
    (
        "container_start_time_seconds",
        "gauge",
        "Start time of the container since unix epoch in seconds.",
        |g| one(float(g.started.unsigned_abs())),
    ),
    ("container_threads", "gauge", "Number of threads running inside the container", |g| {
        one(f64::from(g.processes * 7))
    }),
];

/// Families whose samples carry no time of their own.
const WITHOUT_TIME: [&str; 5] = [
    "container_spec_cpu_period",
    "container_spec_cpu_quota",
    "container_spec_cpu_shares",
    "container_spec_memory_limit_bytes",
    "container_start_time_seconds",
];

/// The whole answer.
pub(crate) fn render(view: &View<'_>) -> String {
    let pods = view.pods();
    let mut groups = system_groups(view, &pods);
    for pod in &pods {
        groups.extend(pod_groups(view, pod));
    }
    let stamp = view.millis(view.t);
    let mut text = String::with_capacity(groups.len() * 12_000);
    text.push_str(
        "# HELP cadvisor_version_info A metric with a constant '1' value labeled by kernel version, OS version, docker version, cadvisor version & cadvisor revision.\n\
         # TYPE cadvisor_version_info gauge\n\
         cadvisor_version_info{cadvisorRevision=\"\",cadvisorVersion=\"\",dockerVersion=\"\",kernelVersion=\"6.12.48\",osVersion=\"Debian GNU/Linux 13 (trixie)\"} 1\n",
    );
    for (name, kind, help, samples) in FAMILIES {
        push(&mut text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        for group in &groups {
            if *name == "container_last_seen" {
                let seen = number(float(unix_seconds(view, view.t).unsigned_abs()));
                push(&mut text, format_args!("{name}{{{}}} {seen} {stamp}\n", group.labels));
                continue;
            }
            for (more, value) in samples(group) {
                let comma = if more.is_empty() { "" } else { "," };
                let (labels, value) = (&group.labels, number(value));
                push(&mut text, format_args!("{name}{{{labels}{comma}{more}}} {value}"));
                if WITHOUT_TIME.contains(name) {
                    text.push('\n');
                } else {
                    push(&mut text, format_args!(" {stamp}\n"));
                }
            }
        }
    }
    machine(view, &mut text);
    text
}

fn machine(view: &View<'_>, text: &mut String) {
    let id = uuid(view.node.seed).replace('-', "");
    let labels = format!(
        "boot_id=\"{}\",machine_id=\"{id}\",system_uuid=\"{id}\"",
        uuid(mix(view.node.seed, 31))
    );
    for (name, help, value) in [
        ("machine_cpu_cores", "Number of logical CPU cores.", f64::from(view.node.cores)),
        (
            "machine_cpu_physical_cores",
            "Number of physical CPU cores.",
            f64::from(view.node.cores / 2),
        ),
        (
            "machine_memory_bytes",
            "Amount of memory installed on the machine.",
            float(view.node.memory_bytes),
        ),
    ] {
        let value = number(value);
        push(
            text,
            format_args!("# HELP {name} {help}\n# TYPE {name} gauge\n{name}{{{labels}}} {value}\n"),
        );
    }
    for name in ["container_scrape_error", "machine_scrape_error"] {
        push(
            text,
            format_args!(
                "# HELP {name} 1 if there was an error while getting metrics, 0 otherwise\n# TYPE {name} gauge\n{name} 0\n"
            ),
        );
    }
}

fn system_groups(view: &View<'_>, pods: &[RunningPod<'_>]) -> Vec<Group> {
    let (cpu, parts) = node_cpu(view);
    let (memory, memories) = node_memory(view, pods);
    let none = Resources { cpu_request: 1000, cpu_limit: 0, memory_request: 0, memory_limit: 0 };
    let started = unix_seconds(view, view.node.booted);
    let group = |id: &str, cpu_nanoseconds, memory, processes| Group {
        labels: labels(id, "", "", "", "", ""),
        cpu_nanoseconds,
        memory,
        network: None,
        disk: None,
        resources: none,
        throttling: None,
        started,
        processes,
    };
    let mut groups = vec![Group {
        network: Some(view.plan.node_network(view.index, view.t)),
        disk: Some(view.plan.node_disk(view.index, view.t)),
        ..group("/", cpu.nanoseconds, memory, 180)
    }];
    for ((name, cpu), memory) in parts.iter().zip(memories) {
        let id = match *name {
            "pods" => "/kubepods.slice",
            "kubelet" => "/system.slice/kubelet.service",
            "runtime" => "/system.slice/containerd.service",
            _ => "/system.slice",
        };
        groups.push(group(id, cpu.nanoseconds, memory, 4));
    }
    groups
}

/// The pod's own group, its sandbox (which carries the network), and its containers.
fn pod_groups(view: &View<'_>, pod: &RunningPod<'_>) -> Vec<Group> {
    let namespace = view.plan.namespace(pod.workload.namespace);
    let id = format!("/kubepods.slice/pod{}", pod.uid);
    let all = (0..view.plan.containers).map(|index| view.plan.resources(pod.pod.slot, index));
    let resources = all.fold(
        Resources { cpu_request: 0, cpu_limit: 0, memory_request: 0, memory_limit: 0 },
        |sum, one| Resources {
            cpu_request: sum.cpu_request + one.cpu_request,
            cpu_limit: 0,
            memory_request: sum.memory_request + one.memory_request,
            memory_limit: 0,
        },
    );
    let whole = Group {
        labels: labels(&id, "", "", "", namespace, &pod.name),
        cpu_nanoseconds: view.plan.pod_cpu(&pod.pod, view.t).nanoseconds,
        memory: pod_memory(view, pod),
        network: None,
        disk: None,
        resources,
        throttling: None,
        started: unix_seconds(view, pod.started),
        processes: 1,
    };
    let sandbox = digest(mix(view.plan.pod_seed(pod.pod.slot, pod.pod.generation), 40));
    let host_network = pod.workload.template.controller == Controller::DaemonSet;
    let pause = Group {
        labels: labels(
            &format!("{id}/{sandbox}"),
            "",
            "registry.k8s.io/pause:3.10",
            &sandbox,
            namespace,
            &pod.name,
        ),
        cpu_nanoseconds: 30_000_000,
        memory: Plan::pod_memory(&[]),
        network: (!host_network).then(|| view.plan.pod_network(&pod.pod, view.t)),
        disk: None,
        resources: Resources { cpu_request: 2, cpu_limit: 0, memory_request: 0, memory_limit: 0 },
        throttling: None,
        started: unix_seconds(view, pod.started),
        processes: 1,
    };
    let containers = pod.containers.iter().map(|one| {
        let plan = view.plan;
        let name = plan.container_id(&pod.pod, one.index, one.life.restarts);
        let image = plan.image(&pod.pod, one.index);
        let (root, _) = plan.container_disk(&pod.pod, one.index, one.since, view.t);
        let node_disk = plan.node_disk(view.index, view.t);
        Group {
            labels: labels(&format!("{id}/{name}"), &one.name, &image, &name, namespace, &pod.name),
            cpu_nanoseconds: one.cpu.nanoseconds,
            memory: one.memory,
            network: None,
            disk: Some(Disk { used: root, ..node_disk }),
            resources: plan.resources(pod.pod.slot, one.index),
            throttling: plan.throttling(&pod.pod, one.index, one.since, view.t),
            started: unix_seconds(view, one.since),
            processes: 2,
        }
    });
    [whole, pause].into_iter().chain(containers).collect()
}

fn labels(
    id: &str,
    container: &str,
    image: &str,
    name: &str,
    namespace: &str,
    pod: &str,
) -> String {
    format!(
        "container=\"{container}\",id=\"{id}\",image=\"{image}\",name=\"{name}\",namespace=\"{namespace}\",pod=\"{pod}\""
    )
}

/// A number as Go's Prometheus client prints it: exponents below 1e-4 and from 1e6.
pub(crate) fn number(value: f64) -> String {
    if value == 0.0 || (1e-4..1e6).contains(&value.abs()) {
        return format!("{value}");
    }
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    let Ok(()) = text.write_fmt(line) else { return };
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_look_like_gos() {
        for (value, text) in [
            (0.0, "0"),
            (233_472.0, "233472"),
            (1_372_160.0, "1.37216e+06"),
            (3_671.175_230_479, "3671.175230479"),
            (1_795_424_196.0, "1.795424196e+09"),
            (0.000_053_62, "5.362e-05"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
