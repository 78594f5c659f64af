//! How much memory a watched pod takes: at most one KiB for a pod of two containers.

use std::mem::size_of;

use cluster::wire::object;
use model::{ContainerSpec, ContainerState, ContainerStatus, Pod};
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

/// Everything that a pod's record keeps, its place in the inventory and its name in the watch.
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
    let pair = |(left, right): &(Box<str>, Box<str>)| text(left) + text(right);
    let owner = pod.owner.as_ref().map_or(0, |owner| text(&owner.kind) + text(&owner.name));
    let scrape = pod.scrape.as_ref().map_or(0, |hint| {
        size_of_val(&**hint) + ALLOCATION + text(&hint.port) + text(&hint.path) + text(&hint.scheme)
    });
    // Behind an `Arc`, with its two counts.
    let record = size_of::<Pod>()
        + 2 * size_of::<usize>()
        + ALLOCATION
        + texts.into_iter().map(|one| text(one)).sum::<usize>()
        + slice(&pod.labels, pair)
        + slice(&pod.claims, pair)
        + slice(&pod.containers, container)
        + slice(&pod.statuses, status)
        + owner
        + scrape;
    let entry = size_of::<(Box<str>, usize)>() + 1;
    let name = size_of::<(Box<str>, Box<str>)>() + 1;
    let places = (entry + name) * (8 + EMPTY) / 8;
    record + places + 2 * text(&pod.name) + text(&pod.namespace)
}

#[test]
fn a_pod_takes_at_most_a_kibibyte() {
    let list: List = serde_json::from_str(PODS).unwrap();
    let pods: Vec<Pod> = list.items.into_iter().map(cluster::inventory::pod).collect();
    let sizes: Vec<(String, usize, usize)> =
        pods.iter().map(|pod| (pod.name.to_string(), pod.containers.len(), held(pod))).collect();
    let average = sizes.iter().map(|(.., size)| size).sum::<usize>() / sizes.len();
    // `-- --nocapture` is not needed to see it: break the bound, and this says all of it.
    assert!(average <= 1024, "{average} bytes a pod: {sizes:?}");
    let largest = sizes.iter().max_by_key(|(.., size)| size).unwrap();
    assert!(largest.1 == 2 && largest.2 <= 1400, "{sizes:?}");
    assert!(sizes.iter().all(|(.., size)| *size > 300), "too small to be true: {sizes:?}");
}
