//! Our own API: exact JSON for a hand-made cluster. `UPDATE=1` rewrites the expectations.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::{ApiParts, ApiState};
use axum::body::Body;
use futures_util::StreamExt;
use http::Request;
use model::Inventory;
use query::promql::{Labels, MemorySeries};
use tower::ServiceExt;

use super::fixture::{cluster, get, inventory, send, state};

/// Compares `body`, printed for people, with `tests/golden/v1/<name>.json`.
fn golden(name: &str, body: &str) {
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    let text = serde_json::to_string_pretty(&json).unwrap() + "\n";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1");
    let path = folder.join(format!("{name}.json"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{name}");
}

async fn check(state: &Arc<ApiState>, name: &str, path: &str) {
    let answer = get(state, &format!("/api/taffrail/v1/{path}")).await;
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.body);
    assert_eq!(answer.header("content-type"), "application/json");
    golden(name, &answer.body);
}

#[tokio::test]
async fn answers_are_exact() {
    let batches = cluster();
    let full = state(&batches, inventory());
    full.batch_arrived(&batches[2], Duration::from_millis(132));
    for name in [
        "status",
        "overview",
        "nodes",
        "pods",
        "namespaces",
        "targets",
        "workloads",
        "containers",
        "volumes",
        "sinks",
        "problems",
    ] {
        check(&full, name, name).await;
    }
    check(&full, "node-detail", "nodes/node-3").await;
    check(&full, "namespace-detail", "namespaces/web").await;
    check(&full, "workload-detail", "workloads/web/Deployment/web").await;
    check(&full, "pod-detail", "pods/batch/job-1").await;
    check(&full, "search", "search?q=web").await;
    check(&full, "sizing", "sizing?days=1&sort=name").await;
    check(&full, "search-in-namespace", "search?q=web/&limit=1").await;
    check(&full, "pods-of-workload", "pods?workload=Deployment/web&phase=Running").await;
    check(&full, "pods-by-namespace", "pods?sort=namespace&namespace=web&namespace=batch").await;
    check(&full, "problems-in-namespace", "problems?namespace=batch&limit=1").await;
    check(&full, "replica-sets", "workloads?kind=ReplicaSet").await;
    check(&full, "pods-by-cpu", "pods?sort=cpu&limit=1").await;
    check(&full, "pods-of-node", "pods?node=node-2&namespace=batch&search=JOB").await;
    let empty = state(&[], Inventory::default());
    for name in ["status", "overview", "nodes", "targets", "problems"] {
        check(&empty, &format!("empty-{name}"), name).await;
    }
    // Without watches, as on a single host, what was measured is still shown.
    let host = state(&batches, Inventory::default());
    check(&host, "host-overview", "overview").await;
    check(&host, "host-pods", "pods?search=web").await;
}

#[tokio::test]
async fn hours_near_the_limit_are_told_and_sorted_by() {
    let mut inventory = inventory();
    let pod = inventory.pods().find(|pod| &*pod.name == "web-1").unwrap();
    // The app uses 96, 102 and 108 millicores and 2500 bytes; its proxy 32 to 36 and 500.
    let containers =
        [("app", Some(113), 2700), ("proxy", None, 1000)].map(|(name, cpu, memory)| {
            model::ContainerSpec {
                name: name.into(),
                limits: model::Resources {
                    cpu_millicores: cpu,
                    memory_bytes: Some(memory),
                    ..model::Resources::default()
                },
                ..model::ContainerSpec::default()
            }
        });
    let pod = model::Pod { containers: containers.into(), ..model::Pod::clone(pod) };
    inventory.put_pod(Arc::new(pod));
    let state = state(&cluster(), inventory);
    let answer = get(&state, "/api/taffrail/v1/sizing?days=1&sort=nearLimit").await;
    let answer: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let hours = |at: usize, resource: &str| answer["items"][at][resource]["nearLimitHours"].clone();
    let names: Vec<_> =
        (0..4).map(|at| answer["items"][at]["container"].as_str().unwrap()).collect();
    assert_eq!(names, ["app", "proxy", "main", "main"]);
    let minutes = |hours: serde_json::Value| (hours.as_f64().unwrap() * 60.0).round();
    assert_eq!((minutes(hours(0, "cpu")), minutes(hours(0, "memory"))), (2.0, 3.0), "{answer}");
    assert_eq!((hours(1, "cpu"), minutes(hours(1, "memory"))), (serde_json::Value::Null, 0.0));
    assert_eq!(hours(2, "memory"), serde_json::Value::Null);
}

async fn post(state: &Arc<ApiState>, body: &str) -> super::fixture::Answer {
    let request = Request::post("/api/taffrail/v1/query").body(Body::from(body.to_owned()));
    send(state, request.unwrap()).await
}

#[tokio::test]
async fn queries_answer_samples_and_buckets() {
    let state = state(&cluster(), inventory());
    let series = r#"[
        {"kind":"cluster","metric":"cpu/usage_rate"},
        {"kind":"node","name":"node-1","metric":"network/rx_rate"},
        {"kind":"namespace","name":"web","metric":"memory/working_set"},
        {"kind":"pod","namespace":"web","name":"web-1","metric":"cpu/usage_rate"},
        {"kind":"container","namespace":"web","pod":"web-1","name":"app","metric":"cpu/usage_rate"},
        {"kind":"workload","namespace":"web","workloadKind":"Deployment","name":"web","metric":"cpu/usage_rate"},
        {"kind":"filesystem","node":"node-1","name":"/","metric":"filesystem/usage"},
        {"kind":"node","name":"none","metric":"uptime"},
        {"kind":"node","name":"node-1","metric":"uptime"}]"#;
    for (name, points) in [("query-samples", 600), ("query-buckets", 2)] {
        let body = format!(
            r#"{{"start":1795425000000,"end":1795425600000,"points":{points},"series":{series}}}"#
        );
        let answer = post(&state, &body).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
        golden(name, &answer.body);
    }
}

#[tokio::test]
async fn wrong_questions_say_what_to_change() {
    let state = state(&cluster(), inventory());
    let query = |points: &str, series: &str| {
        format!(r#"{{"start":0,"end":1,"points":{points},"series":[{series}]}}"#)
    };
    let many = vec![r#"{"kind":"cluster","metric":"pods"}"#; 501].join(",");
    let too_large = format!("{{{}}}", " ".repeat(1 << 20));
    for (body, status, reason) in [
        (query("0", ""), 400, "points"),
        (query("4001", ""), 400, "points"),
        (query("9", &many), 400, "501 series"),
        (query("9", r#"{"kind":"planet","metric":"pods"}"#), 400, "planet"),
        (query("9", r#"{"kind":"pod","metric":"pods","name":"x"}"#), 400, "namespace"),
        (query("9", r#"{"kind":"cluster","metric":"cpu/usag"}"#), 400, "cpu/usag"),
        (query("9", r#"{"kind":"cluster","metric":"pods","zone":"x"}"#), 400, "zone"),
        ("nonsense".to_owned(), 400, "body"),
        (too_large, 413, "larger"),
    ] {
        let answer = post(&state, &body).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
        let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let error = &json["error"];
        assert!(error["reason"].as_str().unwrap().contains(reason), "{}", answer.body);
        assert!(!error["advice"].as_str().unwrap().is_empty(), "{}", answer.body);
    }
    for (path, status) in [
        ("pods?colour=red", 400),
        ("nodes?namespace=web", 400),
        ("nodes?sort=restarts", 400),
        ("overview?x", 400),
        ("nothing", 404),
        ("query", 405),
        ("pods/web/none", 404),
        ("nodes/node-1?x", 400),
        ("search?limit=0", 400),
        ("pods?label=x", 400),
        ("sizing?days=3", 400),
        ("sizing?sort=hours", 400),
    ] {
        let answer = get(&state, &format!("/api/taffrail/v1/{path}")).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert!(answer.body.starts_with("{\"error\":{"), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_slow_stream_skips_to_the_newest_batch() {
    let batches = cluster();
    let state = state(&batches, inventory());
    let request = Request::get("/api/taffrail/v1/stream").body(Body::empty()).unwrap();
    let response = api::router(&state).oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut events = response.into_body().into_data_stream();
    for batch in &batches {
        state.batch_arrived(batch, Duration::from_millis(132));
    }
    let event = events.next().await.unwrap().unwrap();
    let expected = "event: batch\ndata: {\"timestamp\":1795425480000,\"tookMs\":132,\
                    \"targets\":{\"up\":2,\"failed\":1,\"skipped\":0}}\n\n";
    assert_eq!(String::from_utf8_lossy(&event), expected);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_is_kept_open_by_comments() {
    let state = state(&[], Inventory::default());
    let request = Request::get("/api/taffrail/v1/stream").body(Body::empty()).unwrap();
    let response = api::router(&state).oneshot(request).await.unwrap();
    let mut events = response.into_body().into_data_stream();
    let began = tokio::time::Instant::now();
    let comment = events.next().await.unwrap().unwrap();
    assert_eq!(&*comment, b": keep-alive\n\n");
    assert_eq!(began.elapsed().as_secs(), 15);
}

#[tokio::test]
async fn replicas_over_time_come_of_the_series_of_their_kind() {
    const START: i64 = 1_795_425_000_000;
    let mut series = MemorySeries::default();
    let mut put = |name: &str, workload: &str, at: i64, value: f64| {
        let labels = [("__name__", name), ("namespace", "web"), ("deployment", workload)];
        series.push(&Labels::new(labels), START + at * 60_000, value);
    };
    for at in [0, 1, 2, 9] {
        put("kube_deployment_spec_replicas", "web", at, 3.0);
        put("kube_deployment_status_replicas_ready", "web", at, if at == 1 { 2.0 } else { 3.0 });
        put("kube_deployment_spec_replicas", "other", at, 7.0);
    }
    // An autoscaler of the workload whose bound is changed, and one that another workload gets.
    let mut scaler = |name: &str, scaler: &str, target: Option<&str>, at: i64, value: f64| {
        let mut labels =
            vec![("__name__", name), ("namespace", "web"), ("horizontalpodautoscaler", scaler)];
        if let Some(target) = target {
            labels.extend([("scaletargetref_kind", "Deployment"), ("scaletargetref_name", target)]);
        }
        series.push(&Labels::new(labels), START + at * 60_000, value);
    };
    for at in [0, 1, 2, 9] {
        let target = if at == 9 { "other" } else { "web" };
        for (name, target) in [("a", "web"), ("b", target)] {
            scaler("kube_horizontalpodautoscaler_info", name, Some(target), at, 1.0);
        }
        let most = if at == 0 { 5.0 } else { 8.0 };
        scaler("kube_horizontalpodautoscaler_spec_min_replicas", "a", None, at, 2.0);
        scaler("kube_horizontalpodautoscaler_spec_max_replicas", "a", None, at, most);
        scaler("kube_horizontalpodautoscaler_spec_min_replicas", "b", None, at, 1.0);
        scaler("kube_horizontalpodautoscaler_spec_max_replicas", "b", None, at, 3.0);
    }
    let state = ApiState::new(ApiParts {
        database: Arc::new(series),
        ..super::fixture::parts(&cluster(), inventory())
    });
    let (end, path) = (START + 9 * 60_000, "/api/taffrail/v1/workloads/web");
    let ask = async |workload: &str, points: usize| {
        let (start, points) = (START - 1, points.to_string());
        let path = format!("{path}/{workload}/replicas?start={start}&end={end}&points={points}");
        let answer = get(&state, &path).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
        serde_json::from_str::<serde_json::Value>(&answer.body).unwrap()
    };
    let found = ask("Deployment/web", 600).await;
    assert_eq!(found["timestamps"].as_array().unwrap().len(), 10, "{found:#}");
    let none = serde_json::Value::Null;
    // A pause of seven minutes is none of the two that a late sample may bridge.
    let ready = found["ready"].as_array().unwrap();
    assert_eq!(ready[..3], [3, 2, 3].map(serde_json::Value::from), "{found:#}");
    assert_eq!(found["ready"][6], none, "{found:#}");
    assert_eq!(
        (&found["wanted"][9], &found["present"][9]),
        (&serde_json::Value::from(3), &none),
        "{found:#}"
    );
    let bounds = |found: &serde_json::Value, at: usize| {
        ["atLeast", "atMost"].map(|bound| found[bound][at].as_f64())
    };
    let expected =
        [[Some(1.0), Some(5.0)], [Some(1.0), Some(8.0)], [None, None], [Some(2.0), Some(8.0)]];
    assert_eq!([0, 1, 6, 9].map(|at| bounds(&found, at)), expected, "{found:#}");
    let other = ask("Deployment/other", 600).await;
    assert_eq!([2, 9].map(|at| bounds(&other, at)), [[None, None], [Some(1.0), Some(3.0)]]);
    let buckets = ask("Deployment/web", 3).await;
    assert!(buckets["timestamps"].as_array().unwrap().len() <= 3, "{buckets:#}");
    assert_eq!(ask("Job/web", 600).await["timestamps"], serde_json::json!([]));
    for wrong in ["", "?start=1", "?start=1&end=x", "?start=1&end=2&points=0", "?step=1"] {
        let answer = get(&state, &format!("{path}/Deployment/web/replicas{wrong}")).await;
        assert_eq!(answer.status.as_u16(), 400, "{wrong}");
    }
}
