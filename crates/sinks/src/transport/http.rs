//! A request for each chunk, and requests that must come before the first one.

use std::error::Error as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;

use super::Outcome;
use crate::settings::Secret;

/// Most bytes that are read of an answer.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Most characters of an answer that are shown.
const SHOWN: usize = 200;

/// Where and how requests go.
#[derive(Debug)]
pub(crate) struct HttpPlan {
    /// `https://host:port`, nothing after it.
    pub(crate) base: String,
    /// Path and query of the request that carries a chunk.
    pub(crate) target: String,
    /// What tells two destinations on one server apart (`/k8s`); for people.
    pub(crate) destination: String,
    pub(crate) body: Body,
    /// User and password.
    pub(crate) basic: Option<(String, Secret)>,
    /// Further headers, such as tokens.
    pub(crate) headers: Vec<(HeaderName, Secret)>,
    /// Requests before the first chunk, and again once the destination lost what they made.
    pub(crate) prepare: Vec<Preparation>,
    /// What an error says when the destination lost what `prepare` made.
    pub(crate) lost: Option<&'static str>,
}

/// What chunks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// Text of no declared type.
    Plain,
    /// JSON, declared as this.
    Json(&'static str),
}

/// A request without a body that comes before chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Preparation {
    pub(crate) method: Method,
    pub(crate) target: String,
    /// Whether an error in its answer is worth a warning.
    pub(crate) must_work: bool,
}

impl HttpPlan {
    pub(super) fn needs_tls(&self) -> bool {
        self.base.starts_with("https:")
    }
}

/// Sends requests over kept connections.
#[derive(Debug)]
pub(super) struct HttpSender {
    plan: HttpPlan,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    authorization: Option<HeaderValue>,
    prepared: AtomicBool,
}

impl HttpSender {
    pub(super) fn new(plan: HttpPlan, tls: ClientConfig) -> Self {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let authorization = plan.basic.as_ref().and_then(|(user, password)| {
            let pair = BASE64_STANDARD.encode(format!("{user}:{}", password.reveal()));
            secret_value(&format!("Basic {pair}"))
        });
        let prepared = AtomicBool::new(plan.prepare.is_empty());
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { plan, client, authorization, prepared }
    }

    pub(super) async fn prepare(&self) -> Outcome {
        if self.prepared.load(Ordering::Relaxed) {
            return Outcome::Delivered;
        }
        for step in &self.plan.prepare {
            let answer = match self.ask(step.method.clone(), &step.target, Bytes::new()).await {
                Ok(answer) => answer,
                Err(failed) => return failed,
            };
            if !answer.status.is_success() {
                let outcome = self.judge(&answer);
                if !matches!(outcome, Outcome::Refused(_)) {
                    return outcome;
                }
            }
            if step.must_work && (!answer.status.is_success() || answer.text.contains("\"error\""))
            {
                let answer = shown(&answer.text);
                tracing::warn!(to = %self.plan.base, answer, "preparation refused, sending anyway");
            }
        }
        self.prepared.store(true, Ordering::Relaxed);
        Outcome::Delivered
    }

    pub(super) async fn send(&self, bytes: Bytes) -> Outcome {
        match self.ask(Method::POST, &self.plan.target, bytes).await {
            Ok(answer) => self.judge(&answer),
            Err(failed) => failed,
        }
    }

    async fn ask(&self, method: Method, target: &str, bytes: Bytes) -> Result<Answer, Outcome> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{target}", self.plan.base))
            .header(USER_AGENT, concat!("taffrail/", env!("CARGO_PKG_VERSION")));
        if let Some(value) = &self.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        if let Body::Json(content_type) = self.plan.body {
            request = request.header(CONTENT_TYPE, content_type);
        }
        for (name, value) in &self.plan.headers {
            request = request.header(
                name,
                secret_value(value.reveal()).ok_or_else(|| {
                    Outcome::Refused(format!("the value of {name} cannot be a header"))
                })?,
            );
        }
        let request = request
            .body(Full::new(bytes))
            .map_err(|error| Outcome::Refused(format!("no request can be made: {error}")))?;
        let response = self.client.request(request).await.map_err(|error| {
            let cause = error.source().map(|cause| format!(": {}", root(cause)));
            Outcome::failed(format_args!("{error}{}", cause.unwrap_or_default()))
        })?;
        let (parts, body) = response.into_parts();
        let text = match Limited::new(body, MAX_ANSWER_BYTES).collect().await {
            Ok(collected) => String::from_utf8_lossy(&collected.to_bytes()).into_owned(),
            // The status has come, and it is what counts.
            Err(_) => String::new(),
        };
        Ok(Answer { status: parts.status, headers: parts.headers, text })
    }

    fn judge(&self, answer: &Answer) -> Outcome {
        let status = answer.status;
        if status.is_success() {
            return Outcome::Delivered;
        }
        let reason = format!("{status}: {}", shown(&answer.text));
        if self.plan.lost.is_some_and(|lost| answer.text.contains(lost)) {
            self.prepared.store(false, Ordering::Relaxed);
        } else if matches!(
            status,
            StatusCode::BAD_REQUEST
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::UNPROCESSABLE_ENTITY
                | StatusCode::UNSUPPORTED_MEDIA_TYPE
        ) {
            return Outcome::Refused(reason);
        }
        Outcome::Failed { reason, retry_after: retry_after(&answer.headers) }
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

fn secret_value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn root<'a>(mut error: &'a (dyn std::error::Error + 'static)) -> &'a dyn std::error::Error {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

fn shown(text: &str) -> String {
    text.trim().chars().take(SHOWN).collect()
}

/// `Retry-After` in seconds, or as a date against the answer's own `Date`, so that the server's
/// clock is compared with itself.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    let wait = date(text)?.duration_since(date(headers.get(DATE)?.to_str().ok()?)?);
    wait.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let check = |value: &str, expected| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
            headers.insert(DATE, HeaderValue::from_static("Mon, 23 Nov 2026 20:00:00 GMT"));
            assert_eq!(retry_after(&headers), expected, "{value}");
        };
        check("7", Some(Duration::from_secs(7)));
        check("Mon, 23 Nov 2026 20:01:30 GMT", Some(Duration::from_secs(90)));
        check("Mon, 23 Nov 2026 19:59:00 GMT", None);
        check("soon", None);
    }
}
