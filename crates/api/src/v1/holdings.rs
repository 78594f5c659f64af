//! `GET /store`, `GET /replicas` and `GET /scraping`: what is kept on disk, who shares the work,
//! and how scraping of programs stands.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use serde::Serialize;

use super::respond;
use super::status::no_parameters;
use crate::ApiState;
use crate::holdings::{ReplicaFacts, StoreFacts};
use crate::scraping::ScrapeFacts;

#[derive(Debug, Serialize)]
struct Store {
    store: Option<StoreFacts>,
}

#[derive(Debug, Serialize)]
struct Replicas {
    items: Vec<ReplicaFacts>,
}

pub(crate) async fn store(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(no_parameters(&uri).map(|()| Store { store: state.status.store() }))
}

#[derive(Debug, Serialize)]
struct Scraping {
    scraping: Option<ScrapeFacts>,
}

pub(crate) async fn scraping(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(no_parameters(&uri).map(|()| Scraping { scraping: state.status.scraping() }))
}

pub(crate) async fn replicas(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(no_parameters(&uri).map(|()| Replicas { items: state.status.replicas() }))
}
