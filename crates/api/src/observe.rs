//! What the service says of itself: a count and a duration per request, and `/metrics`.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use foldhash::fast::RandomState;
use http::{Method, Request, StatusCode, header};
use metrics::{Counter, Histogram, counter, histogram};
use model::Timestamp;
use tower::util::MapResponseLayer;

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
    routes.layer(MapResponseLayer::new(move |mut response: Response| {
        response.extensions_mut().insert(Handler(name));
        response
    }))
}

/// `/metrics`: the process's own metrics, as Prometheus reads them.
pub(crate) async fn exposition(State(state): State<Arc<ApiState>>) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (headers, state.self_metrics.render()).into_response()
}

/// A request while it is answered.
pub(crate) struct Observation {
    began: Timestamp,
    method: &'static str,
    bytes: f64,
}

impl Observation {
    pub(crate) fn of(request: &Request<Body>, now: Timestamp) -> Self {
        let (method, bytes) = (name_of(request.method()), size_of_request(request));
        Self { began: now, method, bytes }
    }

    /// Counts the request and notes what its answer took. Its handler is told by the response
    /// where it is not by `handler`.
    pub(crate) fn end(self, response: &Response, handler: Option<&'static str>, state: &ApiState) {
        let told = || response.extensions().get::<Handler>().map_or("other", |handler| handler.0);
        let handler = handler.unwrap_or_else(told);
        let took = state.now().since(self.began);
        // A stream has no size.
        let bytes = response.body().size_hint().exact();
        state.meters.with((handler, self.method, response.status()), |meter| {
            meter.requests.increment(1);
            meter.microseconds.record(took.as_secs_f64() * 1e6);
            meter.request_bytes.record(self.bytes);
            if let Some(bytes) = bytes {
                meter.response_bytes.record(float(bytes));
            }
        });
    }
}

/// A method as it is counted: clients may invent others.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "get",
        Method::POST => "post",
        Method::PUT => "put",
        Method::DELETE => "delete",
        Method::HEAD => "head",
        Method::OPTIONS => "options",
        Method::CONNECT => "connect",
        Method::PATCH => "patch",
        Method::TRACE => "trace",
        _ => "other",
    }
}

/// What one kind of answers counts up.
struct Meter {
    requests: Counter,
    microseconds: Histogram,
    request_bytes: Histogram,
    response_bytes: Histogram,
}

/// Handler, method and status.
type Answered = (&'static str, &'static str, StatusCode);

impl Meter {
    fn of((handler, method, status): Answered) -> Self {
        let code = status.as_str().to_owned();
        let requests = counter!(
            telemetry::REQUESTS, "handler" => handler, "method" => method, "code" => code
        );
        let summary = |name| histogram!(name, "handler" => handler);
        Self {
            requests,
            microseconds: summary(telemetry::REQUEST_MICROSECONDS),
            request_bytes: summary(telemetry::REQUEST_BYTES),
            response_bytes: summary(telemetry::RESPONSE_BYTES),
        }
    }
}

/// The meters of everything that was answered: as many as there are handlers, methods and codes.
#[derive(Default)]
pub(crate) struct Meters(RwLock<HashMap<Answered, Meter, RandomState>>);

impl Meters {
    fn with(&self, answered: Answered, note: impl FnOnce(&Meter)) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(meter) = known.get(&answered) {
            return note(meter);
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        note(known.entry(answered).or_insert_with(|| Meter::of(answered)));
    }
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
