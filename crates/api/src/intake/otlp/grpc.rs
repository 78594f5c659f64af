//! OTLP over gRPC: `MetricsService/Export`, on a port of its own.
//!
//! Sources: grpc.io "gRPC over HTTP/2", opentelemetry.io "OTLP Specification",
//! opentelemetry-proto `metrics_service.proto`. Bounds and refusals are those of OTLP over HTTP.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use http_body::Frame;
use http_body_util::StreamBody;

use super::{Trouble, response_message, taken, unzipped};
use crate::intake::PushAccess;
use crate::observe::Handler;
use crate::{Answers, ApiState, intake};

/// The only method there is.
const EXPORT: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
const KIND: &str = "application/grpc";
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const ENCODING: &str = "grpc-encoding";
const ACCEPTED: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// gRPC's codes, as far as they are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

/// The port's routes; `push` says who may send to it.
pub(crate) fn router(state: &Arc<ApiState>, push: PushAccess) -> Answers {
    let answer = move |State(state): State<Arc<ApiState>>, request: Request<Body>| {
        let push = push.clone();
        async move {
            let mut response = match export(state, &push, request).await {
                Ok(message) => success(&message),
                Err((code, reason)) => refusal(code, &reason),
            };
            response.extensions_mut().insert(Handler("otlpGrpc"));
            response
        }
    };
    Answers::of(Router::new().fallback(any(answer)), state)
}

type Refused = (Code, String);

/// Takes what a request carries; the answer's message.
async fn export(
    state: Arc<ApiState>,
    push: &PushAccess,
    request: Request<Body>,
) -> Result<Vec<u8>, Refused> {
    let (head, body) = request.into_parts();
    if let Some((status, reason)) = push.refusal(&head.headers) {
        let code = match status {
            StatusCode::UNAUTHORIZED => Code::Unauthenticated,
            _ => Code::PermissionDenied,
        };
        return Err((code, reason.trim_end().to_owned()));
    }
    if head.uri.path() != EXPORT {
        let reason = format!("only metrics are taken here ({EXPORT}), not {}", head.uri.path());
        return Err((Code::Unimplemented, reason));
    }
    let is_zipped = zipped(&head.headers)?;
    let body = intake::whole(body).await.map_err(|(status, reason)| {
        let late = status == StatusCode::REQUEST_TIMEOUT;
        (if late { Code::DeadlineExceeded } else { Code::ResourceExhausted }, reason.to_owned())
    })?;
    let taking = Arc::clone(&state);
    let ended = intake::at_work(&state, move || {
        let message = message(&body, is_zipped)?;
        taken(&taking, &message, false).map_err(|trouble| match trouble {
            Trouble::Wrong(reason) => (Code::InvalidArgument, reason),
            Trouble::Busy(reason) => (Code::Unavailable, reason),
        })
    });
    let outcome = ended.await.map_err(|reason| (Code::Internal, reason))??;
    let refused = outcome.refused.values().sum();
    Ok(response_message(refused, &outcome.complaint().unwrap_or_default()))
}

/// Whether compressed messages are gzip's.
fn zipped(headers: &HeaderMap) -> Result<bool, Refused> {
    match headers.get(ENCODING).map_or(Ok("identity"), HeaderValue::to_str) {
        Ok("identity") => Ok(false),
        Ok("gzip") => Ok(true),
        _ => Err((Code::Unimplemented, "send gzip or plain messages".to_owned())),
    }
}

/// The one message of a body: after a flag that says whether it is compressed, and its length.
fn message(body: &[u8], is_zipped: bool) -> Result<Vec<u8>, Refused> {
    let wrong = |reason: &str| Err((Code::InvalidArgument, reason.to_owned()));
    let Some(([flag, len @ ..], message)) = body.split_first_chunk::<5>() else {
        return wrong("the body holds no message");
    };
    if usize::try_from(u32::from_be_bytes(*len)) != Ok(message.len()) {
        return wrong("the body is not one whole message");
    }
    match (flag, is_zipped) {
        (0, _) => Ok(message.to_vec()),
        (1, true) => unzipped(message).map_err(|reason| (Code::InvalidArgument, reason)),
        _ => wrong("the message is compressed in a way that grpc-encoding does not name"),
    }
}

/// The message, then a status of zero in the trailers.
fn success(message: &[u8]) -> Response {
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    framed.extend_from_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert(STATUS, HeaderValue::from_static("0"));
    let parts = [Frame::data(Bytes::from(framed)), Frame::trailers(trailers)];
    let body = Body::new(StreamBody::new(stream::iter(parts.map(Ok::<_, Infallible>))));
    ([(header::CONTENT_TYPE, KIND)], body).into_response()
}

/// No message: the status stands in the head.
fn refusal(code: Code, reason: &str) -> Response {
    let mut response = ([(header::CONTENT_TYPE, KIND)], Body::empty()).into_response();
    let headers = response.headers_mut();
    headers.insert(STATUS, HeaderValue::from(code as u16));
    if let Ok(reason) = HeaderValue::try_from(escaped(reason)) {
        headers.insert(MESSAGE, reason);
    }
    headers.insert(ACCEPTED, HeaderValue::from_static("identity,gzip"));
    response
}

/// As `grpc-message` wants it: printable ASCII, the rest as `%XX`.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |out, byte| match byte {
        b' '..=b'$' | b'&'..=b'~' => out + &*char::from(byte).encode_utf8(&mut [0; 4]),
        _ => out + &format!("%{byte:02X}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_one_message() {
        assert_eq!(message(&[0, 0, 0, 0, 2, 7, 8], false), Ok(vec![7, 8]));
        for (body, is_zipped) in [
            (&[0, 0, 0, 0][..], false),
            (&[0, 0, 0, 0, 2, 7], false),
            (&[0, 0, 0, 0, 1, 7, 8], false),
            (&[0, 0xff, 0xff, 0xff, 0xff, 7], false),
            (&[1, 0, 0, 0, 1, 7], false),
            (&[1, 0, 0, 0, 1, 7], true),
            (&[2, 0, 0, 0, 1, 7], true),
        ] {
            let (code, _) = message(body, is_zipped).unwrap_err();
            assert_eq!(code, Code::InvalidArgument, "{body:?}");
        }
    }

    #[test]
    fn a_reason_is_printable() {
        assert_eq!(escaped("50 % of\nü"), "50 %25 of%0A%C3%BC");
    }
}
