//! `POST /v1/metrics`: OTLP over HTTP, as protocol buffers or JSON.
//!
//! Source: opentelemetry.io "OTLP Specification" and opentelemetry-proto `metrics.proto`.

use std::io::Read as _;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::{MAX_DECODED_BYTES, Outcome, checked, counted};
use crate::ApiState;
use crate::limits::hit;
use crate::prometheus::wire::{put_bytes, put_varint};

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
    let ended = spawn_blocking(move || taken(&state, &body, zipped, is_json)).await;
    match ended {
        Ok(Ok(outcome)) => answer(&outcome, is_json),
        Ok(Err((status, reason))) => said(status, &reason, is_json),
        Err(error) => said(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string(), is_json),
    }
}

fn taken(
    state: &ApiState,
    body: &Bytes,
    zipped: bool,
    is_json: bool,
) -> Result<Outcome, (StatusCode, String)> {
    let wrong = |reason: String| (StatusCode::BAD_REQUEST, reason);
    let plain = if zipped { unzipped(body).map_err(wrong)? } else { body.to_vec() };
    let decoded = if is_json { json::decode(&plain) } else { proto::decode(&plain) };
    let mut made = Series::default();
    for resource in decoded.map_err(wrong)? {
        made.add(&resource);
    }
    let (series, described, mut outcome) = made.finish();
    let series = checked(series, &mut outcome);
    let kept = state
        .intake
        .take(&series, &described)
        .map_err(|reason| (StatusCode::SERVICE_UNAVAILABLE, reason))?;
    outcome.stored += kept.stored;
    for (reason, count) in kept.refused {
        outcome.refuse(reason, count);
    }
    counted(&outcome);
    Ok(outcome)
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
    let mut message = Vec::new();
    if refused > 0 {
        let mut part = Vec::new();
        put_varint(&mut part, 1 << 3);
        put_varint(&mut part, refused as u64);
        put_bytes(&mut part, 2, complaint.as_bytes());
        put_bytes(&mut message, 1, &part);
    }
    ([(header::CONTENT_TYPE, "application/x-protobuf")], message).into_response()
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
