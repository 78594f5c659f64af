//! Lists of metrics.k8s.io at 5,000 nodes with 30 pods of two containers: CPU per pod of an answer,
//! from the question to the last piece of its body, without a socket.
//!
//! `cargo xtask bench lists [WORD…]`: kinds with such a word. Best and median of some
//! rounds, all kinds in turn.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, or stops")]
#![expect(clippy::cast_precision_loss, reason = "times are printed with two digits")]

use std::sync::{Arc, RwLock};
use std::time::Instant;

use api::{ApiParts, ApiState};
use axum::body::Body;
use futures_util::StreamExt;
use http::{Request, StatusCode, header};
use model::{
    ContainerSpec, Inventory, Node, NodeSamples, Pod, PodSamples, Sample, SharedInventory,
    Timestamp,
};
use query::{ResourceOptions, ResourceWindows};
use tower::ServiceExt;

#[path = "../tests/it/fixture.rs"]
#[expect(dead_code, reason = "the tests have small clusters besides")]
mod fixture;

use fixture::{parts, time};

const NODES: usize = 5_000;
const PODS: usize = 30;
const ROUNDS: usize = 25;
/// Bytes that are gone through before each question: more than a processor's cache holds.
const OTHER_WORK: usize = 256 << 20;
const BASE: &str = "/apis/metrics.k8s.io/v1beta1";
const TABLE: &str = "application/json;as=Table;g=meta.k8s.io;v=v1";
const NAMESPACES: [&str; 6] = ["web", "shop", "batch", "data", "monitoring", "kube-system"];
const APPS: [&str; 5] = ["frontend", "config-sync", "order-service", "cache", "node-exporter"];

/// A number that looks like any other, always the same.
fn scattered(number: usize) -> u64 {
    (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31)
}

fn pod(number: usize) -> Pod {
    let namespace = NAMESPACES[number % NAMESPACES.len()];
    let app = APPS[number / 7 % APPS.len()];
    let labels = [
        ("app".into(), app.into()),
        ("app.kubernetes.io/part-of".into(), namespace.into()),
        ("pod-template-hash".into(), "6b7f9c8d5f".into()),
    ];
    let spec = |name: &str| ContainerSpec { name: name.into(), ..ContainerSpec::default() };
    let name = format!("{app}-6b7f9c8d5f-{:05x}-{number:06}", scattered(number) % (1 << 20));
    Pod {
        namespace: namespace.into(),
        name: name.into(),
        node: format!("node-{:04}", number / PODS).into(),
        phase: "Running".into(),
        labels: labels.into(),
        containers: [spec("app"), spec("proxy")].into(),
        ..Pod::default()
    }
}

fn samples(node: usize, pods: &[Pod], at: Timestamp) -> NodeSamples {
    let sample = |number: usize| Sample {
        at,
        started: Timestamp::from_secs(1_000),
        cpu_nanos: i64::try_from(scattered(number) % 3_000_000 * u64::try_from(at.secs()).unwrap())
            .ok(),
        memory_bytes: i64::try_from(scattered(number + 9) % (1 << 30)).ok(),
    };
    let of = |(place, pod): (usize, &Pod)| PodSamples {
        namespace: (*pod.namespace).into(),
        name: pod.name.clone(),
        containers: vec![
            ("app".into(), sample(node * PODS + place)),
            ("proxy".into(), sample(node * PODS + place + 1)),
        ],
    };
    let node_name = format!("node-{node:04}").into();
    NodeSamples {
        node: node_name,
        own: sample(node),
        pods: pods.iter().enumerate().map(of).collect(),
    }
}

fn state() -> Arc<ApiState> {
    let pods: Vec<Pod> = (0..NODES * PODS).map(pod).collect();
    let inventory: SharedInventory = Arc::new(RwLock::new(inventory(&pods)));
    let windows = ResourceWindows::new(ResourceOptions::default());
    let windows = windows.with_inventory(Arc::clone(&inventory));
    let times = ["2026-11-23T09:17:30Z", "2026-11-23T09:17:45Z", "2026-11-23T09:18:00Z"];
    for (round, at) in times.map(time).into_iter().enumerate() {
        // Kubelets answer in any order, and what went leaves holes.
        let mut nodes: Vec<usize> = (0..NODES).collect();
        nodes.sort_by_key(|node| scattered(node * times.len() + round));
        for node in nodes {
            windows.take(samples(node, &pods[node * PODS..(node + 1) * PODS], at), at);
        }
    }
    let resources = Arc::new(windows);
    ApiState::new(ApiParts { resources, inventory, ..parts(&[], Inventory::default()) })
}

fn inventory(pods: &[Pod]) -> Inventory {
    let mut inventory = Inventory::default();
    for node in 0..NODES {
        let name = format!("node-{node:04}").into();
        inventory.put_node(Arc::new(Node { name, ..Node::default() }));
    }
    // An API server lists them in this order: names lie one behind the other.
    let mut listed: Vec<&Pod> = pods.iter().collect();
    listed.sort_by_key(|pod| (&pod.namespace, &pod.name));
    for pod in listed {
        inventory.put_pod(Arc::new(pod.clone()));
    }
    inventory
}

/// How many bytes the answer has.
async fn ask(state: &Arc<ApiState>, path: &str, accept: &str) -> usize {
    let request = Request::get(path).header(header::ACCEPT, accept).body(Body::empty()).unwrap();
    let response = api::kubernetes_router(state).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut pieces = response.into_body().into_data_stream();
    let mut bytes = 0;
    while let Some(piece) = pieces.next().await {
        bytes += piece.unwrap().len();
    }
    bytes
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let state = state();
    let one = format!("{BASE}/namespaces/web/pods?labelSelector=app%3Dfrontend");
    let kinds = [
        ("all pods, JSON", format!("{BASE}/pods"), "application/json", NODES * PODS),
        ("all pods, Table", format!("{BASE}/pods"), TABLE, NODES * PODS),
        (
            "all pods, protobuf",
            format!("{BASE}/pods"),
            "application/vnd.kubernetes.protobuf",
            NODES * PODS,
        ),
        ("a workload's", one, "application/json", NODES * PODS / NAMESPACES.len() / APPS.len()),
        ("all nodes", format!("{BASE}/nodes"), "application/json", NODES),
    ];
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let is_wanted = |kind: &str| wanted.is_empty() || wanted.iter().any(|word| kind.contains(word));
    let kinds: Vec<_> = kinds.into_iter().filter(|(kind, ..)| is_wanted(kind)).collect();
    let mut times = vec![Vec::new(); kinds.len()];
    let mut bytes = vec![0; kinds.len()];
    let mut other = vec![0_u64; OTHER_WORK / size_of::<u64>()];
    for _ in 0..ROUNDS {
        for (at, (_, path, accept, _)) in kinds.iter().enumerate() {
            // A tick lies between two such questions: nothing is in a cache any more.
            for word in &mut other {
                *word = std::hint::black_box(*word + 1);
            }
            let begun = Instant::now();
            bytes[at] = runtime.block_on(ask(&state, path, accept));
            times[at].push(begun.elapsed().as_secs_f64());
        }
    }
    println!(
        "| list | items | MiB | first, ms | best, ms | median, ms | µs an item |\n\
         |---|---|---|---|---|---|---|"
    );
    for (((kind, _, _, items), mut times), bytes) in kinds.into_iter().zip(times).zip(bytes) {
        let first = times[0];
        times.sort_by(f64::total_cmp);
        let (best, median) = (times[0], times[times.len() / 2]);
        println!(
            "| {kind} | {items} | {:.1} | {:.2} | {:.2} | {:.2} | {:.3} |",
            bytes as f64 / f64::from(1 << 20),
            first * 1e3,
            best * 1e3,
            median * 1e3,
            best * 1e6 / items as f64
        );
    }
}
