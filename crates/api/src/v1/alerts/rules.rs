//! `GET /alerts/rules`: every rule and how its last evaluation went.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::rules::{AlertState, GroupStanding, RuleStanding};
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use serde::Serialize;

use super::owned;
use crate::ApiState;
use crate::v1::respond;
use crate::v1::status::no_parameters;

#[derive(Debug, Serialize)]
struct Answer {
    timestamp: i64,
    groups: Vec<Group>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: Arc<str>,
    file: Arc<str>,
    interval_ms: i64,
    last_evaluation: Option<i64>,
    took_ms: f64,
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    name: Arc<str>,
    #[serde(rename = "type")]
    kind: &'static str,
    expression: Arc<str>,
    for_ms: i64,
    keep_firing_for_ms: i64,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    state: Option<&'static str>,
    alerts: usize,
    health: &'static str,
    error: Option<String>,
}

pub(crate) async fn rules(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(no_parameters(&uri).map(|()| Answer {
        timestamp: state.now().millis(),
        groups: state.alerts.groups().iter().map(|standing| group(standing)).collect(),
    }))
}

fn group(standing: &GroupStanding) -> Group {
    Group {
        name: Arc::clone(&standing.name),
        file: Arc::clone(&standing.file),
        interval_ms: standing.interval_ms,
        last_evaluation: standing.last,
        took_ms: standing.took * 1000.0,
        rules: standing.rules.iter().map(rule).collect(),
    }
}

fn rule(standing: &RuleStanding) -> Rule {
    let active = || standing.alerts.iter().filter(|one| one.state != AlertState::Resolved);
    let state = active().map(|alert| alert.state).min().map_or("inactive", AlertState::name);
    Rule {
        name: Arc::clone(&standing.name),
        kind: if standing.alerting { "alerting" } else { "recording" },
        expression: Arc::clone(&standing.expression),
        for_ms: standing.hold_ms,
        keep_firing_for_ms: standing.keep_firing_ms,
        labels: owned(standing.labels.iter().map(|(name, text)| (&**name, &**text))),
        annotations: owned(standing.annotations.iter().map(|(name, text)| (&**name, &**text))),
        state: standing.alerting.then_some(state),
        alerts: active().count(),
        health: standing.health.name(),
        error: standing.error.clone(),
    }
}
