//! Silences: listed, made and changed, ended.

use std::sync::Arc;

use ::rules::{AlertState, Silence, SilenceAsked, SilenceError, SilenceMatcher};
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, Uri, header};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::ApiState;
use crate::error::Error;
use crate::limits::{BODY_TIMEOUT, MAX_SILENCE_BODY_BYTES, hit};
use crate::v1::respond;
use crate::v1::status::no_parameters;

#[derive(Debug, Serialize)]
struct Answer {
    items: Vec<Item>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: String,
    matchers: Vec<SilenceMatcher>,
    starts_at: i64,
    ends_at: i64,
    created_by: String,
    comment: String,
    updated_at: i64,
    state: &'static str,
    /// How many alerts it holds back now.
    alerts: usize,
}

pub(crate) async fn list(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(no_parameters(&uri).map(|()| listed(&state)))
}

fn listed(state: &ApiState) -> Answer {
    let now = state.now().millis();
    let groups = state.alerts.groups();
    let alerts = groups.iter().flat_map(|group| &group.rules).flat_map(|rule| &rule.alerts);
    let active = alerts.filter(|alert| alert.state != AlertState::Resolved);
    let held: Vec<String> =
        active.flat_map(|alert| state.alerts.holding(&alert.labels, now)).collect();
    let item = |silence: &Silence| Item {
        id: silence.id.clone(),
        matchers: silence.matchers.clone(),
        starts_at: silence.starts_at,
        ends_at: silence.ends_at,
        created_by: silence.created_by.clone(),
        comment: silence.comment.clone(),
        updated_at: silence.updated_at,
        state: silence.state(now).name(),
        alerts: held.iter().filter(|id| **id == silence.id).count(),
    };
    let items = state.alerts.silences(|all| all.list(now).into_iter().map(item).collect());
    Answer { items }
}

pub(crate) async fn make(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    // A form of another site cannot send this type.
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("application/json")) {
        return Error::ContentType.as_json();
    }
    let error = match timeout(BODY_TIMEOUT, to_bytes(body, MAX_SILENCE_BODY_BYTES)).await {
        Ok(Ok(body)) => match serde_json::from_slice::<SilenceAsked>(&body) {
            Ok(asked) => {
                return changed(state, move |state, now| state.alerts.silence(asked, now)).await;
            }
            Err(error) => Error::Body(error.to_string()),
        },
        Ok(Err(_)) => {
            hit("silence_body");
            Error::SilenceTooLarge
        }
        Err(_) => Error::BodyTooSlow,
    };
    error.as_json()
}

pub(crate) async fn expire(State(state): State<Arc<ApiState>>, Path(id): Path<String>) -> Response {
    changed(state, move |state, now| state.alerts.expire(&id, now).map(|()| id)).await
}

/// Makes a change on a thread that may wait for the disk, and answers the silence's id.
async fn changed(
    state: Arc<ApiState>,
    change: impl FnOnce(&ApiState, i64) -> Result<String, SilenceError> + Send + 'static,
) -> Response {
    let done = tokio::task::spawn_blocking(move || change(&state, state.now().millis())).await;
    let answer: Result<Json<Value>, Error> = match done {
        Ok(Ok(id)) => Ok(Json(json!({ "id": id }))),
        Ok(Err(error)) => Err(Error::Silence(error)),
        Err(error) => Err(Error::Silence(SilenceError::NotKept(error.to_string()))),
    };
    respond(answer.map(|Json(value)| value))
}
