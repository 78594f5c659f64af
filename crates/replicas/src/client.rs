//! Asks another replica for its share.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cluster::replicas::Member;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::rt::TokioIo;
use model::Hop;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::server::{CODE, REPLICA};
use crate::{PeerTls, Token};

/// The largest share that is taken: some 5,000 nodes with 50 pods each.
const MAX_SHARE_BYTES: usize = 256 << 20;
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Why there is no share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) hop: Hop,
    pub(crate) reason: String,
    pub(crate) advice: &'static str,
}

fn missing(hop: Hop, reason: impl std::fmt::Display, advice: &'static str) -> Missing {
    Missing { hop, reason: reason.to_string(), advice }
}

/// By what this replica is known to others.
#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) name: Arc<str>,
    pub(crate) token: Token,
    pub(crate) tls: Option<Arc<PeerTls>>,
}

/// The bytes at `target` (a path with its query), known to be the other replica's answer to this
/// very request.
pub(crate) async fn ask(
    member: &Member,
    own: &Own,
    target: &str,
    deadline: Instant,
) -> Result<Bytes, Missing> {
    match timeout_at(deadline, connected(member, own, target)).await {
        Ok(answer) => answer,
        Err(_) => Err(missing(
            Hop::Timeout,
            "no answer before the tick's deadline",
            "look at that replica's load, log and network",
        )),
    }
}

const GONE: &str = "look whether that replica's pod runs; the others take over its nodes when its \
                    lease has expired";

async fn connected(member: &Member, own: &Own, target: &str) -> Result<Bytes, Missing> {
    let connect = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(&*member.address));
    let stream = match connect.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(missing(Hop::Connect, error, GONE)),
        Err(_) => return Err(missing(Hop::Connect, "the connection is not made", GONE)),
    };
    let Some(tls) = &own.tls else { return exchange(stream, member, own, target).await };
    let advice = "give every replica --peer-cert-file, --peer-key-file and --peer-ca-file of one \
                  authority, for the name of --peer-tls-name";
    let stream = tls.connect(stream).await.map_err(|error| missing(Hop::Tls, error, advice))?;
    exchange(stream, member, own, target).await
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    member: &Member,
    own: &Own,
    target: &str,
) -> Result<Bytes, Missing> {
    let (me, token) = (&*own.name, &own.token);
    let broken = |error: hyper::Error| missing(Hop::Http, error, GONE);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let asked = token.of_request(me, target);
    let request = Request::get(target)
        .header(http::header::HOST, &*member.address)
        .header(REPLICA, me)
        .header(CODE, &asked)
        .body(Full::<Bytes>::default())
        .map_err(|error| missing(Hop::Address, error, "correct --peer-name and --peer-address"))?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        read(response, token, &asked).await
    };
    // The connection's own end says nothing that the answer does not.
    let driven = async {
        drop(connection.await);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = answered => answer,
        () = driven => Err(missing(Hop::Http, "the connection ended", GONE)),
    }
}

async fn read(
    response: http::Response<hyper::body::Incoming>,
    token: &Token,
    asked: &str,
) -> Result<Bytes, Missing> {
    let same_token = "give every replica the same --peer-token-file";
    match response.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED => {
            return Err(missing(Hop::Authentication, "it does not know our token", same_token));
        }
        StatusCode::NO_CONTENT => {
            return Err(missing(
                Hop::Timeout,
                "it has no share of this tick",
                "compare the clocks and --metric-resolution of the replicas",
            ));
        }
        status => {
            let advice = "look what answers there: all replicas must run the same version";
            return Err(missing(Hop::Http, format!("it answers {status}"), advice));
        }
    }
    let code = response.headers().get(CODE).and_then(|code| code.to_str().ok()).map(str::to_owned);
    let body = Limited::new(response.into_body(), MAX_SHARE_BYTES).collect().await;
    let body = body.map_err(|error| {
        let advice = "more replicas make shares smaller";
        match error.downcast_ref::<LengthLimitError>() {
            Some(_) => missing(Hop::Body, "its share is too large", advice),
            None => missing(Hop::Body, error, "look at that replica's log and the network"),
        }
    })?;
    let body = body.to_bytes();
    if !token.same(&code.unwrap_or_default(), &token.of_answer(asked, &body)) {
        return Err(missing(
            Hop::Authentication,
            "its answer is not signed by our token",
            same_token,
        ));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Peers;
    use crate::server::{Offer, Wanted};
    use model::Timestamp;

    const WANTED: Wanted = Wanted { end: 60, after: 0, wait: Duration::ZERO };

    async fn port(secret: &[u8]) -> (Peers, Member) {
        let token = Token::new(secret).unwrap();
        let peers = Peers::bind("127.0.0.1:0".parse().unwrap(), token).await.unwrap();
        let address = peers.local_addr().unwrap().to_string();
        (peers, Member { name: "t-1".into(), address: address.as_str().into() })
    }

    async fn asked(member: &Member, token: &Token, wanted: &Wanted) -> Result<Bytes, Missing> {
        let own = Own { name: "t-0".into(), token: token.clone(), tls: None };
        ask(member, &own, &wanted.target(), Instant::now() + Duration::from_secs(20)).await
    }

    #[tokio::test]
    async fn a_share_comes_to_who_has_the_token() {
        let (peers, member) = port(b"sixteen bytes ok").await;
        let (token, offers) = (peers.token(), peers.offers());
        let serving = tokio::spawn(peers.serve());
        let early = asked(&member, &token, &WANTED).await.unwrap_err();
        assert_eq!((early.hop, &*early.reason), (Hop::Timeout, "it has no share of this tick"));
        // One that waits gets it when it is there.
        let waits = Wanted { wait: Duration::from_secs(10), ..WANTED };
        let offer = Offer { end: Timestamp::from_nanos(60), bytes: Bytes::from_static(b"share") };
        let (got, ()) = tokio::join!(asked(&member, &token, &waits), async {
            offers.send_replace(Some(offer));
        });
        assert_eq!(got.unwrap(), Bytes::from_static(b"share"));
        let again = asked(&member, &token, &Wanted { after: 60, ..WANTED }).await;
        assert_eq!(again.unwrap_err().hop, Hop::Timeout);
        let stranger = Token::new(b"sixteen bytes no").unwrap();
        let refused = asked(&member, &stranger, &WANTED).await.unwrap_err();
        assert_eq!(refused.hop, Hop::Authentication);
        assert_eq!(refused.advice, "give every replica the same --peer-token-file");
        serving.abort();
    }

    #[tokio::test]
    async fn an_answer_by_somebody_else_is_not_taken() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let member = Member { name: "t-1".into(), address: address.as_str().into() };
        let forger = tokio::spawn(async move {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            let read = stream.read(&mut head).await.unwrap();
            // What the asking side itself sent is of no use to who has not the token.
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let code = head.lines().find_map(|line| line.strip_prefix("taffrail-code: ")).unwrap();
            let answer =
                format!("HTTP/1.1 200 OK\r\n{CODE}: {code}\r\ncontent-length: 2\r\n\r\nhi");
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream
        });
        let token = Token::new(b"sixteen bytes ok").unwrap();
        let got = asked(&member, &token, &WANTED).await.unwrap_err();
        assert_eq!(
            (got.hop, &*got.reason),
            (Hop::Authentication, "its answer is not signed by our token")
        );
        drop(forger.await);
        // The listener is gone with its task.
        let got = asked(&member, &token, &WANTED).await.unwrap_err();
        assert_eq!(got.hop, Hop::Connect);
    }
}
