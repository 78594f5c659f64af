//! Prometheus' HTTP API, version 1, as Prometheus 2.42 answers it, and expositions for scrapers.

mod about;
mod answer;
mod ask;
mod exposition;
mod labels;
mod matrix;
mod number;
pub(crate) mod pace;
mod parameters;
pub(crate) mod read;
mod rules;
mod stamps;
mod status;
pub(crate) mod wire;
mod written;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use http::{Method, Request};

use crate::ApiState;
use crate::observe::named;

const INSTANT: &str = "/api/v1/query";
const RANGE: &str = "/api/v1/query_range";

/// The two questions of which a page of a dashboard asks hundreds: they go straight to what
/// answers them, for to find it among all routes takes longer than some of the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    Instant,
    Range,
}

impl Question {
    /// The one that a request asks, if any. Others' methods are refused where the routes are.
    pub(crate) fn of(request: &Request<Body>) -> Option<Self> {
        if !matches!(*request.method(), Method::GET | Method::HEAD | Method::POST) {
            return None;
        }
        match request.uri().path() {
            INSTANT => Some(Self::Instant),
            RANGE => Some(Self::Range),
            _ => None,
        }
    }

    /// What answers it, as self-metrics call that.
    pub(crate) fn handler(self) -> &'static str {
        match self {
            Self::Instant => "promQuery",
            Self::Range => "promRange",
        }
    }

    pub(crate) async fn answer(self, state: &Arc<ApiState>, request: Request<Body>) -> Response {
        matrix::answer(state, request, self).await
    }
}

/// The routes below `/`.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    let both = |name, routes: MethodRouter<Arc<ApiState>>| named(name, routes.fallback(refused));
    Router::new()
        .route(INSTANT, both(Question::Instant.handler(), asked(Question::Instant)))
        .route(RANGE, both(Question::Range.handler(), asked(Question::Range)))
        .route("/api/v1/format_query", both("promFormat", get(status::format).post(status::format)))
        .route("/api/v1/series", both("promSeries", get(labels::series).post(labels::series)))
        .route("/api/v1/labels", both("promLabels", get(labels::names).post(labels::names)))
        .route("/api/v1/label/{name}/values", both("promValues", get(labels::values)))
        .route("/api/v1/metadata", both("promMetadata", get(labels::metadata)))
        .route("/api/v1/rules", both("promRules", get(rules::rules)))
        .route("/api/v1/alerts", both("promAlerts", get(rules::alerts)))
        .route("/api/v1/targets", both("promTargets", get(status::targets)))
        .route("/api/v1/scrape_pools", both("promPools", get(status::pools)))
        .route(
            "/api/v1/query_exemplars",
            both("promExemplars", get(status::nothing).post(status::nothing)),
        )
        .route("/api/v1/status/buildinfo", both("promBuildInfo", get(status::build_info)))
        .route("/api/v1/status/runtimeinfo", both("promRuntime", get(about::runtime_info)))
        .route("/api/v1/status/flags", both("promFlags", get(about::flags)))
        .route("/api/v1/status/tsdb", both("promTsdb", get(about::tsdb)))
        .route("/api/v1/alertmanagers", both("promAlertmanagers", get(about::alertmanagers)))
        .route("/-/reload", both("promReload", post(rules::reload).put(rules::reload)))
        .route("/-/healthy", both("promHealthy", get(about::healthy)))
        .route("/-/ready", both("promReady", get(about::healthy)))
        .route("/api/v1/read", both("promRead", post(read::read)))
        .route("/api/v1/write", both("promWrite", post(crate::intake::remote_write::write)))
        .route("/federate", named("promFederate", get(exposition::federate)))
        .route("/metrics/cluster", named("promCluster", get(exposition::cluster)))
}

/// The routes of a question: what goes straight to it does not come here, other methods are told
/// which there are.
fn asked(question: Question) -> MethodRouter<Arc<ApiState>> {
    let answer = async move |State(state): State<Arc<ApiState>>, request: Request<Body>| {
        question.answer(&state, request).await
    };
    get(answer).post(answer)
}

async fn refused() -> Response {
    answer::Failure::new(answer::Kind::BadData, "method not allowed").with_status(405)
}
