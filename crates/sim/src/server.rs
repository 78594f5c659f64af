//! Sockets: binds the listeners, speaks TLS and HTTP on them, and hands requests to the API
//! server and the kubelets. The only place that knows about connections.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::aggregator::Aggregator;
use crate::apiserver::{Api, Caller, Issued, LARGEST_REQUEST, Request, Tokens};
use crate::config::{Config, LEAST_HISTORY};
use crate::error::Error;
use crate::faults::{FaultError, Faults, Table};
use crate::http::{Body, Cut};
use crate::kubelet::server::{Kubelets, Request as KubeletRequest};
use crate::objects::Cluster;
use crate::programs::Programs;
use crate::store::Store;
use crate::telemetry;
use crate::tls::{Authority, KubeletTls};
use crate::tokens::AdminTokens;
use crate::world::World;

mod programs;

use programs::ProgramService;

/// Connections a listener holds at once; more are closed.
const MOST_CONNECTIONS: usize = 20_000;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long open requests may take to end at shutdown.
const DRAIN: Duration = Duration::from_secs(2);
/// How often the objects follow the world when nobody asks.
const STEP: Duration = Duration::from_secs(1);

/// A simulated cluster with its listeners bound; it answers once [`Sim::run`] is awaited.
pub struct Sim {
    api: Arc<Api>,
    kubelets: Arc<Kubelets>,
    programs: Arc<Programs>,
    kubelet_tls: Arc<KubeletTls>,
    api_tls: Arc<ServerConfig>,
    listeners: Listeners,
    ca_pem: String,
    token: String,
    shutdown: CancellationToken,
}

struct Listeners {
    api: TcpListener,
    insecure: TcpListener,
    kubelet_https: TcpListener,
    kubelet_http: TcpListener,
    pods_http: TcpListener,
    addresses: Addresses,
}

#[derive(Clone, Copy)]
struct Addresses {
    api: SocketAddr,
    insecure: SocketAddr,
    kubelet_https: SocketAddr,
    kubelet_http: SocketAddr,
    pods_http: SocketAddr,
}

/// Reaches into a running simulation.
#[derive(Clone)]
pub struct Control {
    api: Arc<Api>,
}

impl Control {
    /// Puts these faults in place of all others.
    pub fn set_faults(&self, faults: Faults) -> Result<(), FaultError> {
        self.api.faults.replace(&self.api.store.cluster().plan, faults)?;
        self.api.store.set_down(&self.api.faults.down(), self.api.catch_up());
        Ok(())
    }

    /// Lets API groups (each `group/version`) lead to the server at `address`, as if its manifests
    /// had been applied: service, endpoints and `APIService`s without a caBundle. False when some of
    /// it was there already.
    pub fn lead(&self, address: SocketAddr, services: &[&str]) -> bool {
        crate::bootstrap::lead(&self.api.store, address, services, self.api.catch_up())
    }

    /// Another bearer token beside those that are good; without `lasts` it ends when revoked.
    pub fn issue_token(&self, lasts: Option<Duration>) -> String {
        self.api.admins.issue(lasts)
    }

    /// Ends a bearer token; whether it was good.
    pub fn revoke_token(&self, token: &str) -> bool {
        self.api.admins.revoke(token)
    }

    /// Applies everything due up to the present instead of waiting for the next second.
    pub fn step(&self) {
        self.api.catch_up();
    }
}

impl Sim {
    /// Draws the world and binds the listeners. Nothing is answered before [`Sim::run`].
    pub async fn start(config: Config) -> Result<Self, Error> {
        let size = &config.world;
        if size.nodes == 0 || size.pods_per_node == 0 || size.containers_per_pod == 0 {
            return Err(Error::Empty);
        }
        if size.ipv6 && size.nodes > 1 {
            return Err(Error::OneAddress);
        }
        let listeners = Listeners::bind(&config).await?;
        let mut plan = World::new(&config.world).plan;
        plan.pods_port = listeners.addresses.pods_http.port();
        let kubelet_port = listeners.addresses.kubelet_https.port();
        let cluster = Arc::new(Cluster { plan, kubelet_port });
        let faults = Arc::new(Table::new(&cluster.plan, config.faults)?);
        let usual = LEAST_HISTORY.max(cluster.plan.slots.len() * 3);
        let store = Store::new(Arc::clone(&cluster), config.history.unwrap_or(usual));
        let store = Arc::new(store);
        store.set_down(&faults.down(), (config.now)().secs());
        let shutdown = CancellationToken::new();
        let admins = Arc::new(AdminTokens::new(config.token.clone(), Arc::clone(&config.now)));
        let kubelets = Arc::new(Kubelets {
            cluster: Arc::clone(&cluster),
            faults: Arc::clone(&faults),
            now: Arc::clone(&config.now),
            tokens: Arc::clone(&admins),
        });
        let programs = Programs { cluster: Arc::clone(&cluster), now: Arc::clone(&config.now) };
        let authority = Arc::new(Authority::new("taffrail-sim-ca")?);
        let ca_pem = authority.pem().to_owned();
        let aggregator = Arc::new(Aggregator::new()?);
        crate::bootstrap::fill(&store, &ca_pem, aggregator.ca_pem(), (config.now)().secs());
        let api = Arc::new(Api {
            store,
            kubelets: Arc::clone(&kubelets),
            faults,
            now: config.now,
            admins,
            issuer: config.issuer,
            tokens: Tokens::default(),
            issued: Issued::new(Arc::clone(&authority)),
            aggregator,
            bookmark_every: config.bookmark_every,
            shutdown: shutdown.clone(),
        });
        let api_tls = authority.api_server(listeners.addresses.api.ip())?;
        let nodes = cluster.plan.nodes.len();
        let kubelet_tls = Arc::new(KubeletTls::new(authority, config.certificates, nodes));
        let token = config.token;
        Ok(Self {
            api,
            kubelets,
            programs: Arc::new(programs),
            kubelet_tls,
            api_tls,
            listeners,
            ca_pem,
            token,
            shutdown,
        })
    }

    /// `https://address:port` of the API server.
    pub fn api_url(&self) -> String {
        format!("https://{}", self.listeners.addresses.api)
    }

    /// `http://address:port` of the API server without TLS and authentication.
    pub fn insecure_api_url(&self) -> String {
        format!("http://{}", self.listeners.addresses.insecure)
    }

    /// The HTTPS port of all kubelets.
    pub fn kubelet_https_port(&self) -> u16 {
        self.listeners.addresses.kubelet_https.port()
    }

    /// The plain HTTP port of all kubelets.
    pub fn kubelet_http_port(&self) -> u16 {
        self.listeners.addresses.kubelet_http.port()
    }

    /// The plain HTTP port on which pods serve metrics.
    pub fn pods_http_port(&self) -> u16 {
        self.listeners.addresses.pods_http.port()
    }

    /// The first bearer token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The authority's certificate, PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// A kubeconfig file's text for the HTTPS API server.
    pub fn kubeconfig(&self) -> String {
        crate::kubeconfig::write(&self.api_url(), Some(&self.ca_pem), self.token())
    }

    /// A handle that outlives [`Sim::run`].
    pub fn control(&self) -> Control {
        Control { api: Arc::clone(&self.api) }
    }

    /// Serves until `shutdown` resolves, then lets open requests end.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let Listeners { api, insecure, kubelet_https, kubelet_http, pods_http, .. } =
            self.listeners;
        let stop = self.shutdown;
        let mut tasks: JoinSet<&'static str> = JoinSet::new();
        let secure_api = ApiService { api: Arc::clone(&self.api), tls: Some(self.api_tls) };
        let plain_api = ApiService { api: Arc::clone(&self.api), tls: None };
        let kubelets = |tls| KubeletService { kubelets: Arc::clone(&self.kubelets), tls };
        let (https, http) = (kubelets(Some(self.kubelet_tls)), kubelets(None));
        tasks.spawn(named("api", serve(api, Arc::new(secure_api), stop.clone())));
        tasks.spawn(named("insecure api", serve(insecure, Arc::new(plain_api), stop.clone())));
        tasks.spawn(named("kubelets https", serve(kubelet_https, Arc::new(https), stop.clone())));
        tasks.spawn(named("kubelets http", serve(kubelet_http, Arc::new(http), stop.clone())));
        let programs = Arc::new(ProgramService { programs: self.programs });
        tasks.spawn(named("pods http", serve(pods_http, programs, stop.clone())));
        let followed = Aggregator::follow(Arc::clone(&self.api), stop.clone());
        tasks.spawn(named("aggregator", followed));
        tasks.spawn(named("step", follow(self.api, stop.clone())));
        tokio::select! {
            () = shutdown => {}
            ended = tasks.join_next() => {
                stop.cancel();
                return Err(Error::Ended(ended.and_then(Result::ok).unwrap_or("a panicked one")));
            }
        }
        stop.cancel();
        while tasks.join_next().await.is_some() {}
        Ok(())
    }
}

async fn named(name: &'static str, task: impl Future<Output = ()>) -> &'static str {
    task.await;
    name
}

/// Keeps the objects in step with the clock.
async fn follow(api: Arc<Api>, stop: CancellationToken) {
    let mut ticks = interval(STEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => { api.catch_up(); }
        }
    }
}

impl Listeners {
    async fn bind(config: &Config) -> Result<Self, Error> {
        // One socket for all nodes: which node is meant is the address a connection came to.
        let all: IpAddr = if config.world.ipv6 {
            Ipv6Addr::UNSPECIFIED.into()
        } else {
            Ipv4Addr::UNSPECIFIED.into()
        };
        let everywhere = |port| SocketAddr::from((all, port));
        let api = bind(config.api_listen).await?;
        let insecure = bind(config.insecure_listen).await?;
        let kubelet_https = bind(everywhere(config.kubelet_https_port)).await?;
        let kubelet_http = bind(everywhere(config.kubelet_http_port)).await?;
        let pods_http = bind(everywhere(config.pods_http_port)).await?;
        let address = |listener: &TcpListener, asked: SocketAddr| {
            listener.local_addr().map_err(|source| Error::Listen { address: asked, source })
        };
        let addresses = Addresses {
            api: address(&api, config.api_listen)?,
            insecure: address(&insecure, config.insecure_listen)?,
            kubelet_https: address(&kubelet_https, everywhere(config.kubelet_https_port))?,
            kubelet_http: address(&kubelet_http, everywhere(config.kubelet_http_port))?,
            pods_http: address(&pods_http, everywhere(config.pods_http_port))?,
        };
        Ok(Self { api, insecure, kubelet_https, kubelet_http, pods_http, addresses })
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

/// What a listener does with its connections.
trait Service: Send + Sync + 'static {
    /// Serves one connection to its end.
    fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send;
}

async fn serve(listener: TcpListener, service: Arc<impl Service>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                // Out of file descriptors, most likely: let some connections end.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            metrics::counter!(telemetry::CONNECTIONS_DROPPED).increment(1);
            continue;
        };
        let (service, stop) = (Arc::clone(&service), stop.clone());
        connections.spawn(async move {
            service.connection(stream, stop).await;
            drop(place);
        });
    }
    let drained = timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::debug!("connections cut at shutdown");
    }
}

struct ApiService {
    api: Arc<Api>,
    tls: Option<Arc<ServerConfig>>,
}

impl Service for ApiService {
    async fn connection(self: Arc<Self>, stream: TcpStream, stop: CancellationToken) {
        let secure = self.tls.is_some();
        let answer = |shown: Option<Caller>| {
            let (api, shown) = (Arc::clone(&self.api), shown.map(Arc::new));
            move |request| {
                let (api, shown) = (Arc::clone(&api), shown.clone());
                async move { answer_api(&api, secure, shown.as_deref(), request).await }
            }
        };
        match &self.tls {
            None => speak(stream, answer(None), stop).await,
            Some(tls) => {
                let Some(stream) = handshake(stream, Arc::clone(tls)).await else { return };
                let chain = stream.get_ref().1.peer_certificates();
                let own = chain.and_then(<[_]>::first);
                let shown = own.and_then(|certificate| self.api.issued.owner(certificate));
                speak(stream, answer(shown), stop).await;
            }
        }
    }
}

async fn answer_api(
    api: &Arc<Api>,
    secure: bool,
    shown: Option<&Caller>,
    request: http::Request<Incoming>,
) -> Result<http::Response<Body>, Cut> {
    let (mut head, body) = request.into_parts();
    let upgrade = head.extensions.remove();
    let Ok(body) = Limited::new(body, LARGEST_REQUEST).collect().await else { return Err(Cut) };
    let request = Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: head.headers,
        body: body.to_bytes(),
        upgrade,
    };
    api.answer(secure, shown, request).await
}

struct KubeletService {
    kubelets: Arc<Kubelets>,
    tls: Option<Arc<KubeletTls>>,
}

impl Service for KubeletService {
    async fn connection(self: Arc<Self>, stream: TcpStream, stop: CancellationToken) {
        let Some(node) = self.node(&stream) else { return };
        if self.kubelets.is_down(node) {
            // A reset, as from a machine that is up but has no kubelet.
            if let Err(error) = stream.set_zero_linger() {
                tracing::debug!(%error, "cannot reset");
            }
            return;
        }
        let secure = self.tls.is_some();
        let kubelets = Arc::clone(&self.kubelets);
        let answer = move |request: http::Request<Incoming>| {
            let kubelets = Arc::clone(&kubelets);
            async move {
                let (head, _) = request.into_parts();
                let (path, query) = (head.uri.path(), head.uri.query());
                let asked = KubeletRequest { method: &head.method, path, query };
                kubelets.answer(node, secure, asked, &head.headers).await
            }
        };
        match &self.tls {
            None => speak(stream, answer, stop).await,
            Some(tls) => {
                let tls = match tls.of(&self.kubelets.cluster.plan, node) {
                    Ok(tls) => tls,
                    Err(error) => {
                        tracing::warn!(%error, node, "no certificate");
                        return;
                    }
                };
                let Some(stream) = handshake(stream, tls).await else { return };
                speak(stream, answer, stop).await;
            }
        }
    }
}

impl KubeletService {
    /// The node whose address a connection came to. The listener is open on all interfaces, so
    /// whatever did not come over loopback is turned away here.
    fn node(&self, stream: &TcpStream) -> Option<u32> {
        let (local, peer) = (stream.local_addr().ok()?.ip(), stream.peer_addr().ok()?.ip());
        let here = local.is_loopback() && peer.is_loopback();
        let node = here.then(|| self.kubelets.cluster.plan.node_at(local)).flatten();
        if node.is_none() {
            metrics::counter!(telemetry::CONNECTIONS_REFUSED).increment(1);
        }
        node
    }
}

async fn handshake(
    stream: TcpStream,
    tls: Arc<ServerConfig>,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    match timeout(HANDSHAKE, TlsAcceptor::from(tls).accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "tls handshake failed");
            None
        }
        Err(_) => None,
    }
}

/// Speaks HTTP/1.1 until either side has enough.
async fn speak<S, F, R>(stream: S, answer: F, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(http::Request<Incoming>) -> R,
    R: Future<Output = Result<http::Response<Body>, Cut>>,
{
    let connection = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .with_upgrades();
    tokio::pin!(connection);
    let ended: Result<(), hyper::Error> = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}
