//! Metrics that others push: remote write of both versions and OTLP of both encodings.

use std::sync::{Arc, Mutex};

use api::{ApiParts, ApiState, Described, Intake, Outcome, PushAccess, Pushed};
use axum::body::Body;
use http::Request;
use model::Inventory;
use serde_json::{Value, json};

use super::fixture::{Answer, parts, send};

/// Labels and samples.
type Series = (String, Vec<(i64, f64)>);

#[derive(Default)]
struct Kept(Mutex<Vec<Series>>);

impl Intake for Kept {
    fn take(&self, series: &[Pushed], _: &[Described]) -> Result<Outcome, String> {
        let mut kept = self.0.lock().unwrap();
        kept.extend(series.iter().map(|one| (one.labels.to_string(), one.samples.clone())));
        let stored = series.iter().map(|one| one.samples.len()).sum();
        Ok(Outcome { stored, ..Outcome::default() })
    }
}

fn state(push: PushAccess) -> (Arc<ApiState>, Arc<Kept>) {
    let kept = Arc::new(Kept::default());
    let intake = Arc::<Kept>::clone(&kept);
    (ApiState::new(ApiParts { intake, push, ..parts(&[], Inventory::default()) }), kept)
}

async fn post(state: &Arc<ApiState>, path: &str, kind: &str, body: Vec<u8>) -> Answer {
    let request = Request::post(path).header("content-type", kind).body(Body::from(body));
    send(state, request.unwrap()).await
}

pub(super) fn put(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    let mut len = bytes.len();
    while len >= 128 {
        out.push(u8::try_from(len & 127).unwrap() | 128);
        len >>= 7;
    }
    out.push(u8::try_from(len).unwrap());
    out.extend_from_slice(bytes);
}

/// Snappy's block format, all literals.
pub(super) fn snappy(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut len = plain.len();
    while len >= 128 {
        out.push(u8::try_from(len & 127).unwrap() | 128);
        len >>= 7;
    }
    out.push(u8::try_from(len).unwrap());
    for part in plain.chunks(60) {
        out.push(u8::try_from(part.len() - 1).unwrap() << 2);
        out.extend_from_slice(part);
    }
    out
}

fn sample(value: f64, millis: u8) -> Vec<u8> {
    let mut out = vec![1 << 3 | 1];
    out.extend_from_slice(&value.to_le_bytes());
    out.extend_from_slice(&[2 << 3, millis]);
    out
}

pub(super) fn first_version(labels: &[(&str, &str)]) -> Vec<u8> {
    let mut series = Vec::new();
    for (name, value) in labels {
        let mut label = Vec::new();
        put(&mut label, 1, name.as_bytes());
        put(&mut label, 2, value.as_bytes());
        put(&mut series, 1, &label);
    }
    put(&mut series, 2, &sample(1.5, 7));
    let mut message = Vec::new();
    put(&mut message, 1, &series);
    message
}

pub(super) fn second_version() -> Vec<u8> {
    let mut message = Vec::new();
    for symbol in ["", "__name__", "n", "job", "j"] {
        put(&mut message, 4, symbol.as_bytes());
    }
    let mut series = Vec::new();
    put(&mut series, 1, &[1, 2, 3, 4]);
    put(&mut series, 2, &sample(2.5, 8));
    put(&mut message, 5, &series);
    message
}

const WRITE: &str = "/api/v1/write";
const PROTOBUF: &str = "application/x-protobuf";

#[tokio::test]
async fn remote_write_of_both_versions() {
    let (state, kept) = state(PushAccess::Open);
    let body = snappy(&first_version(&[("__name__", "m"), ("job", "j")]));
    let answer = post(&state, WRITE, PROTOBUF, body).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    let second = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    let answer = post(&state, WRITE, second, snappy(&second_version())).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    assert_eq!(answer.headers["x-prometheus-remote-write-samples-written"], "1");
    let kept = kept.0.lock().unwrap();
    let expected = [
        (r#"m{job="j"}"#.to_owned(), vec![(7, 1.5)]),
        (r#"n{job="j"}"#.to_owned(), vec![(8, 2.5)]),
    ];
    assert_eq!(*kept, expected);
}

#[tokio::test]
async fn what_is_wrong_is_refused_by_name() {
    let (state, kept) = state(PushAccess::Open);
    for (labels, reason) in [
        (&[("job", "j")][..], "1 no_metric_name"),
        (&[("__name__", "a-b")][..], "1 bad_metric_name"),
        (&[("__name__", "m"), ("a-b", "c")][..], "1 bad_label_name"),
        (&[("__name__", "m"), ("a", &*"x".repeat(5000))][..], "1 label_too_long"),
    ] {
        let answer = post(&state, WRITE, PROTOBUF, snappy(&first_version(labels))).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains(reason), "{reason}: {}", answer.body);
    }
    // Says that it becomes 4 GiB.
    let bomb = post(&state, WRITE, PROTOBUF, vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0]).await;
    assert_eq!(bomb.status, 400, "{}", bomb.body);
    assert!(bomb.body.contains("larger than 67108864 bytes"), "{}", bomb.body);
    let garbage = post(&state, WRITE, PROTOBUF, snappy(&[0xff; 9])).await;
    assert_eq!(garbage.status, 400, "{}", garbage.body);
    assert_eq!(post(&state, WRITE, "text/plain", Vec::new()).await.status, 415);
    let large = post(&state, WRITE, PROTOBUF, vec![0; (16 << 20) + 1]).await;
    assert_eq!(large.status, 413, "{}", large.body);
    assert!(kept.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn who_may_push() {
    let body = snappy(&first_version(&[("__name__", "m")]));
    let (closed, _) = state(PushAccess::Closed);
    assert_eq!(post(&closed, WRITE, PROTOBUF, body.clone()).await.status, 403);
    let (guarded, kept) = state(PushAccess::Token("secret".into()));
    assert_eq!(post(&guarded, WRITE, PROTOBUF, body.clone()).await.status, 401);
    assert_eq!(post(&guarded, "/v1/metrics", PROTOBUF, Vec::new()).await.status, 401);
    for (token, status) in [("secreT", 401), ("secret", 204)] {
        let request = Request::post(WRITE)
            .header("content-type", PROTOBUF)
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from(body.clone()));
        assert_eq!(send(&guarded, request.unwrap()).await.status, status, "{token}");
    }
    assert_eq!(kept.0.lock().unwrap().len(), 1);
}

/// Metrics of each kind that is taken, and of one that is not.
pub(super) fn otlp_json() -> Value {
    json!({"resourceMetrics": [{
        "resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": "shop"}},
            {"key": "service.instance.id", "value": {"stringValue": "i1"}},
            {"key": "host.name", "value": {"stringValue": "h"}}]},
        "scopeMetrics": [{"metrics": [
            {"name": "http.requests", "unit": "1", "sum": {"isMonotonic": true, "aggregationTemporality": 2,
                "dataPoints": [{"asInt": "3", "timeUnixNano": "5000000", "attributes": [
                    {"key": "http.method", "value": {"stringValue": "GET"}}]}]}},
            {"name": "queue.size", "unit": "By", "gauge": {"dataPoints": [
                {"asDouble": 2.5, "timeUnixNano": "5000000"}]}},
            {"name": "latency", "unit": "s", "histogram": {"aggregationTemporality": 2, "dataPoints": [
                {"count": "3", "sum": 1.5, "bucketCounts": ["1", "2"], "explicitBounds": [0.5],
                 "timeUnixNano": "5000000"}]}},
            {"name": "changes", "sum": {"aggregationTemporality": 1, "dataPoints": [
                {"asInt": "3", "timeUnixNano": "5000000"}]}}]}]}]})
}

#[tokio::test]
async fn otlp_becomes_series() {
    let (state, kept) = state(PushAccess::Open);
    let answer =
        post(&state, "/v1/metrics", "application/json", otlp_json().to_string().into_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(told["partialSuccess"]["rejectedDataPoints"], "1");
    assert!(told["partialSuccess"]["errorMessage"].as_str().unwrap().contains("delta_temporality"));
    let kept = kept.0.lock().unwrap();
    let mut found: Vec<String> =
        kept.iter().map(|(labels, samples)| format!("{labels} {}", samples[0].1)).collect();
    found.sort();
    let own = r#"instance="i1", job="shop""#;
    let mut expected = vec![
        format!(r#"http_requests_total{{http_method="GET", {own}}} 3"#),
        format!("latency_seconds_bucket{{{own}, le=\"+Inf\"}} 3"),
        format!("latency_seconds_bucket{{{own}, le=\"0.5\"}} 1"),
        format!("latency_seconds_count{{{own}}} 3"),
        format!("latency_seconds_sum{{{own}}} 1.5"),
        format!("queue_size_bytes{{{own}}} 2.5"),
        format!(r#"target_info{{host_name="h", {own}}} 1"#),
    ];
    expected.sort();
    assert_eq!(found, expected);
}
