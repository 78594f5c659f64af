//! Prometheus' HTTP API: the same requests to a real Prometheus 2.42 and to ours, on the same
//! samples.

#[path = "prometheus/chunks.rs"]
mod chunks;
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

use tower::ServiceExt as _;

use super::fixture::{parts, send};
use super::intake::{put, snappy};
use chunks::{sampled, streamed};

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
    get("/api/v1/alertmanagers");
    get("/api/v1/rules?type=alert");
    get("/api/v1/rules?type=other");
    get("/api/v1/metadata?limit=x");
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
    for path in [
        "/api/v1/status/buildinfo",
        "/api/v1/status/runtimeinfo",
        "/api/v1/status/tsdb",
        "/api/v1/targets",
    ] {
        let keys = |answer: Value| -> Vec<String> {
            answer["data"].as_object().unwrap().keys().cloned().collect()
        };
        let (mine, theirs) = (ours(&state, path, "").await, server.ask(path, "").unwrap());
        let mine = keys(mine);
        assert!(keys(theirs).iter().all(|key| mine.contains(key)), "{path}: {mine:?}");
    }
}

/// What a remote read is answered with: labels, then samples.
type Read = Vec<(Vec<u8>, Vec<(i64, f64)>)>;

/// A request for `g{l=~"a|b"}` and all of `odd`, as these types of answer.
fn read_request(types: &[u8]) -> Vec<u8> {
    let (start, end) = (samples::START_MS, samples::START_MS + 3 * 3_600_000);
    let mut request = Vec::new();
    for matchers in [&[(0, "__name__", "g"), (2, "l", "a|b")][..], &[(0, "__name__", "odd")]] {
        let mut query = Vec::new();
        for (number, time) in [(1 << 3, start), (2 << 3, end)] {
            query.push(number);
            varint(&mut query, time.cast_unsigned());
        }
        for (kind, name, value) in matchers {
            let mut matcher = vec![1 << 3, *kind];
            put(&mut matcher, 2, name.as_bytes());
            put(&mut matcher, 3, value.as_bytes());
            put(&mut query, 3, &matcher);
        }
        put(&mut request, 1, &query);
    }
    put(&mut request, 2, types);
    snappy(&request)
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 128 {
        out.push(u8::try_from(value & 127).unwrap() | 128);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
}

/// The same request to both, raw.
async fn both(server: &real::Server, state: &Arc<ApiState>, types: &[u8]) -> [Vec<u8>; 2] {
    let body = read_request(types);
    let request = Request::post("/api/v1/read").body(Body::from(body.clone())).unwrap();
    let answer = api::router(state).oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let mine = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let header = "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy";
    [mine.to_vec(), server.send("/api/v1/read", header, &body).unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn remote_read_is_answered_alike() {
    let server = real::Server::start("read", &samples::series()).unwrap();
    let state = state();
    let [mine, theirs] = both(&server, &state, &[1]).await.map(|body| streamed(&body));
    assert_eq!(theirs.len(), 7, "four of g, three of odd");
    let counts = |read: &Read| read.iter().map(|(_, samples)| samples.len()).collect::<Vec<_>>();
    assert_eq!(counts(&mine), counts(&theirs));
    // NaN is not equal to itself, and has other bits in Go.
    let bits = |read: Read| {
        let bits = |samples: Vec<(i64, f64)>| {
            samples
                .into_iter()
                .map(|(at, value)| (at, (value + 0.0).to_bits() & !u64::from(value.is_nan())))
                .collect::<Vec<_>>()
        };
        read.into_iter().map(|(labels, samples)| (labels, bits(samples))).collect::<Vec<_>>()
    };
    let (mine, theirs) = (bits(mine), bits(theirs));
    assert!(mine == theirs, "streamed chunks differ");
    // Whole samples, which Prometheus compresses and we only frame.
    let [whole, of_theirs] = both(&server, &state, &[0]).await.map(|body| sampled(&body));
    assert!(bits(whole) == mine && bits(of_theirs) == theirs, "whole samples differ");
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_that_steps_look_at_are_counted_alike() {
    let server = real::Server::start("stats", &samples::series()).unwrap();
    let (state, at) = (state(), samples::START_MS / 1000 + 6000);
    let mut different = Vec::new();
    for query in [
        "g",
        "g offset 5m",
        "g @ end()",
        "sum(rate(c[5m]))",
        "rate(c[5m] @ end())",
        "gap + gap",
        "max_over_time(gap[10m:1m])",
        "sum by (l) (odd) / on (l) group_left max by (l) (g)",
        "1",
        "vector(1)",
    ] {
        let range = format!("start={at}&end={}&step=60", at + 600);
        for (path, times) in [("query", format!("time={at}")), ("query_range", range)] {
            let path = format!("/api/v1/{path}");
            let form = format!("query={}&{times}&stats=all", query.replace('+', "%2B"));
            let counted = |answer: Value| answer["data"]["stats"]["samples"].clone();
            let mut mine = counted(ours(&state, &path, &form).await);
            let mut theirs = counted(server.ask(&path, &form).unwrap());
            // How many are held at once is the implementation's.
            mine["peakSamples"] = theirs["peakSamples"].take();
            theirs["peakSamples"] = mine["peakSamples"].clone();
            if mine != theirs {
                different.push(format!("{path} {query}\n  ours:   {mine}\n  theirs: {theirs}"));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[tokio::test]
async fn a_limit_shortens_lists_and_says_so() {
    let state = state();
    let at = samples::START_MS / 1000 + 6000;
    let times = format!("start={at}&end={}", at + 60);
    for (path, count) in [
        (format!("/api/v1/series?match[]=g&limit=2&{times}"), 2),
        (format!("/api/v1/labels?limit=2&{times}"), 2),
        (format!("/api/v1/label/__name__/values?limit=3&{times}"), 3),
        (format!("/api/v1/label/l/values?match[]=g&limit=1&{times}"), 1),
    ] {
        let answer = ours(&state, &path, "").await;
        assert_eq!(answer["data"].as_array().unwrap().len(), count, "{path}");
        assert_eq!(answer["warnings"][0], "results truncated due to limit", "{path}");
    }
    let whole =
        ours(&state, &format!("/api/v1/label/l/values?match[]=g&limit=9&{times}"), "").await;
    assert_eq!((&whole["warnings"], whole["data"].as_array().unwrap().len()), (&Value::Null, 3));
    let wrong = ours(&state, "/api/v1/labels?limit=x", "").await;
    assert_eq!(wrong["errorType"], "bad_data");
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
