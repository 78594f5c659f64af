//! Errors as Kubernetes tells them: `Status` objects with a code, a reason and a message.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::resource::Resource;
use crate::http::Body;
use crate::store::Unavailable;

/// A refusal.
#[derive(Debug)]
pub(crate) struct Status {
    code: StatusCode,
    reason: &'static str,
    message: String,
    details: Option<Value>,
}

impl Status {
    fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None }
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn no_such_path() -> Self {
        let message = "the server could not find the requested resource";
        let mut status = Self::new(StatusCode::NOT_FOUND, "NotFound", message);
        status.details = Some(json!({}));
        status
    }

    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    pub(crate) fn not_found(resource: &Resource, name: &str) -> Self {
        Self::about(StatusCode::NOT_FOUND, "NotFound", resource, name, "not found")
    }

    pub(crate) fn already_exists(resource: &Resource, name: &str) -> Self {
        Self::about(StatusCode::CONFLICT, "AlreadyExists", resource, name, "already exists")
    }

    /// An eviction that a disruption budget does not allow.
    pub(crate) fn disruption(budget: &str) -> Self {
        let message = format!(
            "Cannot evict pod as it would violate the pod's disruption budget. The disruption budget {budget} allows no more"
        );
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message)
    }

    pub(crate) fn conflict(resource: &Resource, name: &str) -> Self {
        let mut status = Self::about(StatusCode::CONFLICT, "Conflict", resource, name, "");
        status.message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": the object has been modified; \
             please apply your changes to the latest version and try again",
            resource.qualified()
        );
        status
    }

    pub(crate) fn forbidden(resource: &Resource, name: &str, why: &str) -> Self {
        let why = format!("is forbidden: {why}");
        Self::about(StatusCode::FORBIDDEN, "Forbidden", resource, name, &why)
    }

    /// Somebody may not do something; `message` says who and what.
    pub(crate) fn denied(message: &str) -> Self {
        let mut status = Self::new(StatusCode::FORBIDDEN, "Forbidden", message);
        status.details = Some(json!({}));
        status
    }

    /// An aggregated server is not there.
    pub(crate) fn unavailable_service(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
    }

    /// A write that only a cluster with machines could carry out.
    pub(crate) fn dry_runs_only(resource: &Resource, name: &str) -> Self {
        let why = "a simulated cluster runs nothing of it and takes dry runs only (dryRun=All)";
        Self::forbidden(resource, name, why)
    }

    /// A status about one object.
    fn about(
        code: StatusCode,
        reason: &'static str,
        resource: &Resource,
        name: &str,
        what: &str,
    ) -> Self {
        let message = format!("{} \"{name}\" {what}", resource.qualified());
        let mut status = Self::new(code, reason, message);
        let mut details = json!({ "name": name, "kind": resource.plural });
        if !resource.group.is_empty() {
            details["group"] = resource.group.into();
        }
        status.details = Some(details);
        status
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
    }

    pub(crate) fn not_json() -> Self {
        let message = "the body of the request was in an unknown format - accepted media types include: application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
    }

    pub(crate) fn unsupported_patch(kind: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format ({kind}) - accepted media types \
             include: application/merge-patch+json"
        );
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
    }

    pub(crate) fn unreachable(node: &str) -> Self {
        let message =
            format!("error trying to reach service: dial tcp {node}: connect: connection refused");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
    }

    /// The version asked for is gone, or has not come yet.
    pub(crate) fn unavailable(asked: u64, why: Unavailable) -> Self {
        match why {
            Unavailable::Expired { oldest } => Self::new(
                StatusCode::GONE,
                "Expired",
                format!("too old resource version: {asked} ({oldest})"),
            ),
            Unavailable::Future { latest } => {
                let message =
                    format!("Timeout: Too large resource version: {asked}, current: {latest}");
                let mut status = Self::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", message);
                status.details = Some(json!({
                    "causes": [{
                        "reason": "ResourceVersionTooLarge", "message": "Too large resource version",
                    }],
                    "retryAfterSeconds": 1,
                }));
                status
            }
        }
    }

    /// The position in a paged list is gone.
    pub(crate) fn stale_continue() -> Self {
        Self::new(
            StatusCode::GONE,
            "Expired",
            "The provided continue parameter is too old to display a consistent list result. \
             You must start a new list without the continue parameter.",
        )
    }

    pub(crate) fn json(&self) -> Value {
        let mut json = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code.as_u16(),
        });
        if let Some(details) = &self.details {
            json["details"] = details.clone();
        }
        json
    }

    pub(crate) fn response(&self) -> Response<Body> {
        super::json(self.code, &self.json())
    }
}
