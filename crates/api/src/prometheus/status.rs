//! What Prometheus says of itself: build, targets, rules and alerts; and formatted queries.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::Request;
use model::{Target, TargetState};
use query::promql::{self, Limits};
use serde_json::{Value, json};

use super::answer::{Failure, respond};
use super::parameters::Parameters;
use crate::ApiState;

/// The version of Prometheus whose API this is; clients choose their requests by it.
const COMPATIBLE: &str = "2.42.0";

pub(super) async fn format(request: Request<Body>) -> Response {
    let parameters = match Parameters::of(request).await {
        Ok(parameters) => parameters,
        Err(failure) => return failure.into_response(),
    };
    let text = parameters.get("query").unwrap_or("");
    let formatted = promql::format(text, &Limits::default());
    respond(formatted.map(Value::from).map_err(|error| Failure::query("query", &error, false)))
}

pub(super) async fn build_info(State(state): State<Arc<ApiState>>) -> Response {
    let version = state.status.facts().version;
    respond(Ok(json!({
        "version": COMPATIBLE, "revision": format!("taffrail {version}"), "branch": "",
        "buildUser": "", "buildDate": "", "goVersion": "", "application": "taffrail",
    })))
}

pub(super) async fn nothing() -> Response {
    respond(Ok(json!([])))
}

pub(super) async fn targets(State(state): State<Arc<ApiState>>) -> Response {
    let batch = state.window.latest();
    let every = state.status.facts().resolution.as_secs_f64();
    let targets = batch.as_ref().map_or(&[][..], |batch| batch.targets());
    let is_dropped = |target: &&Target| matches!(target.state, TargetState::Skipped { .. });
    let active: Vec<Value> =
        targets.iter().filter(|one| !is_dropped(one)).map(|t| active(t, every)).collect();
    let dropped: Vec<Value> = targets
        .iter()
        .filter(is_dropped)
        .map(|target| json!({ "discoveredLabels": { "__address__": &*target.url, "node": &*target.node } }))
        .collect();
    respond(Ok(json!({ "activeTargets": active, "droppedTargets": dropped })))
}

fn active(target: &Target, every: f64) -> Value {
    let (health, error) = match &target.state {
        TargetState::Failed { reason, .. } => ("down", reason.as_str()),
        _ => ("up", ""),
    };
    json!({
        "discoveredLabels": { "__address__": &*target.url, "node": &*target.node },
        "labels": { "instance": &*target.node, "job": "kubelet", "node": &*target.node },
        "scrapePool": "kubelet",
        "scrapeUrl": &*target.url,
        "globalUrl": &*target.url,
        "lastError": error,
        "lastScrape": target.last_success.to_string(),
        "lastScrapeDuration": target.took.as_secs_f64(),
        "health": health,
        "scrapeInterval": format!("{every}s"),
        "scrapeTimeout": "10s",
    })
}
