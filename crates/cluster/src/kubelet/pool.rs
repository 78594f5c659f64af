//! Connections to kubelets, kept between requests as sockets alone; knows no kubelet and no metric.
//!
//! A client of a library keeps a task and some 25 KiB of buffers for each, of which a cluster of
//! thousands of nodes has thousands (docs/decisions/0235).

use std::collections::HashMap;
use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Request, Response, Uri, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::rt::{Read, ReadBuf};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower::ServiceExt;

use super::{Answer, Refusal};

/// How long a TCP connection to a kubelet may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an idle connection is kept: longer than two ticks of the default resolution.
const IDLE_TIMEOUT: Duration = Duration::from_secs(150);
/// How often connections are looked for that were idle too long.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// Read buffer of a connection while it is used; no head may be longer.
const READ_BUFFER_BYTES: usize = 8 << 10;

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;
pub(super) type Broken = Box<dyn Error + Send + Sync>;

/// Connections by whom they lead to, at most one idle each.
pub(super) struct Pool {
    connector: HttpsConnector<HttpConnector>,
    idle: Mutex<Idle>,
}

struct Idle {
    streams: HashMap<Authority, (Instant, Stream)>,
    swept: Instant,
}

impl Pool {
    pub(super) fn new(tls: &Arc<ClientConfig>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnector::from((tcp, Arc::clone(tls)));
        let idle = Idle { streams: HashMap::new(), swept: Instant::now() };
        Self { connector, idle: Mutex::new(idle) }
    }

    /// Sends `request`, which only reads, and lets `read` read what is answered. An idle connection
    /// that broke meanwhile is replaced.
    pub(super) async fn exchange<R>(
        &self,
        request: Request<Bytes>,
        read: impl Fn(Response<Incoming>) -> R,
    ) -> Result<Result<Answer, Refusal>, Broken>
    where
        R: Future<Output = Result<Answer, Refusal>>,
    {
        let uri = request.uri().clone();
        let (whom, request) = addressed(request)?;
        if let Some(stream) = self.take(&whom, Instant::now())
            && let Ok(answer) = self.over(stream, (&whom, request.clone()), &read).await
        {
            return Ok(answer);
        }
        let stream = self.connector.clone().oneshot(uri).await?;
        self.over(stream, (&whom, request), &read).await
    }

    async fn over<R>(
        &self,
        stream: Stream,
        (whom, request): (&Authority, Request<Full<Bytes>>),
        read: &impl Fn(Response<Incoming>) -> R,
    ) -> Result<Result<Answer, Refusal>, Broken>
    where
        R: Future<Output = Result<Answer, Refusal>>,
    {
        let mut builder = http1::Builder::new();
        builder.read_buf_exact_size(Some(READ_BUFFER_BYTES));
        let (mut sender, connection) = builder.handshake(stream).await?;
        let exchange = async move {
            let response = sender.send_request(request).await?;
            let stays = stays_open(response.version(), response.headers());
            let answer = read(response).await;
            // The last sender: the connection ends and hands its socket back.
            drop(sender);
            Ok::<_, hyper::Error>((stays && is_whole(&answer), answer))
        };
        let (exchanged, ended) = tokio::join!(exchange, connection.without_shutdown());
        let (reusable, answer) = exchanged?;
        if reusable
            && let Ok(mut parts) = ended
            && parts.read_buf.is_empty()
            // Asked so, the socket forgets whom it was to wake: else it holds that task's memory for
            // as long as it is idle.
            && is_silent(&mut parts.io)
        {
            self.keep(whom.clone(), parts.io, Instant::now());
        }
        Ok(answer)
    }

    /// The idle connection to `whom`, if it is not too old and did not end.
    fn take(&self, whom: &Authority, now: Instant) -> Option<Stream> {
        let (since, mut stream) = self.idle().streams.remove(whom)?;
        let fresh = now.duration_since(since) < IDLE_TIMEOUT;
        (fresh && is_silent(&mut stream)).then_some(stream)
    }

    fn keep(&self, whom: Authority, stream: Stream, now: Instant) {
        let mut idle = self.idle();
        idle.streams.insert(whom, (now, stream));
        if now.duration_since(idle.swept) > SWEEP_EVERY {
            idle.swept = now;
            idle.streams.retain(|_, (since, _)| now.duration_since(*since) < IDLE_TIMEOUT);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom a request is for, and the request as it is sent to them: a path, and a host as a header.
fn addressed(request: Request<Bytes>) -> Result<(Authority, Request<Full<Bytes>>), Broken> {
    let mut request = request.map(Full::new);
    let whom = request.uri().authority().cloned().ok_or("the URL names no host")?;
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    request.headers_mut().insert(HOST, HeaderValue::from_str(whom.as_str())?);
    Ok((whom, request))
}

/// Whether who answered so will take another request (RFC 9112, section 9.3).
fn stays_open(version: Version, headers: &HeaderMap) -> bool {
    let options = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let mut options = options.flat_map(|value| value.split(','));
    version == Version::HTTP_11 && !options.any(|one| one.trim().eq_ignore_ascii_case("close"))
}

/// Whether all of it was read: a status is told of those only.
fn is_whole(answer: &Result<Answer, Refusal>) -> bool {
    answer.as_ref().map_or_else(|refusal| refusal.status.is_some(), |_| true)
}

/// Whether an idle connection has nothing to read, neither an end nor what nobody asked for.
fn is_silent(stream: &mut Stream) -> bool {
    let mut byte = [0];
    let mut buffer = ReadBuf::new(&mut byte);
    let mut context = Context::from_waker(Waker::noop());
    matches!(Pin::new(stream).poll_read(&mut context, buffer.unfilled()), Poll::Pending)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use model::Hop;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::failure::Failure;

    const WHOLE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    /// A server that writes `answer` to each request, as often as `times` on one connection.
    struct Raw {
        uri: Uri,
        connections: Arc<AtomicUsize>,
    }

    impl Raw {
        async fn start(answer: &'static str, times: usize) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let uri = format!("http://{}/x", listener.local_addr().unwrap()).parse().unwrap();
            let connections = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&connections);
            tokio::spawn(async move {
                while let Ok((mut socket, _)) = listener.accept().await {
                    counted.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(async move {
                        for _ in 0..times {
                            let mut head = Vec::new();
                            while !head.ends_with(b"\r\n\r\n") {
                                match socket.read_u8().await {
                                    Ok(byte) => head.push(byte),
                                    Err(_) => return,
                                }
                            }
                            socket.write_all(answer.as_bytes()).await.unwrap();
                        }
                    });
                }
            });
            Self { uri, connections }
        }

        async fn ask(&self, pool: &Pool) -> Result<Answer, Refusal> {
            let request = Request::get(self.uri.clone()).body(Bytes::new()).unwrap();
            let read = |response: Response<Incoming>| async move {
                use http_body_util::BodyExt as _;
                if response.headers()["content-length"] == "9999" {
                    let reason = "too long".to_owned();
                    return Err(Failure { hop: Hop::Body, reason, advice: String::new() }.into());
                }
                let body = response.into_body().collect().await.unwrap().to_bytes();
                Ok(Answer { body, date: None })
            };
            pool.exchange(request, read).await.unwrap()
        }

        async fn connections_for(&self, asked: usize) -> usize {
            let pool = pool();
            for _ in 0..asked {
                // What was refused is refused for its length alone.
                drop(self.ask(&pool).await);
            }
            self.connections.load(Ordering::SeqCst)
        }
    }

    fn pool() -> Pool {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        Pool::new(&Arc::new(tls))
    }

    #[tokio::test]
    async fn a_connection_is_used_again_and_one_that_ended_is_replaced() {
        assert_eq!(Raw::start(WHOLE, 9).await.connections_for(3).await, 1);
        let closing = Raw::start(WHOLE, 1).await;
        let pool = pool();
        for _ in 0..3 {
            assert_eq!(&*closing.ask(&pool).await.unwrap().body, b"ok");
        }
        assert_eq!(closing.connections.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn what_closes_is_not_kept_and_neither_is_what_was_not_read() {
        let closing = "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok";
        assert_eq!(Raw::start(closing, 9).await.connections_for(2).await, 2);
        let old = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";
        assert_eq!(Raw::start(old, 9).await.connections_for(2).await, 2);
        let long = "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nbegins";
        assert_eq!(Raw::start(long, 9).await.connections_for(2).await, 2);
        let more = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 408 Late\r\n\r\n";
        assert_eq!(Raw::start(more, 9).await.connections_for(2).await, 2);
    }

    #[tokio::test]
    async fn an_idle_connection_holds_nothing_of_who_used_it() {
        struct Signal(tokio::sync::Notify);
        impl std::task::Wake for Signal {
            fn wake(self: Arc<Self>) {
                self.0.notify_one();
            }
        }
        let (server, pool) = (Raw::start(WHOLE, 9).await, pool());
        let signal = Arc::new(Signal(tokio::sync::Notify::new()));
        {
            let waker = Arc::clone(&signal).into();
            let mut asking = Box::pin(server.ask(&pool));
            while asking.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                signal.0.notified().await;
            }
        }
        assert_eq!(pool.idle().streams.len(), 1);
        assert_eq!(Arc::strong_count(&signal), 1);
    }

    #[tokio::test]
    async fn an_idle_connection_is_given_up_after_a_while() {
        let server = Raw::start(WHOLE, 9).await;
        let pool = pool();
        let whom = server.uri.authority().unwrap();
        for (late, kept) in [(Duration::ZERO, true), (IDLE_TIMEOUT, false)] {
            assert!(server.ask(&pool).await.is_ok());
            assert_eq!(pool.take(whom, Instant::now() + late).is_some(), kept);
        }
    }
}
