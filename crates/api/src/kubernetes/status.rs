//! Refusals as Kubernetes tells them: `Status` objects that its clients understand.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::accept::Form;
use super::proto;
use crate::error::Error;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub(super) code: StatusCode,
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// Name, group and kind of what it is about, each maybe empty.
    pub(super) about: Option<(String, &'static str, &'static str)>,
    pub(super) retry_after: Option<u32>,
}

impl Status {
    fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), about: None, retry_after: None }
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn forbidden(message: String) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message)
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
    }

    /// A head that was refused before anybody looked at what it asks for.
    pub(crate) fn of_head(error: &Error) -> Self {
        match error {
            Error::TargetTooLong => {
                let message = "the request's path is too long";
                Self::new(StatusCode::URI_TOO_LONG, "RequestURITooLong", message)
            }
            Error::HeadersTooLarge => {
                let code = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
                Self::new(
                    code,
                    "RequestHeaderFieldsTooLarge",
                    "the request's headers are too large",
                )
            }
            Error::Busy => Self::busy("too many long requests are being read, try again"),
            _ => Self::bad_request("the request's head cannot be read"),
        }
    }

    pub(crate) fn not_acceptable() -> Self {
        let message = "only the following media types are accepted: application/json, \
                       application/vnd.kubernetes.protobuf";
        Self::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message)
    }

    pub(crate) fn no_path() -> Self {
        let message = "the server could not find the requested resource";
        Self::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    pub(crate) fn not_found(group: &'static str, kind: &'static str, name: &str) -> Self {
        let dot = if group.is_empty() { "" } else { "." };
        let message = format!("{kind}{dot}{group} \"{name}\" not found");
        let about = Some((name.to_owned(), group, kind));
        Self { about, ..Self::new(StatusCode::NOT_FOUND, "NotFound", message) }
    }

    /// A metric that nothing has.
    pub(crate) fn missing_metric(message: String) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    /// `action` on a resource that has it not.
    pub(crate) fn unsupported(action: &str, group: &'static str, kind: &'static str) -> Self {
        let message = format!("{action} is not supported on resources of kind \"{kind}.{group}\"");
        let about = Some((String::new(), group, kind));
        Self { about, ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message) }
    }

    pub(crate) fn busy(message: &str) -> Self {
        let status = Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
        Self { retry_after: Some(1), ..status }
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        let status = Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message);
        Self { retry_after: Some(5), ..status }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason,
        });
        let mut details = serde_json::Map::new();
        if let Some((name, group, kind)) = &self.about {
            for (key, value) in [("name", name.as_str()), ("group", *group), ("kind", *kind)] {
                if !value.is_empty() {
                    details.insert(key.to_owned(), value.into());
                }
            }
        }
        if let Some(seconds) = self.retry_after {
            details.insert("retryAfterSeconds".to_owned(), seconds.into());
        }
        if !details.is_empty() {
            status["details"] = details.into();
        }
        status["code"] = self.code.as_u16().into();
        status
    }

    /// The answer, in the form that the client reads.
    pub(crate) fn respond(&self, form: Form) -> Response {
        let (kind, body) = match form {
            Form::Protobuf => (proto::MEDIA_TYPE, proto::status(self)),
            Form::Json | Form::Table(_) => {
                ("application/json", serde_json::to_vec(&self.to_json()).unwrap_or_default())
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.code;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
