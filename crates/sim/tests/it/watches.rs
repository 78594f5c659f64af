//! Watches: initial events, changes, bookmarks, selectors, expiry and timeouts.

use std::time::Duration;

use crate::support::{Cluster, Lines};

const JSON: &str = "application/json";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

#[tokio::test]
async fn a_watch_follows_a_list() {
    let cluster = Cluster::small().await;
    let list = cluster.get("/api/v1/pods").await.json();
    let version = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/pods?watch=1&resourceVersion={version}");
    let mut lines = Lines::of(cluster.open(&path, JSON).await);
    cluster.at(90);
    let first = lines.next().await.unwrap();
    let newer: u64 =
        first["object"]["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    assert!(newer > version.parse().unwrap());
    assert_eq!(first["object"]["kind"], "Pod");
    let added = lines.until("ADDED").await;
    assert_eq!(added["object"]["status"]["phase"], "Pending");
    lines.until("MODIFIED").await;
    lines.until("DELETED").await;
}

#[tokio::test]
async fn applying_the_changes_to_the_list_gives_the_later_list() {
    let cluster = Cluster::small().await;
    let names = |list: &serde_json::Value| {
        let items = list["items"].as_array().unwrap().iter();
        let pair = |item: &serde_json::Value| {
            let text = |key: &str| item["metadata"][key].as_str().unwrap().to_owned();
            (text("uid"), text("resourceVersion"))
        };
        items.map(pair).collect::<std::collections::BTreeMap<_, _>>()
    };
    let before = cluster.get("/api/v1/pods").await.json();
    let version = before["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    cluster.at(700);
    let after = cluster.get("/api/v1/pods").await.json();
    let path = format!("/api/v1/pods?watch=1&resourceVersion={version}&timeoutSeconds=1");
    let mut lines = Lines::of(cluster.open(&path, JSON).await);
    let (mut pods, expected) = (names(&before), names(&after));
    while pods != expected {
        let event = lines.next().await.expect("all changes come before the end");
        let text = |key: &str| event["object"]["metadata"][key].as_str().unwrap().to_owned();
        match event["type"].as_str().unwrap() {
            "DELETED" => assert!(pods.remove(&text("uid")).is_some()),
            "ADDED" => assert!(pods.insert(text("uid"), text("resourceVersion")).is_none()),
            _ => assert!(pods.insert(text("uid"), text("resourceVersion")).is_some()),
        }
    }
}

#[tokio::test]
async fn autoscalers_are_looked_at_and_quotas_follow_their_pods() {
    let cluster = Cluster::small().await;
    let following = async |path: &str| {
        let list = cluster.get(path).await.json();
        let version = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        let path = format!("{path}?watch=1&resourceVersion={version}");
        Lines::of(cluster.open(&path, JSON).await)
    };
    let mut scalers = following("/apis/autoscaling/v2/horizontalpodautoscalers").await;
    let mut quotas = following("/api/v1/resourcequotas").await;
    // Long enough for a rollout, in which a pod comes before the one that it replaces is gone.
    cluster.at(1500);
    let scaler = scalers.until("MODIFIED").await["object"].take();
    assert_eq!(scaler["kind"], "HorizontalPodAutoscaler");
    let (spec, status) = (&scaler["spec"], &scaler["status"]);
    let wanted = status["desiredReplicas"].as_u64().unwrap();
    let bounds = spec["minReplicas"].as_u64().unwrap()..=spec["maxReplicas"].as_u64().unwrap();
    assert!(bounds.contains(&wanted), "{scaler:#}");
    let quota = quotas.until("MODIFIED").await["object"].take();
    let status = &quota["status"];
    assert_ne!(status["used"]["pods"], status["hard"]["pods"], "{quota:#}");
}

#[tokio::test]
async fn a_watch_without_version_begins_with_everything() {
    let cluster = Cluster::small().await;
    let mut lines = Lines::of(cluster.open("/api/v1/nodes?watch=true", JSON).await);
    for _ in 0..6 {
        assert_eq!(lines.next().await.unwrap()["type"], "ADDED");
    }
}

#[tokio::test]
async fn a_streaming_list_ends_with_its_bookmark() {
    let cluster = Cluster::small().await;
    let path = "/api/v1/nodes?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    let mut lines = Lines::of(cluster.open(path, JSON).await);
    for _ in 0..6 {
        assert_eq!(lines.next().await.unwrap()["type"], "ADDED");
    }
    let end = lines.next().await.unwrap();
    assert_eq!(end["type"], "BOOKMARK");
    assert_eq!(end["object"]["kind"], "Node");
    assert_eq!(end["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    let refused = cluster.get("/api/v1/nodes?watch=true&sendInitialEvents=true").await;
    assert_eq!(refused.status, 422, "{}", refused.text());
}

#[tokio::test]
async fn bookmarks_come_to_those_who_allow_them() {
    let cluster = Cluster::with(|config| config.bookmark_every = Duration::from_millis(20)).await;
    let version = cluster.get("/api/v1/nodes?limit=1").await.json();
    let version = version["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/nodes?watch=1&allowWatchBookmarks=true&resourceVersion={version}");
    let bookmark = Lines::of(cluster.open(&path, JSON).await).until("BOOKMARK").await;
    assert_eq!(bookmark["object"]["metadata"]["resourceVersion"], version.as_str());
    let path = format!("/api/v1/nodes?watch=1&resourceVersion={version}&timeoutSeconds=1");
    assert!(Lines::of(cluster.open(&path, JSON).await).next().await.is_none());
}

#[tokio::test]
async fn a_version_that_is_forgotten_is_gone() {
    let cluster = Cluster::with(|config| config.history = Some(5)).await;
    let list = cluster.get("/api/v1/pods").await.json();
    let version = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    cluster.at(600);
    let path = format!("/api/v1/pods?watch=1&resourceVersion={version}");
    let mut lines = Lines::of(cluster.open(&path, JSON).await);
    let error = lines.next().await.unwrap();
    assert_eq!(error["type"], "ERROR");
    assert_eq!(
        (&error["object"]["code"], &error["object"]["reason"]),
        (&410.into(), &"Expired".into())
    );
    assert!(lines.next().await.is_none());
    let exact = format!("/api/v1/pods?resourceVersion={version}&resourceVersionMatch=Exact");
    let answer = cluster.get(&exact).await;
    assert_eq!((answer.status, &answer.json()["reason"]), (410, &"Expired".into()));
}

#[tokio::test]
async fn a_version_that_has_not_come_yet_times_out() {
    let cluster = Cluster::small().await;
    let answer = cluster.get("/api/v1/pods?resourceVersion=99999999").await;
    assert_eq!(answer.status, 504);
    assert_eq!(answer.json()["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
}

#[tokio::test]
async fn a_selected_watch_sees_objects_come_and_go() {
    let cluster = Cluster::small().await;
    let list = cluster.get("/api/v1/pods?limit=1").await.json();
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    let path = format!(
        "/api/v1/namespaces/batch/pods?watch=1&resourceVersion={version}&labelSelector=app%3Dreport&fieldSelector=status.phase%3DRunning"
    );
    let mut lines = Lines::of(cluster.open(&path, JSON).await);
    cluster.at(130);
    let added = lines.next().await.unwrap();
    assert_eq!(added["type"], "ADDED");
    assert_eq!(added["object"]["status"]["phase"], "Running");
    // It is not deleted, only finished; to this watch that is the same.
    let deleted = lines.until("DELETED").await;
    assert_eq!(deleted["object"]["metadata"]["namespace"], "batch");
}

#[tokio::test]
async fn a_table_watch_sends_its_columns_once() {
    let cluster = Cluster::small().await;
    let mut lines = Lines::of(cluster.open("/api/v1/nodes?watch=1", TABLE).await);
    let first = lines.next().await.unwrap();
    assert_eq!(first["object"]["kind"], "Table");
    assert_eq!(first["object"]["columnDefinitions"][0]["name"], "Name");
    assert_eq!(first["object"]["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let second = lines.next().await.unwrap();
    assert_eq!(second["object"]["columnDefinitions"].as_array().unwrap().len(), 0);
    assert_eq!(second["object"]["rows"].as_array().unwrap().len(), 1);
}
