//! How much memory a watched pod takes: at most one KiB for a pod of two containers.

use std::collections::HashSet;
use std::mem::size_of;
use std::sync::Arc;

use cluster::wire::object;
use model::{ContainerSpec, ContainerState, ContainerStatus, Inventory, Pod};
use serde::Deserialize;

const PODS: &str = include_str!("../fixtures/api_pods.json");
/// What the allocator adds to each piece, on average.
const ALLOCATION: usize = 12;
/// Share of a hash table that is empty, in eighths of what is full.
const EMPTY: usize = 2;

#[derive(Deserialize)]
struct List {
    items: Vec<object::Pod>,
}

fn text(text: &str) -> usize {
    if text.is_empty() { 0 } else { text.len() + ALLOCATION }
}

fn slice<T>(items: &[T], inside: impl Fn(&T) -> usize) -> usize {
    if items.is_empty() {
        return 0;
    }
    ALLOCATION + size_of_val(items) + items.iter().map(inside).sum::<usize>()
}

fn container(container: &ContainerSpec) -> usize {
    text(&container.name)
        + text(&container.image)
        + slice(&container.ports, |(name, _)| text(name))
        + slice(&container.extended_requests, |(name, _)| text(name))
}

fn status(status: &ContainerStatus) -> usize {
    let state = match &status.state {
        ContainerState::Waiting(reason) => text(reason),
        ContainerState::Terminated(end) => text(&end.reason),
        _ => 0,
    };
    let last = status.last_termination.as_ref().map_or(0, |end| text(&end.reason));
    text(&status.name) + state + last
}

/// Everything that a pod's record keeps for itself, and its place in the inventory.
fn held(pod: &Pod) -> usize {
    let texts = [
        &pod.namespace,
        &pod.name,
        &pod.uid,
        &pod.node,
        &pod.phase,
        &pod.reason,
        &pod.ip,
        &pod.host_ip,
        &pod.priority_class,
        &pod.qos_class,
    ];
    let owner = pod.owner.as_ref().map_or(0, |owner| text(&owner.kind) + text(&owner.name));
    let scrape = pod.scrape.as_ref().map_or(0, |hint| {
        size_of_val(&**hint) + ALLOCATION + text(&hint.port) + text(&hint.path) + text(&hint.scheme)
    });
    // Behind an `Arc`, with its two counts.
    let record = size_of::<Pod>()
        + 2 * size_of::<usize>()
        + ALLOCATION
        + texts.into_iter().map(|one| text(one)).sum::<usize>()
        + slice(&pod.claims, |(left, right)| text(left) + text(right))
        + slice(&pod.statuses, status)
        + owner
        + scrape;
    let entry = size_of::<(Box<str>, usize)>() + 1;
    record + entry * (8 + EMPTY) / 8 + text(&pod.name)
}

/// What the pods of one template have in common: its two counts and a place in the pool besides.
fn common(pod: &Pod) -> usize {
    let pool = 2 * (2 * size_of::<usize>() + (2 * size_of::<usize>() + 1) * (8 + EMPTY) / 8);
    let pair = |(left, right): &(Box<str>, Box<str>)| text(left) + text(right);
    pool + slice(&pod.labels, pair) + slice(&pod.containers, container)
}

/// Recorded pods, each as three replicas of its template.
#[test]
fn a_pod_takes_at_most_a_kibibyte() {
    const REPLICAS: usize = 3;
    let mut inventory = Inventory::default();
    for replica in 0..REPLICAS {
        let list: List = serde_json::from_str(PODS).unwrap();
        for mut pod in list.items.into_iter().map(cluster::inventory::pod) {
            pod.name = format!("{}-{replica}", pod.name).into();
            inventory.put_pod(Arc::new(pod));
        }
    }
    let pods: Vec<&Arc<Pod>> = inventory.pods().collect();
    let own: usize = pods.iter().map(|pod| held(pod)).sum();
    let mut seen = HashSet::new();
    let shared: usize =
        pods.iter().filter(|pod| seen.insert(pod.containers.as_ptr())).map(|pod| common(pod)).sum();
    let average = (own + shared) / pods.len();
    assert!(seen.len() * REPLICAS <= pods.len(), "equal containers are kept {} times", seen.len());
    assert!((300..=1024).contains(&average), "{average} bytes a pod: {own} and {shared} shared");
}
