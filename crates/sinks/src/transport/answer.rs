//! What a server's answer means: taken, never to be taken, or to be tried again.

use std::time::Duration;

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

use super::Outcome;

/// Most characters of an answer that are shown.
const SHOWN: usize = 200;

/// Whose rules answers follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Judge {
    /// 400, 413, 415 and 422 will not get better; whatever else fails may.
    #[default]
    Plain,
    /// Prometheus remote write: no 4xx but 429 gets better with the same samples, unless it is
    /// about who asks.
    RemoteWrite,
    /// Elasticsearch's bulk API: the answer tells of each document.
    Bulk,
    /// gRPC: the outcome is in the trailer `grpc-status`.
    Grpc,
}

/// An answer, read to its end. Trailers are among the headers.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

pub(super) fn judge(rules: Judge, answer: &Answer) -> Outcome {
    let status = answer.status;
    let reason = || format!("{status}: {}", shown(&answer.text));
    let failed = |reason| Outcome::Failed { reason, retry_after: retry_after(&answer.headers) };
    match rules {
        Judge::Grpc if status.is_success() => grpc(answer),
        Judge::Bulk if status.is_success() => bulk(answer),
        _ if status.is_success() => Outcome::Delivered,
        Judge::RemoteWrite if status.is_client_error() => match status {
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::PROXY_AUTHENTICATION_REQUIRED
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS => failed(reason()),
            _ => Outcome::Refused(reason()),
        },
        _ => match status {
            StatusCode::BAD_REQUEST
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::UNSUPPORTED_MEDIA_TYPE => Outcome::Refused(reason()),
            _ => failed(reason()),
        },
    }
}

/// Source of which codes may get better: OpenTelemetry's protocol, "Failures".
fn grpc(answer: &Answer) -> Outcome {
    let header = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
    let code = header("grpc-status").unwrap_or("2");
    let reason = || format!("gRPC status {code}: {}", header("grpc-message").unwrap_or_default());
    match code {
        "0" => Outcome::Delivered,
        // Invalid argument, not found, already exists, failed precondition, unimplemented,
        // internal: the same again would end the same.
        "3" | "5" | "6" | "9" | "12" | "13" => Outcome::Refused(reason()),
        _ => Outcome::Failed { reason: reason(), retry_after: retry_after(&answer.headers) },
    }
}

/// Documents have ids: what is sent again is there once.
fn bulk(answer: &Answer) -> Outcome {
    /// Types of errors that pass: the server has too much to do, or no room at the moment.
    const PASSING: [&str; 5] = [
        "rejected_execution",
        "circuit_breaking",
        "unavailable_shards",
        "cluster_block",
        "timeout_exception",
    ];
    if answer.text.contains("\"errors\":false") {
        return Outcome::Delivered;
    }
    let reason = format!("documents refused: {}", shown(&answer.text));
    if PASSING.iter().any(|error| answer.text.contains(error)) {
        return Outcome::Failed { reason, retry_after: retry_after(&answer.headers) };
    }
    Outcome::Refused(reason)
}

pub(super) fn shown(text: &str) -> String {
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
    use http::HeaderValue;

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

    #[test]
    fn each_protocol_has_its_own_hopeless_cases() {
        let check = |rules, status: u16, grpc: Option<&'static str>, expected: &str| {
            let mut headers = HeaderMap::new();
            if let Some(code) = grpc {
                headers.insert("grpc-status", HeaderValue::from_static(code));
            }
            let status = StatusCode::from_u16(status).unwrap();
            let outcome = judge(rules, &Answer { status, headers, text: String::new() });
            let shown = match outcome {
                Outcome::Delivered => "delivered",
                Outcome::Refused(_) => "refused",
                Outcome::Failed { .. } => "failed",
            };
            assert_eq!(shown, expected, "{rules:?} {status} {grpc:?}");
        };
        check(Judge::Plain, 204, None, "delivered");
        check(Judge::Plain, 400, None, "refused");
        check(Judge::Plain, 409, None, "failed");
        check(Judge::RemoteWrite, 409, None, "refused");
        check(Judge::RemoteWrite, 429, None, "failed");
        check(Judge::RemoteWrite, 401, None, "failed");
        check(Judge::RemoteWrite, 500, None, "failed");
        check(Judge::Grpc, 200, Some("0"), "delivered");
        check(Judge::Grpc, 200, Some("3"), "refused");
        check(Judge::Grpc, 200, Some("14"), "failed");
        check(Judge::Grpc, 200, None, "failed");
        check(Judge::Grpc, 503, None, "failed");
    }
}
