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
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};

use crate::ApiState;
use crate::observe::named;

/// The routes below `/`.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    let both = |name, routes: MethodRouter<Arc<ApiState>>| named(name, routes.fallback(refused));
    Router::new()
        .route("/api/v1/query", both("promQuery", get(matrix::instant).post(matrix::instant)))
        .route("/api/v1/query_range", both("promRange", get(matrix::range).post(matrix::range)))
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

async fn refused() -> Response {
    answer::Failure::new(answer::Kind::BadData, "method not allowed").with_status(405)
}
