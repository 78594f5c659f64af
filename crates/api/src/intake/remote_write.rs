//! `POST /api/v1/write`: Prometheus' remote write, versions 1.0 and 2.0.
//!
//! Source: prometheus.io/docs/specs/prw. Native histograms and exemplars are not kept.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use query::promql::Labels;

use super::{Described, MAX_DECODED_BYTES, MAX_SERIES, Message, Outcome, Pushed};
use crate::ApiState;
use crate::limits::hit;
use crate::prometheus::wire::{Field, fields, unsnap};

/// How a request ended.
enum Ended {
    Taken(Outcome, bool),
    Wrong(StatusCode, String),
}

pub(crate) async fn write(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if let Err(refused) = state.push.check(&headers) {
        return *refused;
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let second = match kind.split(';').map(str::trim).collect::<Vec<_>>()[..] {
        ["application/x-protobuf"]
        | ["application/x-protobuf", "proto=prometheus.WriteRequest"] => false,
        ["application/x-protobuf", "proto=io.prometheus.write.v2.Request"] => true,
        _ => return said(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/x-protobuf"),
    };
    let body = match super::whole(body).await {
        Ok(body) => body,
        Err((status, reason)) => return said(status, reason),
    };
    let taking = Arc::clone(&state);
    match super::at_work(&state, move || taken(&taking, &body, second)).await {
        Ok(Ended::Taken(outcome, second)) => answer(&outcome, second),
        Ok(Ended::Wrong(status, reason)) => said(status, &reason),
        Err(reason) => said(StatusCode::INTERNAL_SERVER_ERROR, &reason),
    }
}

fn said(status: StatusCode, reason: &str) -> Response {
    (status, format!("{reason}\n")).into_response()
}

fn answer(outcome: &Outcome, second: bool) -> Response {
    let mut response = match outcome.complaint() {
        None => StatusCode::NO_CONTENT.into_response(),
        // What was refused once is refused always: the sender must not try again.
        Some(complaint) => said(StatusCode::BAD_REQUEST, &complaint),
    };
    if second {
        for (name, count) in [
            ("x-prometheus-remote-write-samples-written", outcome.stored),
            ("x-prometheus-remote-write-histograms-written", 0),
            ("x-prometheus-remote-write-exemplars-written", 0),
        ] {
            response.headers_mut().insert(name, count.into());
        }
    }
    response
}

fn taken(state: &ApiState, body: &[u8], second: bool) -> Ended {
    let wrong = |reason: String| Ended::Wrong(StatusCode::BAD_REQUEST, reason);
    let plain = match unsnap(body, MAX_DECODED_BYTES) {
        Ok(plain) => plain,
        Err(error) => {
            hit("push_snappy");
            return wrong(error.to_string());
        }
    };
    let message = match read(&plain, second) {
        Ok(message) => message,
        Err(reason) => return wrong(reason),
    };
    match message.keep(state) {
        Ok(outcome) => Ended::Taken(outcome, second),
        Err(reason) => Ended::Wrong(StatusCode::INTERNAL_SERVER_ERROR, reason),
    }
}

type Read<T> = Result<T, String>;

fn bad(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn text(bytes: &[u8]) -> Read<&str> {
    std::str::from_utf8(bytes).map_err(|_| "a text is not UTF-8".to_owned())
}

/// Reads a message of either version, without snappy.
pub(crate) fn read(bytes: &[u8], second: bool) -> Read<Message> {
    let message = if second { second_version(bytes) } else { first_version(bytes) }?;
    Ok(message.checked())
}

fn first_version(bytes: &[u8]) -> Read<Message> {
    let mut message = Message::default();
    for field in fields(bytes) {
        match field.map_err(bad)? {
            (1, Field::Bytes(series)) => {
                bounded(&message)?;
                let one = first_series(series, &mut message.outcome)?;
                message.series.push(one);
            }
            (3, Field::Bytes(metadata)) => {
                let (mut name, mut kind, mut help) = ("", "unknown", "");
                for field in fields(metadata) {
                    match field.map_err(bad)? {
                        (1, Field::Varint(number)) => kind = kind_of(number),
                        (2, Field::Bytes(bytes)) => name = text(bytes)?,
                        (4, Field::Bytes(bytes)) => help = text(bytes)?,
                        _ => {}
                    }
                }
                let (name, help) = (name.to_owned(), help.to_owned());
                message.described.push(Described { name, kind, help });
            }
            _ => {}
        }
    }
    Ok(message)
}

fn bounded(message: &Message) -> Read<()> {
    if message.series.len() < MAX_SERIES {
        return Ok(());
    }
    hit("push_series");
    Err(format!("more than {MAX_SERIES} series in one request"))
}

fn first_series(bytes: &[u8], outcome: &mut Outcome) -> Read<Pushed> {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    let mut samples = Vec::new();
    for field in fields(bytes) {
        match field.map_err(bad)? {
            (1, Field::Bytes(label)) => {
                let (mut name, mut value) = ("", "");
                for field in fields(label) {
                    match field.map_err(bad)? {
                        (1, Field::Bytes(bytes)) => name = text(bytes)?,
                        (2, Field::Bytes(bytes)) => value = text(bytes)?,
                        _ => {}
                    }
                }
                pairs.push((name, value));
            }
            (2, Field::Bytes(bytes)) => samples.push(sample(bytes)?),
            (4, Field::Bytes(_)) => outcome.refuse("native_histogram", 1),
            _ => {}
        }
    }
    Ok(Pushed { labels: Labels::new(pairs), samples })
}

fn sample(bytes: &[u8]) -> Read<(i64, f64)> {
    let (mut value, mut time) = (0.0, 0);
    for field in fields(bytes) {
        match field.map_err(bad)? {
            (1, Field::Fixed64(bits)) => value = f64::from_bits(bits),
            (2, Field::Varint(millis)) => time = millis.cast_signed(),
            _ => {}
        }
    }
    Ok((time, value))
}

/// `MetricMetadata.MetricType`, the same numbers in both versions.
fn kind_of(number: u64) -> &'static str {
    match number {
        1 => "counter",
        2 => "gauge",
        3 | 4 => "histogram",
        5 => "summary",
        _ => "unknown",
    }
}

fn second_version(bytes: &[u8]) -> Read<Message> {
    let mut symbols = Vec::new();
    let mut found = Vec::new();
    for field in fields(bytes) {
        match field.map_err(bad)? {
            (4, Field::Bytes(bytes)) => symbols.push(text(bytes)?),
            (5, Field::Bytes(bytes)) => found.push(bytes),
            _ => {}
        }
    }
    if symbols.first().is_some_and(|first| !first.is_empty()) {
        return Err("the first symbol must be empty".to_owned());
    }
    let mut message = Message::default();
    for series in found {
        bounded(&message)?;
        second_series(series, &symbols, &mut message)?;
    }
    Ok(message)
}

fn second_series(bytes: &[u8], symbols: &[&str], message: &mut Message) -> Read<()> {
    let symbol = |at: u64| {
        let found = usize::try_from(at).ok().and_then(|at| symbols.get(at));
        found.copied().ok_or_else(|| format!("there is no symbol {at}"))
    };
    let mut references = Vec::new();
    let (mut samples, mut kind, mut help) = (Vec::new(), "unknown", "");
    for field in fields(bytes) {
        match field.map_err(bad)? {
            (1, Field::Bytes(packed)) => references.extend(packed_numbers(packed)?),
            (1, Field::Varint(one)) => references.push(one),
            (2, Field::Bytes(bytes)) => samples.push(sample(bytes)?),
            (3, Field::Bytes(_)) => message.outcome.refuse("native_histogram", 1),
            (5, Field::Bytes(metadata)) => {
                for field in fields(metadata) {
                    match field.map_err(bad)? {
                        (1, Field::Varint(number)) => kind = kind_of(number),
                        (3, Field::Varint(at)) => help = symbol(at)?,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    if references.len() % 2 != 0 {
        return Err("labels must be pairs of symbols".to_owned());
    }
    let pairs = references
        .chunks_exact(2)
        .map(|pair| Ok((symbol(pair[0])?, symbol(pair[1])?)))
        .collect::<Read<Vec<_>>>()?;
    let labels = Labels::new(pairs);
    if kind != "unknown" || !help.is_empty() {
        let name = labels.get(query::promql::METRIC_NAME).to_owned();
        message.described.push(Described { name, kind, help: help.to_owned() });
    }
    message.series.push(Pushed { labels, samples });
    Ok(())
}

fn packed_numbers(mut bytes: &[u8]) -> Read<Vec<u64>> {
    let mut numbers = Vec::new();
    while !bytes.is_empty() {
        let number = crate::prometheus::wire::varint(&mut bytes);
        numbers.push(number.ok_or("labels are no packed numbers")?);
    }
    Ok(numbers)
}
