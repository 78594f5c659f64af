//! Asking the API within the process: the same routes and answers, without a socket.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use tower::ServiceExt as _;

use crate::{ApiState, router};

/// What a client would be answered to `method path` with `body`. `limit` bounds the answer: one
/// that is longer is 500 with an empty body, as is a `path` that no request can have.
pub async fn ask(
    state: &Arc<ApiState>,
    method: Method,
    path: &str,
    body: Bytes,
    limit: usize,
) -> (StatusCode, Bytes) {
    let nothing = (StatusCode::INTERNAL_SERVER_ERROR, Bytes::new());
    let Ok(request) = Request::builder().method(method).uri(path).body(Body::from(body)) else {
        return nothing;
    };
    let Ok(response) = router(state).oneshot(request).await;
    let status = response.status();
    match to_bytes(response.into_body(), limit).await {
        Ok(bytes) => (status, bytes),
        Err(_) => nothing,
    }
}
