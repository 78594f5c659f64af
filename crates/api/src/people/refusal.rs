//! Why a person's request is not answered: a status, a sentence, and what to change.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

/// A refused request, as our own API tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) reason: String,
    pub(crate) advice: String,
    /// The word of the API server for it (`Conflict`, `Forbidden`); may be empty.
    pub(crate) word: String,
}

impl Refusal {
    pub(crate) fn new(
        status: StatusCode,
        reason: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { status, reason: reason.into(), advice: advice.into(), word: String::new() }
    }

    pub(crate) fn sign_in() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "nobody is signed in",
            "sign in on the dashboard, or send a bearer token of the cluster",
        )
    }

    pub(crate) fn no_cluster() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no API server to ask", "measure a cluster")
    }

    pub(crate) fn no_person() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "objects are shown with a person's own rights, and nobody is signed in",
            "sign in with a token, a certificate or the identity provider",
        )
    }

    pub(crate) fn credentials(why: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why, "")
    }

    pub(crate) fn bad(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason, "see docs/API.md")
    }

    pub(crate) fn forged() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "the request does not come from this dashboard's page",
            "load the page again; scripts send x-taffrail-csrf from GET /session, or a bearer token",
        )
    }

    pub(crate) fn read_only() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "this Taffrail changes nothing",
            "it was started with --read-only",
        )
    }

    pub(crate) fn beyond() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "this shows the whole cluster, and you may not see all of it",
            "it takes the right to list nodes, and pods in all namespaces",
        )
    }

    pub(crate) fn namespace(name: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            format!("you may not see namespace {name}"),
            "it takes the right to list its pods",
        )
    }

    pub(crate) fn unreached(why: String) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, why, "see the status page")
    }

    pub(crate) fn busy(what: &str) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("too many {what} are open"),
            "close some, and try again",
        )
    }

    /// What the API server answered instead of what was asked for.
    pub(crate) fn of(status: StatusCode, answer: &[u8]) -> Self {
        let told = once::json(answer).unwrap_or_default();
        let text = |field: &str| told[field].as_str().unwrap_or_default().to_owned();
        let message = text("message");
        let reason =
            if message.is_empty() { format!("the API server answers {status}") } else { message };
        Self { status, reason, advice: String::new(), word: text("reason") }
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "error": { "reason": self.reason, "advice": self.advice, "word": self.word } })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.json())).into_response()
    }
}
