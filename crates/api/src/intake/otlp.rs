//! OTLP: `POST /v1/metrics` over HTTP, as protocol buffers or JSON, and gRPC (`otlp/grpc.rs`).
//!
//! Source: opentelemetry.io "OTLP Specification" and opentelemetry-proto `metrics.proto`.

use std::io::Read as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::json;

use super::{MAX_DECODED_BYTES, Message, Outcome};
use crate::ApiState;
use crate::limits::hit;
use crate::prometheus::wire::{put_bytes, put_varint};

pub(crate) mod grpc;
mod json;
mod names;
mod proto;

use names::Series;

/// A resource's metrics, of either encoding.
#[derive(Debug, Default)]
struct Resource {
    attributes: Vec<(String, String)>,
    metrics: Vec<Metric>,
}

#[derive(Debug, Default)]
struct Metric {
    name: String,
    help: String,
    unit: String,
    kind: Kind,
    points: Vec<Point>,
}

/// What the numbers of a metric mean.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[default]
    Gauge,
    Counter,
    Histogram,
    Summary,
    /// Not kept, by this name.
    Refused(&'static str),
}

#[derive(Debug, Default)]
struct Point {
    attributes: Vec<(String, String)>,
    time_ms: i64,
    /// Whether the point says that there is no value.
    absent: bool,
    value: f64,
    count: u64,
    sum: Option<f64>,
    /// Upper bounds or quantiles, as `kind` says.
    bounds: Vec<f64>,
    /// Of a histogram.
    counts: Vec<u64>,
    /// Of a summary.
    quantiles: Vec<f64>,
}

type Decoded<T> = Result<T, String>;

/// What a sum's `aggregation_temporality` makes of it.
fn summed(temporality: u64, monotonic: bool) -> Kind {
    match (temporality, monotonic) {
        (1, _) => Kind::Refused("delta_temporality"),
        (_, true) => Kind::Counter,
        (_, false) => Kind::Gauge,
    }
}

pub(crate) async fn metrics(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if let Err(refused) = state.push.check(&headers) {
        return *refused;
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let kind = text(header::CONTENT_TYPE).split(';').next().unwrap_or("").trim().to_owned();
    let is_json = match &*kind {
        "application/json" => true,
        "application/x-protobuf" => false,
        _ => {
            let reason = "send application/x-protobuf or application/json";
            return said(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason, false);
        }
    };
    let zipped = match text(header::CONTENT_ENCODING) {
        "" | "identity" => false,
        "gzip" => true,
        _ => return said(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send gzip or plain bytes", is_json),
    };
    let body = match super::whole(body).await {
        Ok(body) => body,
        Err((status, reason)) => return said(status, reason, is_json),
    };
    let taking = Arc::clone(&state);
    let ended = super::at_work(&state, move || {
        let plain = if zipped { unzipped(&body).map_err(Trouble::Wrong)? } else { body.to_vec() };
        taken(&taking, &plain, is_json)
    });
    match ended.await {
        Ok(Ok(outcome)) => answer(&outcome, is_json),
        Ok(Err(Trouble::Wrong(reason))) => said(StatusCode::BAD_REQUEST, &reason, is_json),
        Ok(Err(Trouble::Busy(reason))) => said(StatusCode::SERVICE_UNAVAILABLE, &reason, is_json),
        Err(reason) => said(StatusCode::INTERNAL_SERVER_ERROR, &reason, is_json),
    }
}

/// Why nothing of a message was taken.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    /// It is wrong and stays so.
    Wrong(String),
    /// It may be sent again.
    Busy(String),
}

/// Takes one `ExportMetricsServiceRequest`.
fn taken(state: &ApiState, plain: &[u8], is_json: bool) -> Result<Outcome, Trouble> {
    read(plain, is_json).map_err(Trouble::Wrong)?.keep(state).map_err(Trouble::Busy)
}

/// Reads one of either encoding.
pub(crate) fn read(plain: &[u8], is_json: bool) -> Decoded<Message> {
    let decoded = if is_json { json::decode(plain) } else { proto::decode(plain) };
    let mut made = Series::default();
    for resource in decoded? {
        made.add(&resource);
    }
    let (series, described, outcome) = made.finish();
    Ok(Message { series, described, outcome }.checked())
}

fn unzipped(body: &[u8]) -> Decoded<Vec<u8>> {
    let mut plain = Vec::new();
    let most = MAX_DECODED_BYTES as u64;
    flate2::read::MultiGzDecoder::new(body)
        .take(most + 1)
        .read_to_end(&mut plain)
        .map_err(|error| format!("the body is not gzip: {error}"))?;
    if plain.len() > MAX_DECODED_BYTES {
        hit("push_gzip");
        return Err(format!("the body becomes larger than {MAX_DECODED_BYTES} bytes"));
    }
    Ok(plain)
}

fn answer(outcome: &Outcome, is_json: bool) -> Response {
    let refused: usize = outcome.refused.values().sum();
    let complaint = outcome.complaint().unwrap_or_default();
    if is_json {
        let part = match refused {
            0 => json!({}),
            _ => json!({ "rejectedDataPoints": refused.to_string(), "errorMessage": complaint }),
        };
        return axum::Json(json!({ "partialSuccess": part })).into_response();
    }
    let message = response_message(refused, &complaint);
    ([(header::CONTENT_TYPE, "application/x-protobuf")], message).into_response()
}

/// An `ExportMetricsServiceResponse`; empty where nothing was refused.
fn response_message(refused: usize, complaint: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if refused > 0 {
        let mut part = Vec::new();
        put_varint(&mut part, 1 << 3);
        put_varint(&mut part, refused as u64);
        put_bytes(&mut part, 2, complaint.as_bytes());
        put_bytes(&mut message, 1, &part);
    }
    message
}

/// A `google.rpc.Status`.
fn said(status: StatusCode, reason: &str, is_json: bool) -> Response {
    if is_json {
        return (status, axum::Json(json!({ "code": 3, "message": reason }))).into_response();
    }
    let mut message = Vec::new();
    put_varint(&mut message, 1 << 3);
    put_varint(&mut message, 3);
    put_bytes(&mut message, 2, reason.as_bytes());
    (status, [(header::CONTENT_TYPE, "application/x-protobuf")], message).into_response()
}
