//! Every HTTP dialect of Taffrail: Heapster's model API, our own, health and self-metrics.
//!
//! The only crate that knows status codes and JSON out. Knows neither where batches come from
//! nor where else they go.
#![forbid(unsafe_code)]

mod answers;
mod callers;
mod dashboard;
mod error;
pub mod fuzz;
mod health;
mod heapster;
mod holdings;
mod intake;
mod kubernetes;
mod limits;
mod local;
mod number;
mod objects;
mod observe;
mod past;
mod people;
mod prometheus;
mod request;
mod scraping;
mod server;
mod sidecar;
mod state;
pub mod telemetry;
mod v1;

use std::sync::Arc;

use axum::Router;
pub use axum::body::Body;
use axum::routing::{MethodRouter, delete, get, post};

pub use answers::Answers;
pub use dashboard::{Asset, Content, Dashboard, NoDashboard};
pub use error::Error;
pub use health::port::{Healthy, serve_health};
pub use holdings::{ReplicaFacts, StoreFacts, StoreLevel};
pub use intake::{Intake, Outcome, PushAccess, Pushed};
pub use kubernetes::router as kubernetes_router;
pub use kubernetes::{API_SERVICES, Answered, Attributes, Decision, Delegate, Gate, Trust, User};
pub use local::ask;
pub use model::Described;
pub use past::{Past, PastAnswer, PastNames, PastValues, PastWanted};
pub use people::{ApiServer, Credentials, Login, OidcParts, PeopleParts, Person, Web};
pub use scraping::{ScrapeFacts, ScrapeRefused, ScrapeTarget, ScrapeTargets};
pub use server::{Listener, ServingKey, Tls, TlsError, fuzz_request_head, serve};
pub use sidecar::router as sidecar_router;
pub use state::{
    ApiOptions, ApiParts, ApiState, Arrival, Check, Clock, ClusterFacts, Diagnosis, Facts,
    KubeletFacts, Problem, SinkFacts, Status,
};

use observe::named;
use people::{login, oidc};

/// The route table.
pub fn router(state: &Arc<ApiState>) -> Answers {
    let mut routes = Router::new()
        .route("/healthz", named("healthz", get(health::check)))
        .route("/healthz/healthz", named("healthz", get(health::check)))
        .route("/metrics", named("prometheus", get(observe::exposition)))
        .route("/api/v1/metric-export", named("metricExport", get(heapster::export)))
        .route("/api/v1/metric-export/", named("metricExport", get(heapster::export)))
        .route("/api/v1/metric-export-schema", named("metricExportSchema", get(heapster::schema)))
        .route("/api/v1/metric-export-schema/", named("metricExportSchema", get(heapster::schema)));
    if !state.options.disable_metric_sink {
        // Its own table, `heapster::routes`, names the handlers.
        for path in ["/api/v1/model", "/api/v1/model/", "/api/v1/model/{*rest}"] {
            routes = routes.route(path, get(heapster::model).fallback(heapster::method_refused));
        }
    }
    for path in ["/apis/metrics/v1alpha1/{*rest}", "/apis/metrics.k8s.io/v1alpha1/{*rest}"] {
        let handler = named("resourceMetrics", get(heapster::resources));
        routes = routes.route(path, handler.fallback(heapster::method_refused));
    }
    if state.past.is_some() {
        let history = || get(heapster::history).fallback(heapster::method_refused);
        routes = routes
            .route("/api/v1/historical", history())
            .route("/api/v1/historical/", history())
            .route("/api/v1/historical/{*rest}", history());
    }
    let routes = routes
        .nest("/api/taffrail", Router::new().nest("/v1", v1_routes()).fallback(v1::not_found))
        .route("/v1/metrics", named("otlpMetrics", post(intake::otlp::metrics)))
        .merge(prometheus::routes())
        .route("/", named("dashboard", get(dashboard::page)))
        .fallback(dashboard::page_or_not_found);
    Answers::of(routes, state).guarded().asked().compressed()
}

/// Our own API, as `docs/API.md` promises it.
fn v1_routes() -> Router<Arc<ApiState>> {
    let v1 = |name: &'static str, routes: MethodRouter<Arc<ApiState>>| {
        named(name, routes.fallback(v1::method_refused))
    };
    Router::new()
        .route("/status", v1("v1Status", get(v1::status)))
        .route("/overview", v1("v1Overview", get(v1::overview)))
        .route("/nodes", v1("v1Nodes", get(v1::nodes)))
        .route("/pods", v1("v1Pods", get(v1::pods)))
        .route("/containers", v1("v1Containers", get(v1::containers)))
        .route("/workloads", v1("v1Workloads", get(v1::workloads)))
        .route("/namespaces", v1("v1Namespaces", get(v1::namespaces)))
        .route("/volumes", v1("v1Volumes", get(v1::volumes)))
        .route("/nodes/{name}", v1("v1Node", get(v1::node)))
        .route("/namespaces/{name}", v1("v1Namespace", get(v1::namespace)))
        .route("/pods/{namespace}/{name}", v1("v1Pod", get(v1::pod)))
        .route("/workloads/{namespace}/{kind}/{name}", v1("v1Workload", get(v1::workload)))
        .route(
            "/workloads/{namespace}/{kind}/{name}/replicas",
            v1("v1ReplicaHistory", get(v1::replica_history)),
        )
        .route("/problems", v1("v1Problems", get(v1::problems)))
        .route("/search", v1("v1Search", get(v1::search)))
        .route("/sizing", v1("v1Sizing", get(v1::sizing)))
        .route("/targets", v1("v1Targets", get(v1::targets)))
        .route("/sinks", v1("v1Sinks", get(v1::sinks)))
        .route("/store", v1("v1Store", get(v1::store)))
        .route("/replicas", v1("v1Replicas", get(v1::replicas)))
        .route("/scraping", v1("v1Scraping", get(v1::scraping)))
        .route("/events", v1("v1Events", get(v1::events)))
        .route("/events/export", v1("v1EventsExport", get(v1::export)))
        .route("/alerts", v1("v1Alerts", get(v1::alerts)))
        .route("/alerts/rules", v1("v1AlertRules", get(v1::rules)))
        .route("/alerts/history", v1("v1AlertHistory", get(v1::history)))
        .route("/alerts/receivers", v1("v1AlertReceivers", get(v1::receivers)))
        .route("/alerts/silences", v1("v1Silences", get(v1::silences).post(v1::make)))
        .route("/alerts/silences/{id}", v1("v1Silence", delete(v1::expire)))
        .route("/query", v1("v1Query", post(v1::query)))
        .route("/diagnosis", v1("v1Diagnosis", get(v1::diagnosis)))
        .route("/why", v1("v1Why", get(v1::why)))
        .route("/stream", v1("v1Stream", get(v1::stream)))
        .route(
            "/session",
            v1("v1Session", get(login::show).post(login::sign_in).delete(login::sign_out)),
        )
        .route("/session/oidc", v1("v1SignIn", get(oidc::begin)))
        .route("/session/oidc/callback", v1("v1SignIn", get(oidc::callback)))
        .nest("/objects", objects::routes())
        .fallback(v1::not_found)
}
