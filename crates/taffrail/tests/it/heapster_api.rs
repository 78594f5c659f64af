//! `heapster --api-server`: what Heapster's own API server answered on its secure port.

use tokio::task::spawn_blocking;

use crate::beside::eventually;
use crate::real::{Program, free, port};
use crate::secure::{Direct, serving};
use crate::simulated::{Cluster, sized};

/// A Heapster that serves its API server at `secure`, and who issued its certificate.
fn heapster(cluster: &Cluster, secure: &str) -> (Program, String) {
    let folder = tempfile::tempdir().unwrap();
    let authority = serving(folder.path());
    let program = folder.path().join("heapster");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_taffrail"), program).unwrap();
    let (main, source, kubelets) = (free(), cluster.source(), cluster.kubelet_port);
    let words = [
        // Without any variables.
        "-i",
        "./heapster",
        &format!("{source}&inClusterConfig=false&kubeletPort={kubelets}&kubeletHttps=true"),
        "--metric_resolution=5s",
        "--api-server",
        "--listen_ip=127.0.0.1",
        &format!("--heapster_port={}", port(&main)),
        &format!("--secure-port={}", port(secure)),
        "--bind-address=127.0.0.1",
        "--requestheader-username-headers=X-Remote-User",
        "--tls-cert-file=tls.crt",
        "--tls-private-key-file=tls.key",
    ];
    let words = words.map(str::to_owned);
    (Program::start("/usr/bin/env", folder, &words, secure), authority)
}

fn run(cluster: &Cluster) {
    let address = free();
    let (_heapster, authority) = heapster(cluster, &address);
    let port = Direct::new(&address, authority.as_bytes(), None);
    let bearer = format!("Bearer {}", cluster.token);
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
    let list = eventually("both nodes are listed", || {
        let (status, list) = ask("/apis/metrics.k8s.io/v1alpha1/nodes");
        let both = list["items"].as_array().is_some_and(|items| items.len() == 2);
        if status == 200 && both { Ok(list) } else { Err(list) }
    });
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
    let cluster = Cluster::of(sized(2, 3)).await;
    spawn_blocking(move || run(&cluster)).await.unwrap();
}
