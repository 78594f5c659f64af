//! A port of two paths, for a process that serves nothing else: `/healthz` and `/metrics`, as
//! Heapster's eventer had them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

use crate::limits::{ACCEPT_BACKOFF, HEAD_TIMEOUT};

/// Connections at once; probes and a scraper need few.
const MAX_CONNECTIONS: usize = 64;
/// How long a connection may last.
const LONGEST: Duration = Duration::from_mins(1);
/// The type of Prometheus' text.
const EXPOSITION: &str = "text/plain; version=0.0.4";

/// Whether the process is well; else why not.
pub type Healthy = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Serves both paths on `socket` until dropped.
pub async fn serve_health(socket: TcpListener, healthy: Healthy, self_metrics: PrometheusHandle) {
    let health = move || {
        let said = healthy();
        async move {
            match said {
                Ok(()) => text(StatusCode::OK, "text/plain", "ok".to_owned()),
                Err(reason) => text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "text/plain",
                    format!("[-]healthz failed: {reason}\nhealthz check failed\n"),
                ),
            }
        }
    };
    let metrics = move || {
        let rendered = self_metrics.render();
        async move { text(StatusCode::OK, EXPOSITION, rendered) }
    };
    let router = Router::new().route("/healthz", get(health)).route("/metrics", get(metrics));
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match socket.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accepting failed");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
                continue;
            }
        };
        let router = router.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let router = router.clone();
                async move { router.oneshot(request.map(Body::new)).await }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            // A client that goes away, or stays too long, is no news.
            drop(tokio::time::timeout(LONGEST, connection).await);
            drop(place);
        });
    }
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}
