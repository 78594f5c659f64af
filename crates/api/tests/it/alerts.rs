//! Alerts, rules and silences: our own API and Prometheus' shapes, over rules that were evaluated.

use std::sync::Arc;

use api::{ApiParts, ApiState};
use axum::body::Body;
use http::Request;
use model::Inventory;
use query::promql::{Labels, MemorySeries, Options, Select, SelectError, SelectRequest, Selected};
use rules::{AlertBoard, GroupRun, Ledger, Sample, Setting};
use serde_json::{Value, json};

use super::fixture::{Answer, parts, send, time};

struct Up(MemorySeries);

impl Select for Up {
    fn select<'a>(&'a self, request: &SelectRequest<'_>) -> Result<Selected<'a>, SelectError> {
        self.0.select(request)
    }
}

impl Ledger for Up {
    fn append(&self, _: &[Sample]) -> Result<(), String> {
        Ok(())
    }
}

const RULES: &str = "
groups:
- name: g
  interval: 30s
  rules:
  - record: job:up:sum
    expr: sum by(job) (up)
  - alert: Down
    expr: up == 0
    labels: {severity: critical}
    annotations: {summary: '{{ $labels.instance }} is down'}
  - alert: Slow
    expr: up{instance=\"b\"} == 1
    for: 1h
";

fn state() -> Arc<ApiState> {
    let at = time("2026-11-23T09:18:00Z").millis();
    let mut up = Up(MemorySeries::default());
    for (instance, value) in [("a", 0.0), ("b", 1.0)] {
        let labels = Labels::new([("__name__", "up"), ("instance", instance), ("job", "j")]);
        up.0.push(&labels, at, value);
    }
    let mut run = GroupRun::new(rules::read("f.yml", RULES).unwrap().remove(0), 60_000);
    let setting = Setting {
        external_url: "",
        options: &Options::default(),
        canceled: &|| false,
        stopwatch: &|| 0.0,
    };
    let done = run.evaluate(at, &up, &setting);
    let board = AlertBoard::default();
    board.record(done.changes);
    board.show(&run);
    ApiState::new(ApiParts { alerts: Arc::new(board), ..parts(&[], Inventory::default()) })
}

async fn ask(state: &Arc<ApiState>, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1");
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    send(state, request.body(body).unwrap()).await
}

async fn get(state: &Arc<ApiState>, path: &str) -> Value {
    let answer = ask(state, "GET", path, None).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

#[tokio::test]
async fn alerts_are_listed() {
    let state = state();
    let all = get(&state, "/api/taffrail/v1/alerts").await;
    assert_eq!(all["counts"], json!({"firing": 1, "pending": 1, "resolved": 0, "silenced": 0}));
    let firing = &all["items"][0];
    assert_eq!((&firing["name"], &firing["severity"]), (&json!("Down"), &json!("critical")));
    assert_eq!(firing["annotations"]["summary"], "a is down");
    assert_eq!((&firing["value"], &firing["expression"]), (&json!(0.0), &json!("up == 0")));
    for (query, found) in [
        ("state=pending", 1),
        ("severity=critical", 1),
        ("search=A%20IS", 1),
        ("label=instance=b", 1),
        ("silenced=true", 0),
        ("name=Down&name=Slow", 2),
    ] {
        let answer = get(&state, &format!("/api/taffrail/v1/alerts?{query}")).await;
        assert_eq!(answer["total"], found, "{query}");
    }
    let wrong = ask(&state, "GET", "/api/taffrail/v1/alerts?state=loud", None).await;
    assert_eq!(wrong.status, 400, "{}", wrong.body);
    let rules = get(&state, "/api/taffrail/v1/alerts/rules").await;
    assert_eq!(rules["groups"][0]["intervalMs"], 30_000);
    assert_eq!(rules["groups"][0]["rules"][0]["type"], "recording");
    assert_eq!(rules["groups"][0]["rules"][1]["state"], "firing");
    let history = get(&state, "/api/taffrail/v1/alerts/history?state=firing").await;
    assert_eq!((&history["total"], &history["items"][0]["name"]), (&json!(1), &json!("Down")));
}

#[tokio::test]
async fn prometheus_shapes() {
    let state = state();
    let rules = get(&state, "/api/v1/rules").await;
    let group = &rules["data"]["groups"][0];
    assert_eq!((&group["name"], &group["interval"]), (&json!("g"), &json!(30)));
    let alerting = &group["rules"][1];
    for key in ["state", "name", "query", "duration", "labels", "annotations", "alerts", "health"] {
        assert!(!alerting[key].is_null(), "{key} in {alerting}");
    }
    assert_eq!((&alerting["type"], &alerting["health"]), (&json!("alerting"), &json!("ok")));
    let recorded = get(&state, "/api/v1/rules?type=record").await;
    assert_eq!(recorded["data"]["groups"][0]["rules"].as_array().unwrap().len(), 1);
    let alerts = get(&state, "/api/v1/alerts").await;
    let alert = &alerts["data"]["alerts"][0];
    assert_eq!((&alert["value"], &alert["state"]), (&json!("0e+00"), &json!("firing")));
    assert_eq!(alert["activeAt"], "2026-11-23T09:18:00Z");
}

#[tokio::test]
async fn silences_are_made_and_ended() {
    let state = state();
    let path = "/api/taffrail/v1/alerts/silences";
    let body = json!({"matchers": [{"name": "severity", "value": "critical"}],
        "durationMs": 3_600_000, "createdBy": "ann", "comment": "maintenance"});
    let made = ask(&state, "POST", path, Some(&body)).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let made: Value = serde_json::from_str(&made.body).unwrap();
    let listed = get(&state, path).await;
    assert_eq!(listed["items"][0]["id"], made["id"]);
    assert_eq!(
        (&listed["items"][0]["state"], &listed["items"][0]["alerts"]),
        (&json!("active"), &json!(1))
    );
    let silenced = get(&state, "/api/taffrail/v1/alerts?silenced=true").await;
    assert_eq!(silenced["items"][0]["silencedBy"], json!([made["id"]]));
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    assert_eq!(ask(&state, "DELETE", &one, None).await.status, 200);
    assert_eq!(get(&state, path).await["items"][0]["state"], "expired");
    assert_eq!(ask(&state, "DELETE", &format!("{path}/none"), None).await.status, 404);
    for (body, status) in [
        (
            json!({"matchers": [{"name": "a", "value": ".*", "isRegex": true}], "durationMs": 5, "createdBy": "a", "comment": "b"}),
            400,
        ),
        (json!({"matchers": []}), 400),
        (json!({"nonsense": 1}), 400),
        (json!({"matchers": [], "comment": "x".repeat(300_000)}), 413),
    ] {
        assert_eq!(ask(&state, "POST", path, Some(&body)).await.status, status, "{body:.80}");
    }
    let form = Request::post(path).header("host", "localhost").body(Body::from("{}")).unwrap();
    assert_eq!(send(&state, form).await.status, 415, "as another site's form would come");
}
