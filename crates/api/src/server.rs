//! The server loop: accepts connections, within bounds, and hands requests to the router.
//!
//! HTTP/1.1 is hyper's business, except for heads that hyper refuses: see `server/framer.rs`.
//! gRPC's port speaks HTTP/2 alone: `server/streams.rs`.

mod access;
mod framer;
mod reader;
mod serving;
mod streams;
pub(crate) mod subject;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, Request, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::gauge;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::answers::Answers;
use crate::error::Error;
use crate::intake::{self, PushAccess};
use crate::kubernetes::{self, Form, Gate, Status};
use crate::limits::{
    ACCEPT_BACKOFF, DRAIN_TIMEOUT, HANDSHAKE_TIMEOUT, HEAD_TIMEOUT, MAX_CONNECTION_BUFFER_BYTES,
    MAX_CONNECTIONS, MAX_LONG_HEADS, ROUTING_PREFIX_BYTES, hit,
};
use crate::request::LongTarget;
use crate::{ApiState, router, sidecar, telemetry};

pub use framer::fuzz_request_head;
pub use serving::ServingKey;
pub use tls::{Tls, TlsError};

use access::{Access, Client};
use framer::{Refusal, TARGET_HEADER};
use reader::HeadReader;

static TARGET: HeaderName = HeaderName::from_static(TARGET_HEADER);

/// A bound socket, plain or with TLS.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    tls: Option<Tls>,
    face: Face,
}

/// What a listener answers.
enum Face {
    /// Dashboard, Heapster's APIs, our own.
    Main,
    /// What the API server asks of an aggregated one, let in by the gate.
    Secure(TlsAcceptor, Arc<Gate>),
    /// What newer Kubernetes Dashboards ask of their sidecar.
    Sidecar,
    /// What others push over gRPC, and who may.
    Grpc(PushAccess),
}

impl Face {
    /// Beginnings of the paths that may be of any length: those that hold lists of names.
    fn long(&self) -> &'static [&'static str] {
        match self {
            Self::Main => &["/api/v1/model/", "/api/v1/historical/"],
            Self::Secure(..) | Self::Grpc(_) => &[],
            Self::Sidecar => &[sidecar::PREFIX],
        }
    }
}

impl std::fmt::Debug for Face {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Main => "Main",
            Self::Secure(..) => "Secure",
            Self::Sidecar => "Sidecar",
            Self::Grpc(_) => "Grpc",
        })
    }
}

impl Listener {
    /// Serves HTTP on `socket`.
    pub fn plain(socket: TcpListener) -> Self {
        Self { socket, tls: None, face: Face::Main }
    }

    /// Serves HTTPS on `socket`.
    pub fn with_tls(socket: TcpListener, tls: Tls) -> Self {
        Self { socket, tls: Some(tls), face: Face::Main }
    }

    /// Serves metrics.k8s.io over HTTPS on `socket` to whom `gate` lets in.
    pub fn secure(
        socket: TcpListener,
        key: &Arc<ServingKey>,
        gate: Arc<Gate>,
    ) -> Result<Self, TlsError> {
        let face = Face::Secure(key.acceptor()?, gate);
        Ok(Self { socket, tls: None, face })
    }

    /// Serves what Kubernetes Dashboard 2 to 7 asks of its metrics scraper on `socket`.
    pub fn sidecar(socket: TcpListener) -> Self {
        Self { socket, tls: None, face: Face::Sidecar }
    }

    /// Takes OTLP over gRPC on `socket` from whom `push` lets in; plain, or with TLS.
    pub fn grpc(socket: TcpListener, tls: Option<&Tls>, push: PushAccess) -> Self {
        Self { socket, tls: tls.map(Tls::for_http2), face: Face::Grpc(push) }
    }

    /// The address it is bound to.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// Serves `state` on every listener until `shutdown` ends; open requests get five more seconds,
/// event streams end at once.
pub async fn serve(
    listeners: Vec<Listener>,
    state: Arc<ApiState>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let stopping = state.stopping.clone();
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let long_heads = Arc::new(Semaphore::new(MAX_LONG_HEADS));
    let mut accepting = tokio::task::JoinSet::new();
    for listener in listeners {
        let (answers, gate) = match &listener.face {
            Face::Main => (router(&state), None),
            Face::Secure(_, gate) => (kubernetes::router(&state), Some(Arc::clone(gate))),
            Face::Sidecar => (sidecar::router(&state), None),
            Face::Grpc(push) => (intake::otlp::grpc::router(&state, push.clone()), None),
        };
        let front = Front {
            answers,
            gate,
            long: listener.face.long(),
            streams: matches!(listener.face, Face::Grpc(_)),
            state: Arc::clone(&state),
            access: listener.tls.as_ref().map(|tls| tls.access.clone()).unwrap_or_default(),
            connections: Arc::clone(&connections),
            long_heads: Arc::clone(&long_heads),
            stopping: stopping.clone(),
        };
        accepting.spawn(accept(listener, Arc::new(front)));
    }
    shutdown.await;
    stopping.cancel();
    while accepting.join_next().await.is_some() {}
    // All places free: no connection is open any more.
    let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
    if timeout(DRAIN_TIMEOUT, connections.acquire_many(all)).await.is_err() {
        warn!("connections were still open after the drain timeout");
    }
}

/// What every connection of a listener needs.
struct Front {
    answers: Answers,
    gate: Option<Arc<Gate>>,
    /// Beginnings of paths that may be of any length.
    long: &'static [&'static str],
    /// Whether connections speak HTTP/2.
    streams: bool,
    state: Arc<ApiState>,
    access: Access,
    connections: Arc<Semaphore>,
    long_heads: Arc<Semaphore>,
    stopping: CancellationToken,
}

async fn accept(listener: Listener, front: Arc<Front>) {
    // Bound elsewhere, perhaps: from here on this runtime's threads look at it.
    let socket = match listener.socket.into_std().and_then(TcpListener::from_std) {
        Ok(socket) => socket,
        Err(error) => return error!(%error, "a port cannot be served"),
    };
    let tls = match listener.face {
        Face::Secure(acceptor, _) => Some(acceptor),
        Face::Main | Face::Sidecar | Face::Grpc(_) => listener.tls.map(|tls| tls.acceptor),
    };
    while let Some(place) = front.place().await {
        let accepted = tokio::select! {
            () = front.stopping.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
                continue;
            }
        };
        // Small answers go out at once; a failure only costs latency.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "nodelay refused");
        }
        tokio::spawn(connection(stream, tls.clone(), Arc::clone(&front), place));
    }
}

impl Front {
    /// A place for one more connection; `None` when stopping.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.connections).try_acquire_owned() {
            return Some(place);
        }
        hit("connections");
        tokio::select! {
            () = self.stopping.cancelled() => None,
            place = Arc::clone(&self.connections).acquire_owned() => place.ok(),
        }
    }
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    front: Arc<Front>,
    place: OwnedSemaphorePermit,
) {
    gauge!(telemetry::CONNECTIONS).increment(1.0);
    match tls {
        None => converse(stream, Client::Unknown, &front).await,
        Some(acceptor) => match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates();
                let client = match front.gate {
                    Some(_) => Client::presented(shown),
                    None => Client::of(shown),
                };
                converse(stream, client, &front).await;
            }
            Ok(Err(error)) => debug!(%error, "TLS handshake failed"),
            Err(_) => hit("tls_handshake"),
        },
    }
    gauge!(telemetry::CONNECTIONS).decrement(1.0);
    drop(place);
}

/// Serves one connection until it ends or the server stops.
async fn converse<S>(stream: S, client: Client, front: &Arc<Front>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if front.streams {
        return streams::converse(stream, client, front).await;
    }
    let reader = HeadReader::new(stream, Arc::clone(&front.long_heads));
    let service = service_fn(|request| {
        let front = Arc::clone(front);
        let client = client.clone();
        async move { Ok::<_, std::convert::Infallible>(front.answer(request, &client).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_CONNECTION_BUFFER_BYTES)
        .serve_connection(TokioIo::new(reader), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = front.stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "connection ended early");
    }
}

impl Front {
    async fn answer(&self, request: Request<Incoming>, client: &Client) -> Response {
        let form = match &self.gate {
            Some(_) => Form::of(request.headers()).unwrap_or(Form::Json),
            None => Form::Json,
        };
        let mut request = match admit(request.map(Body::new), self.long) {
            Ok(request) => request,
            Err(error) if self.gate.is_some() => return Status::of_head(&error).respond(form),
            Err(error) => return error.as_text(),
        };
        if let Some(gate) = &self.gate
            && let Err(status) = gate.admit(&mut request, client.chain(), self.state.now()).await
        {
            return status.respond(form);
        }
        if let Err(error) = self.access.check(request.uri().path(), client) {
            return error.as_text();
        }
        self.answers.answer(request).await
    }
}

/// Undoes what the framer did to a head: a refusal becomes an error, a long target travels as an
/// extension beside a URI that is cut to what routing needs. Only paths that begin as one of `long`
/// may be of any length.
fn admit(mut request: Request<Body>, long: &[&str]) -> Result<Request<Body>, Error> {
    let Some(value) = request.headers_mut().remove(&TARGET) else { return Ok(request) };
    let target = value.to_str().map_err(|_| Error::Head)?;
    if let Some(refusal) = Refusal::parse(target) {
        return Err(refusal.error());
    }
    if !long.iter().any(|path| target.starts_with(path)) {
        hit("target_bytes");
        return Err(Error::TargetTooLong);
    }
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let prefix = path.get(..ROUTING_PREFIX_BYTES).unwrap_or(path);
    *request.uri_mut() = prefix.parse::<Uri>().map_err(|_| Error::Head)?;
    let target = target.to_owned();
    request.extensions_mut().insert(LongTarget(target));
    Ok(request)
}
