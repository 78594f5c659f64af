//! The model API where nothing was recorded: horizons, labels, lists, long answers.

use std::sync::Arc;

use api::{ApiOptions, ApiState};
use axum::body::Body;
use http::Request;
use model::{Batch, Draft, EntityKind, Inventory, Registry, Timestamp, metric};

use super::fixture::{cluster, get, gzipped, inventory, parts, recorded, send, state, time};

/// Batches of one pod every minute for half an hour.
fn half_an_hour() -> Vec<Arc<Batch>> {
    let mut registry = Registry::default();
    let mut batches = Vec::new();
    for minute in 0..30 {
        let at = Timestamp::from_secs(time("2026-11-23T09:00:00Z").secs() + 60 * minute);
        let mut draft = Draft::new(at, registry);
        let pod = draft.registry.pod("ns", "p", "");
        let row = draft.insert(&pod).row;
        let table = draft.table_mut(EntityKind::Pod);
        for id in [metric::CPU_USAGE_RATE, metric::MEMORY_USAGE, metric::MEMORY_RSS] {
            table.set_int(row, id, minute);
        }
        table.set_int(row, metric::MEMORY_CACHE, minute);
        let (batch, back) = draft.freeze();
        batches.push(batch);
        registry = back;
    }
    batches
}

async fn values(state: &Arc<ApiState>, path: &str) -> Vec<u64> {
    let answer = get(state, &format!("/api/v1/model/namespaces/ns/pods/p/metrics/{path}")).await;
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let metrics = json["metrics"].as_array().unwrap();
    metrics.iter().map(|point| point["value"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn answers_reach_as_far_as_heapsters_unless_asked_otherwise() {
    let state = state(&half_an_hour(), Inventory::default());
    let check = async |path: &str, first: u64, last: u64| {
        assert_eq!(values(&state, path).await, (first..=last).collect::<Vec<_>>(), "{path}");
    };
    check("cpu/usage_rate", 15, 29).await;
    check("memory-usage", 15, 29).await;
    check("memory/rss", 27, 29).await;
    check("memory/cache", 27, 29).await;
    check("cpu/usage_rate?start=2026-11-23T09:05:00Z", 5, 29).await;
    check("memory/rss?start=2026-11-23T09:05:00Z&end=2026-11-23T09:07:00Z", 5, 7).await;
    check("memory/cache?start=2026-11-23T09:05:00Z", 27, 29).await;
    check("cpu/usage_rate?end=2026-11-23T09:20:59.5Z", 15, 20).await;
}

#[tokio::test]
async fn labels_name_a_part_exactly() {
    let state = state(&recorded(), Inventory::default());
    let check = async |labels: &str, found: bool| {
        let path = format!("/api/v1/model/nodes/h1/metrics/filesystem/usage?labels={labels}");
        let answer = get(&state, &path).await;
        assert_eq!(answer.body.contains("\"value\": 42"), found, "{labels}");
    };
    check("resource_id:/", true).await;
    check("resource_id%3A%2F", true).await;
    check("resource_id:/logs", false).await;
    check("resource_id:/,make:x", false).await;
    check("make:/", false).await;
}

#[tokio::test]
async fn only_heapsters_metrics_are_listed_but_any_can_be_asked_for() {
    let state = state(&cluster(), inventory());
    let listed = get(&state, "/api/v1/model/namespaces/web/metrics").await.body;
    assert_eq!(listed, "[\n  \"cpu/usage_rate\",\n  \"memory/usage\"\n ]");
    let path = "/api/v1/model/namespaces/web/metrics/memory/working_set";
    assert!(get(&state, path).await.body.contains("\"value\": 3000"));
}

#[tokio::test]
async fn other_methods_and_a_disabled_export_answer() {
    let mut parts = parts(&recorded(), Inventory::default());
    parts.options = ApiOptions { disable_export: true, ..ApiOptions::default() };
    let state = ApiState::new(parts);
    assert_eq!(get(&state, "/api/v1/metric-export").await.body, "[]\n");
    let request = Request::post("/api/v1/model/nodes/").body(Body::empty()).unwrap();
    let answer = send(&state, request).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (405, "405: Method Not Allowed"));
}

#[tokio::test]
async fn json_of_a_kibibyte_is_compressed_for_those_who_take_gzip() {
    let state = state(&half_an_hour(), Inventory::default());
    let ask = async |path: &str, accept: &str| {
        let request = Request::get(path).header("accept-encoding", accept);
        send(&state, request.body(Body::empty()).unwrap()).await
    };
    let long = "/api/v1/model/namespaces/ns/pods/p/metrics/cpu/usage_rate";
    let short = "/api/v1/model/namespaces/";
    assert_eq!(ask(long, "gzip").await.header("content-encoding"), "gzip");
    assert_eq!(ask(long, "identity").await.header("content-encoding"), "");
    assert_eq!(ask(short, "gzip").await.header("content-encoding"), "");
}

#[tokio::test]
async fn the_dashboard_is_guarded_and_cached() {
    let state = state(&[], Inventory::default());
    let page = get(&state, "/").await;
    assert_eq!((page.status.as_u16(), &*page.body), (200, "<!doctype html>"));
    assert!(page.header("content-security-policy").starts_with("default-src 'self';"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("cache-control"), "no-cache");
    let ask = async |name: &'static str, value: &str| {
        let request = Request::get("/assets/app-1a2b.js").header(name, value);
        send(&state, request.body(Body::empty()).unwrap()).await
    };
    let script = ask("accept-encoding", "br, gzip;q=0.5").await;
    assert_eq!(script.header("content-encoding"), "gzip");
    assert_eq!(script.body, String::from_utf8_lossy(&gzipped("let x")));
    assert_eq!(script.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(ask("accept-encoding", "gzip;q=0").await.body, "let x");
    assert_eq!(ask("if-none-match", "W/\"1a2b\"").await.status.as_u16(), 304);
    let missing = get(&state, "/assets/none.js").await;
    assert_eq!((missing.status.as_u16(), &*missing.body), (404, "404 page not found\n"));
}
