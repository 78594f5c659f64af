//! Recorded and made-up objects through the conversion. Knows no watch.

use model::{Timestamp, Truth};
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

#[test]
fn autoscalers_and_quotas() {
    let text = r#"{"metadata":{"name":"web","namespace":"shop","creationTimestamp":"2026-01-01T00:00:00Z"},
        "spec":{"scaleTargetRef":{"kind":"Deployment","name":"web","apiVersion":"apps/v1"},"minReplicas":2,"maxReplicas":9,
            "metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":80}}}]},
        "status":{"observedGeneration":1,"currentReplicas":3,"desiredReplicas":4,"currentMetrics":null,"conditions":[
            {"type":"AbleToScale","status":"True","reason":"ReadyForNewScale"},
            {"type":"ScalingActive","status":"False"},{"type":"ScalingLimited","status":"Unknown"}]}}"#;
    let scaler = autoscaler(serde_json::from_str(text).unwrap());
    assert_eq!((scaler.min, scaler.max, scaler.current, scaler.wanted), (2, 9, 3, 4));
    assert_eq!((&*scaler.target.kind, &*scaler.target.name), ("Deployment", "web"));
    assert_eq!(&*scaler.target_api, "apps/v1");
    let [able, active, limited] = &*scaler.conditions else { panic!("{:?}", scaler.conditions) };
    assert_eq!((&*able.0, able.1), ("AbleToScale", Truth::True));
    assert_eq!((active.1, limited.1), (Truth::False, Truth::Unknown));
    // One that its controller has not seen yet.
    let fresh = r#"{"metadata":{"name":"web"},"spec":{"scaleTargetRef":{"kind":"Deployment","name":"web"},"maxReplicas":3}}"#;
    let fresh = autoscaler(serde_json::from_str(fresh).unwrap());
    assert_eq!((fresh.min, fresh.max, fresh.current, fresh.wanted), (1, 3, 0, 0));

    let text = r#"{"metadata":{"name":"compute","namespace":"shop"},"spec":{"hard":{"pods":"4"}},
        "status":{"hard":{"requests.cpu":"4","pods":"50","requests.memory":"10Gi"},
            "used":{"requests.cpu":"750m","pods":"3","count/odd":"x"}}}"#;
    let compute = quota(serde_json::from_str(text).unwrap());
    let hard: Vec<_> = compute.hard.iter().map(|(name, most)| (&**name, *most)).collect();
    let memory = 10 * (1_i64 << 30) * 1000;
    let expected = [
        ("count/odd", None),
        ("pods", Some(50_000)),
        ("requests.cpu", Some(4000)),
        ("requests.memory", Some(memory)),
    ];
    assert_eq!(hard, expected);
    assert_eq!(&*compute.used, &[None, Some(3000), Some(750), None]);
    let fresh = quota(serde_json::from_str(r#"{"metadata":{"name":"q"}}"#).unwrap());
    assert!(fresh.hard.is_empty() && fresh.used.is_empty());
}

#[test]
fn volumes_and_where_they_are() {
    let volume = |source: &str| {
        let text = format!(
            r#"{{"metadata":{{"name":"pv-1"}},"spec":{{"capacity":{{"storage":"100Gi"}},"accessModes":["ReadWriteOnce"],
                "claimRef":{{"kind":"PersistentVolumeClaim","namespace":"data","name":"disk","uid":"u"}},
                "persistentVolumeReclaimPolicy":"Retain","storageClassName":"fast","volumeMode":"Block",{source}}},
                "status":{{"phase":"Bound","lastPhaseTransitionTime":"2026-01-01T00:00:00Z"}}}}"#
        );
        persistent_volume(serde_json::from_str(&text).unwrap())
    };
    let csi = volume(
        r#""csi":{"driver":"csi.example.com","volumeHandle":"vol-1","volumeAttributes":{"a":"b"}}"#,
    );
    assert_eq!((&*csi.phase, &*csi.storage_class, &*csi.mode), ("Bound", "fast", "Block"));
    assert_eq!((&*csi.reclaim_policy, csi.capacity), ("Retain", Some(100 << 30)));
    assert_eq!(csi.claim, Some(("data".into(), "disk".into())));
    for (source, expected) in [
        (
            r#""csi":{"driver":"d","volumeHandle":"v"}"#,
            &[("csi_driver", "d"), ("csi_volume_handle", "v")][..],
        ),
        (
            r#""nfs":{"server":"s","path":"/p","readOnly":true}"#,
            &[("nfs_server", "s"), ("nfs_path", "/p")],
        ),
        (r#""local":{"path":"/p"}"#, &[("local_path", "/p")]),
        (
            r#""hostPath":{"path":"/p","type":"Directory"}"#,
            &[("host_path", "/p"), ("host_path_type", "Directory")],
        ),
        (
            r#""iscsi":{"targetPortal":"1.2.3.4:3260","iqn":"iqn.x","lun":0}"#,
            &[("iscsi_target_portal", "1.2.3.4:3260"), ("iscsi_iqn", "iqn.x"), ("iscsi_lun", "0")],
        ),
        (r#""fc":{"targetWWNs":["a","b"],"lun":2}"#, &[("fc_lun", "2"), ("fc_target_wwns", "a,b")]),
        (r#""gcePersistentDisk":{"pdName":"g"}"#, &[("gce_persistent_disk_name", "g")]),
        (r#""awsElasticBlockStore":{"volumeID":"e"}"#, &[("ebs_volume_id", "e")]),
        (
            r#""azureDisk":{"diskName":"z","diskURI":"u","cachingMode":null}"#,
            &[("azure_disk_name", "z")],
        ),
        (r#""rbd":{"image":"i"}"#, &[]),
    ] {
        assert_eq!(volume(source).source, pairs(expected), "{source}");
    }
}
