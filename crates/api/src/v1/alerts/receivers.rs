//! `GET /alerts/receivers`: where alerts are sent, and how that goes.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use serde::Serialize;

use crate::ApiState;
use crate::v1::respond;
use crate::v1::status::no_parameters;

#[derive(Debug, Serialize)]
struct Answer {
    items: Vec<Item>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    kind: &'static str,
    to: String,
    sent: u64,
    failed: u64,
    dropped: u64,
    failure: Option<String>,
}

pub(crate) async fn receivers(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    let item = |one: ::rules::Receiver| Item {
        kind: one.kind,
        to: one.to,
        sent: one.sent,
        failed: one.failed,
        dropped: one.dropped,
        failure: one.failure,
    };
    respond(
        no_parameters(&uri)
            .map(|()| Answer { items: state.alerts.receivers().into_iter().map(item).collect() }),
    )
}
