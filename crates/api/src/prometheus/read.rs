//! `/api/v1/read`: Prometheus' remote read, answered with whole samples or streamed chunks.
//!
//! Source: prometheus/prompb `remote.proto` and `types.proto`.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use query::promql::{Limits, MatchOp, Matcher, SelectRequest, SeriesView, is_stale};
use tokio::time::timeout;

use super::answer::{Failure, Kind};
use super::ask::ask;
use super::wire::{Field, Malformed, fields, put_bytes, put_varint, snap, unsnap, varint};
use crate::ApiState;
use crate::limits::{BODY_TIMEOUT, MAX_QUERY_BODY_BYTES, hit};

mod chunks;

/// Most queries in one request.
const MAX_QUERIES: usize = 100;

/// One query of a request.
#[derive(Debug, Default)]
struct Asked {
    start: i64,
    end: i64,
    matchers: Vec<Matcher>,
}

pub(super) async fn read(State(state): State<Arc<ApiState>>, body: Body) -> Response {
    let Ok(Ok(body)) = timeout(BODY_TIMEOUT, to_bytes(body, MAX_QUERY_BODY_BYTES)).await else {
        hit("prometheus_body");
        return Failure::new(Kind::BadData, "the body is too large or too slow").into_response();
    };
    let asked = unsnap(&body, MAX_QUERY_BODY_BYTES)
        .map_err(|error| error.to_string())
        .and_then(|request| asked(&request));
    let (asked, chunked) = match asked {
        Ok(asked) => asked,
        Err(reason) => return Failure::new(Kind::BadData, reason).into_response(),
    };
    ask(&state, None, move |state, _| answer(state, &asked, chunked)).await
}

fn answer(state: &ApiState, asked: &[Asked], chunked: bool) -> Result<Response, Failure> {
    let limits = Limits::default();
    let mut left = limits.samples;
    let mut message = Vec::new();
    for (number, one) in asked.iter().enumerate() {
        let request = SelectRequest {
            matchers: &one.matchers,
            start: one.start,
            end: one.end,
            max_series: limits.series,
            max_samples: left,
            samples: true,
            labels: None,
            ahead: false,
            newest: false,
        };
        let selected = state.database.select(&request);
        let selected =
            selected.map_err(|error| Failure::new(Kind::Execution, error.to_string()))?;
        let mut result = Vec::new();
        let mut all = selected.series;
        all.sort_by(|a, b| a.labels.cmp(&b.labels));
        for series in &all {
            left = left.saturating_sub(series.timestamps.len());
            let (labels, samples) = (labels(series), samples(series, one.start, one.end));
            if chunked {
                chunks::put_series(&mut message, number, &labels, &samples);
            } else {
                put_bytes(&mut result, 1, &time_series(labels, &samples));
            }
        }
        if !chunked {
            put_bytes(&mut message, 1, &result);
        }
    }
    if chunked {
        return Ok(([(header::CONTENT_TYPE, chunks::KIND)], message).into_response());
    }
    let headers =
        [(header::CONTENT_TYPE, "application/x-protobuf"), (header::CONTENT_ENCODING, "snappy")];
    Ok((headers, snap(&message)).into_response())
}

/// The labels as fields of a series.
fn labels(series: &SeriesView<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in series.labels.iter() {
        let mut label = Vec::new();
        put_bytes(&mut label, 1, name.as_bytes());
        put_bytes(&mut label, 2, value.as_bytes());
        put_bytes(&mut out, 1, &label);
    }
    out
}

/// The samples of that time; of markers that end a series one of each gap.
fn samples(series: &SeriesView<'_>, start: i64, end: i64) -> Vec<(i64, f64)> {
    let mut alive = false;
    let pairs = series.timestamps.iter().zip(series.values.iter());
    pairs
        .filter(|(at, value)| {
            let wanted = (start..=end).contains(*at) && (alive || !is_stale(**value));
            alive = !is_stale(**value);
            wanted
        })
        .map(|(at, value)| (*at, *value))
        .collect()
}

fn time_series(labels: Vec<u8>, samples: &[(i64, f64)]) -> Vec<u8> {
    let mut out = labels;
    for (at, value) in samples {
        let mut sample = Vec::new();
        put_varint(&mut sample, 1 << 3 | 1);
        sample.extend_from_slice(&value.to_le_bytes());
        put_varint(&mut sample, 2 << 3);
        put_varint(&mut sample, at.cast_unsigned());
        put_bytes(&mut out, 2, &sample);
    }
    out
}

/// The queries, and whether chunks are to be streamed: the first type of answer that the client
/// takes and there is.
fn asked(request: &[u8]) -> Result<(Vec<Asked>, bool), String> {
    let mut all = Vec::new();
    let mut types = Vec::new();
    for field in fields(request) {
        match field.map_err(|error| error.to_string())? {
            (1, Field::Bytes(query)) => {
                if all.len() >= MAX_QUERIES {
                    return Err(format!("more than {MAX_QUERIES} queries in one request"));
                }
                all.push(one(query)?);
            }
            (2, Field::Varint(kind)) => types.push(kind),
            (2, Field::Bytes(mut packed)) => {
                while let Some(kind) = varint(&mut packed) {
                    types.push(kind);
                }
            }
            _ => {}
        }
    }
    match types.iter().find(|kind| **kind <= 1) {
        Some(kind) => Ok((all, *kind == 1)),
        None if types.is_empty() => Ok((all, false)),
        None => Err("none of the accepted response types is known here".to_owned()),
    }
}

/// Reads any bytes as a request, for fuzzing.
pub(crate) fn fuzz(bytes: &[u8]) {
    if let Ok((all, _)) = asked(bytes) {
        assert!(all.len() <= MAX_QUERIES, "more queries than allowed");
    }
}

fn one(query: &[u8]) -> Result<Asked, String> {
    let mut asked = Asked::default();
    for field in fields(query) {
        match field.map_err(|error| error.to_string())? {
            (1, Field::Varint(at)) => asked.start = at.cast_signed(),
            (2, Field::Varint(at)) => asked.end = at.cast_signed(),
            (3, Field::Bytes(matcher)) => asked.matchers.push(self::matcher(matcher)?),
            _ => {}
        }
    }
    Ok(asked)
}

fn matcher(bytes: &[u8]) -> Result<Matcher, String> {
    let text =
        |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| Malformed::Proto.to_string());
    let (mut op, mut name, mut value) = (MatchOp::Equal, String::new(), String::new());
    for field in fields(bytes) {
        match field.map_err(|error| error.to_string())? {
            (1, Field::Varint(kind)) => {
                op = match kind {
                    0 => MatchOp::Equal,
                    1 => MatchOp::NotEqual,
                    2 => MatchOp::Matches,
                    3 => MatchOp::MatchesNot,
                    _ => return Err(format!("unknown type of matcher {kind}")),
                }
            }
            (2, Field::Bytes(bytes)) => name = text(bytes)?,
            (3, Field::Bytes(bytes)) => value = text(bytes)?,
            _ => {}
        }
    }
    Matcher::new(op, &name, &value, &Limits::default()).map_err(|error| error.to_string())
}
