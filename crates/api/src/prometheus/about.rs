//! What tools ask a Prometheus about itself: its runtime, its flags, how many series it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::Request;
use query::promql::{Labels, Limits, METRIC_NAME, Options};
use serde_json::{Value, json};

use super::answer::{Failure, respond, success};
use super::labels::{Found, with_parameters};
use crate::ApiState;
use crate::limits::{MAX_QUERY_TIME, MAX_QUESTIONS};

/// What the sink that tells Alertmanagers is called.
const ALERTMANAGER: &str = "Alertmanager Sink";
/// Rows of each list of `/status/tsdb` when none are asked for; Prometheus' number.
const TOP: usize = 10;
/// Most rows of each list.
const MAX_TOP: usize = 10_000;

pub(super) async fn runtime_info(State(state): State<Arc<ApiState>>) -> Response {
    let facts = state.status.facts();
    let wrong = facts.problems.iter().any(|problem| problem.about == "rule files");
    let retention = state.status.store().map_or(String::new(), |store| retention(&store));
    respond(Ok(json!({
        "startTime": facts.started_at.to_string(),
        "CWD": "",
        "reloadConfigSuccess": !wrong,
        "lastConfigTime": facts.started_at.to_string(),
        "corruptionCount": state.status.store().map_or(0, |store| store.damaged),
        "goroutineCount": 0,
        "GOMAXPROCS": std::thread::available_parallelism().map_or(1, usize::from),
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": retention,
    })))
}

fn retention(store: &crate::StoreFacts) -> String {
    let seconds = store.retention_ms / 1000;
    match (seconds % 86_400, seconds % 3600) {
        (0, _) => format!("{}d", seconds / 86_400),
        (_, 0) => format!("{}h", seconds / 3600),
        _ => format!("{seconds}s"),
    }
}

/// The flags of Prometheus that mean something here.
pub(super) async fn flags(State(state): State<Arc<ApiState>>) -> Response {
    let (limits, options) = (Limits::default(), Options::default());
    let mut flags = BTreeMap::from([
        ("query.lookback-delta", format!("{}s", options.lookback_ms / 1000)),
        ("query.max-concurrency", MAX_QUESTIONS.to_string()),
        ("query.max-samples", limits.samples.to_string()),
        ("query.timeout", format!("{}s", MAX_QUERY_TIME.as_secs())),
        ("web.enable-lifecycle", "true".to_owned()),
        ("web.enable-remote-write-receiver", "true".to_owned()),
    ]);
    if let Some(store) = state.status.store() {
        flags.insert("storage.tsdb.retention.time", retention(&store));
    }
    respond(Ok(json!(flags)))
}

/// How many series there are, by name and by label.
pub(super) async fn tsdb(State(state): State<Arc<ApiState>>, request: Request<Body>) -> Response {
    with_parameters(&state, request, |state, parameters, patience| {
        let wrong = || Failure::parameter("limit", "limit must be a positive number");
        let limit = match parameters.get("limit").map(str::parse::<usize>) {
            None => TOP,
            Some(Ok(limit)) if limit > 0 => limit.min(MAX_TOP),
            Some(_) => return Err(wrong()),
        };
        let found = Found::of(state, parameters, Vec::new(), patience)?;
        let counts = Counts::of(&found.series);
        let history = state.window.history();
        let time = |time: Option<model::Timestamp>| time.map_or(0, model::Timestamp::millis);
        let data = json!({
            "headStats": {
                "numSeries": found.series.len(),
                "numLabelPairs": counts.by_pair.len(),
                "chunkCount": 0,
                "minTime": time(history.map(|(from, _)| from)),
                "maxTime": time(history.map(|(_, to)| to)),
            },
            "seriesCountByMetricName": top(counts.by_name, limit),
            "labelValueCountByLabelName": top(
                counts.values.into_iter().map(|(name, values)| (name, values.len())),
                limit,
            ),
            "memoryInBytesByLabelName": top(counts.bytes, limit),
            "seriesCountByLabelValuePair": top(
                counts.by_pair.into_iter().map(|((name, value), count)| {
                    (format!("{name}={value}"), count)
                }),
                limit,
            ),
        });
        Ok(success(&data.to_string(), &found.warnings))
    })
    .await
}

/// The Alertmanagers that are told of alerts.
pub(super) async fn alertmanagers(State(state): State<Arc<ApiState>>) -> Response {
    let receivers = state.alerts.receivers();
    let told = receivers.iter().filter(|receiver| receiver.kind == ALERTMANAGER);
    let active: Vec<Value> = told.map(|receiver| json!({ "url": receiver.to })).collect();
    respond(Ok(json!({ "activeAlertmanagers": active, "droppedAlertmanagers": [] })))
}

/// Probes in Prometheus' place.
pub(super) async fn healthy() -> Response {
    "Taffrail is healthy.\n".into_response()
}

#[derive(Default)]
struct Counts<'a> {
    by_name: BTreeMap<&'a str, usize>,
    values: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// Of a label's values.
    bytes: BTreeMap<&'a str, usize>,
    by_pair: BTreeMap<(&'a str, &'a str), usize>,
}

impl<'a> Counts<'a> {
    fn of(series: &'a BTreeSet<Labels>) -> Self {
        let mut counts = Self::default();
        for labels in series {
            *counts.by_name.entry(labels.get(METRIC_NAME)).or_default() += 1;
            for (name, value) in labels.iter() {
                if counts.values.entry(name).or_default().insert(value) {
                    *counts.bytes.entry(name).or_default() += value.len();
                }
                *counts.by_pair.entry((name, value)).or_default() += 1;
            }
        }
        counts
    }
}

/// The greatest first; of equal ones by name.
fn top<N: Into<String>>(counts: impl IntoIterator<Item = (N, usize)>, limit: usize) -> Value {
    let mut all: Vec<(String, usize)> =
        counts.into_iter().map(|(name, count)| (name.into(), count)).collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(limit);
    all.into_iter().map(|(name, count)| json!({ "name": name, "value": count })).collect()
}
