//! What answers the requests of a port: its routes, and around them who asks, what it cost, and
//! compression.
//!
//! One function around all routes instead of layers around each: every layer of axum's costs a
//! request some allocations, and most of what a small answer takes.

use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::response::{IntoResponse as _, Response};
use http::{Extensions, HeaderMap, Request, StatusCode, Version, header};
use http_body_util::BodyExt as _;
use tower::{Service, ServiceExt as _, service_fn};
use tower_http::compression::Compression;
use tower_http::compression::predicate::{Predicate, SizeAbove};

use crate::ApiState;
use crate::limits::MIN_COMPRESSED_BYTES;
use crate::observe::Observation;
use crate::people::guard;
use crate::prometheus::Question;

/// The routes of a port and what surrounds every request to them; cheap to clone.
#[derive(Clone)]
pub struct Answers {
    routes: Router,
    state: Arc<ApiState>,
    guarded: bool,
    asked: bool,
    compressed: bool,
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}

impl Answers {
    /// `routes`, counted.
    pub(crate) fn of(routes: Router<Arc<ApiState>>, state: &Arc<ApiState>) -> Self {
        let routes = routes.with_state(Arc::clone(state));
        Self { routes, state: Arc::clone(state), guarded: false, asked: false, compressed: false }
    }

    /// Lets pass whom the guard lets pass.
    pub(crate) fn guarded(self) -> Self {
        Self { guarded: true, ..self }
    }

    /// Goes straight to what dashboards ask most.
    pub(crate) fn asked(self) -> Self {
        Self { asked: true, ..self }
    }

    /// Compresses answers for clients that take it.
    pub(crate) fn compressed(self) -> Self {
        Self { compressed: true, ..self }
    }

    /// The answer to `request`.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response {
        let encodings = self.compressed.then(|| encodings(request.headers()));
        let observation = Observation::of(&request, self.state.now());
        let (response, handler) = self.routed(request).await;
        observation.end(&response, handler, &self.state);
        match encodings {
            Some(encodings) if may_be_compressed(&response) => compress(response, encodings).await,
            _ => response,
        }
    }

    /// The answer, and what made it where the answer itself does not say that.
    async fn routed(&self, mut request: Request<Body>) -> (Response, Option<&'static str>) {
        if self.guarded {
            request = match guard::admitted(&self.state, request).await {
                Ok(request) => request,
                Err(refusal) => return (refusal.into_response(), None),
            };
        }
        if self.asked
            && let Some(question) = Question::of(&request)
        {
            return (question.answer(&self.state, request).await, Some(question.handler()));
        }
        match self.routes.clone().call(request).await {
            Ok(response) => (response, None),
            Err(never) => match never {},
        }
    }
}

impl Service<Request<Body>> for Answers {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answers = self.clone();
        Box::pin(async move { Ok(answers.answer(request).await) })
    }
}

/// What a client says that it takes.
fn encodings(headers: &HeaderMap) -> HeaderMap {
    let said = headers.get_all(header::ACCEPT_ENCODING).iter();
    said.map(|value| (header::ACCEPT_ENCODING, value.clone())).collect()
}

/// Whether it is long enough, as far as that is known.
fn may_be_compressed(response: &Response) -> bool {
    let bytes = response.body().size_hint().exact();
    bytes.is_none_or(|bytes| bytes >= MIN_COMPRESSED_BYTES)
}

/// JSON and text for clients that take gzip; says in any case that it depends on them.
async fn compress(response: Response, encodings: HeaderMap) -> Response {
    let readable = |_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions| {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default();
        kind.starts_with("application/json")
            || (kind.starts_with("text/") && !kind.starts_with("text/event-stream"))
    };
    // What compresses a body asks it again after its end, which streams need not stand.
    let mut answer = Some(response.map(|body| Body::new(body.fuse())));
    let answer =
        service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(answer.take().unwrap_or_default())));
    let predicate = SizeAbove::new(MIN_COMPRESSED_BYTES).and(readable);
    let compression = Compression::new(answer).gzip(true).compress_when(predicate);
    let mut asked = Request::new(());
    *asked.headers_mut() = encodings;
    match compression.oneshot(asked).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}
