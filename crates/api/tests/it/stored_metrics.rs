//! custom.metrics.k8s.io and external.metrics.k8s.io: what an HPA asks, and what it is answered.

use std::sync::Arc;
use std::time::Duration;

use api::ApiState;
use axum::body::Body;
use http::Request;
use model::{Draft, EntityKind, Inventory, Node, Pod, Registry, metric};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::fixture::{parts, time};

const CUSTOM: &str = "/apis/custom.metrics.k8s.io/v1beta2";
const EXTERNAL: &str = "/apis/external.metrics.k8s.io/v1beta1";

/// Two pods of one deployment on one node, one of them with two volumes.
fn measured() -> Arc<ApiState> {
    let mut inventory = Inventory::default();
    let labels = |text: &str| [("app".into(), text.into())].into();
    let node = Arc::new(Node { name: "n1".into(), labels: labels("db"), ..Node::default() });
    let mut draft = Draft::new(time("2026-11-23T09:18:00Z"), Registry::default());
    for (name, rate) in [("web-1", 1500.25), ("web-2", 2000.0)] {
        let pod = Arc::new(Pod {
            namespace: "web".into(),
            name: name.into(),
            node: "n1".into(),
            labels: labels(name).into(),
            claims: [("data".into(), "data-web".into())].into(),
            ..Pod::default()
        });
        inventory.put_pod(Arc::clone(&pod));
        let entity = draft.registry.pod("web", name, "");
        let row = draft.insert(&entity).row;
        let table = draft.table_mut(EntityKind::Pod);
        table.set_float(row, metric::NETWORK_RX_RATE, rate);
        table.set_int(row, metric::CPU_USAGE_RATE, 250);
        table.set_int(row, metric::RESTART_COUNT, 3);
        table.set_scraped(row, time("2026-11-23T09:17:58Z"));
        let context = table.context_mut(row);
        (context.pod, context.node) = (Some(Arc::clone(&pod)), Some(Arc::clone(&node)));
        for (volume, used) in
            [("data", 85), ("tmp", 10)].iter().take(if name == "web-1" { 2 } else { 0 })
        {
            let volume =
                draft.registry.part(EntityKind::Volume, &entity, &format!("Volume:{volume}"));
            let row = draft.insert(&volume).row;
            let table = draft.table_mut(EntityKind::Volume);
            table.set_int(row, metric::FILESYSTEM_USAGE, *used);
            table.set_int(row, metric::FILESYSTEM_LIMIT, 100);
            table.context_mut(row).pod = Some(Arc::clone(&pod));
        }
    }
    let workload = draft.registry.workload("web", "Deployment", "web");
    let row = draft.insert(&workload).row;
    draft.table_mut(EntityKind::Workload).set_float(row, metric::NETWORK_RX_RATE, 3500.25);
    let n1 = draft.registry.node("n1");
    let row = draft.insert(&n1).row;
    draft.table_mut(EntityKind::Node).set_int(row, metric::MEMORY_WORKING_SET, 1 << 30);
    draft.table_mut(EntityKind::Node).context_mut(row).node = Some(Arc::clone(&node));
    let space = draft.registry.namespace("web");
    let row = draft.insert(&space).row;
    draft.table_mut(EntityKind::Namespace).set_int(row, metric::RESTART_COUNT, 6);
    inventory.put_node(node);
    let (batch, _) = draft.freeze();
    ApiState::new(parts(&[batch], inventory))
}

async fn get(state: &Arc<ApiState>, path: &str) -> (u16, Value) {
    // As client-go asks where the controller manager prefers protobuf.
    let accept = "application/vnd.kubernetes.protobuf,*/*";
    let request = Request::get(path).header("accept", accept).body(Body::empty()).unwrap();
    let response = api::kubernetes_router(state).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    assert_eq!(head.headers["content-type"], "application/json", "{path}");
    let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
    (head.status.as_u16(), serde_json::from_slice(&body).unwrap())
}

/// `name=value` of every item.
async fn values(state: &Arc<ApiState>, path: &str) -> String {
    let (status, list) = get(state, &format!("{CUSTOM}{path}")).await;
    assert_eq!((status, &list["kind"]), (200, &"MetricValueList".into()), "{path}: {list}");
    let items = list["items"].as_array().unwrap().iter();
    let shown = items.map(|item| {
        let name = item["describedObject"]["name"].as_str().unwrap();
        format!("{name}={}", item["value"].as_str().unwrap())
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn an_item_has_the_shape_that_an_hpa_reads() {
    let state = measured();
    let path = "/namespaces/web/pods/web-1/network_rx_rate";
    let (_, new) = get(&state, &format!("{CUSTOM}{path}")).await;
    let object = json!({ "kind": "Pod", "namespace": "web", "name": "web-1", "apiVersion": "v1" });
    let expected = json!({
        "kind": "MetricValueList", "apiVersion": "custom.metrics.k8s.io/v1beta2", "metadata": {},
        "items": [{
            "describedObject": object, "metric": { "name": "network_rx_rate", "selector": null },
            "timestamp": "2026-11-23T09:17:58Z", "windowSeconds": 60, "value": "1500250m",
        }],
    });
    assert_eq!(new, expected);
    let old = CUSTOM.replace("v1beta2", "v1beta1");
    let (_, old) = get(&state, &format!("{old}{path}")).await;
    let expected = json!({
        "kind": "MetricValueList", "apiVersion": "custom.metrics.k8s.io/v1beta1", "metadata": {},
        "items": [{
            "describedObject": object, "metricName": "network_rx_rate", "selector": null,
            "timestamp": "2026-11-23T09:17:58Z", "windowSeconds": 60, "value": "1500250m",
        }],
    });
    assert_eq!(old, expected);
}

#[tokio::test]
async fn things_are_described_by_name_or_all_at_once() {
    let state = measured();
    for (path, expected) in [
        ("/namespaces/web/pods/*/network_rx_rate", "web-1=1500250m web-2=2k"),
        ("/namespaces/web/pods/*/network_rx_rate?labelSelector=app%3Dweb-2", "web-2=2k"),
        ("/namespaces/web/pods/*/network_rx_rate?metricLabelSelector=x%3Dy", ""),
        ("/namespaces/other/pods/*/network_rx_rate", ""),
        ("/namespaces/web/pods/web-1/cpu_usage_rate", "web-1=250m"),
        ("/namespaces/web/pods/web-1/filesystem_fill", "web-1=850m"),
        ("/namespaces/web/pods/web-1/filesystem_usage", "web-1=95"),
        (
            "/namespaces/web/pods/web-1/filesystem_fill?metricLabelSelector=volume%3Dtmp",
            "web-1=100m",
        ),
        ("/namespaces/web/persistentvolumeclaims/data-web/filesystem_fill", "data-web=850m"),
        ("/namespaces/web/deployments.apps/web/network_rx_rate", "web=3500250m"),
        ("/namespaces/web/deployments/*/network_rx_rate", "web=3500250m"),
        ("/nodes/n1/memory_working_set", "n1=1073741824"),
        ("/nodes/*/memory_working_set?labelSelector=app%3Ddb", "n1=1073741824"),
        ("/nodes/*/memory_working_set?labelSelector=app%3Dweb", ""),
        ("/namespaces/web/metrics/restart_count", "web=6"),
        ("/namespaces/*/restart_count", "web=6"),
    ] {
        assert_eq!(values(&state, path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn what_cannot_be_answered_is_a_status() {
    let state = measured();
    for (path, status, message) in [
        ("/namespaces/web/pods/*/nonsense", 404, "could not find the metric nonsense for pods"),
        ("/namespaces/web/pods/web-9/restart_count", 404, "metric restart_count for pods web-9"),
        ("/namespaces/web/services/x/restart_count", 404, "metric restart_count for services x"),
        ("/pods/*/restart_count", 404, "metric restart_count for pods"),
        ("/namespaces/web/nodes/n1/memory_working_set", 404, "for nodes n1"),
        ("/namespaces/web/pods/*/restart_count?labelSelector=a%3D%3D%3Db", 400, "requirement"),
        ("/namespaces/web/pods/*/restart_count?metricLabelSelector=(", 400, "requirement"),
        ("/namespaces/web/deployments/*/network_rx_rate?labelSelector=a", 400, "name the workload"),
        ("/nonsense", 404, "could not find the requested resource"),
    ] {
        let (code, answer) = get(&state, &format!("{CUSTOM}{path}")).await;
        let text = answer["message"].as_str().unwrap();
        assert_eq!((code, &answer["kind"]), (status, &"Status".into()), "{path}: {answer}");
        assert!(text.contains(message), "{path}: {text}");
    }
    let later = ApiState::new(api::ApiParts {
        clock: Arc::new(|| time("2026-11-23T09:18:00Z").plus(Duration::from_secs(181))),
        ..parts(&one_batch(), Inventory::default())
    });
    let (code, answer) = get(&later, &format!("{CUSTOM}/nodes/n1/memory_working_set")).await;
    assert_eq!((code, &answer["message"]), (503, &"the newest measurement is 181 s old".into()));
}

/// One node, measured at 09:18:00.
fn one_batch() -> Vec<Arc<model::Batch>> {
    let mut draft = Draft::new(time("2026-11-23T09:18:00Z"), Registry::default());
    let node = draft.registry.node("n1");
    let row = draft.insert(&node).row;
    draft.table_mut(EntityKind::Node).set_int(row, metric::MEMORY_WORKING_SET, 1);
    vec![draft.freeze().0]
}

#[tokio::test]
async fn external_metrics_are_chosen_by_labels() {
    let state = measured();
    let path = format!("{EXTERNAL}/namespaces/web/pod_network_rx_rate?labelSelector=pod%3Dweb-1");
    let (_, list) = get(&state, &path).await;
    let expected = json!({
        "kind": "ExternalMetricValueList", "apiVersion": "external.metrics.k8s.io/v1beta1",
        "metadata": {},
        "items": [{
            "metricName": "pod_network_rx_rate",
            "metricLabels": { "namespace": "web", "pod": "web-1", "node": "n1" },
            "timestamp": "2026-11-23T09:17:58Z", "windowSeconds": 60, "value": "1500250m",
        }],
    });
    assert_eq!(list, expected);
    let count = async |path: &str| {
        let (status, list) = get(&state, &format!("{EXTERNAL}/namespaces/{path}")).await;
        (status, list["items"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(count("web/pod_network_rx_rate").await, (200, 2));
    assert_eq!(count("other/pod_network_rx_rate").await, (200, 0));
    // By the labels of the Kubernetes object too.
    assert_eq!(count("web/pod_network_rx_rate?labelSelector=app%3Dweb-2").await, (200, 1));
    assert_eq!(count("any/node_memory_working_set").await, (200, 1));
    assert_eq!(count("web/volume_filesystem_fill?labelSelector=volume%3Ddata").await, (200, 1));
    assert_eq!(count("web/workload_network_rx_rate?labelSelector=workload%3Dweb").await, (200, 1));
    assert_eq!(count("web/nonsense").await, (404, 0));
    assert_eq!(count("web/pod_restart_count?labelSelector=a%20b").await, (400, 0));
}

#[tokio::test]
async fn discovery_lists_what_can_be_asked() {
    let state = measured();
    let (_, groups) = get(&state, "/apis").await;
    let names: Vec<&str> = groups["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["preferredVersion"]["groupVersion"].as_str().unwrap())
        .collect();
    let expected = [
        "metrics.k8s.io/v1beta1",
        "custom.metrics.k8s.io/v1beta2",
        "external.metrics.k8s.io/v1beta1",
    ];
    assert_eq!(names, expected);
    let (_, list) = get(&state, CUSTOM).await;
    let resources = list["resources"].as_array().unwrap();
    let find = |name: &str| resources.iter().find(|one| one["name"] == name);
    let pods = find("pods/network_rx_rate").unwrap();
    let expected = json!({
        "name": "pods/network_rx_rate", "singularName": "", "namespaced": true,
        "kind": "MetricValueList", "verbs": ["get"],
    });
    assert_eq!(*pods, expected);
    assert_eq!(find("nodes/filesystem_fill").unwrap()["namespaced"], false);
    assert!(find("deployments.apps/restart_count").is_some());
    // Everything that is listed leads somewhere: to values, or to none.
    for one in resources {
        let name = one["name"].as_str().unwrap();
        let (resource, metric) = name.split_once('/').unwrap();
        let place = if one["namespaced"] == true { "/namespaces/web" } else { "" };
        let path = format!("{CUSTOM}{place}/{resource}/*/{metric}");
        assert_eq!(get(&state, &path).await.0, 200, "{path}");
    }
    let (_, list) = get(&state, EXTERNAL).await;
    for one in list["resources"].as_array().unwrap() {
        let path = format!("{EXTERNAL}/namespaces/web/{}", one["name"].as_str().unwrap());
        assert_eq!(get(&state, &path).await.0, 200, "{path}");
    }
    let (_, index) = get(&state, "/openapi/v3").await;
    assert!(index["paths"]["apis/custom.metrics.k8s.io/v1beta2"].is_object());
    let (_, schema) = get(&state, "/openapi/v3/apis/external.metrics.k8s.io/v1beta1").await;
    assert_eq!(schema["openapi"], "3.0.0");
}
