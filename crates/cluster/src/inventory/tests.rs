//! Recorded and made-up objects through the conversion. Knows no watch.

use model::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::*;

#[derive(Deserialize)]
#[serde(bound = "K: DeserializeOwned")]
struct List<K> {
    items: Vec<K>,
}

fn list<K: DeserializeOwned>(text: &str) -> Vec<K> {
    serde_json::from_str::<List<K>>(text).unwrap().items
}

fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

#[test]
fn recorded_objects() {
    let nodes: Vec<object::Node> = list(include_str!("../../tests/fixtures/api_nodes.json"));
    let node = node(nodes.into_iter().next().unwrap(), "k3s.io/node-env");
    assert_eq!((&*node.name, &*node.hostname, &*node.host_id), ("node1", "node1", "{}"));
    assert_eq!(node.addresses, pairs(&[("InternalIP", "10.99.0.2"), ("Hostname", "node1")]));
    assert_eq!((node.kubelet_port, node.ready, node.pod_capacity), (10250, Ready::Yes, 110));
    assert_eq!(&*node.kubelet_version, "v1.21.2+k3s1");
    assert_eq!(node.capacity.memory_bytes, Some(25_276_510_208));
    assert_eq!(node.allocatable.ephemeral_storage_bytes, Some(257_025_515_114));
    assert_eq!(node.created, Timestamp::parse_rfc3339("2026-11-23T09:27:52Z").unwrap());

    let pods: Vec<object::Pod> = list(include_str!("../../tests/fixtures/api_pods.json"));
    let pods: Vec<Pod> = pods.into_iter().map(pod).collect();
    assert_eq!(pods.len(), 4);
    let burner = pods.iter().find(|pod| pod.name.starts_with("burner")).unwrap();
    assert_eq!((&*burner.namespace, &*burner.node, &*burner.phase), ("web", "node1", "Running"));
    assert_eq!(burner.owner.as_ref().map(|owner| &*owner.kind), Some("ReplicaSet"));
    assert!(
        matches!(burner.statuses[0].state, ContainerState::Running(since) if !since.is_never())
    );
    let httpd = pods.iter().find(|pod| &*pod.name == "httpd").unwrap();
    assert_eq!((httpd.containers.len(), httpd.statuses.len(), &httpd.owner), (2, 2, &None));

    let namespaces: Vec<object::Namespace> =
        list(include_str!("../../tests/fixtures/api_namespaces.json"));
    assert!(
        namespaces.into_iter().map(namespace).any(|ns| &*ns.name == "web" && !ns.uid.is_empty())
    );
    let deployments: Vec<object::Deployment> =
        list(include_str!("../../tests/fixtures/api_deployments.json"));
    assert_eq!(deployments[0].spec.replicas, Some(2));
}

#[test]
fn a_node_may_name_the_path_of_its_resource_metrics() {
    for (path, expected) in [
        ("/metrics/resource/v1", "/metrics/resource/v1"),
        ("", ""),
        ("metrics", ""),
        ("/../pods", ""),
        ("/a/./b", ""),
        ("/x?y=z", ""),
        ("/a b", ""),
        ("/%2e%2e/x", ""),
        (&*format!("/{}", "a".repeat(300)), ""),
    ] {
        let object = serde_json::json!({ "metadata": {
            "name": "n", "annotations": { "metrics.k8s.io/resource-metrics-path": path },
        } });
        let node = node(serde_json::from_value(object).unwrap(), "");
        assert_eq!(&*node.resource_path, expected, "{path}");
    }
}

#[test]
fn watch_events_are_read() {
    for line in include_str!("../../tests/fixtures/api_pods_watch.ndjson").lines() {
        let event: kube::api::WatchEvent<object::Pod> = serde_json::from_str(line).unwrap();
        assert!(
            matches!(event, kube::api::WatchEvent::Added(pod) if !pod.metadata.name().is_empty())
        );
    }
}

#[test]
fn heapsters_own_objects() {
    #[derive(Deserialize)]
    struct Objects {
        node: object::Node,
        node_not_ready: object::Node,
        pod: object::Pod,
    }
    let objects: Objects =
        serde_json::from_str(include_str!("../../tests/fixtures/heapster_objects.json")).unwrap();
    let ready = node(objects.node, "hid");
    assert_eq!((&*ready.hostname, &*ready.host_id, ready.ready), ("n1-host", "HOST-1", Ready::Yes));
    assert_eq!(ready.allocatable.cpu_millicores, Some(3500));
    assert_eq!(ready.labels, pairs(&[("role", "w"), ("zone", "a")]));
    assert_eq!(node(objects.node_not_ready, "").ready, Ready::No);
    let pod = pod(objects.pod);
    assert_eq!(pod.containers[0].requests.cpu_millicores, Some(100));
    assert_eq!(pod.containers[0].limits.memory_bytes, None);
    assert_eq!(*pod.containers[0].extended_requests, [("nvidia.com/gpu".into(), 1)]);
    assert_eq!(pod.statuses[0].restart_count, 2);
}

#[test]
fn states_owners_and_claims() {
    let text = r#"{"metadata":{"name":"p","namespace":"ns","deletionTimestamp":"2026-01-01T00:00:00Z",
        "managedFields":[{"fieldsV1":{"f:x":{}}}],"ownerReferences":[
            {"kind":"Friend","name":"f"},{"kind":"Job","name":"j","controller":true}]},
        "spec":{"hostNetwork":true,"volumes":[{"name":"a"},
            {"name":"b","persistentVolumeClaim":{"claimName":"claim"}}],
            "containers":[{"name":"c","resources":{"requests":{"cpu":0.25,"memory":1000}}}]},
        "status":{"phase":"Failed","reason":"Evicted","containerStatuses":[{"name":"c","restartCount":3,
            "state":{"waiting":{"reason":"CrashLoopBackOff"}},
            "lastState":{"terminated":{"reason":"OOMKilled","exitCode":137,"finishedAt":null}}}]}}"#;
    let pod = pod(serde_json::from_str(text).unwrap());
    assert_eq!(pod.owner, Some(Owner { kind: "Job".into(), name: "j".into() }));
    assert_eq!(pod.claims, pairs(&[("b", "claim")]));
    assert_eq!(pod.containers[0].requests.cpu_millicores, Some(250));
    assert_eq!(pod.containers[0].requests.memory_bytes, Some(1000));
    assert_eq!(pod.statuses[0].state, ContainerState::Waiting("CrashLoopBackOff".into()));
    let ended = pod.statuses[0].last_termination.as_ref().unwrap();
    assert_eq!((&*ended.reason, ended.exit_code), ("OOMKilled", 137));
    assert!(pod.host_network && !pod.deleted.is_never());
}

#[test]
fn a_node_without_ready_condition_is_unstated() {
    let read = |conditions: &str| {
        let text = format!(
            r#"{{"metadata":{{"name":"n"}},"status":{{"conditions":[{conditions}],
                "addresses":[{{"type":"Hostname","address":"h"}}]}},"spec":{{"externalID":"ext"}}}}"#
        );
        node(serde_json::from_str(&text).unwrap(), "")
    };
    let unstated = read(r#"{"type":"MemoryPressure","status":"True"}"#);
    assert_eq!(
        (unstated.ready, &*unstated.pressures),
        (Ready::Unstated, &["MemoryPressure".into()][..])
    );
    assert_eq!((&*unstated.hostname, &*unstated.host_id), ("h", "ext"));
    let unknown = r#"{"type":"Ready","status":"Unknown"},{"type":"Ready","status":"True"}"#;
    assert_eq!(read(unknown).ready, Ready::No);
}
