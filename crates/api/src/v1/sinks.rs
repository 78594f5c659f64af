//! `GET /sinks`: how every sink with a queue stands.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use serde::Serialize;

use super::respond;
use super::status::no_parameters;
use crate::ApiState;
use crate::state::SinkFacts;

#[derive(Debug, Serialize)]
struct Sinks {
    items: Vec<SinkFacts>,
}

pub(crate) async fn sinks(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(no_parameters(&uri).map(|()| Sinks { items: state.status.sinks() }))
}
