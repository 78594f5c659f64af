//! What the service says of itself: a count and a duration per request, and `/metrics`.
//!
//! Also compresses answers, so that both wrap every route alike.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::middleware::{Next, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use http::{Extensions, HeaderMap, Request, StatusCode, Version, header};
use http_body_util::BodyExt as _;
use metrics::{counter, histogram};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};

use crate::limits::MIN_COMPRESSED_BYTES;
use crate::request::target;
use crate::{ApiState, telemetry};

/// The handler's name in self-metrics; an extension of the response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Handler(pub(crate) &'static str);

/// `routes`, whose answers carry the handler's `name`.
pub(crate) fn named(
    name: &'static str,
    routes: MethodRouter<Arc<ApiState>>,
) -> MethodRouter<Arc<ApiState>> {
    routes.layer(map_response(move |mut response: Response| async move {
        response.extensions_mut().insert(Handler(name));
        response
    }))
}

/// `/metrics`: the process's own metrics, as Prometheus reads them.
pub(crate) async fn exposition(State(state): State<Arc<ApiState>>) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (headers, state.self_metrics.render()).into_response()
}

/// Counts a request and times its handler.
pub(crate) async fn count(
    State(state): State<Arc<ApiState>>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let began = state.now();
    let method = request.method().as_str().to_ascii_lowercase();
    let request_bytes = size_of_request(&request);
    let response = next.run(request).await;
    let handler = response.extensions().get::<Handler>().map_or("other", |handler| handler.0);
    let code = response.status().as_str().to_owned();
    counter!(telemetry::REQUESTS, "handler" => handler, "method" => method, "code" => code)
        .increment(1);
    let took = state.now().since(began);
    histogram!(telemetry::REQUEST_MICROSECONDS, "handler" => handler)
        .record(took.as_secs_f64() * 1e6);
    histogram!(telemetry::REQUEST_BYTES, "handler" => handler).record(request_bytes);
    // A stream has no size.
    if let Some(bytes) = response.body().size_hint().exact() {
        histogram!(telemetry::RESPONSE_BYTES, "handler" => handler).record(float(bytes));
    }
    response
}

/// Compresses what `routes` answer where the client takes it.
pub(crate) fn compressed<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    // What compresses a body asks it again after its end, which streams need not stand.
    let fused = |response: Response| async { response.map(|body| Body::new(body.fuse())) };
    routes.layer(map_response(fused)).layer(compression())
}

/// JSON and text answers of at least 1 KiB for clients that take gzip.
fn compression() -> CompressionLayer<impl Predicate> {
    let readable = |_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions| {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default();
        kind.starts_with("application/json")
            || (kind.starts_with("text/") && !kind.starts_with("text/event-stream"))
    };
    let predicate = SizeAbove::new(MIN_COMPRESSED_BYTES).and(readable);
    CompressionLayer::new().gzip(true).compress_when(predicate)
}

/// Target, header lines and announced body, as Go's instrumentation estimates it.
fn size_of_request(request: &Request<Body>) -> f64 {
    let (path, query) = target(request);
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let body = request.body().size_hint().exact().unwrap_or(0);
    float((path.len() + query.len() + headers) as u64) + float(body)
}

#[expect(clippy::cast_precision_loss, reason = "a summary needs no more than 53 bits")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}
