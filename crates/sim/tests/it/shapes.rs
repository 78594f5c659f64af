//! Every field that a real cluster was recorded with is there, unless it is named here.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::Cluster;

/// Paths of all fields, list items folded into one.
fn paths(value: &Value, prefix: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{prefix}.{name}");
                paths(value, &path, into);
                into.insert(path);
            }
        }
        Value::Array(items) => {
            for item in items {
                paths(item, &format!("{prefix}[]"), into);
            }
        }
        _ => {}
    }
}

fn check(recorded: &str, ours: &Value, left_out: &[&str]) {
    let recorded: Value = serde_json::from_str(recorded).unwrap();
    let (mut theirs, mut present) = (BTreeSet::new(), BTreeSet::new());
    paths(&recorded, "", &mut theirs);
    paths(ours, "", &mut present);
    let usual = ["managedFields", "metadata.annotations", "labels.", "finalizers"];
    let excused = |path: &str| usual.iter().chain(left_out).any(|part| path.contains(part));
    let missing: Vec<&String> = theirs.difference(&present).filter(|path| !excused(path)).collect();
    assert!(missing.is_empty(), "missing: {missing:#?}");
}

#[tokio::test]
async fn kubelets_answer_as_recorded() {
    let cluster = Cluster::small().await;
    let summary = cluster.kubelet(1, "GET", "/stats/summary").await.unwrap().json();
    check(include_str!("../fixtures/kubelet_stats_summary"), &summary, &[]);
    let ours = cluster.kubelet(1, "GET", "/metrics/resource").await.unwrap();
    for line in include_str!("../fixtures/kubelet_metrics_resource").lines() {
        // Renamed when the endpoint became stable.
        if let Some(head) =
            line.strip_prefix("# TYPE ").filter(|head| !head.starts_with("scrape_error"))
        {
            assert!(ours.text().contains(&format!("# TYPE {head}\n")), "{head}");
        }
    }
}

#[tokio::test]
async fn cadvisor_has_the_families_that_dashboards_use() {
    let cluster = Cluster::small().await;
    let ours = cluster.kubelet(1, "GET", "/metrics/cadvisor").await.unwrap();
    // What few read: merged and timed disk operations, task states, sockets, swap limits, NVM.
    let left_out = [
        "_merged_",
        "_io_",
        "fs_read_seconds",
        "fs_write_seconds",
        "_sector_",
        "tasks_state",
        "sockets",
        "ulimits",
        "file_descriptors",
        "threads_max",
        "reservation_limit",
        "swap_limit",
        "nvm",
        "machine_cpu_sockets",
        "load_average",
        "scrape_error",
    ];
    for line in include_str!("../fixtures/kubelet_metrics_cadvisor.types").lines() {
        if !left_out.iter().any(|part| line.contains(part)) {
            assert!(ours.text().contains(line), "{line}");
        }
    }
}

#[tokio::test]
async fn objects_look_as_recorded() {
    let cluster = Cluster::small().await;
    cluster.at(200);
    for (path, recorded, left_out) in [
        ("/api/v1/pods", include_str!("../fixtures/api_pods.json"), &["command", "emptyDir"][..]),
        ("/api/v1/nodes", include_str!("../fixtures/api_nodes.json"), &[][..]),
        ("/api/v1/namespaces", include_str!("../fixtures/api_namespaces.json"), &[][..]),
        (
            "/api/v1/events",
            include_str!("../fixtures/api_events.json"),
            &["involvedObject.resourceVersion"][..],
        ),
        (
            "/apis/apps/v1/deployments",
            include_str!("../fixtures/api_deployments.json"),
            &["command"][..],
        ),
        ("/api/v1/services", include_str!("../fixtures/api_services.json"), &[][..]),
    ] {
        check(recorded, &cluster.get(path).await.json(), left_out);
    }
}
