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
    but_namespace(&Options::of(variant))
}

fn but_namespace(options: &Options) -> Vec<Value> {
    objects(options).into_iter().filter(|object| object["kind"] != "Namespace").collect()
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
    let custom = json!({ "metricsServer": true, "customMetrics": true });
    same(rendered("taffrail", &custom), without_namespace(Variant::CustomMetrics));
    let dashboard = json!({ "dashboardScraper": true });
    same(rendered("kubernetes-dashboard", &dashboard), without_namespace(Variant::Dashboard));
    let scraping = Options { scrape: true, ..Options::of(Variant::Plain) };
    same(rendered("taffrail", &json!({ "scrape": true })), but_namespace(&scraping));
    let push = json!({ "enabled": true });
    let pushed = Options { push: true, ..Options::of(Variant::Plain) };
    same(rendered("taffrail", &json!({ "push": push })), but_namespace(&pushed));
    let pushed = Options { push: true, ..Options::of(Variant::Replicas) };
    same(rendered("taffrail", &json!({ "push": push, "replicas": 3 })), but_namespace(&pushed));
    let pushed = Options { push: true, ..Options::of(Variant::MetricsServer) };
    let values = json!({ "push": push, "metricsServer": true });
    same(rendered("taffrail", &values), but_namespace(&pushed));
}

#[test]
fn custom_metrics_stand_beside_another_metrics_server() {
    let objects = rendered("taffrail", &json!({ "customMetrics": true }));
    let names = |kind: &str| -> Vec<String> {
        let of_kind = objects.iter().filter(|object| object["kind"] == kind);
        of_kind.map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let services = names("APIService");
    assert_eq!(services.len(), 3, "{services:?}");
    assert!(!services.contains(&"v1beta1.metrics.k8s.io".to_owned()), "{services:?}");
    assert!(!names("ClusterRole").contains(&"taffrail-metrics-reader".to_owned()));
    let role = objects
        .iter()
        .find(|object| object["kind"] == "ClusterRole" && object["metadata"]["name"] == "taffrail");
    let own = role.unwrap()["rules"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(own["resourceNames"].as_array().unwrap().len(), 3, "{own}");
    let pods = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
    let args = &pods["spec"]["template"]["spec"]["containers"][0]["args"];
    assert!(args.as_array().unwrap().contains(&"--secure-port=10250".into()), "{args}");
}

#[test]
fn values_arrive() {
    let values = json!({
        "image": { "tag": "9", "pullSecrets": [{ "name": "pull" }] },
        "extraArgs": ["--sink=log"],
        "push": { "enabled": true, "secretName": "senders" },
        "storage": { "size": "1Gi", "className": "fast" },
        "nodeSelector": { "disk": "ssd" },
        "networkPolicy": false,
    });
    let objects = rendered("elsewhere", &values);
    let of = |kind: &str| objects.iter().find(|object| object["kind"] == kind).cloned();
    let pod = of("Deployment").unwrap()["spec"]["template"]["spec"].clone();
    assert_eq!(pod["containers"][0]["image"], format!("{}:9", manifests::REPOSITORY));
    assert_eq!(pod["containers"][0]["args"][5], "--sink=log");
    let secrets = pod["volumes"].as_array().unwrap().iter().map(|one| &one["secret"]["secretName"]);
    assert!(secrets.into_iter().any(|name| name == "senders"), "{pod}");
    assert_eq!(pod["imagePullSecrets"][0]["name"], "pull");
    assert_eq!(pod["nodeSelector"]["disk"], "ssd");
    let claim = of("PersistentVolumeClaim").unwrap();
    assert_eq!(claim["spec"]["storageClassName"], "fast");
    assert_eq!(claim["metadata"]["namespace"], "elsewhere");
    assert_eq!(of("NetworkPolicy"), None);
}

#[test]
fn grafana_gets_a_data_source_and_every_dashboard() {
    let objects = rendered("monitor", &json!({ "grafana": { "enabled": true } }));
    let maps: Vec<&Value> = objects.iter().filter(|object| object["kind"] == "ConfigMap").collect();
    let labeled = |label: &str| {
        let of = |map: &&&Value| map["metadata"]["labels"][label] == "1";
        maps.iter().filter(of).copied().collect::<Vec<_>>()
    };
    let sources = labeled("grafana_datasource");
    assert_eq!(sources.len(), 1);
    let text = sources[0]["data"]["taffrail.yaml"].as_str().unwrap();
    assert!(text.contains("url: http://taffrail.monitor.svc\n"), "{text}");
    let folder = root().join("deploy/grafana/dashboards");
    let mut missing = Vec::new();
    let boards = labeled("grafana_dashboard");
    for file in std::fs::read_dir(&folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let board: Value =
            serde_json::from_slice(&std::fs::read(folder.join(&name)).unwrap()).unwrap();
        let shown = boards.iter().filter_map(|map| map["data"][&name].as_str());
        let same = |text: &str| serde_json::from_str::<Value>(text).unwrap() == board;
        if shown.filter(|text| same(text)).count() != 1 {
            missing.push(name);
        }
    }
    assert_eq!(missing, [] as [String; 0]);
    assert!(
        boards.iter().all(|map| map["metadata"]["annotations"]["grafana_folder"] == "Taffrail")
    );
    let token = objects.iter().find(|object| object["kind"] == "Secret").unwrap();
    let account = &token["metadata"]["annotations"]["kubernetes.io/service-account.name"];
    assert_eq!(account, "taffrail-grafana");
}
