//! The port on which other replicas ask for this one's share.

use std::convert::Infallible;
use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use model::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use cluster::replicas::Membership;

use crate::exchange::Taker;
use crate::ledger::Ledger;
use crate::{PeerTls, Token, telemetry};

/// The path of a share.
pub(crate) const PATH: &str = "/replicas/v1/share";
/// The path of what was scraped.
const SAMPLES_PATH: &str = "/replicas/v1/samples";
/// The header with the asking replica's name.
pub(crate) const REPLICA: &str = "taffrail-replica";
/// The header with a request's or an answer's code.
pub(crate) const CODE: &str = "taffrail-code";
/// Connections open at once; more are closed.
const MOST_CONNECTIONS: usize = 2 * cluster::replicas::MAX_MEMBERS;
/// How long an asking replica is kept waiting for a share that is being made.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the files of TLS are looked at.
const RENEWAL: Duration = Duration::from_mins(1);
/// How long a whole answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// A share on offer, and the end of its tick's window.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) end: Timestamp,
    pub(crate) bytes: Bytes,
}

/// The port with what it offers.
#[derive(Debug)]
pub struct Peers {
    listener: TcpListener,
    token: Token,
    /// `None`: in clear.
    tls: Option<Arc<PeerTls>>,
    offers: watch::Sender<Option<Offer>>,
    ledger: Arc<Ledger>,
}

impl Peers {
    /// Binds the port; nothing is answered before [`Peers::serve`].
    pub async fn bind(address: SocketAddr, token: Token) -> std::io::Result<Self> {
        Ok(Self::on(TcpListener::bind(address).await?, token))
    }

    /// The same on a socket that listens already.
    pub fn on(listener: TcpListener, token: Token) -> Self {
        // A restarted replica's first entries must not be taken for known ones.
        let ledger = Arc::new(Ledger::new(RandomState::new().hash_one(0) | 1));
        Self { listener, token, tls: None, offers: watch::Sender::new(None), ledger }
    }

    /// The same behind TLS, which others are asked by too.
    #[must_use]
    pub fn with_tls(self, tls: Option<Arc<PeerTls>>) -> Self {
        Self { tls, ..self }
    }

    /// The address that it is bound to.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub(crate) fn offers(&self) -> watch::Sender<Option<Offer>> {
        self.offers.clone()
    }

    /// Where scraped samples are offered to the others.
    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.ledger)
    }

    /// Takes what the others scraped, until dropped.
    pub fn exchange(
        &self,
        membership: Membership,
        taker: Taker,
    ) -> impl Future<Output = ()> + use<> {
        crate::exchange::run(membership, (self.token(), self.tls()), taker)
    }

    pub(crate) fn token(&self) -> Token {
        self.token.clone()
    }

    pub(crate) fn tls(&self) -> Option<Arc<PeerTls>> {
        self.tls.clone()
    }

    /// Answers until dropped.
    pub async fn serve(self) {
        let door = Arc::new(Door {
            token: self.token,
            tls: self.tls,
            offers: self.offers,
            ledger: self.ledger,
        });
        let mut renewals = interval(RENEWAL);
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
                _ = renewals.tick() => {
                    if let Some(tls) = &door.tls {
                        tls.renew();
                    }
                    continue;
                }
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a peer's connection was not accepted");
                    // Out of file descriptors, most likely: let some connections end.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                metrics::counter!(telemetry::CONNECTIONS_DROPPED).increment(1);
                continue;
            };
            let door = Arc::clone(&door);
            connections.spawn(async move {
                match &door.tls {
                    None => Arc::clone(&door).connection(stream).await,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => Arc::clone(&door).connection(stream).await,
                        Err(reason) => {
                            metrics::counter!(telemetry::REQUESTS_REFUSED).increment(1);
                            tracing::debug!(reason, "a peer's handshake failed");
                        }
                    },
                }
                drop(place);
            });
        }
    }
}

struct Door {
    token: Token,
    tls: Option<Arc<PeerTls>>,
    offers: watch::Sender<Option<Offer>>,
    ledger: Arc<Ledger>,
}

impl Door {
    async fn connection<S>(self: Arc<Self>, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let answer = |request: Request<Incoming>| {
            let door = Arc::clone(&self);
            async move {
                let (head, _) = request.into_parts();
                Ok::<_, Infallible>(door.answer(&head.method, &head.uri, &head.headers).await)
            }
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service_fn(answer));
        if let Ok(Err(error)) = timeout(ANSWER_TIMEOUT, connection).await {
            tracing::debug!(%error, "a peer's connection ended");
        }
    }

    async fn answer(
        &self,
        method: &Method,
        uri: &http::Uri,
        headers: &HeaderMap,
    ) -> Response<Full<Bytes>> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (from, code) = (header(REPLICA).unwrap_or_default(), header(CODE).unwrap_or_default());
        let target = uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
        if !self.token.same(code, &self.token.of_request(from, target)) {
            metrics::counter!(telemetry::REQUESTS_REFUSED).increment(1);
            return empty(StatusCode::UNAUTHORIZED);
        }
        if !matches!(uri.path(), PATH | SAMPLES_PATH) {
            return empty(StatusCode::NOT_FOUND);
        }
        if method != Method::GET {
            return empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        if uri.path() == SAMPLES_PATH {
            let Some((epoch, after)) = known(uri.query().unwrap_or_default()) else {
                return empty(StatusCode::BAD_REQUEST);
            };
            return self.signed(code, self.ledger.answer(epoch, after));
        }
        let Some(wanted) = Wanted::read(uri.query().unwrap_or_default()) else {
            return empty(StatusCode::BAD_REQUEST);
        };
        let Some(offer) = self.offer(&wanted).await else { return empty(StatusCode::NO_CONTENT) };
        self.signed(code, offer.bytes)
    }

    /// An answer that proves to whom it is and by whom.
    fn signed(&self, code: &str, bytes: Bytes) -> Response<Full<Bytes>> {
        let code = self.token.of_answer(code, &bytes);
        let mut response = Response::new(Full::new(bytes));
        if let Ok(code) = code.parse() {
            response.headers_mut().insert(CODE, code);
        }
        response
    }

    /// The share of the wanted tick as soon as it is there; else, when the time to wait is over,
    /// the newest one that the other does not have.
    async fn offer(&self, wanted: &Wanted) -> Option<Offer> {
        let mut offers = self.offers.subscribe();
        let there = |offer: &Option<Offer>| {
            offer.as_ref().is_some_and(|offer| offer.end.nanos() >= wanted.end)
        };
        if timeout(wanted.wait, offers.wait_for(there)).await.is_err() {
            tracing::debug!("a peer waited for a share that was not there in time");
        }
        self.offers.borrow().clone().filter(|offer| offer.end.nanos() > wanted.after)
    }
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// Path and query that ask for what was scraped after entry `.1` of epoch `.0`.
pub(crate) fn samples_target((epoch, after): (u64, u64)) -> String {
    format!("{SAMPLES_PATH}?epoch={epoch}&after={after}")
}

fn known(query: &str) -> Option<(u64, u64)> {
    let (epoch, after) = query.strip_prefix("epoch=")?.split_once("&after=")?;
    Some((epoch.parse().ok()?, after.parse().ok()?))
}

/// What a replica asks for; times in nanoseconds since the epoch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The end of the tick's window.
    pub(crate) end: i64,
    /// The end of the share that it has already.
    pub(crate) after: i64,
    /// How long it is willing to wait.
    pub(crate) wait: Duration,
}

impl Wanted {
    /// Path and query.
    pub(crate) fn target(&self) -> String {
        let Self { end, after, wait } = self;
        format!("{PATH}?end={end}&after={after}&wait={}", wait.as_millis())
    }

    fn read(query: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let wait = Duration::from_millis(field("wait")?.parse().ok()?).min(LONGEST_WAIT);
        Some(Self { end: field("end")?.parse().ok()?, after: field("after")?.parse().ok()?, wait })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_understood() {
        let wanted = Wanted { end: -7, after: 0, wait: Duration::from_millis(1500) };
        let target = wanted.target();
        assert_eq!(Wanted::read(target.split_once('?').unwrap().1), Some(wanted));
        assert_eq!(Wanted::read("end=1&after=2"), None);
    }
}
