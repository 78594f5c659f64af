//! `metrics.k8s.io` end to end: the real kubectl asks the simulated cluster, whose aggregator asks a
//! real `taffrail serve`. Every kubectl that is there is tried.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sim::{Config, Sim, WorldConfig};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::secure::Direct;
use crate::served::Served;

/// Nothing that is waited for takes this long.
const PATIENCE: Duration = Duration::from_mins(2);
/// Nodes of the simulated cluster.
const NODES: usize = 3;

/// A simulated cluster, its aggregator, and a server behind that.
pub(crate) struct Aggregated {
    pub(crate) served: Served,
    folder: tempfile::TempDir,
    pub(crate) token: String,
    /// By how many milliseconds the cluster's clock is ahead.
    ahead: Arc<AtomicI64>,
    secure: String,
    simulated: JoinHandle<()>,
}

impl Drop for Aggregated {
    fn drop(&mut self) {
        self.simulated.abort();
    }
}

impl Aggregated {
    async fn start() -> Self {
        Self::ticking("5s").await
    }

    /// One that measures so often.
    pub(crate) async fn ticking(resolution: &str) -> Self {
        let resolution = format!("--metric-resolution={resolution}");
        let clock = pipeline::Clock::system();
        let ahead = Arc::new(AtomicI64::new(0));
        let world = WorldConfig {
            nodes: u32::try_from(NODES).unwrap(),
            pods_per_node: 8,
            start: clock.now(),
            ..WorldConfig::default()
        };
        let shift = Arc::clone(&ahead);
        let now = move || {
            clock.now().plus(Duration::from_millis(shift.load(Ordering::SeqCst).unsigned_abs()))
        };
        let sim = Sim::start(Config::new(world, now)).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("config");
        std::fs::write(&kubeconfig, sim.kubeconfig()).unwrap();
        let source = format!(
            "--source=kubernetes.summary_api:?auth={}&kubeletPort={}",
            kubeconfig.display(),
            sim.kubelet_https_port()
        );
        let (control, token) = (sim.control(), sim.token().to_owned());
        let simulated = tokio::spawn(async move { sim.run(std::future::pending()).await.unwrap() });
        let served = spawn_blocking(move || {
            Served::start(&[
                "serve",
                &source,
                "--no-history",
                &resolution,
                "--secure-port=0",
                "--bind-address=127.0.0.1",
            ])
        });
        let mut served = served.await.unwrap();
        let secure = served.secure();
        assert!(control.lead(secure.parse().unwrap(), &api::API_SERVICES));
        Self { served, folder, token, ahead, secure, simulated }
    }

    fn kubectl(&self, program: &PathBuf, words: &str) -> Output {
        Command::new(program)
            .args(words.split(' '))
            .arg("--request-timeout=20s")
            .env_clear()
            .env("HOME", self.folder.path())
            .env("KUBECONFIG", self.folder.path().join("config"))
            .output()
            .unwrap()
    }

    /// Standard output of a command that must succeed.
    pub(crate) fn run(&self, program: &PathBuf, words: &str) -> String {
        let output = self.kubectl(program, words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Standard error of a command that must fail.
    fn refused(&self, program: &PathBuf, words: &str) -> String {
        let output = self.kubectl(program, words);
        assert!(!output.status.success(), "{words}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Runs a command until its output is as wanted.
    pub(crate) fn until(
        &self,
        program: &PathBuf,
        words: &str,
        fits: impl Fn(&str) -> bool,
    ) -> String {
        let begun = Instant::now();
        loop {
            let output = self.kubectl(program, words);
            let text = String::from_utf8(output.stdout.clone()).unwrap();
            if output.status.success() && fits(&text) {
                return text;
            }
            assert!(begun.elapsed() < PATIENCE, "{words}: {output:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Creates an object from JSON; the answer.
    fn create(&self, path: &str, object: &Value) -> Value {
        let file = self.folder.path().join("object.json");
        std::fs::write(&file, object.to_string()).unwrap();
        let words = format!("create --raw {path} -f {}", file.display());
        serde_json::from_str(&self.run(&programs()[0], &words)).unwrap()
    }
}

/// The kubectl on PATH, and Debian's where `cargo xtask tools` put it.
pub(crate) fn programs() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("kubectl"));
    let unpacked = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../target/tools/kubernetes-client/usr/bin/kubectl"
    );
    let unpacked = PathBuf::from(unpacked);
    assert!(unpacked.is_file(), "Debian's kubectl is missing: run `cargo xtask tools`");
    on_path.filter(|file| file.is_file()).take(1).chain([unpacked]).collect()
}

/// The CPU column in thousandths of a core.
fn millicores(line: &str, column: usize) -> u64 {
    let word = line.split_whitespace().nth(column).unwrap();
    word.strip_suffix('m').unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_top_works_through_the_aggregator() {
    let cluster = Aggregated::start().await;
    spawn_blocking(move || {
        let programs = programs();
        let first = &programs[0];
        let full = |text: &str| text.lines().count() == NODES + 1;
        cluster.until(first, "top nodes", full);
        let services = cluster.run(first, "get apiservices");
        assert!(services.contains("kube-system/taffrail"), "{services}");
        let port = the_certificate_was_injected(&cluster);
        for program in &programs {
            tables_are_right(&cluster, program);
            others_are_refused(&cluster, program);
        }
        stored_metrics_are_served(&cluster, first);
        the_port_itself_refuses(&cluster, &port);
        // The server goes: so does the group, and kubectl is told.
        let Aggregated { ref served, .. } = cluster;
        served.kill();
        let words = "get apiservice v1beta1.metrics.k8s.io";
        cluster.until(first, words, |text| text.contains("False (FailedDiscoveryCheck)"));
        let gone = cluster.refused(first, "get --raw /apis/metrics.k8s.io/v1beta1/nodes");
        assert!(gone.contains("unable to handle the request"), "{gone}");
    })
    .await
    .unwrap();
}

pub(crate) fn the_certificate_was_injected(cluster: &Aggregated) -> Direct {
    let words = "get --raw /apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io";
    let service: Value = serde_json::from_str(&cluster.run(&programs()[0], words)).unwrap();
    assert_eq!(service["spec"]["insecureSkipTLSVerify"], false);
    assert_eq!(service["status"]["conditions"][0]["status"], "True");
    // What the port shows is believed with the bundle alone, under the service's name.
    let bundle = service["spec"]["caBundle"].as_str().unwrap();
    let port = Direct::trusting(&cluster.secure, bundle);
    let (status, _) = port.get("/readyz", &[]);
    assert_eq!(status, 200);
    port
}

fn tables_are_right(cluster: &Aggregated, program: &PathBuf) {
    let nodes = cluster.run(program, "top nodes");
    assert!(nodes.starts_with("NAME") && nodes.contains("node-1"), "{nodes}");
    assert!(nodes.lines().skip(1).all(|line| millicores(line, 1) > 0), "{nodes}");
    let pods = cluster.run(program, "top pods -A --containers --sort-by=cpu");
    assert!(pods.starts_with("NAMESPACE"), "{pods}");
    let used: Vec<u64> = pods.lines().skip(1).map(|line| millicores(line, 3)).collect();
    assert!(used.len() > NODES * 4 && used[0] > 0, "{pods}");
    let sorted = cluster.run(program, "top pods -A --sort-by=cpu");
    let sorted: Vec<u64> = sorted.lines().skip(1).map(|line| millicores(line, 2)).collect();
    assert!(sorted.is_sorted_by(|left, right| left >= right), "{sorted:?}");
    let raw = cluster.run(program, "get --raw /apis/metrics.k8s.io/v1beta1/nodes/node-1");
    let raw: Value = serde_json::from_str(&raw).unwrap();
    assert_eq!((&raw["kind"], &raw["metadata"]["name"]), (&"NodeMetrics".into(), &"node-1".into()));
    let table = cluster.run(program, "get podmetrics -A");
    assert!(table.lines().next().unwrap().contains("WINDOW"), "{table}");
    assert_eq!(table.lines().count(), cluster.run(program, "top pods -A").lines().count());
    let selected = cluster.run(program, "top pods -A -l app=kube-proxy");
    assert_eq!(selected.lines().count(), NODES + 1, "{selected}");
}

fn others_are_refused(cluster: &Aggregated, program: &PathBuf) {
    let refused =
        cluster.refused(program, "--as=somebody get --raw /apis/metrics.k8s.io/v1beta1/nodes");
    assert!(refused.contains("(Forbidden)") || refused.contains("forbidden"), "{refused}");
    let odd = "get --raw /apis/metrics.k8s.io/v1beta1/pods?labelSelector=a===b";
    assert!(cluster.refused(program, odd).contains("BadRequest"), "{odd}");
    let missing = cluster.refused(program, "get nodemetrics nothing");
    assert!(missing.contains("(NotFound)"), "{missing}");
}

/// As an HPA asks: pods by their labels, an object, something from outside.
fn stored_metrics_are_served(cluster: &Aggregated, program: &PathBuf) {
    let base = "get --raw /apis/custom.metrics.k8s.io/v1beta2";
    let words = format!(
        "{base}/namespaces/kube-system/pods/*/memory_working_set?labelSelector=app%3Dkube-proxy"
    );
    let pods = cluster.until(program, &words, |text| text.matches("\"value\"").count() == NODES);
    let pods: Value = serde_json::from_str(&pods).unwrap();
    assert_eq!(pods["items"][0]["describedObject"]["kind"], "Pod");
    // A rate needs two ticks.
    let words = format!("{base}/namespaces/web/metrics/network_rx_rate");
    cluster.until(program, &words, |text| text.contains("\"windowSeconds\":5"));
    let nodes = cluster.run(program, &format!("{base}/nodes/*/filesystem_fill"));
    assert_eq!(nodes.matches("\"value\"").count(), NODES, "{nodes}");
    let outside = "get --raw /apis/external.metrics.k8s.io/v1beta1/namespaces/web";
    let restarts = cluster.run(program, &format!("{outside}/workload_restart_count"));
    assert!(restarts.contains("\"workload_type\":\"Deployment\""), "{restarts}");
    let missing = cluster.refused(program, &format!("{base}/nodes/*/nonsense"));
    assert!(missing.contains("could not find the metric nonsense for nodes"), "{missing}");
    let resources = cluster.run(program, "get --raw /apis/custom.metrics.k8s.io/v1beta1");
    assert!(resources.contains("\"deployments.apps/network_tx_rate\""), "{resources}");
    let services = cluster.run(program, "get apiservices");
    assert_eq!(services.matches("True").count(), api::API_SERVICES.len(), "{services}");
}

/// Straight at the secure port, where no API server stands before it.
fn the_port_itself_refuses(cluster: &Aggregated, port: &Direct) {
    let path = "/apis/metrics.k8s.io/v1beta1/pods";
    let forged = [("x-remote-user", "sim-admin"), ("x-remote-group", "system:masters")];
    let (status, body) = port.get(path, &forged);
    assert_eq!(
        (status, &body["kind"], &body["reason"]),
        (401, &"Status".into(), &"Unauthorized".into())
    );
    let bearer = |token: &str| format!("Bearer {token}");
    let (status, body) = port.get(path, &[("authorization", &bearer(&cluster.token))]);
    assert_eq!((status, &body["kind"]), (200, &"PodMetricsList".into()));
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    cluster.create(accounts, &json!({ "metadata": { "name": "nobody" } }));
    let token = || {
        let asked = json!({ "spec": { "expirationSeconds": 600 } });
        let given = cluster.create(&format!("{accounts}/nobody/token"), &asked);
        given["status"]["token"].as_str().unwrap().to_owned()
    };
    let (good, ends) = (token(), token());
    let (status, body) = port.get(path, &[("authorization", &bearer(&good))]);
    assert_eq!((status, &body["reason"]), (403, &"Forbidden".into()));
    assert_eq!(
        body["message"],
        "pods.metrics.k8s.io is forbidden: User \"system:serviceaccount:default:nobody\" cannot \
         list resource \"pods\" in API group \"metrics.k8s.io\" at the cluster scope"
    );
    cluster.ahead.store(601_000, Ordering::SeqCst);
    let (status, body) = port.get(path, &[("authorization", &bearer(&ends))]);
    assert_eq!((status, &body["reason"]), (401, &"Unauthorized".into()));
}
