//! Kubelets: endpoints, tokens, certificates, consistency of what they tell.

use std::collections::HashMap;

use serde_json::Value;
use sim::{Certificates, World, WorldConfig};

use crate::support::{Cluster, request};

#[tokio::test]
async fn every_node_answers_on_its_own_address() {
    let cluster = Cluster::small().await;
    for n in 1..=6 {
        let answer = cluster.kubelet(n, "GET", "/stats/summary").await.unwrap();
        assert_eq!((answer.status, answer.kind.as_str()), (200, "application/json"));
        assert_eq!(answer.json()["node"]["nodeName"], format!("node-{n}"));
        let slashed = cluster.kubelet(n, "GET", "/stats/summary/").await.unwrap();
        assert_eq!(slashed.body, answer.body);
    }
    assert!(cluster.kubelet(7, "GET", "/healthz").await.is_err(), "there is no seventh node");
    assert_eq!(cluster.kubelet(1, "GET", "/healthz").await.unwrap().text(), "ok");
    assert_eq!(cluster.kubelet(1, "GET", "/nothing").await.unwrap().status, 404);
    assert_eq!(cluster.kubelet(1, "GET", "/stats/container/").await.unwrap().status, 405);
}

#[test]
fn the_same_seed_and_time_give_the_same_bytes() {
    let config = WorldConfig { nodes: 3, pods_per_node: 10, ..WorldConfig::default() };
    let (one, two) = (World::new(&config), World::new(&config));
    let other = World::new(&WorldConfig { seed: 2, ..config.clone() });
    let now = config.start.plus(std::time::Duration::from_secs(333));
    for node in 0..3 {
        assert_eq!(one.summary(node, now, false), two.summary(node, now, false));
        assert_eq!(one.cadvisor_metrics(node, now), two.cadvisor_metrics(node, now));
        assert_ne!(one.summary(node, now, false), other.summary(node, now, false));
    }
    assert_eq!(one.summary(3, now, false), None);
    assert_eq!(one.nodes().count(), 3);
}

#[tokio::test]
async fn only_cpu_and_memory_leaves_the_rest_out() {
    let cluster = Cluster::small().await;
    let lean =
        cluster.kubelet(1, "GET", "/stats/summary?only_cpu_and_memory=true").await.unwrap().json();
    assert!(lean["node"]["network"].is_null() && lean["node"]["fs"].is_null());
    let pod = &lean["pods"][0];
    assert!(
        pod["network"].is_null() && pod["volume"].is_null() && pod["ephemeral-storage"].is_null()
    );
    assert!(pod["containers"][0]["cpu"]["usageCoreNanoSeconds"].is_u64());
    assert!(pod["containers"][0]["rootfs"].is_null());
}

/// Core-nanoseconds by pod, and of the node.
fn cpu(summary: &Value) -> (HashMap<String, u64>, u64) {
    let total = |one: &Value| one["cpu"]["usageCoreNanoSeconds"].as_u64().unwrap();
    let pods = summary["pods"].as_array().unwrap().iter();
    let pods = pods.map(|pod| (pod["podRef"]["uid"].as_str().unwrap().to_owned(), total(pod)));
    (pods.collect(), total(&summary["node"]))
}

#[tokio::test]
async fn sums_are_consistent_and_counters_rise() {
    let cluster = Cluster::small().await;
    let mut before: Option<(HashMap<String, u64>, u64)> = None;
    for at in (0..600).step_by(30) {
        cluster.at(at);
        let summary = cluster.kubelet(3, "GET", "/stats/summary").await.unwrap().json();
        for pod in summary["pods"].as_array().unwrap() {
            let containers = pod["containers"].as_array().unwrap().iter();
            let sum: u64 =
                containers.map(|one| one["memory"]["workingSetBytes"].as_u64().unwrap()).sum();
            assert!(pod["memory"]["workingSetBytes"].as_u64().unwrap() >= sum);
        }
        let (pods, node) = cpu(&summary);
        if let Some((earlier, earlier_node)) = before {
            let mut grown = 0;
            for (uid, total) in &pods {
                if let Some(earlier) = earlier.get(uid) {
                    assert!(total >= earlier, "{uid} fell at {at}");
                    grown += total - earlier;
                }
            }
            assert!(node - earlier_node >= grown, "the node grew less than its pods at {at}");
        }
        before = Some((pods, node));
    }
}

#[tokio::test]
async fn a_restart_resets_the_counter_and_moves_the_start() {
    let cluster = Cluster::small().await;
    let mut seen: HashMap<String, (String, u64)> = HashMap::new();
    let mut restarts = 0;
    for at in (0..600).step_by(20) {
        cluster.at(at);
        for n in 1..=6 {
            let summary = cluster.kubelet(n, "GET", "/stats/summary").await.unwrap().json();
            for pod in summary["pods"].as_array().unwrap() {
                let Some(one) = pod["containers"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|c| c["name"] == "recommender")
                else {
                    continue;
                };
                let uid = pod["podRef"]["uid"].as_str().unwrap().to_owned();
                let start = one["startTime"].as_str().unwrap().to_owned();
                let total = one["cpu"]["usageCoreNanoSeconds"].as_u64().unwrap();
                if let Some((earlier_start, earlier)) = seen.insert(uid, (start.clone(), total)) {
                    if start == earlier_start {
                        assert!(total >= earlier);
                    } else {
                        assert!(start > earlier_start && total < earlier);
                        restarts += 1;
                    }
                }
            }
        }
    }
    assert!(restarts > 0, "nothing leaked to its end in ten minutes");
}

#[tokio::test]
async fn https_wants_the_token_and_shows_a_certificate_for_the_address() {
    let cluster = Cluster::small().await;
    for (token, expected) in
        [(None, 401), (Some("wrong"), 401), (Some(cluster.token.as_str()), 200)]
    {
        let stream = cluster.tls(cluster.https_address(2), "127.1.0.2").await.unwrap();
        let value = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = value.iter().map(|value| ("authorization", value.as_str())).collect();
        let response = request(stream, "GET", "/stats/summary", "", &headers).await.unwrap();
        assert_eq!(response.status(), expected);
    }
    cluster.tls(cluster.https_address(2), "node-2").await.unwrap();
    assert!(cluster.tls(cluster.https_address(2), "127.1.0.3").await.is_err());
}

#[tokio::test]
async fn certificates_can_be_as_bad_as_in_real_life() {
    let cluster = Cluster::with(|config| config.certificates = Certificates::WithoutAddress).await;
    cluster.tls(cluster.https_address(1), "node-1").await.unwrap();
    let error = cluster.tls(cluster.https_address(1), "127.1.0.1").await.unwrap_err();
    assert!(error.contains("not valid for name"), "{error}");
    let cluster = Cluster::with(|config| config.certificates = Certificates::SelfSigned).await;
    let error = cluster.tls(cluster.https_address(1), "node-1").await.unwrap_err();
    assert!(error.contains("UnknownIssuer") || error.contains("BadSignature"), "{error}");
}

#[tokio::test]
async fn prometheus_text_agrees_with_the_summary() {
    let cluster = Cluster::small().await;
    let summary = cluster.kubelet(4, "GET", "/stats/summary").await.unwrap().json();
    let resource = cluster.kubelet(4, "GET", "/metrics/resource").await.unwrap();
    let cadvisor = cluster.kubelet(4, "GET", "/metrics/cadvisor").await.unwrap();
    assert_eq!(resource.kind, "text/plain; version=0.0.4; charset=utf-8");
    let pod = &summary["pods"][0];
    let one = &pod["containers"][0];
    let (name, namespace) =
        (pod["podRef"]["name"].as_str().unwrap(), pod["podRef"]["namespace"].as_str().unwrap());
    let labels = format!(
        "{{container=\"{}\",namespace=\"{namespace}\",pod=\"{name}\"}}",
        one["name"].as_str().unwrap()
    );
    let expected = one["cpu"]["usageCoreNanoSeconds"].as_f64().unwrap() / 1e9;
    let prefix = format!("container_cpu_usage_seconds_total{labels} ");
    let line = resource.text().lines().find_map(|line| line.strip_prefix(&prefix)).unwrap();
    let value: f64 = line.split(' ').next().unwrap().parse().unwrap();
    assert!((value - expected).abs() < 1e-6 * expected.max(1.0));
    let in_cadvisor = cadvisor.text().lines().find(|line| {
        line.starts_with("container_cpu_usage_seconds_total{")
            && line.contains(&format!("container=\"{}\"", one["name"].as_str().unwrap()))
            && line.contains(&format!("pod=\"{name}\""))
    });
    assert!(in_cadvisor.unwrap().contains(&format!("}} {} ", line.split(' ').next().unwrap())));
}

#[tokio::test]
async fn old_collectors_get_old_stats() {
    let cluster = Cluster::small().await;
    let stats = cluster.kubelet(1, "POST", "/stats/container/").await.unwrap().json();
    let all = stats.as_object().unwrap();
    assert!(all["/"]["stats"][0]["filesystem"][0]["capacity"].as_u64().unwrap() > 0);
    let label = |info: &Value| {
        info["spec"]["labels"]["io.kubernetes.container.name"].as_str().map(str::to_owned)
    };
    let sandboxes = all.values().filter(|info| label(info).as_deref() == Some("POD")).count();
    let containers =
        all.values().filter(|info| label(info).is_some_and(|name| name != "POD")).count();
    assert!(sandboxes >= 10 && containers >= sandboxes, "{sandboxes} {containers}");
}

#[tokio::test]
async fn the_api_server_asks_the_kubelet_for_those_who_may() {
    let cluster = Cluster::small().await;
    let through = cluster.get("/api/v1/nodes/node-2/proxy/stats/summary").await;
    assert_eq!(through.body, cluster.kubelet(2, "GET", "/stats/summary").await.unwrap().body);
    let ported =
        cluster.get(&format!("/api/v1/nodes/node-2:{}/proxy/healthz", cluster.https_port)).await;
    assert_eq!(ported.text(), "ok");
    assert_eq!(cluster.get("/api/v1/nodes/node-99/proxy/healthz").await.status, 404);
}

#[tokio::test]
async fn kubelet_and_api_server_agree_on_what_runs() {
    let cluster = Cluster::small().await;
    for at in [0, 95, 260] {
        cluster.at(at);
        let path = "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-3,status.phase%3DRunning";
        let listed = cluster.get(path).await.json();
        let listed = listed["items"].as_array().unwrap().iter();
        let mut listed: Vec<_> =
            listed.map(|pod| pod["metadata"]["uid"].clone().to_string()).collect();
        let summary = cluster.kubelet(3, "GET", "/stats/summary").await.unwrap().json();
        let running = summary["pods"].as_array().unwrap().iter();
        let mut running: Vec<_> =
            running.map(|pod| pod["podRef"]["uid"].clone().to_string()).collect();
        listed.sort();
        running.sort();
        assert_eq!(listed, running, "at {at}");
    }
}
