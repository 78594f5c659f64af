//! A small HTTP client for kubelets: keep-alive, bounded bodies, own certificate verification.
//! Knows no metric and no schedule; decides what a failure means and what helps.

mod advice;
mod credentials;

pub(crate) use credentials::Credentials;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use model::{Hop, Timestamp};
use rustls::ClientConfig;

use crate::connect::{ConnectError, Connection};
use crate::failure::{Cause, Failure, classify};
use crate::tls::{NodeNames, Verified};
use advice::Asked;

/// Largest answer that is read; a larger one fails the scrape.
pub const MAX_BODY_BYTES: usize = 64 << 20;
/// How long a TCP connection to a kubelet may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an idle connection is kept: longer than two ticks of the default resolution.
const IDLE_TIMEOUT: Duration = Duration::from_secs(150);
/// Read buffer of a connection; what an idle connection may keep.
const READ_BUFFER_BYTES: usize = 8 << 10;
/// How much of an error's body is shown.
const SHOWN_BODY_CHARS: usize = 160;

/// How to reach one node's kubelet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// At its address.
    Direct { address: IpAddr, port: u16 },
    /// Through the API server's proxy to the node of that name.
    Proxy { node: Box<str> },
}

/// What is asked of a kubelet.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) path: &'static str,
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
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { failure, status: None }
    }
}

/// Asks kubelets.
pub(crate) struct KubeletClient {
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    https: bool,
    tls: Arc<ClientConfig>,
    credentials: Credentials,
    api: kube::Client,
    api_url: String,
    verifies: bool,
    pub(crate) names: Arc<NodeNames>,
}

impl KubeletClient {
    pub(crate) fn new(connection: &Connection) -> Result<Self, ConnectError> {
        let names = Arc::new(NodeNames::default());
        let (tls, verifies) = credentials::tls(connection, Arc::clone(&names))?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let http = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(1)
            .pool_timer(TokioTimer::new())
            .http1_read_buf_exact_size(READ_BUFFER_BYTES)
            .build(HttpsConnector::from((tcp, Arc::clone(&tls))));
        Ok(Self {
            http,
            tls,
            https: connection.options.kubelet_https,
            credentials: Credentials::new(connection)?,
            api: connection.client(),
            api_url: connection.url(),
            verifies,
            names,
        })
    }

    /// Whether certificates are verified; of no matter without https.
    pub(crate) fn verifies(&self) -> bool {
        self.verifies || !self.https
    }

    /// How the certificate at `address` was verified last.
    pub(crate) fn verified(&self, address: IpAddr) -> Option<Verified> {
        self.names.verified(address)
    }

    /// The header that authenticates us to kubelets, read anew where it comes from a file or
    /// command. `None` without https: a token must not cross the network in clear.
    pub(crate) async fn authorization(&self) -> Result<Option<HeaderValue>, Failure> {
        if !self.https {
            return Ok(None);
        }
        self.credentials.header().await.map_err(|reason| Failure {
            hop: Hop::Authentication,
            reason: format!("no credentials for kubelets: {reason}"),
            advice: "check the token file or login command of the connection".to_owned(),
        })
    }

    /// The URL that `path` has over `route`.
    pub(crate) fn url(&self, route: &Route, path: &str) -> String {
        match route {
            Route::Direct { address, port } => {
                let scheme = if self.https { "https" } else { "http" };
                match address {
                    IpAddr::V4(address) => format!("{scheme}://{address}:{port}{path}"),
                    IpAddr::V6(address) => format!("{scheme}://[{address}]:{port}{path}"),
                }
            }
            Route::Proxy { .. } => format!("{}{}", self.api_url, proxy_path(route, path)),
        }
    }

    /// TLS as it is spoken to kubelets.
    pub(crate) fn tls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.tls)
    }

    /// What a failed connection to a kubelet means.
    pub(crate) fn explain(
        &self,
        route: &Route,
        path: &'static str,
        cause: (Cause, String),
    ) -> Failure {
        self.asked(route, path, false, true).transport(cause)
    }

    fn asked(&self, route: &Route, path: &'static str, is_post: bool, token: bool) -> Asked {
        let port = if let Route::Direct { port, .. } = route { Some(*port) } else { None };
        Asked { path, post: is_post, https: self.https, token, port }
    }

    /// Asks once. The caller sets the deadline.
    pub(crate) async fn fetch(
        &self,
        route: &Route,
        ask: &Ask,
        authorization: Option<&HeaderValue>,
    ) -> Result<Answer, Refusal> {
        let asked = self.asked(route, ask.path, ask.post.is_some(), authorization.is_some());
        match route {
            Route::Direct { .. } => {
                let request = self.request(&self.url(route, ask.path), ask, authorization)?;
                let request = request.map(Full::new);
                let response = self
                    .http
                    .request(request)
                    .await
                    .map_err(|error| asked.transport(classify(&error)))?;
                read(response, &asked).await
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
        ask: &Ask,
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

async fn read<B>(response: Response<B>, asked: &Asked) -> Result<Answer, Refusal>
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
        }),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large().into()),
        Err(error) => {
            let (cause, reason) = classify(&*error);
            let cause = if cause == Cause::Other { Cause::Cut } else { cause };
            Err(asked.transport((cause, reason)).into())
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
fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.lines().next().unwrap_or_default().trim().chars().take(SHOWN_BODY_CHARS).collect()
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
