//! Every fault as a collector meets it, by configuration and at run time.

use std::time::{Duration, Instant};

use sim::{FaultError, Faults};

use crate::support::Cluster;

async fn broken(spec: &str) -> Cluster {
    let faults = Faults::parse(spec).unwrap();
    Cluster::with(|config| config.faults = faults).await
}

#[tokio::test]
async fn refusals_have_their_status() {
    let cluster = broken("node-1=401,node-2=403,node-3=500").await;
    for (n, status, words) in
        [(1, 401, "Unauthorized"), (2, 403, "Forbidden"), (3, 500, "Internal")]
    {
        let answer = cluster.kubelet(n, "GET", "/stats/summary").await.unwrap();
        assert_eq!(answer.status, status);
        assert!(answer.text().starts_with(words), "{}", answer.text());
    }
    assert_eq!(cluster.kubelet(4, "GET", "/stats/summary").await.unwrap().status, 200);
}

#[tokio::test]
async fn bodies_can_be_garbage_truncated_or_oversized() {
    let cluster = broken("node-1=garbage,node-2=truncated,node-3=oversized:3Mi").await;
    let garbage = cluster.kubelet(1, "GET", "/stats/summary").await.unwrap();
    assert_eq!(garbage.status, 200);
    assert!(serde_json::from_slice::<serde_json::Value>(&garbage.body).is_err());
    assert!(cluster.kubelet(2, "GET", "/stats/summary").await.is_err());
    let oversized = cluster.kubelet(3, "GET", "/stats/summary").await.unwrap();
    assert_eq!(oversized.body.len(), 3 << 20);
}

#[tokio::test]
async fn a_node_can_be_slow_or_hang() {
    let cluster = broken("node-1=slow:80ms,node-2=hang").await;
    let began = Instant::now();
    assert_eq!(cluster.kubelet(1, "GET", "/stats/summary").await.unwrap().status, 200);
    assert!(began.elapsed() >= Duration::from_millis(80));
    let hanging = cluster.kubelet(2, "GET", "/stats/summary");
    assert!(tokio::time::timeout(Duration::from_millis(150), hanging).await.is_err());
}

#[tokio::test]
async fn a_clock_can_be_off() {
    let cluster = broken("node-1=skew:-1h").await;
    let time = async |n| {
        let summary = cluster.kubelet(n, "GET", "/stats/summary").await.unwrap().json();
        summary["node"]["cpu"]["time"].as_str().unwrap().to_owned()
    };
    assert_eq!(time(1).await, "2026-11-23T08:00:00Z");
    assert_eq!(time(2).await, "2026-11-23T09:00:00Z");
}

#[tokio::test]
async fn a_node_that_goes_down_is_noticed_after_forty_seconds_and_comes_back() {
    let cluster = Cluster::small().await;
    let ready = async || {
        let node = cluster.get("/api/v1/nodes/node-2").await.json();
        let conditions = node["status"]["conditions"].as_array().unwrap().clone();
        conditions.into_iter().find(|one| one["type"] == "Ready").unwrap()["status"].clone()
    };
    let pods = async || {
        let list = cluster.get("/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-2").await.json();
        list["items"].as_array().unwrap().len()
    };
    let before = pods().await;
    let put = cluster.send("PUT", "/sim/faults", r#"{"node":"node-2","fault":"down"}"#, &[]).await;
    assert_eq!(put.json(), serde_json::json!([{ "target": "node-2", "fault": "down" }]));
    assert!(cluster.kubelet(2, "GET", "/stats/summary").await.is_err());
    assert_eq!(cluster.get("/api/v1/nodes/node-2/proxy/healthz").await.status, 503);
    cluster.at(39);
    assert_eq!(ready().await, "True");
    cluster.at(41);
    assert_eq!(ready().await, "Unknown");
    assert!(pods().await >= before - 4, "pods stay listed");
    let events = cluster.get("/api/v1/events?fieldSelector=reason%3DNodeNotReady").await.json();
    assert_eq!(events["items"][0]["involvedObject"]["name"], "node-2");
    let deleted = cluster.send("DELETE", "/sim/faults?node=node-2", "", &[]).await;
    assert_eq!(deleted.json(), serde_json::json!([]));
    cluster.at(50);
    assert_eq!(ready().await, "True");
    assert_eq!(cluster.kubelet(2, "GET", "/stats/summary").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_fraction_breaks_the_same_nodes_every_time() {
    let cluster = Cluster::small().await;
    let broken = async || {
        let mut nodes = Vec::new();
        for n in 1..=6 {
            if cluster.kubelet(n, "GET", "/healthz").await.unwrap().status == 500 {
                nodes.push(n);
            }
        }
        nodes
    };
    cluster.control.set_faults(Faults::parse("34%=500").unwrap()).unwrap();
    let some = broken().await;
    assert_eq!(some.len(), 2);
    cluster.control.set_faults(Faults::parse("67%=500").unwrap()).unwrap();
    let more = broken().await;
    assert!(more.len() == 4 && some.iter().all(|n| more.contains(n)));
    cluster.control.set_faults(Faults::parse("1%=500").unwrap()).unwrap();
    assert_eq!(broken().await.len(), 1);
}

#[tokio::test]
async fn faults_that_make_no_sense_are_refused_in_words() {
    let cluster = Cluster::small().await;
    for (body, words) in [
        (
            r#"{"node":"node-77","fault":"hang"}"#,
            "there is no node `node-77`: nodes are node-1 to node-6",
        ),
        (r#"{"node":"node-1","fault":"explode"}"#, "`explode` is not a known fault"),
        (r#"{"node":"node-1"}"#, "write {\"node\":…"),
        ("nonsense", "the faults cannot be read"),
    ] {
        let answer = cluster.send("PUT", "/sim/faults", body, &[]).await;
        assert_eq!(answer.status, 400, "{body}");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(words), "{message}");
    }
    let error = cluster.control.set_faults(Faults::parse("node-9=hang").unwrap()).unwrap_err();
    assert!(matches!(error, FaultError::UnknownNode { .. }));
    let many = r#"[{"fraction":0.5,"fault":"500"},{"spec":"node-1=hang,node-2=slow:1s"}]"#;
    let answer = cluster.send("PUT", "/sim/faults", many, &[]).await;
    assert_eq!(answer.json().as_array().unwrap().len(), 3, "{}", answer.text());
}
