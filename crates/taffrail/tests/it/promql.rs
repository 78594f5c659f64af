//! Dashboards against the demo's cluster: every panel of the kubernetes-mixin and of
//! deploy/grafana has an answer.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::served::{Served, encoded};
use crate::simulated::{Cluster, sized};

/// Series that no kubelet measures, and which of the mixin's panels asks for them.
const NOT_HELD: [&str; 2] = ["node_memory_Buffers_bytes", "node_memory_SwapTotal_bytes"];

/// A dashboard, a panel and its expression.
struct Panel {
    place: String,
    expression: String,
}

fn mixin() -> Vec<Panel> {
    let text = include_str!("../fixtures/mixin.tsv");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let panel = |line: &str| {
        let (place, expression) = line.rsplit_once('\t').unwrap();
        Panel { place: place.replace('\t', ", "), expression: expression.to_owned() }
    };
    lines.map(panel).collect()
}

fn grafana() -> Vec<Panel> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/grafana/dashboards");
    let mut panels = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let board: Value =
            serde_json::from_slice(&fs::read(file.unwrap().path()).unwrap()).unwrap();
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                panels.push(Panel {
                    place: format!("{}, {}", board["title"], panel["title"]),
                    expression: target["expr"].as_str().unwrap().to_owned(),
                });
            }
        }
    }
    panels
}

/// The expression as Grafana sends it, for any value of its variables.
fn filled(expression: &str) -> String {
    let mut text = expression.replace("$__rate_interval", "1m").replace("\"$cluster\"", "\"\"");
    for name in ["namespace", "pod", "node", "workload", "type"] {
        text = text.replace(&format!("=\"${name}\""), "=~\".+\"");
        text = text.replace(&format!("\"${name}\""), "\".+\"");
    }
    assert!(!text.contains('$'), "{text}");
    text
}

/// The panels that have no answer from any of the servers.
fn unanswered(servers: &[Served], panels: &[Panel]) -> Vec<String> {
    let answers = |server: &Served, panel: &Panel| {
        let query = encoded(&filled(&panel.expression));
        let answer = server.get(&format!("/api/v1/query?query={query}"));
        assert_eq!(answer["status"], "success", "{}: {answer}", panel.expression);
        answer["data"]["result"].as_array().is_some_and(|result| !result.is_empty())
    };
    let missing = panels.iter().filter(|panel| !servers.iter().any(|one| answers(one, panel)));
    missing.map(|panel| format!("{}: {}", panel.place, panel.expression)).collect()
}

/// What measures a cluster by its kubelets' port for HTTPS.
fn source(cluster: &Cluster) -> String {
    let (source, port) = (cluster.source(), cluster.kubelet_port);
    format!("{source}&inClusterConfig=false&kubeletHttps=true&kubeletPort={port}")
}

/// Waits until a server has stored three batches.
fn measured(server: &Served) {
    let mut seen = BTreeSet::new();
    while seen.len() < 4 {
        let batch = server.get("/api/taffrail/v1/status")["lastBatch"]["timestamp"].as_i64();
        seen.extend(batch);
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_has_an_answer() {
    let cluster = Cluster::of(sized(4, 25)).await;
    let asked = spawn_blocking(move || {
        let dirs = ["summary", "cadvisor"].map(|endpoint| (endpoint, tempfile::tempdir().unwrap()));
        let servers = dirs.each_ref().map(|(endpoint, dir)| {
            let source = format!("{}&kubeletEndpoint={endpoint}", source(&cluster));
            let kept = format!("--data-dir={}", dir.path().display());
            Served::start(&["serve", &source, "--metric-resolution=5s", &kept])
        });
        servers.iter().for_each(measured);
        let mut missing = unanswered(&servers, &mixin());
        missing.retain(|line| !NOT_HELD.iter().any(|name| line.contains(name)));
        missing.extend(unanswered(&servers, &grafana()));
        servers.iter().for_each(sums_agree);
        missing
    });
    let missing = asked.await.unwrap();
    assert!(missing.is_empty(), "{} without an answer:\n{}", missing.len(), missing.join("\n"));
}

/// A sum is the same whether or not its series come with the labels that it does not look at.
fn sums_agree(server: &Served) {
    let time = server.get("/api/taffrail/v1/status")["lastBatch"]["timestamp"].as_i64().unwrap();
    for name in [
        "container_memory_working_set_bytes",
        "container_network_receive_bytes_total",
        "kubelet_volume_stats_used_bytes",
        "node_filesystem_size_bytes",
        "taffrail_node_memory_usage_bytes",
        "node_namespace_pod_container:container_memory_rss",
    ] {
        for grouped in ["sum", "count by (namespace, node)", "max by (image, pod)"] {
            let of = |inner: String| at(server, &format!("{grouped} ({inner})"), time);
            // Where two vectors meet, all their labels are looked at.
            assert_eq!(of(name.to_owned()), of(format!("{name} or {name}")), "{grouped} {name}");
        }
    }
}

/// The series of a query at a time: labels and value.
fn at(server: &Served, query: &str, time: i64) -> BTreeSet<String> {
    let path = format!("/api/v1/query?query={}&time={}", encoded(query), time / 1000);
    let answer = server.get(&path);
    let result = answer["data"]["result"].as_array().unwrap();
    result.iter().map(|one| format!("{} {}", one["metric"], one["value"][1])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn states_of_objects_survive_a_restart() {
    let cluster = Cluster::of(sized(2, 10)).await;
    let asked = spawn_blocking(move || {
        let dir = tempfile::tempdir().unwrap();
        let kept = format!("--data-dir={}", dir.path().display());
        let words = ["serve", &source(&cluster), "--metric-resolution=5s", &kept];
        let queries = [
            "kube_pod_status_phase == 1",
            "kube_pod_container_status_ready",
            "kube_node_status_condition",
            "kube_deployment_status_replicas_ready",
            "up",
        ];
        let server = Served::start(&words);
        measured(&server);
        let status = server.get("/api/taffrail/v1/status");
        let time = status["lastBatch"]["timestamp"].as_i64().unwrap();
        let before = queries.map(|query| at(&server, query, time));
        assert!(before.iter().all(|found| !found.is_empty()), "{before:?}");
        assert!(server.stop().success());
        let server = Served::start(&words);
        measured(&server);
        let after = queries.map(|query| at(&server, query, time));
        assert_eq!(after, before);
    });
    asked.await.unwrap();
}
