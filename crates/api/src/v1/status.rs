//! `GET /status`: what the process is, what it collects from and how far back it knows.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::Timestamp;
use serde::Serialize;

use super::cell::millis;
use super::respond;
use crate::ApiState;
use crate::callers::Way;
use crate::error::Error;
use crate::request::pairs;
use crate::state::{KubeletFacts, TargetCounts};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    version: String,
    source: String,
    cluster: Option<Cluster>,
    now: i64,
    started_at: i64,
    resolution_ms: u128,
    last_batch: Option<LastBatch>,
    targets: TargetCounts,
    kubelets: Option<KubeletFacts>,
    history: Option<History>,
    problems: Vec<Problem>,
    dashboards: Dashboards,
}

/// Who asked last by the ways in that Kubernetes Dashboards use.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Dashboards {
    heapster_host: Option<Caller>,
    sidecar_host: Option<Caller>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Caller {
    requests: u64,
    user_agent: Arc<str>,
    at: Option<i64>,
}

fn caller(way: &Way) -> Option<Caller> {
    way.seen().map(|seen| Caller {
        requests: seen.requests,
        user_agent: seen.user_agent,
        at: millis(seen.at),
    })
}

#[derive(Debug, Serialize)]
struct Problem {
    about: String,
    hop: &'static str,
    reason: String,
    advice: String,
    since: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cluster {
    name: String,
    url: String,
    kubernetes_version: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LastBatch {
    timestamp: i64,
    took_ms: Option<u128>,
    rows: usize,
}

#[derive(Debug, Serialize)]
struct History {
    from: Option<i64>,
    to: Option<i64>,
}

pub(crate) async fn status(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(no_parameters(&uri).map(|()| gather(&state)))
}

/// Refuses any query parameter.
pub(super) fn no_parameters(uri: &Uri) -> Result<(), Error> {
    match pairs(uri.query().unwrap_or("")).next() {
        Some((key, _)) => Err(Error::UnknownParameter(key.into_owned())),
        None => Ok(()),
    }
}

fn gather(state: &ApiState) -> Status {
    let facts = state.status.facts();
    let latest = state.window.latest();
    let arrival = *state.arrivals.borrow();
    let last_batch = latest.as_deref().map(|batch| LastBatch {
        timestamp: batch.timestamp().millis(),
        took_ms: arrival
            .filter(|arrival| arrival.timestamp == batch.timestamp())
            .map(|arrival| arrival.took.as_millis()),
        rows: batch.rows(),
    });
    Status {
        version: facts.version,
        source: facts.source,
        cluster: facts.cluster.map(|cluster| Cluster {
            name: cluster.name,
            url: cluster.url,
            kubernetes_version: cluster.kubernetes_version,
        }),
        now: state.now().millis(),
        started_at: facts.started_at.millis(),
        resolution_ms: facts.resolution.as_millis(),
        last_batch,
        targets: latest.as_deref().map(TargetCounts::of).unwrap_or_default(),
        kubelets: state.status.kubelets(),
        history: reach(state).map(|(from, to)| History { from: millis(from), to: millis(to) }),
        problems: facts.problems.into_iter().map(problem).collect(),
        dashboards: Dashboards {
            heapster_host: caller(&state.callers.model),
            sidecar_host: caller(&state.callers.sidecar),
        },
    }
}

/// First and last time of what is shown live and of what is kept.
fn reach(state: &ApiState) -> Option<(Timestamp, Timestamp)> {
    let kept = state.archive.as_ref().and_then(|archive| archive.reach());
    let both = kept.into_iter().chain(state.window.history());
    both.reduce(|(a, b), (c, d)| (a.min(c), b.max(d)))
}

fn problem(problem: crate::state::Problem) -> Problem {
    Problem {
        about: problem.about,
        hop: problem.hop.name(),
        reason: problem.reason,
        advice: problem.advice,
        since: millis(problem.since),
    }
}
