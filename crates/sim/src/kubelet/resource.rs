//! `GET /metrics/resource`: CPU and memory of node, pods and containers as Prometheus text.
//! Names and order follow a recorded Kubernetes 1.21 kubelet plus the start time of later ones.

use std::fmt::Write;

use once::Order as _;

use super::summary::{node_cpu, node_memory, pod_memory, unix_seconds};
use super::{RunningPod, View};
use crate::usage::float;

/// The whole answer.
pub(crate) fn render(view: &View<'_>) -> String {
    let mut pods = view.pods();
    let place = |pod: &RunningPod<'_>| (pod.workload.namespace, pod.name.clone());
    pods.order_by_key(place);
    let mut page =
        Page { text: String::with_capacity(pods.len() * 900), stamp: view.millis(view.t) };
    page.containers(view, &pods);
    let (cpu, _) = node_cpu(view);
    let (memory, _) = node_memory(view, &pods);
    page.head(
        "node_cpu_usage_seconds_total",
        "counter",
        "Cumulative cpu time consumed by the node in core-seconds",
    );
    page.sample("node_cpu_usage_seconds_total", "", nanos(cpu.nanoseconds));
    page.head("node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes");
    page.sample("node_memory_working_set_bytes", "", float(memory.working_set));
    page.head(
        "pod_cpu_usage_seconds_total",
        "counter",
        "Cumulative cpu time consumed by the pod in core-seconds",
    );
    for pod in &pods {
        let cpu = view.plan.pod_cpu(&pod.pod, view.t);
        page.sample(
            "pod_cpu_usage_seconds_total",
            &labels(view, pod, None),
            nanos(cpu.nanoseconds),
        );
    }
    page.head("pod_memory_working_set_bytes", "gauge", "Current working set of the pod in bytes");
    for pod in &pods {
        let memory = pod_memory(view, pod);
        page.sample(
            "pod_memory_working_set_bytes",
            &labels(view, pod, None),
            float(memory.working_set),
        );
    }
    page.text.push_str(
        "# HELP resource_scrape_error [STABLE] 1 if there was an error while getting container metrics, 0 otherwise\n\
         # TYPE resource_scrape_error gauge\nresource_scrape_error 0\n",
    );
    page.text
}

struct Page {
    text: String,
    stamp: i64,
}

impl Page {
    fn containers(&mut self, view: &View<'_>, pods: &[RunningPod<'_>]) {
        self.head(
            "container_cpu_usage_seconds_total",
            "counter",
            "Cumulative cpu time consumed by the container in core-seconds",
        );
        for pod in pods {
            for one in &pod.containers {
                let labels = labels(view, pod, Some(&one.name));
                self.sample(
                    "container_cpu_usage_seconds_total",
                    &labels,
                    nanos(one.cpu.nanoseconds),
                );
            }
        }
        self.head(
            "container_memory_working_set_bytes",
            "gauge",
            "Current working set of the container in bytes",
        );
        for pod in pods {
            for one in &pod.containers {
                let labels = labels(view, pod, Some(&one.name));
                self.sample(
                    "container_memory_working_set_bytes",
                    &labels,
                    float(one.memory.working_set),
                );
            }
        }
        self.head(
            "container_start_time_seconds",
            "gauge",
            "Start time of the container since unix epoch in seconds",
        );
        for pod in pods {
            for one in &pod.containers {
                let labels = labels(view, pod, Some(&one.name));
                let start = float(unix_seconds(view, one.since).unsigned_abs());
                self.sample("container_start_time_seconds", &labels, start);
            }
        }
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let Ok(()) = writeln!(self.text, "# HELP {name} [STABLE] {help}\n# TYPE {name} {kind}")
        else {
            return;
        };
    }

    fn sample(&mut self, name: &str, labels: &str, value: f64) {
        let stamp = self.stamp;
        let value = super::cadvisor::number(value);
        let Ok(()) = writeln!(self.text, "{name}{labels} {value} {stamp}") else { return };
    }
}

fn labels(view: &View<'_>, pod: &RunningPod<'_>, container: Option<&str>) -> String {
    let namespace = view.plan.namespace(pod.workload.namespace);
    let name = &pod.name;
    match container {
        Some(container) => {
            format!("{{container=\"{container}\",namespace=\"{namespace}\",pod=\"{name}\"}}")
        }
        None => format!("{{namespace=\"{namespace}\",pod=\"{name}\"}}"),
    }
}

/// Nanoseconds as seconds.
pub(super) fn nanos(nanoseconds: u64) -> f64 {
    float(nanoseconds) / 1e9
}
