//! How much memory watched objects take: at most half a KiB for a pod of two containers, and what it
//! has in common with others.

use std::collections::HashSet;
use std::mem::size_of;
use std::sync::Arc;

use cluster::wire::object;
use model::{
    Autoscaler, ContainerSpec, ContainerState, ContainerStatus, Held, Inventory, PersistentVolume,
    Pod, Quota, Termination, Word,
};
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

/// How a container ended, where that is known.
fn ends(status: &ContainerStatus) -> impl Iterator<Item = &Termination> {
    let now = match &status.state {
        ContainerState::Terminated(end) => Some(&**end),
        _ => None,
    };
    now.into_iter().chain(status.last_termination.as_deref())
}

fn status(status: &ContainerStatus) -> usize {
    ends(status).map(|end| size_of_val(end) + ALLOCATION).sum()
}

/// Everything that a pod's record keeps for itself, and its place in the inventory.
fn held(pod: &Pod) -> usize {
    let texts = [&pod.name, &pod.uid, &pod.ip];
    let scrape = pod.scrape.as_ref().map_or(0, |hint| size_of_val(&**hint) + ALLOCATION);
    // Behind an `Arc`, with its two counts.
    let record = size_of::<Pod>()
        + 2 * size_of::<usize>()
        + ALLOCATION
        + texts.into_iter().map(|one| text(one)).sum::<usize>()
        + slice(&pod.claims, |(left, right)| text(left) + text(right))
        + slice(&pod.statuses, status)
        + scrape;
    let entry = size_of::<usize>() + 1;
    record + entry * (8 + EMPTY) / 8
}

/// What the pods of one template have in common: its two counts and a place in the pool besides.
fn common(pod: &Pod) -> usize {
    let pool = 2 * (2 * size_of::<usize>() + (2 * size_of::<usize>() + 1) * (8 + EMPTY) / 8);
    let pair = |(left, right): &(Box<str>, Box<str>)| text(left) + text(right);
    pool + slice(&pod.labels, pair) + slice(&pod.containers, container)
}

/// The words of a pod, which others may have in common with it.
fn words(pod: &Pod) -> Vec<&Word> {
    let mut words = vec![
        &pod.namespace,
        &pod.node,
        &pod.phase,
        &pod.reason,
        &pod.host_ip,
        &pod.priority_class,
        &pod.qos_class,
    ];
    words.extend(pod.owner.iter().flat_map(|owner| [&owner.kind, &owner.name]));
    let hints = pod.scrape.iter();
    words.extend(hints.flat_map(|hint| [&hint.scrape, &hint.port, &hint.path, &hint.scheme]));
    for status in &pod.statuses {
        words.push(&status.name);
        words.extend(ends(status).map(|end| &end.reason));
        if let ContainerState::Waiting(reason) = &status.state {
            words.push(reason);
        }
    }
    words
}

/// Each word once, behind its two counts, with a place in the pool.
fn words_held<'a>(pods: impl Iterator<Item = &'a Pod>) -> usize {
    let mut seen = HashSet::new();
    let place = (size_of::<Word>() + 1) * (8 + EMPTY) / 8;
    let counted = 4 * size_of::<usize>() + ALLOCATION + place;
    let fresh = pods.flat_map(words).filter(|word| !word.is_empty() && seen.insert(word.as_ptr()));
    fresh.map(|word| text(word) + counted).sum()
}

/// Recorded pods, each as three replicas of its template.
#[test]
fn a_pod_takes_at_most_half_a_kibibyte_of_its_own() {
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
    let lists: usize =
        pods.iter().filter(|pod| seen.insert(pod.containers.as_ptr())).map(|pod| common(pod)).sum();
    let words = words_held(pods.iter().map(|pod| &***pod));
    let each = |all: usize| all / pods.len();
    assert!(seen.len() * REPLICAS <= pods.len(), "equal containers are kept {} times", seen.len());
    let (own, shared) = (each(own), each(lists + words));
    assert!((200..=512).contains(&own), "{own} bytes a pod of its own");
    assert!((50..=512).contains(&shared), "{shared} bytes a pod of {lists} and {words} shared");
}

/// A record of a shelf behind its `Arc`, with its place there; `inside` is what its fields hold.
fn shelved<T: Held>(one: &T, inside: usize) -> usize {
    let record = size_of::<T>() + 2 * size_of::<usize>() + ALLOCATION;
    let entry = (size_of::<usize>() + 1) * (8 + EMPTY) / 8;
    record + entry + text(one.name()) + text(one.namespace()) + inside
}

#[test]
fn volumes_autoscalers_and_changes_of_quotas_take_less() {
    let uid = "0b2b1c9e-5a0f-4f0c-9a6d-6b2f3c1d4e5f";
    let volume = serde_json::json!({
        "metadata": { "name": format!("pvc-{uid}") },
        "spec": {
            "capacity": { "storage": "100Gi" }, "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": "gp3-encrypted", "volumeMode": "Filesystem",
            "claimRef": { "namespace": "team-data", "name": "data-postgres-0" },
            "csi": { "driver": "ebs.csi.aws.com", "volumeHandle": "vol-0123456789abcdef0" },
        },
        "status": { "phase": "Bound" },
    });
    let volume: object::PersistentVolume = serde_json::from_value(volume).unwrap();
    let volume: PersistentVolume = cluster::inventory::persistent_volume(volume);
    let pair = |(left, right): &(Box<str>, Box<str>)| text(left) + text(right);
    let words = [&volume.phase, &volume.storage_class, &volume.reclaim_policy, &volume.mode];
    let inside = words.into_iter().map(|one| text(one)).sum::<usize>()
        + volume.claim.as_ref().map_or(0, pair)
        + slice(&volume.source, pair);
    let bytes = shelved(&volume, inside);
    assert!((300..=768).contains(&bytes), "{bytes} bytes a volume");

    let amounts = serde_json::json!({
        "limits.cpu": "64", "limits.memory": "256Gi", "persistentvolumeclaims": "20", "pods": "200",
        "requests.cpu": "32", "requests.memory": "128Gi", "requests.storage": "2Ti",
        "services": "40", "services.loadbalancers": "2", "count/deployments.apps": "50",
    });
    let quota = serde_json::json!({
        "metadata": { "namespace": "team-data", "name": "compute-resources" },
        "status": { "hard": amounts, "used": amounts },
    });
    let quota: object::ResourceQuota = serde_json::from_value(quota).unwrap();
    let quota: Quota = cluster::inventory::quota(quota);
    // What a change of what is used costs: names and bounds are shared with the record before.
    let bytes = shelved(&quota, slice(&quota.used, |_| 0));
    assert!((200..=512).contains(&bytes), "{bytes} bytes a change of a quota");

    let condition = |kind: &str| serde_json::json!({ "type": kind, "status": "True" });
    let conditions = ["AbleToScale", "ScalingActive", "ScalingLimited"].map(condition);
    let scaler = serde_json::json!({
        "metadata": { "namespace": "team-data", "name": "frontend-autoscaler" },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "frontend" },
            "minReplicas": 2, "maxReplicas": 20,
        },
        "status": {
            "currentReplicas": 3, "desiredReplicas": 3,
            "conditions": conditions,
        },
    });
    let scaler: object::HorizontalPodAutoscaler = serde_json::from_value(scaler).unwrap();
    let scaler: Autoscaler = cluster::inventory::autoscaler(scaler);
    let inside = text(&scaler.target.kind)
        + text(&scaler.target.name)
        + text(&scaler.target_api)
        + slice(&scaler.conditions, |(kind, _)| text(kind));
    let bytes = shelved(&scaler, inside);
    assert!((300..=640).contains(&bytes), "{bytes} bytes an autoscaler");
}
