//! The Helm chart, rendered by Helm's own engine: the same objects as the manifests.

use manifests::{Options, Variant};
use serde_json::{Value, json};

use crate::support::{list, objects, root, same, tools};

fn rendered(namespace: &str, values: &Value) -> Vec<Value> {
    let chart = root().join("deploy/helm/taffrail").display().to_string();
    list(tools(&["helm", &chart, namespace], &values.to_string()))
}

/// Helm is told the namespace and does not make it.
fn without_namespace(variant: Variant) -> Vec<Value> {
    let objects = objects(&Options::of(variant)).into_iter();
    objects.filter(|object| object["kind"] != "Namespace").collect()
}

#[test]
fn its_values_make_each_variant() {
    same(rendered("taffrail", &json!({})), without_namespace(Variant::Plain));
    let heapster = json!({ "heapsterService": true });
    same(rendered("kube-system", &heapster), without_namespace(Variant::Heapster));
    let replicas = json!({ "replicas": 3 });
    same(rendered("taffrail", &replicas), without_namespace(Variant::Replicas));
    let metrics = json!({ "metricsServer": true });
    same(rendered("taffrail", &metrics), without_namespace(Variant::MetricsServer));
    let dashboard = json!({ "dashboardScraper": true });
    same(rendered("kubernetes-dashboard", &dashboard), without_namespace(Variant::Dashboard));
}

#[test]
fn values_arrive() {
    let values = json!({
        "image": { "tag": "9", "pullSecrets": [{ "name": "pull" }] },
        "extraArgs": ["--sink=log"],
        "storage": { "size": "1Gi", "className": "fast" },
        "nodeSelector": { "disk": "ssd" },
        "networkPolicy": false,
    });
    let objects = rendered("elsewhere", &values);
    let of = |kind: &str| objects.iter().find(|object| object["kind"] == kind).cloned();
    let pod = of("Deployment").unwrap()["spec"]["template"]["spec"].clone();
    assert_eq!(pod["containers"][0]["image"], format!("{}:9", manifests::REPOSITORY));
    assert_eq!(pod["containers"][0]["args"][3], "--sink=log");
    assert_eq!(pod["imagePullSecrets"][0]["name"], "pull");
    assert_eq!(pod["nodeSelector"]["disk"], "ssd");
    let claim = of("PersistentVolumeClaim").unwrap();
    assert_eq!(claim["spec"]["storageClassName"], "fast");
    assert_eq!(claim["metadata"]["namespace"], "elsewhere");
    assert_eq!(of("NetworkPolicy"), None);
}
