//! What Prometheus says of itself: build, targets, rules and alerts; and formatted queries.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::Request;
use model::{Target, TargetState};
use query::promql::{self, Limits};
use serde_json::{Map, Value, json};

use super::answer::{Failure, respond};
use super::parameters::Parameters;
use crate::ApiState;
use crate::scraping::{ScrapeTarget, ScrapeTargets};

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

pub(super) async fn pools(State(state): State<Arc<ApiState>>) -> Response {
    let scraped = scraped(&state).await;
    let mut pools: Vec<String> = scraped.active.into_iter().map(|target| target.pool).collect();
    pools.push(KUBELET.to_owned());
    pools.sort_unstable();
    pools.dedup();
    respond(Ok(json!({ "scrapePools": pools })))
}

/// What is scraped besides kubelets; finding that out takes a while in large clusters.
async fn scraped(state: &ApiState) -> ScrapeTargets {
    let status = Arc::clone(&state.status);
    let found = tokio::task::spawn_blocking(move || status.scrape_targets()).await;
    found.unwrap_or_default()
}

pub(super) async fn targets(
    State(state): State<Arc<ApiState>>,
    request: Request<Body>,
) -> Response {
    let parameters = match Parameters::of(request).await {
        Ok(parameters) => parameters,
        Err(failure) => return failure.into_response(),
    };
    let (wanted, pool) = (parameters.get("state").unwrap_or(""), parameters.get("scrapePool"));
    let of_pool = |name: &str| pool.is_none_or(|pool| pool.is_empty() || pool == name);
    let scraped = scraped(&state).await;
    let batch = state.window.latest();
    let every = state.status.facts().resolution.as_secs_f64();
    let targets = batch.as_ref().map_or(&[][..], |batch| batch.targets());
    let is_dropped = |target: &&Target| matches!(target.state, TargetState::Skipped { .. });
    let kubelets = || targets.iter().filter(|_| of_pool(KUBELET));
    let mut active: Vec<Value> = Vec::new();
    if matches!(wanted, "" | "any" | "active") {
        active.extend(kubelets().filter(|one| !is_dropped(one)).map(|one| kubelet(one, every)));
        active.extend(scraped.active.iter().filter(|one| of_pool(&one.pool)).map(program));
    }
    let mut dropped: Vec<Value> = Vec::new();
    if matches!(wanted, "" | "any" | "dropped") {
        dropped.extend(kubelets().filter(is_dropped).map(|target| {
            json!({ "discoveredLabels": { "__address__": &*target.url, "node": &*target.node } })
        }));
        let programs = scraped.dropped.iter().filter(|(pool, _)| of_pool(pool));
        dropped.extend(programs.map(|(_, labels)| json!({ "discoveredLabels": object(labels) })));
    }
    respond(Ok(json!({ "activeTargets": active, "droppedTargets": dropped })))
}

/// The scrape pool of kubelets.
const KUBELET: &str = "kubelet";
/// The time of what never happened, as Go writes it.
const NEVER: &str = "0001-01-01T00:00:00Z";

fn object(labels: &[(String, String)]) -> Value {
    labels
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(&**value)))
        .collect::<Map<_, _>>()
        .into()
}

fn program(target: &ScrapeTarget) -> Value {
    let health = match target.up {
        Some(true) => "up",
        Some(false) => "down",
        None => "unknown",
    };
    let asked = if target.asked.is_never() { NEVER.to_owned() } else { target.asked.to_string() };
    json!({
        "discoveredLabels": object(&target.discovered),
        "labels": object(&target.labels),
        "scrapePool": target.pool,
        "scrapeUrl": target.url,
        "globalUrl": target.url,
        "lastError": target.error,
        "lastScrape": asked,
        "lastScrapeDuration": target.took.as_secs_f64(),
        "health": health,
        "scrapeInterval": format!("{}s", target.interval.as_secs_f64()),
        "scrapeTimeout": format!("{}s", target.timeout.as_secs_f64()),
    })
}

fn kubelet(target: &Target, every: f64) -> Value {
    let (health, error) = match &target.state {
        TargetState::Failed { reason, .. } => ("down", reason.as_str()),
        _ => ("up", ""),
    };
    json!({
        "discoveredLabels": { "__address__": &*target.url, "node": &*target.node },
        "labels": { "instance": &*target.node, "job": KUBELET, "node": &*target.node },
        "scrapePool": KUBELET,
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
