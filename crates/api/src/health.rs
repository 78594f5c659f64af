//! `/healthz`: whether batches arrive and hold something. Source: Heapster's check.

pub(crate) mod port;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};

use crate::ApiState;
use crate::request::pairs;

/// Age beyond which the newest batch no longer counts.
const MAX_AGE: Duration = Duration::from_mins(3);

/// Answers 200 while the newest batch is young and not empty, else 500.
pub(crate) async fn check(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    if !healthy(&state) {
        let body = "[-]healthz failed: reason withheld\nhealthz check failed\n";
        return (StatusCode::INTERNAL_SERVER_ERROR, body).into_response();
    }
    let verbose = pairs(uri.query().unwrap_or("")).any(|(key, _)| key == "verbose");
    if verbose { "[+]healthz ok\nhealthz check passed\n" } else { "ok" }.into_response()
}

fn healthy(state: &ApiState) -> bool {
    state
        .window
        .latest()
        .is_some_and(|batch| batch.rows() > 0 && state.now().since(batch.timestamp()) <= MAX_AGE)
}
