//! A running simulation with a clock the test moves, and a small HTTP client.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use model::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use sim::{Config, Control, Sim, WorldConfig};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// Nothing a test waits for takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A simulation that is served until the test drops it.
pub(crate) struct Cluster {
    pub(crate) start: i64,
    seconds: Arc<AtomicI64>,
    pub(crate) control: Control,
    pub(crate) api: SocketAddr,
    pub(crate) insecure: SocketAddr,
    pub(crate) https_port: u16,
    pub(crate) http_port: u16,
    pub(crate) pods_port: u16,
    pub(crate) token: String,
    pub(crate) ca_pem: String,
    pub(crate) kubeconfig: String,
    task: JoinHandle<()>,
}

/// An answer read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Cluster {
    /// Six nodes with twelve pods each.
    pub(crate) async fn small() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let world = WorldConfig { nodes: 6, pods_per_node: 12, ..WorldConfig::default() };
        let start = world.start.secs();
        let seconds = Arc::new(AtomicI64::new(start));
        let clock = Arc::clone(&seconds);
        let now = move || Timestamp::from_secs(clock.load(Ordering::SeqCst));
        let mut config = Config::new(world, now);
        change(&mut config);
        let sim = Sim::start(config).await.unwrap();
        let address = |url: &str| url.rsplit('/').next().unwrap().parse().unwrap();
        Self {
            start,
            seconds,
            control: sim.control(),
            api: address(&sim.api_url()),
            insecure: address(&sim.insecure_api_url()),
            https_port: sim.kubelet_https_port(),
            http_port: sim.kubelet_http_port(),
            pods_port: sim.pods_http_port(),
            token: sim.token().to_owned(),
            ca_pem: sim.ca_pem().to_owned(),
            kubeconfig: sim.kubeconfig(),
            task: tokio::spawn(async move { sim.run(std::future::pending()).await.unwrap() }),
        }
    }

    /// Moves the clock to `seconds` after the start and lets everything due happen.
    pub(crate) fn at(&self, seconds: i64) {
        self.seconds.store(self.start + seconds, Ordering::SeqCst);
        self.control.step();
    }

    /// GET from the API server's insecure port.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", &[]).await
    }

    pub(crate) async fn get_as(&self, path: &str, accept: &str) -> Answer {
        self.send("GET", path, "", &[("accept", accept)]).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: &'static str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let stream = TcpStream::connect(self.insecure).await.unwrap();
        read(request(stream, method, path, body, headers).await.unwrap()).await.unwrap()
    }

    /// GET from the API server's HTTPS port.
    pub(crate) async fn get_secure(&self, path: &str, token: Option<&str>) -> Answer {
        let stream = self.tls(self.api, "127.0.0.1").await.unwrap();
        let header = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> =
            header.iter().map(|value| ("authorization", value.as_str())).collect();
        read(request(stream, "GET", path, "", &headers).await.unwrap()).await.unwrap()
    }

    /// A GET whose body is still coming.
    pub(crate) async fn open(&self, path: &str, accept: &str) -> hyper::Response<Incoming> {
        let stream = TcpStream::connect(self.insecure).await.unwrap();
        request(stream, "GET", path, "", &[("accept", accept)]).await.unwrap()
    }

    /// A request to the plain port of the `n`-th node (from 1); `Err` when no whole answer came.
    pub(crate) async fn kubelet(&self, n: u8, method: &str, path: &str) -> Result<Answer, String> {
        let address = SocketAddr::from((Ipv4Addr::new(127, 1, 0, n), self.http_port));
        let stream = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
        let response = request(stream, method, path, "", &[]).await?;
        read(response).await
    }

    /// A TLS connection that trusts the cluster's authority and expects this name.
    pub(crate) async fn tls(
        &self,
        address: SocketAddr,
        name: &str,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, String> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.ca_pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|e| e.to_string())
    }

    pub(crate) fn https_address(&self, n: u8) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::new(127, 1, 0, n), self.https_port))
    }
}

pub(crate) async fn request<S>(
    stream: S,
    method: &str,
    path: &str,
    body: &'static str,
    headers: &[(&str, &str)],
) -> Result<hyper::Response<Incoming>, String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| e.to_string())?;
    tokio::spawn(connection);
    let mut request = hyper::Request::builder().method(method).uri(path).header("host", "sim");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap();
    sender.send_request(request).await.map_err(|e| e.to_string())
}

pub(crate) async fn read(response: hyper::Response<Incoming>) -> Result<Answer, String> {
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").map(|v| v.to_str().unwrap().to_owned());
    let body = response.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
    Ok(Answer { status, kind: kind.unwrap_or_default(), body })
}

/// Lines of a watch as they come.
pub(crate) struct Lines {
    body: Incoming,
    rest: Vec<u8>,
}

impl Lines {
    pub(crate) fn of(response: hyper::Response<Incoming>) -> Self {
        assert_eq!(response.status(), 200);
        Self { body: response.into_body(), rest: Vec::new() }
    }

    /// The next event; `None` when the watch has ended.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("an event");
            let data = frame?.unwrap().into_data().unwrap();
            self.rest.extend_from_slice(&data);
        }
    }

    /// The next event of this type.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next().await.expect("the watch goes on");
            if event["type"] == kind {
                return event;
            }
        }
    }
}
