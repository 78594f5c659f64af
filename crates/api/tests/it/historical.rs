//! The historical API over a past that is made up, against what Heapster answered for the same.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use api::{ApiParts, ApiState, Past, PastAnswer, PastNames, PastValues, PastWanted};
use http::StatusCode;
use model::{Inventory, Value};

use super::fixture::{get, parts, recorded, time};

/// Answers everything alike, and remembers what it was asked.
#[derive(Default)]
struct MadeUp {
    values: Vec<(&'static str, f64)>,
    names: Option<&'static [&'static str]>,
    asked: Mutex<Vec<String>>,
}

impl Past for MadeUp {
    fn values(&self, wanted: PastWanted) -> PastAnswer<PastValues> {
        let PastWanted { entity, metric, start, end } = wanted;
        self.asked.lock().unwrap().push(format!("{metric} of {entity} {start} {end}"));
        let values = self.values.iter().map(|(at, value)| {
            let value = match value {
                whole if whole.fract() == 0.0 => Value::Int(Value::Float(*whole).as_i64()),
                float => Value::Float(*float),
            };
            (time(at), value)
        });
        Box::pin(std::future::ready(Ok(values.collect())))
    }

    fn names(&self, of: PastNames) -> PastAnswer<BTreeSet<String>> {
        self.asked.lock().unwrap().push(format!("{of:?}"));
        let names = self.names.map(|names| names.iter().map(ToString::to_string).collect());
        Box::pin(std::future::ready(names.ok_or_else(|| "gone fishing".to_owned())))
    }
}

fn state(past: &Arc<MadeUp>) -> Arc<ApiState> {
    let past = Arc::clone(past) as Arc<dyn Past>;
    ApiState::new(ApiParts { past: Some(past), ..parts(&recorded(), Inventory::default()) })
}

const START: &str = "start=2020-01-01T00:00:00Z";

#[tokio::test]
async fn values_and_aggregates_are_printed_as_heapster_did() {
    let past = Arc::new(MadeUp {
        values: vec![("2020-01-02T03:04:00Z", 12.0), ("2020-01-02T03:05:00Z", 13.0)],
        ..MadeUp::default()
    });
    let state = state(&past);
    let path = "/api/v1/historical/nodes/n1/metrics/cpu/usage_rate?end=2020-01-03T00:00:00Z&";
    let answer = get(&state, &format!("{path}{START}")).await;
    let expected = "{\n  \"metrics\": [\n   {\n    \"timestamp\": \"2020-01-02T03:04:00Z\",\n    \"value\": 12\n   },\n   {\n    \"timestamp\": \"2020-01-02T03:05:00Z\",\n    \"value\": 13\n   }\n  ],\n  \"latestTimestamp\": \"2020-01-02T03:05:00Z\"\n }";
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, expected));
    let asked = past.asked.lock().unwrap().pop().unwrap();
    let expected = "cpu/usage_rate of node:n1 2020-01-01T00:00:00Z 2020-01-03T00:00:00Z";
    assert_eq!(asked, expected);
    let path = "/api/v1/historical/namespaces/ns/pod-list/a,b/metrics/cpu/usage_rate?";
    let answer = get(&state, &format!("{path}{START}")).await;
    let item = r#"{"metrics":[{"timestamp":"2020-01-02T03:04:00Z","value":12},{"timestamp":"2020-01-02T03:05:00Z","value":13}],"latestTimestamp":"2020-01-02T03:05:00Z"}"#;
    assert_eq!(answer.body, format!("{{\"items\":[{item},{item}]}}\n"));
    let path = "/api/v1/historical/nodes/n1/metrics-aggregated/average,max,count,95-perc/cpu/usage_rate?bucket=1h&";
    let answer = get(&state, &format!("{path}{START}")).await;
    let expected = "{\n  \"buckets\": [\n   {\n    \"timestamp\": \"2020-01-02T03:00:00Z\",\n    \"count\": 2,\n    \"average\": {\n     \"floatValue\": 12.5\n    },\n    \"maximum\": {\n     \"intValue\": 13\n    },\n    \"percentiles\": {\n     \"95\": {\n      \"intValue\": 13\n     }\n    }\n   }\n  ],\n  \"bucketSize\": 3600000000000\n }";
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn mistakes_are_named_as_heapster_named_them() {
    let state = state(&Arc::default());
    let check = async |path: &str, status: u16, expected: &str| {
        let answer = get(&state, &format!("/api/v1/historical/{path}")).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (status, expected), "{path}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    };
    check("metrics/cpu/usage_rate", 400, "no start time (or a start time of zero) provided").await;
    check(
        &format!("metrics/cpu/usage_rate?{START}"),
        500,
        "No results for metric \"cpu/usage_rate\" describing \"(cluster)[cluster]\"",
    )
    .await;
    let aggregated = "nodes/n1/metrics-aggregated";
    let check_aggregated = async |rest: &str, expected: &str| {
        check(&format!("{aggregated}/{rest}&{START}"), 400, expected).await;
    };
    check_aggregated("bogus/cpu/usage_rate?x=1", "Unknown aggregation \"bogus\"").await;
    let unit = "unable to parse bucket size: \"1x\" has no known duration suffix";
    check_aggregated("max/cpu/usage_rate?bucket=1x", unit).await;
    let short = "unable to parse bucket size: \"1\" is too short to be a duration";
    check_aggregated("max/cpu/usage_rate?bucket=1", short).await;
    check("nodes/", 500, "gone fishing").await;
    check("debug/allkeys", 404, "404: Page Not Found").await;
    let unknown = "No pod has the id \"nosuch\" now; history is kept by name: ask for \
                   namespaces/…/pods/…";
    check(&format!("pod-id/nosuch/metrics/uptime?{START}"), 500, unknown).await;
}

#[tokio::test]
async fn every_listing_asks_for_what_its_path_names() {
    let past = Arc::new(MadeUp { names: Some(&["a", "b"]), ..MadeUp::default() });
    let state = state(&past);
    for (path, asked) in [
        ("nodes/", "Nodes"),
        ("namespaces", "Namespaces"),
        ("namespaces/ns/pods/", "Pods { namespace: \"ns\" }"),
        ("namespaces/ns/pods/p/containers", "Containers { namespace: \"ns\", pod: \"p\" }"),
        ("nodes/n1/freecontainers/", "SystemContainers { node: \"n1\" }"),
    ] {
        let answer = get(&state, &format!("/api/v1/historical/{path}")).await;
        assert_eq!(answer.body, "[\n  \"a\",\n  \"b\"\n ]", "{path}");
        assert_eq!(past.asked.lock().unwrap().pop().unwrap(), asked);
    }
    get(&state, "/api/v1/historical/nodes/n1/metrics/").await;
    let asked = past.asked.lock().unwrap().pop().unwrap();
    assert!(asked.starts_with("Metrics(") && asked.contains("n1"), "{asked}");
}

#[tokio::test]
async fn an_id_leads_to_the_pod_that_has_it() {
    let values = vec![("2020-01-02T03:04:00Z", 1.5)];
    let past = Arc::new(MadeUp { values, ..MadeUp::default() });
    let state = state(&past);
    for (path, expected) in [
        ("pod-id/uid/metrics/cpu/usage_rate", "namespace:ns/pod:p "),
        ("pod-id/uid/containers/c/metrics/cpu/usage_rate", "namespace:ns/pod:p/container:c "),
        ("pod-id-list/uid,uid/metrics-aggregated/max/cpu/usage_rate", "namespace:ns/pod:p "),
    ] {
        let answer = get(&state, &format!("/api/v1/historical/{path}?{START}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert!(answer.body.contains("1.5"), "{}", answer.body);
        let asked = past.asked.lock().unwrap().pop().unwrap();
        assert!(asked.contains(expected), "{asked}");
    }
}

#[tokio::test]
async fn without_a_past_there_is_no_such_api() {
    let state = ApiState::new(parts(&recorded(), Inventory::default()));
    let answer = get(&state, "/api/v1/historical/nodes").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}
