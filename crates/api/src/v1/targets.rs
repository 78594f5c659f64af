//! `GET /targets`: how every scraped endpoint answered, failures first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::{Batch, Target, TargetState};
use once::Order as _;
use serde::Serialize;

use super::cell::millis;
use super::respond;
use super::status::no_parameters;
use crate::ApiState;

#[derive(Debug, Serialize)]
struct Targets {
    timestamp: Option<i64>,
    items: Vec<Item>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    node: String,
    #[serde(flatten)]
    target: TargetCell,
    body_bytes: u64,
}

/// How a target answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TargetCell {
    url: String,
    state: &'static str,
    hop: Option<&'static str>,
    reason: Option<String>,
    advice: Option<String>,
    since: Option<i64>,
    last_success: Option<i64>,
    took_ms: Option<u128>,
    /// How its certificate was verified, see [`model::Verified::name`].
    verified: Option<&'static str>,
}

impl From<&Target> for TargetCell {
    fn from(target: &Target) -> Self {
        let (hop, reason, advice) = match &target.state {
            TargetState::Up => (None, None, None),
            TargetState::Failed { hop, reason, advice } => {
                (Some(hop.name()), Some(reason.clone()), Some(advice.clone()))
            }
            TargetState::Skipped { reason } => (None, Some(reason.clone()), None),
        };
        let asked = !matches!(target.state, TargetState::Skipped { .. });
        Self {
            url: target.url.to_string(),
            state: target.state.name(),
            hop,
            reason,
            advice: advice.filter(|advice| !advice.is_empty()),
            since: millis(target.since),
            last_success: millis(target.last_success),
            took_ms: asked.then_some(target.took.as_millis()),
            verified: target.verified.name(),
        }
    }
}

pub(crate) async fn targets(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(no_parameters(&uri).map(|()| gather(&state)))
}

fn gather(state: &ApiState) -> Targets {
    let latest = state.window.latest();
    let batch = latest.as_deref();
    let mut targets: Vec<&Target> = batch.map(Batch::targets).unwrap_or_default().iter().collect();
    let rank = |target: &Target| match target.state {
        TargetState::Failed { .. } => 0,
        TargetState::Skipped { .. } => 1,
        TargetState::Up => 2,
    };
    targets.order_by(|left, right| {
        rank(left)
            .cmp(&rank(right))
            .then_with(|| left.node.cmp(&right.node))
            .then_with(|| left.url.cmp(&right.url))
    });
    let item = |target: &&Target| Item {
        node: target.node.to_string(),
        target: TargetCell::from(*target),
        body_bytes: target.body_bytes,
    };
    Targets {
        timestamp: batch.map(|batch| batch.timestamp().millis()),
        items: targets.iter().map(item).collect(),
    }
}
