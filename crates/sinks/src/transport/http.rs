//! A request for each parcel, and requests that must come before the first one.

use std::error::Error as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use ring::hmac;
use rustls::ClientConfig;

use super::answer::{Answer, Judge, judge, shown};
use super::dial::{Dialer, connector};
use super::finish::Finish;
use super::google::GoogleAccount;
use super::sigv4::{Signed, Signer, hex};
use super::{Outcome, Parcel};
use crate::Error;
use crate::reach::Reached;
use crate::settings::{Clock, Secret, Settings};

/// Most bytes that are read of an answer.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Where and how requests go.
#[derive(Debug)]
pub(crate) struct HttpPlan {
    /// `https://host:port`, nothing after it.
    pub(crate) base: String,
    /// More of the same, each tried once the one before it cannot be reached.
    pub(crate) standby: Vec<String>,
    /// How a parcel is sent.
    pub(crate) method: Method,
    /// Path and query of the request that carries a parcel.
    pub(crate) target: Target,
    /// What tells two destinations on one server apart (`/k8s`); for people.
    pub(crate) destination: String,
    pub(crate) body: Body,
    /// What is done to a body before it goes.
    pub(crate) finish: Finish,
    /// Whether the server speaks gRPC: HTTP/2, a prefix before the body, the outcome in trailers.
    pub(crate) grpc: bool,
    /// User and password.
    pub(crate) basic: Option<(String, Secret)>,
    /// Further headers, such as tokens.
    pub(crate) headers: Vec<(HeaderName, Secret)>,
    /// The header that carries a parcel's id, which stays the same when it is sent again.
    pub(crate) id_header: Option<HeaderName>,
    pub(crate) sign: Option<Sign>,
    /// Requests before the first parcel, and again once the destination lost what they made.
    pub(crate) prepare: Vec<Preparation>,
    /// What an error says when the destination lost what `prepare` made.
    pub(crate) lost: Option<&'static str>,
    /// What answers mean.
    pub(crate) judge: Judge,
}

/// Where requests that carry parcels go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Always there: path and query.
    Fixed(String),
    /// To an object of its own for each parcel, named after its time and id between these.
    Object { before: String, after: &'static str },
    /// A parcel says it itself: a line of method and path, lines of headers, an empty line.
    InChunk,
}

/// How a server can tell who sent a request.
#[derive(Debug)]
pub(crate) enum Sign {
    Aws(Signer),
    /// A token of Google's, fetched when there is none that still holds.
    Google(Box<GoogleAccount>),
    /// `sha256=<hex>` of an HMAC over the body, in that header.
    Hmac {
        header: HeaderName,
        secret: Secret,
    },
}

/// What bodies are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// Text of no declared type.
    Plain,
    /// JSON, declared as this.
    Json(&'static str),
    /// Anything else, declared as this.
    Typed(&'static str),
}

/// A request that comes before parcels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Preparation {
    pub(crate) method: Method,
    pub(crate) target: String,
    /// Empty for most.
    pub(crate) body: String,
    /// Whether an error in its answer is worth a warning.
    pub(crate) must_work: bool,
}

impl HttpPlan {
    /// Plain POST requests to `target` on `base`.
    pub(crate) fn post(base: String, target: String) -> Self {
        Self {
            base,
            standby: Vec::new(),
            method: Method::POST,
            target: Target::Fixed(target),
            destination: String::new(),
            body: Body::Plain,
            finish: Finish::AsIs,
            grpc: false,
            basic: None,
            headers: Vec::new(),
            id_header: None,
            sign: None,
            prepare: Vec::new(),
            lost: None,
            judge: Judge::default(),
        }
    }

    pub(super) fn needs_tls(&self) -> bool {
        self.bases().any(|base| base.starts_with("https:"))
    }

    fn bases(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.base).chain(&self.standby)
    }

    /// The host as its header says it: without the scheme's own port.
    fn host(base: &str) -> String {
        let (scheme, authority) = base.split_once("://").unwrap_or(("", base));
        let port = if scheme == "https" { ":443" } else { ":80" };
        authority.strip_suffix(port).unwrap_or(authority).to_owned()
    }
}

/// Sends requests over kept connections.
#[derive(Debug)]
pub(super) struct HttpSender {
    plan: HttpPlan,
    client: Client<HttpsConnector<Dialer>, Full<Bytes>>,
    /// Counts how often a base could not be reached: which one is tried.
    turn: AtomicUsize,
    authorization: Option<HeaderValue>,
    prepared: AtomicBool,
    clock: Clock,
}

impl HttpSender {
    pub(super) fn new(
        plan: HttpPlan,
        tls: ClientConfig,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let connector = connector(&plan.base, tls, plan.grpc, settings)?;
        let authorization = plan.basic.as_ref().and_then(|(user, password)| {
            let pair = BASE64_STANDARD.encode(format!("{user}:{}", password.reveal()));
            secret_value(&format!("Basic {pair}"))
        });
        let prepared = AtomicBool::new(plan.prepare.is_empty());
        let client = Client::builder(TokioExecutor::new()).http2_only(plan.grpc).build(connector);
        let clock = settings.clock.clone();
        Ok(Self { turn: AtomicUsize::new(0), plan, client, authorization, prepared, clock })
    }

    /// Asks with GET for what parcels are posted to, as the same user: nothing is written.
    pub(super) async fn reach(&self) -> Reached {
        let target = match &self.plan.target {
            Target::Fixed(target) => target.as_str(),
            Target::Object { .. } | Target::InChunk => "/",
        };
        let request = Request::builder().method(Method::GET);
        match self.ask(request, target, Bytes::new()).await {
            Ok(answer) if matches!(answer.status.as_u16(), 401 | 403 | 407) => {
                Reached::Stranger(format!("it answers {}: {}", answer.status, shown(&answer.text)))
            }
            Ok(answer) => Reached::Yes(format!("it answers {} to a question", answer.status)),
            Err(Outcome::Refused(reason) | Outcome::Failed { reason, .. }) => Reached::No(reason),
            Err(Outcome::Delivered) => Reached::Yes("it answers".to_owned()),
        }
    }

    pub(super) async fn prepare(&self) -> Outcome {
        if self.prepared.load(Ordering::Relaxed) {
            return Outcome::Delivered;
        }
        for step in &self.plan.prepare {
            let mut request = Request::builder().method(&step.method);
            if let Body::Json(content_type) = self.plan.body {
                request = request.header(CONTENT_TYPE, content_type);
            }
            let body = Bytes::from(step.body.clone());
            let answer = match self.ask(request, &step.target, body).await {
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

    pub(super) async fn send(&self, parcel: &Parcel) -> Outcome {
        let head = matches!(self.plan.target, Target::InChunk).then(|| Head::of(&parcel.bytes));
        let (head, body) = match head {
            Some(None) => return Outcome::Refused("a chunk without its head".to_owned()),
            Some(Some((head, body))) => (Some(head), body),
            None => (None, parcel.bytes.clone()),
        };
        let bytes = match self.plan.finish.apply(body, self.plan.grpc).await {
            Ok(bytes) => bytes,
            Err(reason) => return Outcome::Refused(reason),
        };
        let method = head.as_ref().map_or(&self.plan.method, |head| &head.method);
        let mut request = Request::builder().method(method);
        for (name, value) in head.iter().flat_map(|head| &head.headers) {
            request = request.header(name, value);
        }
        if let Body::Json(content_type) | Body::Typed(content_type) = self.plan.body {
            request = request.header(CONTENT_TYPE, content_type);
        }
        if self.plan.grpc {
            request = request.header(http::header::TE, "trailers");
            if let Some(encoding) = self.plan.finish.encoding() {
                request = request.header("grpc-encoding", encoding);
            }
        } else if let (Target::Fixed(_), Some(encoding)) =
            (&self.plan.target, self.plan.finish.encoding())
        {
            request = request.header(CONTENT_ENCODING, encoding);
        }
        if let Some(name) = &self.plan.id_header {
            request = request.header(name, &parcel.id);
        }
        if let Some(Sign::Hmac { header, secret }) = &self.plan.sign {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
            let signature = hex(hmac::sign(&key, &bytes).as_ref());
            request = request.header(header, format!("sha256={signature}"));
        }
        let object;
        let target = match &self.plan.target {
            Target::Fixed(target) => target,
            Target::Object { before, after } => {
                object = format!("{before}{}{after}", parcel.object_name());
                &object
            }
            Target::InChunk => head.as_ref().map_or("", |head| &head.target),
        };
        match self.ask(request, target, bytes).await {
            Ok(answer) => self.judge(&answer),
            Err(failed) => failed,
        }
    }

    async fn ask(
        &self,
        mut request: http::request::Builder,
        target: &str,
        bytes: Bytes,
    ) -> Result<Answer, Outcome> {
        let turn = self.turn.load(Ordering::Relaxed) % (1 + self.plan.standby.len());
        let base = self.plan.bases().nth(turn).unwrap_or(&self.plan.base);
        let host = HttpPlan::host(base);
        request = request
            .uri(format!("{base}{target}"))
            .header(USER_AGENT, concat!("taffrail/", env!("CARGO_PKG_VERSION")));
        if !self.plan.grpc {
            request = request.header(HOST, &host);
        }
        if let Some(value) = &self.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        for (name, value) in &self.plan.headers {
            request = request.header(
                name,
                secret_value(value.reveal()).ok_or_else(|| {
                    Outcome::Refused(format!("the value of {name} cannot be a header"))
                })?,
            );
        }
        if let Some(Sign::Google(account)) = &self.plan.sign {
            let token = account.token(&self.client, self.clock.now()).await?;
            let value = secret_value(&format!("Bearer {token}"))
                .ok_or_else(|| Outcome::failed("a token that cannot be a header"))?;
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(Sign::Aws(signer)) = &self.plan.sign {
            let method = request.method_ref().map_or("POST", Method::as_str).to_owned();
            let signed = Signed {
                method: &method,
                host: &host,
                target,
                body: &bytes,
                time: self.clock.now(),
            };
            for (name, value) in signer.sign(&signed) {
                request = request.header(name, value);
            }
        }
        let request = request
            .body(Full::new(bytes))
            .map_err(|error| Outcome::Refused(format!("no request can be made: {error}")))?;
        let response = self.client.request(request).await.map_err(|error| {
            self.turn.fetch_add(1, Ordering::Relaxed);
            let cause = error.source().map(|cause| format!(": {}", root(cause)));
            Outcome::failed(format_args!("{error}{}", cause.unwrap_or_default()))
        })?;
        let (parts, body) = response.into_parts();
        let mut headers = parts.headers;
        let text = match Limited::new(body, MAX_ANSWER_BYTES).collect().await {
            Ok(collected) => {
                headers.extend(collected.trailers().cloned().unwrap_or_else(HeaderMap::new));
                String::from_utf8_lossy(&collected.to_bytes()).into_owned()
            }
            // The status has come, and it is what counts.
            Err(_) => String::new(),
        };
        Ok(Answer { status: parts.status, headers, text })
    }

    fn judge(&self, answer: &Answer) -> Outcome {
        if self
            .plan
            .lost
            .is_some_and(|lost| !answer.status.is_success() && answer.text.contains(lost))
        {
            self.prepared.store(false, Ordering::Relaxed);
            return Outcome::failed(format_args!("{}: {}", answer.status, shown(&answer.text)));
        }
        judge(self.plan.judge, answer)
    }
}

/// What a parcel says of its own request.
struct Head {
    method: Method,
    target: String,
    headers: Vec<(String, String)>,
}

impl Head {
    /// The head that `bytes` begin with, and the body after it.
    fn of(bytes: &Bytes) -> Option<(Self, Bytes)> {
        let end = bytes.windows(2).position(|window| window == b"\n\n")?;
        let mut lines = std::str::from_utf8(bytes.get(..end)?).ok()?.lines();
        let (method, target) = lines.next()?.split_once(' ')?;
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let head = Self { method: method.parse().ok()?, target: target.to_owned(), headers };
        Some((head, bytes.slice(end + 2..)))
    }
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
