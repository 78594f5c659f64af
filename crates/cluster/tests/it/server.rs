//! A fake HTTP(S) server: answers by a function, counts connections, keeps what it was asked.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Body of an answer, which may break off.
pub(crate) type Body = StreamBody<BoxStream<'static, Result<Frame<Bytes>, std::io::Error>>>;
type Answer = Arc<dyn Fn(&Seen) -> Response<Body> + Send + Sync>;

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: String,
}

/// A running server; it ends when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Seen>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn http(
        answer: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        Self::start(None, Arc::new(answer)).await
    }

    pub(crate) async fn https(
        certificate: &Certificate,
        answer: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        let key = PrivateKeyDer::try_from(certificate.key.serialize_der()).unwrap();
        let chain = vec![certificate.certificate.der().clone()];
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
        Self::start(Some(TlsAcceptor::from(Arc::new(config.unwrap()))), Arc::new(answer)).await
    }

    /// One that lets only clients in whose certificate `clients` signed.
    pub(crate) async fn mutual(
        certificate: &Certificate,
        clients: &Authority,
        answer: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        let key = PrivateKeyDer::try_from(certificate.key.serialize_der()).unwrap();
        let chain = vec![certificate.certificate.der().clone()];
        let mut roots = RootCertStore::empty();
        roots.add(clients.0.as_ref().der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let config = ServerConfig::builder()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(chain, key);
        Self::start(Some(TlsAcceptor::from(Arc::new(config.unwrap()))), Arc::new(answer)).await
    }

    async fn start(tls: Option<TlsAcceptor>, answer: Answer) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        let (counted, noted) = (Arc::clone(&connections), Arc::clone(&seen));
        tasks.spawn(async move {
            let mut running = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (answer, noted, tls) = (Arc::clone(&answer), Arc::clone(&noted), tls.clone());
                running.spawn(async move {
                    match tls {
                        None => serve(TokioIo::new(stream), answer, noted).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(TokioIo::new(stream), answer, noted).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, connections, seen, _tasks: tasks }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve<I>(io: I, answer: Answer, noted: Arc<Mutex<Vec<Seen>>>)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let (answer, noted) = (Arc::clone(&answer), Arc::clone(&noted));
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(http_body_util::Collected::to_bytes);
            let header = head.headers.get("authorization");
            let seen = Seen {
                method: head.method.to_string(),
                path: head.uri.path().to_owned(),
                query: head.uri.query().unwrap_or_default().to_owned(),
                authorization: header.map(|value| value.to_str().unwrap().to_owned()),
                body: String::from_utf8_lossy(&body.unwrap_or_default()).into_owned(),
            };
            let response = answer(&seen);
            noted.lock().unwrap().push(seen);
            Ok::<_, Infallible>(response)
        }
    });
    // A client that goes away is no failure of the server.
    drop(hyper::server::conn::http1::Builder::new().serve_connection(io, service).await);
}

/// A whole answer.
pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Response<Body> {
    let frame = Ok(Frame::data(body.into()));
    let body = StreamBody::new(futures_util::stream::iter([frame]).boxed());
    Response::builder().status(StatusCode::from_u16(status).unwrap()).body(body).unwrap()
}

/// An answer that breaks off in the middle of its body.
pub(crate) fn cut(body: impl Into<Bytes>) -> Response<Body> {
    let frames = [Ok(Frame::data(body.into())), Err(std::io::Error::other("cut"))];
    Response::new(StreamBody::new(futures_util::stream::iter(frames).boxed()))
}

/// An answer whose body never comes.
pub(crate) fn hang() -> Response<Body> {
    Response::new(StreamBody::new(futures_util::stream::pending().boxed()))
}

static AUTHORITIES: AtomicUsize = AtomicUsize::new(1);

/// An authority that signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub(crate) struct Certificate {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Authorities of the same name are told apart by signatures only, which is a case of its own.
        let number = AUTHORITIES.fetch_add(1, Ordering::SeqCst);
        params.distinguished_name.push(DnType::CommonName, format!("authority {number}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.as_ref().pem()
    }

    /// A certificate for these names and addresses.
    pub(crate) fn sign(&self, names: &[&str]) -> Certificate {
        self.sign_until(names, 4000)
    }

    /// One that is valid from the first day of one year to that of another.
    pub(crate) fn sign_between(&self, names: &[&str], from: i32, until: i32) -> Certificate {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        Certificate { certificate: params.signed_by(&key, &self.0).unwrap(), key }
    }

    /// One that expired on the first day of `year`.
    pub(crate) fn sign_until(&self, names: &[&str], year: i32) -> Certificate {
        self.sign_between(names, 1990, year)
    }
}

impl Certificate {
    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// As `openssl x509 -fingerprint -sha256` shows it.
    pub(crate) fn fingerprint(&self) -> String {
        let hash = ring::digest::digest(&ring::digest::SHA256, self.certificate.der());
        let bytes: Vec<String> = hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        format!("sha256:{}", bytes.join(":"))
    }

    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

/// The address that every fake listens on.
pub(crate) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
