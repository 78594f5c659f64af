//! What can be wrong with a request, and the one map from that to status codes.
//!
//! Each dialect renders an error its own way: Heapster's as plain text, ours as JSON.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::json;

use crate::limits::{
    MAX_LIST_ITEMS, MAX_MODEL_POINTS, MAX_QUERY_BODY_BYTES, MAX_QUERY_POINTS, MAX_QUERY_SERIES,
    MAX_SELECTED, MAX_SILENCE_BODY_BYTES, MAX_STREAMS,
};

/// Why a request was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such path under Heapster's model API.
    #[error("404: Page Not Found")]
    NoModelPath,
    /// No such path anywhere.
    #[error("404 page not found\n")]
    NoPath,
    /// Nothing of that kind and name is known.
    #[error("nothing of that name is known now")]
    NoObject,
    /// The path does not take this method.
    #[error("405: Method Not Allowed")]
    Method,
    /// `start` or `end` is no RFC 3339 time; carries Go's words.
    #[error("timestamp argument cannot be parsed: {0}")]
    Time(String),
    /// A pair of `labels` has no colon.
    #[error("invalid label pair {0:?}")]
    LabelPair(String),
    /// A list of pods whose values are more than one answer holds.
    #[error("the pods of the list have more than {MAX_MODEL_POINTS} values: name fewer of them")]
    TooManyPoints,
    /// A question about the past without its beginning.
    #[error("no start time (or a start time of zero) provided")]
    NoStart,
    /// An aggregate that nobody knows.
    #[error("Unknown aggregation {0:?}")]
    Aggregation(String),
    /// A bucket's length that cannot be read.
    #[error("unable to parse bucket size: {0}")]
    Bucket(String),
    /// What remembers the past had no answer; carries its words.
    #[error("{0}")]
    Past(String),
    /// A query parameter that the path does not take.
    #[error("unknown parameter {0:?}")]
    UnknownParameter(String),
    /// A query parameter with a value out of its range.
    #[error("parameter {name:?} has the value {value:?}")]
    Parameter {
        /// Which.
        name: &'static str,
        /// As it came.
        value: String,
        /// What it takes.
        takes: String,
    },
    /// A body that is not what the path takes.
    #[error("the body cannot be read: {0}")]
    Body(String),
    /// A body of another type than JSON.
    #[error("the body must be application/json")]
    ContentType,
    /// A silence's body beyond the limit.
    #[error("the body is larger than {MAX_SILENCE_BODY_BYTES} bytes")]
    SilenceTooLarge,
    /// A silence that cannot be made, changed or found.
    #[error("{0}")]
    Silence(rules::SilenceError),
    /// A body beyond the limit.
    #[error("the body is larger than {MAX_QUERY_BODY_BYTES} bytes")]
    BodyTooLarge,
    /// A body that did not come in time.
    #[error("the body did not come in time")]
    BodyTooSlow,
    /// Too many series in one query.
    #[error("{0} series are more than {MAX_QUERY_SERIES}")]
    TooManySeries(usize),
    /// A metric that nobody knows.
    #[error("unknown metric {0:?}")]
    UnknownMetric(String),
    /// A series without a part that its kind needs.
    #[error("series {index}: a {kind} needs {needs:?}")]
    SeriesPart {
        /// Position in the request.
        index: usize,
        /// Kind of entity.
        kind: &'static str,
        /// The missing field.
        needs: &'static str,
    },
    /// A selector that finds too many entities.
    #[error("{0} entities are selected, more than {MAX_SELECTED}")]
    TooManySelected(usize),
    /// What is kept could not be read.
    #[error("history: {0}")]
    Archive(query::ArchiveError),
    /// Nothing is kept.
    #[error("no history is kept")]
    NothingKept,
    /// Too many event streams.
    #[error("{MAX_STREAMS} streams are open already")]
    TooManyStreams,
    /// No verified client certificate where one is needed.
    #[error("Unauthorized\n")]
    Unauthorized,
    /// A verified client that is not allowed.
    #[error("Forbidden\n")]
    Forbidden,
    /// A head that is no HTTP/1.1 request.
    #[error("bad request\n")]
    Head,
    /// A request target beyond the limit, or a long one where none is taken.
    #[error("URI too long\n")]
    TargetTooLong,
    /// Header lines beyond the limit.
    #[error("request header fields too large\n")]
    HeadersTooLarge,
    /// Too many long heads at once.
    #[error("too many long requests at once\n")]
    Busy,
}

impl Error {
    /// The status code.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoModelPath
            | Self::NoPath
            | Self::NoObject
            | Self::NothingKept
            | Self::Silence(rules::SilenceError::Unknown) => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Time(_)
            | Self::LabelPair(_)
            | Self::NoStart
            | Self::Aggregation(_)
            | Self::Bucket(_)
            | Self::UnknownParameter(_)
            | Self::Parameter { .. }
            | Self::Body(_)
            | Self::TooManyPoints
            | Self::TooManySeries(_)
            | Self::UnknownMetric(_)
            | Self::SeriesPart { .. }
            | Self::TooManySelected(_)
            | Self::Archive(query::ArchiveError::TooMuch { .. })
            | Self::Silence(rules::SilenceError::Wrong(_))
            | Self::Head => StatusCode::BAD_REQUEST,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge | Self::SilenceTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Past(_)
            | Self::Silence(rules::SilenceError::NotKept(_))
            | Self::Archive(query::ArchiveError::Failed(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Archive(query::ArchiveError::Cancelled) | Self::TooManyStreams | Self::Busy => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// What to change, in one line; empty when nothing is known to help.
    fn advice(&self) -> String {
        match self {
            Self::NoPath => "see docs/API.md for the paths".to_owned(),
            Self::NoObject => "it may be gone: its past is still in /query and /events".to_owned(),
            Self::Method => "use the method that docs/API.md names for the path".to_owned(),
            Self::UnknownParameter(_) => {
                "see docs/API.md for the parameters of the path".to_owned()
            }
            Self::Parameter { takes, .. } => format!("give {takes}"),
            Self::Body(_) => "send the JSON that docs/API.md shows".to_owned(),
            Self::ContentType => "send content-type: application/json".to_owned(),
            Self::BodyTooLarge | Self::TooManySeries(_) => {
                format!("split the query: at most {MAX_QUERY_SERIES} series each")
            }
            Self::UnknownMetric(_) => {
                "name a metric of the catalog, such as cpu/usage_rate".to_owned()
            }
            Self::SeriesPart { needs, .. } => format!("add {needs:?} to the series"),
            Self::TooManySelected(_) => "narrow it with more conditions".to_owned(),
            Self::Archive(query::ArchiveError::TooMuch { .. }) => {
                "ask for a shorter range, fewer points or fewer series".to_owned()
            }
            Self::NothingKept => "start Taffrail with a folder for history: --data-dir".to_owned(),
            Self::TooManyStreams => "close other dashboards, or poll /status".to_owned(),
            _ => String::new(),
        }
    }

    /// The page size or number of points was out of range.
    pub(crate) fn count(name: &'static str, value: &str) -> Self {
        let most = if name == "points" { MAX_QUERY_POINTS } else { MAX_LIST_ITEMS };
        Self::Parameter {
            name,
            value: value.to_owned(),
            takes: format!("a number from 1 to {most}"),
        }
    }

    /// As Heapster answers: the message as plain text.
    pub(crate) fn as_text(&self) -> Response {
        let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        (self.status(), headers, self.to_string()).into_response()
    }

    /// As our own API answers: `{"error":{"reason":…,"advice":…}}`.
    pub(crate) fn as_json(&self) -> Response {
        let reason = match self {
            Self::NoPath => "no such path".to_owned(),
            Self::Method => "the path does not take this method".to_owned(),
            other => other.to_string(),
        };
        let body = json!({ "error": { "reason": reason, "advice": self.advice() } });
        (self.status(), Json(body)).into_response()
    }
}
