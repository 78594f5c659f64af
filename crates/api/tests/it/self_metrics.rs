//! `/metrics`: Heapster's names, handlers and quantiles.

use api::{ApiState, Body};
use http::Request;
use model::Inventory;

use super::fixture::{get, parts, recorded, send};

#[tokio::test]
async fn requests_are_counted_under_heapsters_names() {
    let recorder = api::telemetry::recorder().unwrap().build_recorder();
    let mut parts = parts(&recorded(), Inventory::default());
    parts.self_metrics = recorder.handle();
    // The test's runtime has one thread, so that its recorder sees everything.
    let _guard = metrics::set_default_local_recorder(&recorder);
    let state = ApiState::new(parts);
    for path in [
        "/api/v1/model/nodes/",
        "/api/v1/model/namespaces/ns/pod-list/p/metrics/cpu/usage_rate",
        "/api/v1/model/nope",
        "/healthz",
        "/api/taffrail/v1/status",
        "/nope",
    ] {
        get(&state, path).await;
    }
    for method in ["BREW", "WHEN"] {
        let request = Request::builder().method(method).uri("/healthz").body(Body::empty());
        send(&state, request.unwrap()).await;
    }
    let answer = get(&state, "/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4");
    for line in [
        "# TYPE http_requests_total counter",
        "# TYPE http_request_duration_microseconds summary",
        "# TYPE http_request_size_bytes summary",
        "# TYPE http_response_size_bytes summary",
        "http_requests_total{handler=\"nodeList\",method=\"get\",code=\"200\"} 1",
        "http_requests_total{handler=\"podListMetric\",method=\"get\",code=\"200\"} 1",
        "http_requests_total{handler=\"healthz\",method=\"get\",code=\"200\"} 1",
        "http_requests_total{handler=\"v1Status\",method=\"get\",code=\"200\"} 1",
        "http_requests_total{handler=\"other\",method=\"get\",code=\"404\"} 1",
        "http_requests_total{handler=\"healthz\",method=\"other\",code=\"405\"} 2",
        "http_requests_total{handler=\"dashboard\",method=\"get\",code=\"404\"} 1",
        "http_request_duration_microseconds{handler=\"nodeList\",quantile=\"0.99\"} 0",
        "http_request_duration_microseconds_count{handler=\"nodeList\"} 1",
        "http_request_duration_microseconds_count{handler=\"debugAllKeys\"} 0",
        "http_response_size_bytes_sum{handler=\"nodeList\"} 11",
    ] {
        assert!(answer.body.lines().any(|found| found == line), "{line}\n{}", answer.body);
    }
    // Every handler of the recording has its series from the start; pprof is left out.
    let handlers = include_str!("../golden/heapster-handlers.txt");
    for handler in handlers.lines().filter(|handler| *handler != "pprof") {
        let series = format!("http_request_duration_microseconds_count{{handler=\"{handler}\"}}");
        assert!(answer.body.contains(&series), "{handler}");
    }
}
