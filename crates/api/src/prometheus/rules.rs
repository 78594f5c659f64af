//! Rules and alerts in Prometheus' shapes.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{Request, StatusCode};
use model::Timestamp;
use query::promql::{Limits, format};
use rules::{Alert, AlertState, GroupStanding, RuleStanding, exponential};
use serde_json::{Map, Value, json};

use super::answer::{Failure, respond};
use super::parameters::Parameters;
use crate::ApiState;

pub(super) async fn rules(State(state): State<Arc<ApiState>>, request: Request<Body>) -> Response {
    let parameters = match Parameters::of(request).await {
        Ok(parameters) => parameters,
        Err(failure) => return failure.into_response(),
    };
    let wanted = match parameters.get("type") {
        None => None,
        Some("alert") => Some(true),
        Some("record") => Some(false),
        Some(other) => {
            let reason = format!("not supported value {other:?}");
            return Failure::parameter("type", reason).into_response();
        }
    };
    let groups: Vec<Value> =
        state.alerts.groups().iter().map(|standing| group(standing, wanted)).collect();
    respond(Ok(json!({ "groups": groups })))
}

pub(super) async fn alerts(State(state): State<Arc<ApiState>>) -> Response {
    let groups = state.alerts.groups();
    let all = groups.iter().flat_map(|group| &group.rules).flat_map(|rule| &rule.alerts);
    let alerts: Vec<Value> = all.filter(|alert| is_active(alert)).map(alert).collect();
    respond(Ok(json!({ "alerts": alerts })))
}

/// `POST /-/reload`: reads the rule files again; 500 with every mistake.
pub(super) async fn reload(State(state): State<Arc<ApiState>>) -> Response {
    match state.status.reload().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(reason) => {
            let told = format!("failed to reload config: {reason}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, told).into_response()
        }
    }
}

fn group(standing: &GroupStanding, wanted: Option<bool>) -> Value {
    let passes = |rule: &&RuleStanding| wanted.is_none_or(|alerting| alerting == rule.alerting);
    let rules: Vec<Value> = standing.rules.iter().filter(passes).map(rule).collect();
    json!({
        "name": &*standing.name,
        "file": &*standing.file,
        "rules": rules,
        "interval": seconds(standing.interval_ms),
        "limit": standing.limit,
        "evaluationTime": standing.took,
        "lastEvaluation": time(standing.last),
    })
}

fn rule(standing: &RuleStanding) -> Value {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    let labels = pairs(standing.labels.iter().map(|(name, value)| (&**name, &**value)));
    if standing.alerting {
        let active = || standing.alerts.iter().filter(|alert| is_active(alert));
        let state = active().map(|alert| alert.state).min();
        put("state", state.map_or("inactive", AlertState::name).into());
        put("duration", seconds(standing.hold_ms));
        put("keepFiringFor", seconds(standing.keep_firing_ms));
        put("labels", labels);
        let annotations = standing.annotations.iter().map(|(name, value)| (&**name, &**value));
        put("annotations", pairs(annotations));
        put("alerts", active().map(alert).collect());
    } else if !standing.labels.is_empty() {
        put("labels", labels);
    }
    let text = &standing.expression;
    put("name", (*standing.name).into());
    put("query", format(text, &Limits::default()).unwrap_or_else(|_| text.to_string()).into());
    put("health", standing.health.name().into());
    if let Some(error) = &standing.error {
        put("lastError", error.as_str().into());
    }
    put("evaluationTime", standing.took.into());
    put("lastEvaluation", time(standing.last));
    put("type", if standing.alerting { "alerting" } else { "recording" }.into());
    Value::Object(shown)
}

fn alert(alert: &Alert) -> Value {
    let mut shown = json!({
        "labels": pairs(alert.labels.iter()),
        "annotations": pairs(alert.annotations.iter().map(|(name, text)| (&**name, &**text))),
        "state": alert.state.name(),
        "activeAt": time(Some(alert.active_at)),
        "value": exponential(alert.value, None),
    });
    if let Some(since) = alert.keep_firing_since {
        shown["keepFiringSince"] = time(Some(since));
    }
    shown
}

fn is_active(alert: &Alert) -> bool {
    alert.state != AlertState::Resolved
}

fn pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    Value::Object(pairs.map(|(name, value)| (name.to_owned(), value.into())).collect())
}

fn seconds(millis: i64) -> Value {
    if millis % 1000 == 0 {
        return (millis / 1000).into();
    }
    #[expect(clippy::cast_precision_loss, reason = "a duration")]
    let seconds = millis as f64 / 1000.0;
    seconds.into()
}

fn time(millis: Option<i64>) -> Value {
    match millis {
        Some(millis) => Timestamp::from_millis(millis).to_string().into(),
        None => "0001-01-01T00:00:00Z".into(),
    }
}
