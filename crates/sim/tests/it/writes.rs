//! Writes: leases are kept with versions and conflicts; other kinds take dry runs only.

use serde_json::{Value, json};

use crate::support::{Answer, Cluster, Lines};

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";

async fn send(cluster: &Cluster, method: &str, path: &str, body: &Value) -> Answer {
    let body: &'static str = Box::leak(body.to_string().into_boxed_str());
    cluster.send(method, path, body, &[("content-type", "application/json")]).await
}

fn lease(name: &str, holder: &str) -> Value {
    json!({
        "metadata": { "name": name, "labels": { "app": "x" } },
        "spec": { "holderIdentity": holder, "leaseDurationSeconds": 4 },
    })
}

fn version(lease: &Value) -> &str {
    lease["metadata"]["resourceVersion"].as_str().unwrap()
}

#[tokio::test]
async fn leases_are_kept_and_watched() {
    let cluster = Cluster::small().await;
    let path = format!("{LEASES}?watch=1&labelSelector=app%3Dx");
    let mut lines = Lines::of(cluster.open(&path, "application/json").await);
    let created = send(&cluster, "POST", LEASES, &lease("a", "one")).await;
    assert_eq!(created.status, 201);
    let created = created.json();
    assert_eq!(send(&cluster, "POST", LEASES, &lease("a", "two")).await.status, 409);
    let path = format!("{LEASES}/a");
    let mut renewed = created.clone();
    renewed["spec"]["holderIdentity"] = "two".into();
    let replaced = send(&cluster, "PUT", &path, &renewed).await;
    assert_eq!((replaced.status, &replaced.json()["spec"]["holderIdentity"]), (200, &"two".into()));
    let stale = send(&cluster, "PUT", &path, &created).await;
    assert_eq!((stale.status, &stale.json()["reason"]), (409, &"Conflict".into()));
    let got = cluster.get(&path).await.json();
    assert_eq!(version(&got), version(&replaced.json()));
    assert_eq!(got["metadata"]["uid"], created["metadata"]["uid"]);
    let list = cluster.get(&format!("{LEASES}?labelSelector=app%3Dx")).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(send(&cluster, "DELETE", &path, &json!({})).await.status, 200);
    assert_eq!(cluster.get(&path).await.status, 404);
    for (kind, holder) in [("ADDED", "one"), ("MODIFIED", "two"), ("DELETED", "two")] {
        let event = lines.next().await.unwrap();
        assert_eq!(
            (&event["type"], &event["object"]["spec"]["holderIdentity"]),
            (&kind.into(), &holder.into())
        );
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_with_its_reason() {
    let cluster = Cluster::small().await;
    let refused = async |path: &str, body: Value, status: u16, part: &str| {
        let answer = send(&cluster, "POST", path, &body).await;
        let text = answer.json()["message"].to_string();
        assert!(answer.status == status && text.contains(part), "{path}: {} {text}", answer.status);
    };
    let elsewhere = LEASES.replace("default", "nowhere");
    refused(&elsewhere, lease("a", "x"), 404, "namespaces \\\"nowhere\\\" not found").await;
    let mut unknown = lease("a", "x");
    unknown["spec"]["holder"] = "x".into();
    let strict = format!("{LEASES}?fieldValidation=Strict");
    refused(&strict, unknown, 400, "unknown field \\\"spec.holder\\\"").await;
    refused(LEASES, lease("A", "x"), 422, "metadata.name").await;
    let claims = "/api/v1/namespaces/default/persistentvolumeclaims";
    let claim = json!({ "metadata": { "name": "m" }, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } },
    } });
    refused(claims, claim.clone(), 403, "dry runs only").await;
    let dry = send(&cluster, "POST", &format!("{claims}?dryRun=All"), &claim).await;
    assert_eq!((dry.status, &dry.json()["spec"]), (201, &claim["spec"]));
    assert_eq!(cluster.get(&format!("{claims}/m")).await.status, 404);
    assert_eq!(send(&cluster, "POST", "/api/v1/nodes", &claim).await.status, 405);
}

#[tokio::test]
async fn patches_change_what_they_name() {
    let cluster = Cluster::small().await;
    let maps = "/api/v1/namespaces/default/configmaps";
    let map = json!({ "metadata": { "name": "m" }, "data": { "a": "1", "b": "2" } });
    let created = send(&cluster, "POST", maps, &map).await.json();
    let patch = async |kind: &str, change: Value| {
        let body: &'static str = Box::leak(change.to_string().into_boxed_str());
        let path = format!("{maps}/m");
        cluster.send("PATCH", &path, body, &[("content-type", kind)]).await
    };
    let merge = "application/merge-patch+json";
    let changed = patch(merge, json!({ "data": { "a": null, "c": "3" } })).await;
    assert_eq!((changed.status, &changed.json()["data"]), (200, &json!({ "b": "2", "c": "3" })));
    let stale = json!({ "metadata": { "resourceVersion": version(&created) }, "data": {} });
    assert_eq!(patch(merge, stale).await.status, 409);
    let strategic = "application/strategic-merge-patch+json";
    assert_eq!(patch(strategic, json!({ "data": { "b": "4" } })).await.status, 200);
    assert_eq!(patch(strategic, json!({ "data": { "$patch": "delete" } })).await.status, 415);
    assert_eq!(patch("application/json-patch+json", json!([])).await.status, 415);
}
