//! What the programs in pods answer on `/metrics`: Prometheus text, OpenMetrics for who asks for
//! it, and a few that answer badly. Knows nothing of sockets.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Response, StatusCode, header};

use crate::config::Now;
use crate::http::{Body, PROMETHEUS, TEXT, answer, streamed};
use crate::kubelet::cadvisor::number;
use crate::life::Pod;
use crate::objects::Cluster;
use crate::plan::{Answer, Controller, Exposed, Plan, Sec};
use crate::telemetry;
use crate::usage::float;

/// The content type of OpenMetrics.
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Series of a program that has too many.
const TOO_MANY: u32 = 1_000_000;
/// Series rendered for each chunk sent.
const CHUNK: u32 = 4_000;
/// Requests that a program answers for each second of CPU.
const REQUESTS_PER_SECOND: u64 = 40;
/// Upper bounds of a duration's buckets, and how many of a thousand requests are within each.
const BUCKETS: [(&str, u64); 5] =
    [("0.005", 310), ("0.025", 720), ("0.1", 930), ("0.5", 990), ("2.5", 999)];

/// All programs that serve metrics.
pub(crate) struct Programs {
    pub cluster: Arc<Cluster>,
    pub now: Now,
}

impl Programs {
    /// The pod that a connection to `address` leads to.
    pub(crate) fn at(&self, address: Ipv4Addr) -> Option<Pod> {
        self.cluster.plan.exposed_at(address, (self.now)().secs())
    }

    /// Answers for a pod.
    pub(crate) async fn answer(&self, pod: Pod, path: &str, headers: &HeaderMap) -> Response<Body> {
        let plan = &self.cluster.plan;
        let workload = plan.workload_of(pod.slot);
        if path != "/metrics" {
            return answer(StatusCode::NOT_FOUND, TEXT, "404 page not found\n");
        }
        let kind = match plan.exposed(workload) {
            Exposed::Annotated(kind) => kind,
            _ => Answer::Well,
        };
        if kind != Answer::Well {
            metrics::counter!(telemetry::FAULTS_SERVED).increment(1);
        }
        let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let open = accepted.is_some_and(|text| text.contains("application/openmetrics-text"));
        match kind {
            Answer::Nothing => std::future::pending().await,
            Answer::Huge => huge(),
            Answer::Broken => {
                let text = text(plan, pod, (self.now)().secs(), false);
                let cut = text.len().saturating_sub(12);
                let text = text.get(..cut).unwrap_or_default().to_owned();
                answer(StatusCode::OK, PROMETHEUS, format!("{text}\n# end\n"))
            }
            Answer::Well => {
                let kind = if open { OPEN } else { PROMETHEUS };
                answer(StatusCode::OK, kind, text(plan, pod, (self.now)().secs(), open))
            }
        }
    }
}

/// A million series, made while they are sent.
fn huge() -> Response<Body> {
    let chunks = (0..TOO_MANY).step_by(CHUNK as usize).map(|first| {
        let mut text = String::new();
        for series in first..first + CHUNK {
            let Ok(()) = writeln!(text, "a{{b=\"{series}\"}} 1") else { break };
        }
        Ok(Bytes::from(text))
    });
    streamed(PROMETHEUS, stream::iter(chunks))
}

/// The metrics of a pod's program.
pub(crate) fn text(plan: &Plan, pod: Pod, now: Sec, open: bool) -> String {
    let workload = plan.workload_of(pod.slot);
    let at = now.max(plan.start);
    let life = plan.container(&pod, 0, at);
    let cpu = plan.container_cpu(&pod, 0, &life, at).map_or(0, |cpu| cpu.nanoseconds);
    let since = life.running_since().unwrap_or(at);
    let memory = plan.container_memory(&pod, 0, since, at).working_set;
    let mut page = Page { text: String::new(), open };
    page.head("process_cpu_seconds", "counter", "CPU time spent, in seconds.");
    page.sample("process_cpu_seconds_total", "", float(cpu) / 1e9);
    page.head("process_resident_memory_bytes", "gauge", "Memory of the process, in bytes.");
    page.sample("process_resident_memory_bytes", "", float(memory));
    page.head("process_start_time_seconds", "gauge", "Start of the process, seconds since 1970.");
    page.sample("process_start_time_seconds", "", float(since.unsigned_abs()));
    if workload.template.controller == Controller::DaemonSet {
        page.node(cpu);
    } else {
        page.requests(cpu, &plan.image(&pod, 0));
    }
    if open {
        page.text.push_str("# EOF\n");
    }
    page.text
}

struct Page {
    text: String,
    open: bool,
}

impl Page {
    /// The older format calls a counter's family as its sample.
    fn head(&mut self, family: &str, kind: &str, help: &str) {
        let total = if kind == "counter" && !self.open { "_total" } else { "" };
        let head = format!("# HELP {family}{total} {help}\n# TYPE {family}{total} {kind}\n");
        self.text.push_str(&head);
    }

    fn sample(&mut self, name: &str, labels: &str, value: f64) {
        let line = format!("{name}{labels} {}\n", number(value));
        self.text.push_str(&line);
    }

    /// What a program that answers requests counts.
    fn requests(&mut self, cpu: u64, image: &str) {
        let all = cpu / (1_000_000_000 / REQUESTS_PER_SECOND);
        let failed = all / 200;
        self.head("http_requests", "counter", "Requests answered, by status.");
        for (code, count) in [("200", all - failed), ("500", failed)] {
            let labels = format!("{{code=\"{code}\",method=\"GET\"}}");
            self.sample("http_requests_total", &labels, float(count));
        }
        let name = "http_request_duration_seconds";
        self.head(name, "histogram", "Time to answer, in seconds.");
        for (bound, within) in BUCKETS {
            let labels = format!("{{le=\"{bound}\"}}");
            self.sample(&format!("{name}_bucket"), &labels, float(all * within / 1000));
        }
        self.sample(&format!("{name}_bucket"), "{le=\"+Inf\"}", float(all));
        self.sample(&format!("{name}_sum"), "", float(all) * 0.031);
        self.sample(&format!("{name}_count"), "", float(all));
        self.head("app_build_info", "gauge", "The program's version.");
        let version = image.rsplit(':').next().unwrap_or_default();
        let labels = format!("{{version=\"{version}\",pod=\"of the program itself\"}}");
        self.sample("app_build_info", &labels, 1.0);
    }

    /// What an exporter of a machine counts.
    fn node(&mut self, cpu: u64) {
        self.head("node_entropy_available_bits", "gauge", "Bits of available entropy.");
        self.sample("node_entropy_available_bits", "", 256.0);
        self.head("node_context_switches", "counter", "Total number of context switches.");
        self.sample("node_context_switches_total", "", float(cpu / 40_000));
        self.head("node_exporter_build_info", "gauge", "The exporter's version.");
        self.sample("node_exporter_build_info", "{version=\"1.8.2\"}", 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WorldConfig;

    #[test]
    fn addresses_lead_back_to_pods() {
        let mut plan = Plan::draw(&WorldConfig::default());
        plan.pods_port = 9000;
        let now = plan.start + 300;
        let mut served = 0;
        for slot in 0..u32::try_from(plan.slots.len()).unwrap() {
            if plan.exposed(plan.workload_of(slot)) == Exposed::No {
                continue;
            }
            for pod in plan.pods(slot, now).into_iter().filter(|pod| pod.lives(now)) {
                let Some(address) = plan.pod_address(&pod) else { continue };
                let std::net::IpAddr::V4(address) = address else { continue };
                assert!(address.is_loopback());
                assert_eq!(plan.exposed_at(address, now), Some(pod));
                served += 1;
            }
        }
        assert!(served > 50, "{served}");
        assert_eq!(plan.exposed_at(Ipv4Addr::LOCALHOST, now), None);
        assert_eq!(plan.exposed_at(Ipv4Addr::new(127, 64, 0, 1), now), None);
    }

    #[test]
    fn both_formats_tell_the_same() {
        let mut plan = Plan::draw(&WorldConfig::default());
        plan.pods_port = 9000;
        let now = plan.start + 300;
        let mut slots = 0..u32::try_from(plan.slots.len()).unwrap();
        let slot = slots.find(|slot| plan.workload_of(*slot).template.name == "frontend").unwrap();
        let pod = plan.pods(slot, now)[0];
        let samples = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
        };
        let (old, open) = (text(&plan, pod, now, false), text(&plan, pod, now, true));
        assert_eq!(samples(&old), samples(&open));
        assert!(open.ends_with("# EOF\n") && open.contains("# TYPE http_requests counter\n"));
        assert!(old.contains("# TYPE http_requests_total counter\n"));
    }
}
