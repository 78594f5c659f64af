//! `heapster --api-server`: what Heapster's own API server answered on its secure port.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sim::{Config, Sim, WorldConfig};
use tokio::task::spawn_blocking;

use crate::secure::{Direct, serving};

const PATIENCE: Duration = Duration::from_mins(2);

/// A process that ends with the test.
struct Heapster(std::process::Child);

impl Drop for Heapster {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A port that was free a moment ago.
fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn run(kubeconfig: &str, kubelet_port: u16, token: &str) {
    let folder = tempfile::tempdir().unwrap();
    let authority = serving(folder.path());
    let program = folder.path().join("heapster");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_taffrail"), &program).unwrap();
    let (secure, main) = (free(), free());
    let file = |flag: &str, name: &str| format!("{flag}={}", folder.path().join(name).display());
    let source = format!(
        "--source=kubernetes.summary_api:?inClusterConfig=false&auth={kubeconfig}&kubeletPort={kubelet_port}&kubeletHttps=true"
    );
    let child = Command::new(&program)
        .args([&source, "--metric_resolution=5s", "--api-server", "--listen_ip=127.0.0.1"])
        .args([format!("--heapster_port={main}"), format!("--secure-port={secure}")])
        .args(["--bind-address=127.0.0.1", "--requestheader-username-headers=X-Remote-User"])
        .args([file("--tls-cert-file", "tls.crt"), file("--tls-private-key-file", "tls.key")])
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut heapster = Heapster(child);
    let begun = Instant::now();
    let address = format!("127.0.0.1:{secure}");
    while std::net::TcpStream::connect(&address).is_err() {
        assert!(heapster.0.try_wait().unwrap().is_none(), "it ended");
        assert!(begun.elapsed() < PATIENCE, "nothing listens on {address}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let port = Direct::new(&address, authority.as_bytes(), None);
    let bearer = format!("Bearer {token}");
    let ask = |path: &str| port.get(path, &[("authorization", &bearer)]);
    let (status, group) = ask("/apis/metrics.k8s.io");
    let versions: Vec<_> = group["versions"].as_array().unwrap().iter().collect();
    let served: Vec<_> = versions.iter().map(|one| one["version"].as_str().unwrap()).collect();
    assert_eq!((status, served), (200, vec!["v1beta1", "v1alpha1"]));
    let (_, resources) = ask("/apis/metrics.k8s.io/v1alpha1");
    let kinds = resources["resources"].as_array().unwrap().iter().map(|one| {
        let text = |key: &str| one[key].as_str().unwrap().to_owned();
        format!("{} {} {} {}", text("name"), text("kind"), one["namespaced"], one["verbs"])
    });
    let kinds: Vec<_> = kinds.collect();
    assert_eq!(
        kinds,
        ["nodes NodeMetrics false [\"get\",\"list\"]", "pods PodMetrics true [\"get\",\"list\"]"]
    );
    let list = loop {
        let (status, list) = ask("/apis/metrics.k8s.io/v1alpha1/nodes");
        if status == 200 && list["items"].as_array().is_some_and(|items| items.len() == 2) {
            break list;
        }
        assert!(begun.elapsed() < PATIENCE, "{list}");
        std::thread::park_timeout(Duration::from_millis(200));
    };
    assert_eq!(list["apiVersion"], "metrics.k8s.io/v1alpha1");
    for (path, expected) in [
        ("/healthz", 200),
        ("/version", 200),
        ("/metrics", 200),
        ("/apis", 200),
        ("/openapi/v2", 200),
        // Swagger 1.2 is gone from Kubernetes.
        ("/swaggerapi", 404),
    ] {
        assert_eq!(ask(path).0, expected, "{path}");
    }
    let (status, refused) = port.get("/apis/metrics.k8s.io/v1alpha1/nodes", &[]);
    assert_eq!((status, &refused["reason"]), (401, &"Unauthorized".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_secure_port_answers_as_heapsters() {
    let clock = pipeline::Clock::system();
    let world =
        WorldConfig { nodes: 2, pods_per_node: 3, start: clock.now(), ..WorldConfig::default() };
    let sim = Sim::start(Config::new(world, move || clock.now())).await.unwrap();
    let kubeconfig = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(kubeconfig.path(), sim.kubeconfig()).unwrap();
    let path = kubeconfig.path().display().to_string();
    let (port, token) = (sim.kubelet_https_port(), sim.token().to_owned());
    let task = tokio::spawn(async move { sim.run(std::future::pending()).await });
    spawn_blocking(move || run(&path, port, &token)).await.unwrap();
    task.abort();
}
