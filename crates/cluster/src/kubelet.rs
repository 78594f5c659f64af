//! A small HTTP client for kubelets: keep-alive, bounded bodies, own certificate verification.
//! Knows no metric and no schedule; decides what a failure means and what helps.

mod advice;
mod credentials;
mod entry;
mod pool;

pub(crate) use credentials::Credentials;
use entry::Door;
pub(crate) use entry::Entry;

use std::sync::{Arc, RwLock};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use model::{Hop, Timestamp, Verified};
use rustls::ClientConfig;

use crate::connect::{ConnectError, Connection, is_about_trust};
use crate::failure::{Cause, Failure, classify};
use crate::tls::NodeNames;
use advice::Asked;

/// Largest answer that is read; a larger one fails the scrape.
pub const MAX_BODY_BYTES: usize = 64 << 20;
/// How much of an error's body is shown.
const SHOWN_BODY_CHARS: usize = 160;

/// How to reach one node's kubelet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// At its address or name; an IPv6 address without brackets.
    Direct { address: Box<str>, port: u16 },
    /// Through the API server's proxy to the node of that name.
    Proxy { node: Box<str> },
}

/// Host and port as a URL has them: an IPv6 address in brackets.
pub(crate) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// What is asked of a kubelet.
#[derive(Debug, Clone)]
pub(crate) struct Ask<'a> {
    pub(crate) path: &'a str,
    /// Body of a POST; a GET without.
    pub(crate) post: Option<Bytes>,
}

/// What a kubelet answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) body: Bytes,
    /// The `Date` header: what the answering machine's clock showed.
    pub(crate) date: Option<Timestamp>,
}

/// Why there is no body.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) failure: Failure,
    /// The status, when there was an answer.
    pub(crate) status: Option<StatusCode>,
    /// Whether other authorities or another certificate of ours may help.
    pub(crate) about_trust: bool,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { failure, status: None, about_trust: false }
    }
}

/// Asks kubelets.
pub(crate) struct KubeletClient {
    connection: Connection,
    https: bool,
    api: kube::Client,
    api_url: String,
    door: RwLock<Arc<Door>>,
    pub(crate) names: Arc<NodeNames>,
}

impl KubeletClient {
    pub(crate) fn new(connection: &Connection) -> Result<Self, ConnectError> {
        let names = Arc::new(NodeNames::default());
        let door = Door::new(connection, connection.renewal.current(), &names)?;
        Ok(Self {
            https: connection.options.kubelet_https,
            api: connection.client(),
            api_url: connection.url(),
            door: RwLock::new(Arc::new(door)),
            connection: connection.clone(),
            names,
        })
    }

    /// Whether certificates are verified; of no matter without https.
    pub(crate) fn verifies(&self) -> bool {
        self.door().verifies || !self.https
    }

    /// How the certificate of who answered over `route` was verified.
    pub(crate) fn verified(&self, route: &Route) -> Verified {
        match route {
            Route::Proxy { .. } => Verified::ByApiServer,
            Route::Direct { .. } if !self.https => Verified::NotAsked,
            Route::Direct { address, .. } => self.names.verified(address).unwrap_or_default(),
        }
    }

    /// The URL that `path` has over `route`.
    pub(crate) fn url(&self, route: &Route, path: &str) -> String {
        match route {
            Route::Direct { address, port } => {
                let scheme = if self.https { "https" } else { "http" };
                format!("{scheme}://{}{path}", authority(address, *port))
            }
            Route::Proxy { .. } => format!("{}{}", self.api_url, proxy_path(route, path)),
        }
    }

    /// TLS as it is spoken to kubelets.
    pub(crate) fn tls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.door().tls)
    }

    /// What a failed connection to a kubelet means.
    pub(crate) fn explain(&self, route: &Route, path: &str, cause: (Cause, String)) -> Failure {
        self.asked(route, path, false, true).transport(cause)
    }

    fn asked<'a>(&self, route: &Route, path: &'a str, is_post: bool, token: bool) -> Asked<'a> {
        let port = if let Route::Direct { port, .. } = route { Some(*port) } else { None };
        Asked { path, post: is_post, https: self.https, token, port }
    }

    /// Asks, and once more where the refusal is about credentials or trust and there are newer
    /// ones. The caller sets the deadline.
    pub(crate) async fn fetch(
        &self,
        route: &Route,
        ask: &Ask<'_>,
        entry: &Entry,
    ) -> Result<Answer, Refusal> {
        let refusal = match self.fetch_once(route, ask, entry).await {
            Ok(answer) => return Ok(answer),
            Err(refusal) => refusal,
        };
        let about_us = refusal.about_trust || refusal.status == Some(StatusCode::UNAUTHORIZED);
        if !about_us || matches!(route, Route::Proxy { .. }) || !self.https {
            return Err(refusal);
        }
        match self.newer_than(entry).await {
            Some(entry) => self.fetch_once(route, ask, &entry).await,
            None => Err(refusal),
        }
    }

    async fn fetch_once(
        &self,
        route: &Route,
        ask: &Ask<'_>,
        entry: &Entry,
    ) -> Result<Answer, Refusal> {
        let authorization = entry.authorization.as_ref();
        let asked = self.asked(route, ask.path, ask.post.is_some(), authorization.is_some());
        match route {
            Route::Direct { .. } => {
                let request = self.request(&self.url(route, ask.path), ask, authorization)?;
                let exchanged = entry.door.pool.exchange(request, |it| read(it, &asked)).await;
                exchanged.unwrap_or_else(|error| {
                    let cause = classify(&*error);
                    let about_trust = is_about_trust(&cause.0);
                    Err(Refusal { failure: asked.transport(cause), status: None, about_trust })
                })
            }
            Route::Proxy { .. } => {
                let request = self.request(&proxy_path(route, ask.path), ask, None)?;
                let request = request.map(kube::client::Body::from);
                let response = self.api.send(request).await.map_err(|error| Failure {
                    hop: Hop::Connect,
                    reason: format!("the API server's node proxy: {}", classify(&error).1),
                    advice: "check the connection to the API server".to_owned(),
                })?;
                read(response, &asked).await
            }
        }
    }

    fn request(
        &self,
        uri: &str,
        ask: &Ask<'_>,
        authorization: Option<&HeaderValue>,
    ) -> Result<Request<Bytes>, Failure> {
        let method = if ask.post.is_some() { Method::POST } else { Method::GET };
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(header) = authorization.filter(|_| self.https) {
            request = request.header(AUTHORIZATION, header);
        }
        if ask.post.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request.body(ask.post.clone().unwrap_or_default()).map_err(|error| Failure {
            hop: Hop::Address,
            reason: format!("{uri} is no URL: {error}"),
            advice: "correct the node's address".to_owned(),
        })
    }
}

fn proxy_path(route: &Route, path: &str) -> String {
    match route {
        Route::Proxy { node } => format!("/api/v1/nodes/{node}/proxy{path}"),
        Route::Direct { .. } => path.to_owned(),
    }
}

async fn read<B>(response: Response<B>, asked: &Asked<'_>) -> Result<Answer, Refusal>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let status = response.status();
    let length = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let announced: Option<u64> = length.and_then(|length| length.parse().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(too_large().into());
    }
    let date = response.headers().get(DATE).and_then(|date| http_date(date.to_str().ok()?));
    let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await;
    match body {
        Ok(body) if status == StatusCode::OK => Ok(Answer { body: body.to_bytes(), date }),
        Ok(body) => Err(Refusal {
            failure: asked.refused(status, &shown(&body.to_bytes())),
            status: Some(status),
            about_trust: false,
        }),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large().into()),
        Err(error) => {
            let (cause, reason) = classify(&*error);
            let cause = if cause == Cause::Other { Cause::Cut } else { cause };
            let about_trust = is_about_trust(&cause);
            Err(Refusal { failure: asked.transport((cause, reason)), status: None, about_trust })
        }
    }
}

fn too_large() -> Failure {
    metrics::counter!(crate::telemetry::BODIES_REFUSED).increment(1);
    Failure {
        hop: Hop::Body,
        reason: format!("the answer is larger than {} MiB", MAX_BODY_BYTES >> 20),
        advice: "check what answers at this address: no kubelet's summary is that large".to_owned(),
    }
}

/// The first line or so of an error's body.
pub(crate) fn shown(body: &[u8]) -> String {
    if is_web_page(body) {
        return "a web page".to_owned();
    }
    let text = String::from_utf8_lossy(body);
    text.lines().next().unwrap_or_default().trim().chars().take(SHOWN_BODY_CHARS).collect()
}

/// Whether a body is meant for a browser: a login page, a proxy's complaint.
pub(crate) fn is_web_page(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}

/// The time in a `Date` header (`Sun, 06 Nov 1994 08:49:37 GMT`, RFC 9110).
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, text) = text.split_once(", ")?;
    let mut parts = text.strip_suffix(" GMT")?.split(' ');
    let (day, month, year, time) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    Timestamp::parse_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_http_writes_them() {
        let date = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(date.to_string(), "1994-11-06T08:49:37Z");
        assert_eq!(http_date("Sunday, 06-Nov-94 08:49:37 GMT"), None);
        assert_eq!(http_date(""), None);
    }
}
