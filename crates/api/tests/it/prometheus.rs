//! Prometheus' HTTP API: the same requests to a real Prometheus 2.42 and to ours, on the same
//! samples.

#[path = "../../../query/tests/it/differential/prometheus.rs"]
mod real;
#[path = "../../../query/tests/it/differential/samples.rs"]
mod samples;

use std::sync::Arc;

use api::{ApiParts, ApiState};
use axum::body::Body;
use http::Request;
use model::{Inventory, Timestamp};
use serde_json::Value;

use super::fixture::{parts, send};

fn state() -> Arc<ApiState> {
    let now = Timestamp::from_millis(samples::START_MS + 3 * 3_600_000);
    ApiState::new(ApiParts {
        database: Arc::new(samples::series()),
        clock: Arc::new(move || now),
        ..parts(&[], Inventory::default())
    })
}

async fn ours(state: &Arc<ApiState>, path: &str, form: &str) -> Value {
    let request = if form.is_empty() {
        Request::get(path).body(Body::empty())
    } else {
        Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
    };
    let answer = send(state, request.unwrap()).await;
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{path} {form}: {}", answer.body))
}

/// Series in one order, and of an error only what clients act on.
fn comparable(mut answer: Value) -> Value {
    if let Some(result) = answer.pointer_mut("/data/result").and_then(Value::as_array_mut) {
        result.sort_by_key(|series| series["metric"].to_string());
    }
    if answer["status"] == "error" {
        answer["error"] = Value::Null;
    }
    answer
}

/// What a tool asks, with times within the samples.
fn requests() -> Vec<(String, String)> {
    let at = samples::START_MS / 1000 + 6000;
    let query = |text: &str| ("/api/v1/query".to_owned(), format!("query={text}&time={at}"));
    let mut all: Vec<(String, String)> = [
        "g",
        "c[2m]",
        "1",
        "\"x\"",
        "NaN",
        "1e30",
        "1e-9",
        "vector(1e30)",
        "vector(1e-9)",
        "nothing",
        "1/0",
        "sum(g",
        "g%2Bbool+1",
        "",
        "k%3D%3D3",
    ]
    .map(query)
    .into();
    let range = |rest: &str| ("/api/v1/query_range".to_owned(), format!("query=k&{rest}"));
    all.push(range(&format!("start={at}&end={}&step=60", at + 600)));
    all.push(range(&format!("start={at}.5&end={}.25&step=1m30s", at + 600)));
    all.push(range(&format!("start={at}&end={}&step=60", at - 600)));
    all.push(range(&format!("start={at}&end={}&step=0", at + 600)));
    all.push(range(&format!("start={at}&end={}&step=0.01", at + 600)));
    all.push(range(&format!("start=x&end={at}&step=1")));
    all.push(range(&format!("end={at}&step=1")));
    let times = format!("start={at}&end={}", at + 60);
    let mut get = |path: &str| all.push((path.to_owned(), String::new()));
    get(&format!("/api/v1/series?match[]=g&match[]=%7Bl=%22a%22,__name__=%22c%22%7D&{times}"));
    get("/api/v1/series");
    get(&format!("/api/v1/labels?{times}"));
    get(&format!("/api/v1/labels?match[]=h_bucket&{times}"));
    get(&format!("/api/v1/label/__name__/values?{times}"));
    get(&format!("/api/v1/label/le/values?match[]=h_bucket&{times}"));
    get(&format!("/api/v1/label/m/values?{times}"));
    get("/api/v1/label/0/values");
    get("/api/v1/rules");
    get("/api/v1/alerts");
    get("/api/v1/query_exemplars?query=g&start=1&end=2");
    get("/api/v1/format_query?query=sum+by(l)(rate(c%5B5m%5D))%2Fg");
    get("/api/v1/format_query?query=sum(");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_prometheus() {
    let server = real::Server::start("shapes", &samples::series()).unwrap();
    let state = state();
    let mut different = Vec::new();
    for (path, form) in requests() {
        let theirs = comparable(server.ask(&path, &form).unwrap());
        let mine = comparable(ours(&state, &path, &form).await);
        if mine != theirs {
            different.push(format!("{path} {form}\n  ours:   {mine}\n  theirs: {theirs}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    for path in ["/api/v1/status/buildinfo", "/api/v1/targets"] {
        let keys = |answer: Value| -> Vec<String> {
            answer["data"].as_object().unwrap().keys().cloned().collect()
        };
        let (mine, theirs) = (ours(&state, path, "").await, server.ask(path, "").unwrap());
        let mine = keys(mine);
        assert!(keys(theirs).iter().all(|key| mine.contains(key)), "{path}: {mine:?}");
    }
}

#[tokio::test]
async fn newest_samples_are_exposed_for_scrapers() {
    let state = state();
    let answer = super::fixture::get(&state, "/federate?match[]=k%7Bl=%22a%22%7D").await;
    let at = samples::START_MS + 3 * 3_600_000 - 60_000;
    let expected =
        format!("# TYPE k untyped\nk{{l=\"a\",m=\"x\"}} 4 {at}\nk{{l=\"a\",m=\"y\"}} 4 {at}\n");
    assert_eq!(answer.body, expected);
    let answer = super::fixture::get(&state, "/metrics/cluster").await;
    assert!(answer.body.contains("# TYPE k untyped\nk{l=\"a\",m=\"x\"} 4\n"), "{}", answer.body);
}
