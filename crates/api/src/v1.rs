//! Taffrail's own API, version 1: what the dashboard asks. Contract: `docs/API.md`.

mod alerts;
mod ask;
mod cell;
mod containers;
mod detail;
mod diagnosis;
mod events;
mod holdings;
mod list;
mod namespaces;
mod nodes;
mod overview;
mod pods;
mod problems;
mod replicas;
mod search;
mod select;
mod series;
mod sinks;
mod sizing;
mod status;
mod stream;
mod targets;
mod volumes;
mod why;
mod workloads;

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::Error;
use crate::observe::Handler;

pub(crate) use alerts::{alerts, expire, history, list as silences, make, receivers, rules};
pub(crate) use containers::containers;
pub(crate) use detail::{namespace, node, pod, workload};
pub(crate) use diagnosis::diagnosis;
pub(crate) use events::{events, export};
pub(crate) use holdings::{replicas, scraping, store};
pub(crate) use namespaces::namespaces;
pub(crate) use nodes::nodes;
pub(crate) use overview::overview;
pub(crate) use pods::pods;
pub(crate) use problems::problems;
pub(crate) use replicas::replicas as replica_history;
pub(crate) use search::search;
pub(crate) use series::query;
pub(crate) use sinks::sinks;
pub(crate) use sizing::sizing;
pub(crate) use status::status;
pub(crate) use stream::{Place, stream};
pub(crate) use targets::targets;
pub(crate) use volumes::volumes;
pub(crate) use why::why;
pub(crate) use workloads::workloads;

/// Any other path below the prefix.
pub(crate) async fn not_found() -> Response {
    let mut response = Error::NoPath.as_json();
    response.extensions_mut().insert(Handler("v1Other"));
    response
}

/// A path that does not take the method.
pub(crate) async fn method_refused() -> Response {
    Error::Method.as_json()
}

fn respond<T: Serialize>(answer: Result<T, Error>) -> Response {
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => error.as_json(),
    }
}
