//! A cluster on IPv6 alone: API server, kubelet, our own ports; every address in brackets.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use sim::{Config, Sim, WorldConfig};
use tokio::task::spawn_blocking;

use crate::secure::{Direct, NAME, serving};
use crate::served::Served;

const PATIENCE: Duration = Duration::from_mins(2);

fn run(kubeconfig: &str, kubelet_port: u16, token: &str) {
    let folder = tempfile::tempdir().unwrap();
    let authority = serving(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let source = format!("kubernetes.summary_api:?auth={kubeconfig}");
    let mut served = Served::start(&[
        "serve",
        &format!("--source={source}"),
        "--no-history",
        "--metric-resolution=5s",
        "--listen=[::1]:0",
        "--secure-port=0",
        "--bind-address=::1",
        &format!("--tls-cert-file={}", file("tls.crt")),
        &format!("--tls-private-key-file={}", file("tls.key")),
    ]);
    assert!(served.address.starts_with("[::1]:"), "{}", served.greeting);
    let line = served.line();
    let secure = line.split("https://").nth(1).unwrap().split('/').next().unwrap();
    assert!(secure.starts_with("[::1]:"), "{line}");
    let port = Direct::new(secure, authority.as_bytes(), None);
    let begun = Instant::now();
    let bearer = format!("Bearer {token}");
    // A rate needs two ticks: by then the kubelet has been read over and over.
    let node = loop {
        let path = "/apis/metrics.k8s.io/v1beta1/nodes/node-1";
        let (status, node) = port.get(path, &[("authorization", &bearer)]);
        if status == 200 {
            break node;
        }
        let targets = served.get("/api/taffrail/v1/targets");
        assert!(begun.elapsed() < PATIENCE, "{NAME}: {node}: {targets:#}");
        std::thread::park_timeout(Duration::from_millis(200));
    };
    assert_eq!(node["kind"], "NodeMetrics");
    let targets = served.get("/api/taffrail/v1/targets");
    let target = &targets["items"][0];
    assert_eq!((&target["state"], &target["verified"]), (&"up".into(), &"address".into()));
    assert_eq!(target["url"], format!("https://[::1]:{kubelet_port}/stats/summary"));
    let status = served.get("/api/taffrail/v1/status");
    assert_eq!(status["kubelets"]["way"], "direct");
    let url = status["cluster"]["url"].as_str().unwrap();
    assert!(url.starts_with("https://[::1]:"), "{url}");
    assert_eq!(status["problems"], Value::Array(Vec::new()), "{status:#}");
    let doctor = Command::new(env!("CARGO_BIN_EXE_taffrail"))
        .args(["doctor", &format!("--source={source}"), "--output=json"])
        .env_clear()
        .output()
        .unwrap();
    let found = String::from_utf8_lossy(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(0), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_on_ipv6_is_measured() {
    let clock = pipeline::Clock::system();
    let world = WorldConfig {
        nodes: 1,
        pods_per_node: 4,
        ipv6: true,
        start: clock.now(),
        ..WorldConfig::default()
    };
    let mut config = Config::new(world, move || clock.now());
    config.api_listen = "[::1]:0".parse().unwrap();
    let sim = Sim::start(config).await.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), sim.kubeconfig()).unwrap();
    let (port, token) = (sim.kubelet_https_port(), sim.token().to_owned());
    let task = tokio::spawn(async move { sim.run(std::future::pending()).await });
    let path = file.path().display().to_string();
    spawn_blocking(move || run(&path, port, &token)).await.unwrap();
    task.abort();
}
