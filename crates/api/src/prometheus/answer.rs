//! Answers in Prometheus' envelope: `{"status":"success","data":…}` or an error with its type.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use query::promql::{QueryError, SelectError};
use serde_json::json;

use super::number::put_text;
use crate::limits::hit;

/// What kind of error it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    BadData,
    Execution,
    Timeout,
    Canceled,
    Internal,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::BadData => "bad_data",
            Self::Execution => "execution",
            Self::Timeout => "timeout",
            Self::Canceled => "canceled",
            Self::Internal => "internal",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::BadData => StatusCode::BAD_REQUEST,
            Self::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Timeout | Self::Canceled => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) reason: String,
}

impl Failure {
    pub(super) fn new(kind: Kind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }

    /// A parameter that cannot be read.
    pub(super) fn parameter(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::new(Kind::BadData, format!("invalid parameter {name:?}: {reason}"))
    }

    /// Of a query that was given as `name`; `late` when its time was up.
    pub(super) fn query(name: &str, error: &QueryError, late: bool) -> Self {
        match error {
            QueryError::Limit { what, .. }
            | QueryError::Select(SelectError::TooMany { what, .. }) => hit(bound(what)),
            QueryError::Canceled if late => hit("promql_time"),
            _ => {}
        }
        match error {
            QueryError::Parse { .. } => Self::parameter(name, error),
            QueryError::BadRequest(reason) => Self::new(Kind::BadData, reason),
            QueryError::Limit { what: "steps", .. } => Self::new(
                Kind::BadData,
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the \
                 query resolution (?step=XX)",
            ),
            QueryError::Canceled if late => {
                Self::new(Kind::Timeout, "query timed out in expression evaluation")
            }
            QueryError::Canceled => Self::new(Kind::Canceled, error.to_string()),
            QueryError::Limit { .. } | QueryError::Execution(_) | QueryError::Select(_) => {
                Self::new(Kind::Execution, error.to_string())
            }
        }
    }

    /// The answer with another status code.
    pub(super) fn with_status(self, code: u16) -> Response {
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
        (status, axum::Json(self.body())).into_response()
    }

    fn body(&self) -> serde_json::Value {
        json!({ "status": "error", "errorType": self.kind.name(), "error": self.reason })
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.kind.status(), axum::Json(self.body())).into_response()
    }
}

/// A query's bound as self-metrics call it.
fn bound(what: &str) -> &'static str {
    match what {
        "steps" => "promql_steps",
        "range_ms" => "promql_range",
        "series" => "promql_series",
        "samples" => "promql_samples",
        "regex_bytes" | "regexes" => "promql_regex",
        "depth" | "tokens" | "query_bytes" => "promql_text",
        _ => "promql",
    }
}

/// What an answer begins with; its data follow.
pub(super) const BEGIN: &str = r#"{"status":"success","data":"#;

/// An answer whose `data` is JSON text already.
pub(super) fn success(data: &str, warnings: &[String]) -> Response {
    let mut body = String::with_capacity(data.len() + 64);
    body.push_str(BEGIN);
    body.push_str(data);
    put_end(&mut body, warnings);
    with_type(Body::from(body))
}

/// Ends an answer behind its data.
pub(super) fn put_end(out: &mut String, warnings: &[String]) {
    if !warnings.is_empty() {
        out.push_str(r#","warnings":["#);
        for (at, warning) in warnings.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            put_text(out, warning);
        }
        out.push(']');
    }
    out.push('}');
}

/// A response in JSON.
pub(super) fn with_type(body: Body) -> Response {
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// An answer with `data`, or the failure.
pub(super) fn respond(answer: Result<serde_json::Value, Failure>) -> Response {
    match answer {
        Ok(data) => success(&data.to_string(), &[]),
        Err(failure) => failure.into_response(),
    }
}
