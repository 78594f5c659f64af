//! A cluster on IPv6 alone: API server, kubelet, our own ports; every address in brackets.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::secure::{Direct, NAME, serving};
use crate::served::Served;
use crate::simulated::{Cluster, sized};

const PATIENCE: Duration = Duration::from_mins(2);

fn run(cluster: &Cluster) {
    let folder = tempfile::tempdir().unwrap();
    let authority = serving(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let source = cluster.source();
    let mut served = Served::start(&[
        "serve",
        &source,
        "--no-history",
        "--metric-resolution=5s",
        "--listen=[::1]:0",
        "--secure-port=0",
        "--bind-address=::1",
        &format!("--tls-cert-file={}", file("tls.crt")),
        &format!("--tls-private-key-file={}", file("tls.key")),
    ]);
    assert!(served.address.starts_with("[::1]:"), "{}", served.greeting);
    let secure = served.secure();
    assert!(secure.starts_with("[::1]:"), "{secure}");
    let port = Direct::new(&secure, authority.as_bytes(), None);
    let begun = Instant::now();
    let bearer = format!("Bearer {}", cluster.token);
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
    let expected = format!("https://[::1]:{}/stats/summary", cluster.kubelet_port);
    assert_eq!(target["url"], expected);
    let status = served.get("/api/taffrail/v1/status");
    assert_eq!(status["kubelets"]["way"], "direct");
    let url = status["cluster"]["url"].as_str().unwrap();
    assert!(url.starts_with("https://[::1]:"), "{url}");
    assert_eq!(status["problems"], Value::Array(Vec::new()), "{status:#}");
    let doctor = Command::new(env!("CARGO_BIN_EXE_taffrail"))
        .args(["doctor", &source, "--output=json"])
        .env_clear()
        .output()
        .unwrap();
    let found = String::from_utf8_lossy(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(0), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_on_ipv6_is_measured() {
    let mut config = sized(1, 4);
    config.world.ipv6 = true;
    config.api_listen = "[::1]:0".parse().unwrap();
    let cluster = Cluster::of(config).await;
    spawn_blocking(move || run(&cluster)).await.unwrap();
}
