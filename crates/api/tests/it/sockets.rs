//! The server over real sockets: long paths, keep-alive, pipelining, refusals, shutdown.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use api::{ApiState, Listener};
use model::{Batch, Draft, EntityKind, Inventory, Registry, metric};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::fixture::{recorded, state, time};

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(
        state: Arc<ApiState>,
        listen: impl FnOnce(TcpListener) -> Listener,
    ) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = listen(socket);
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move { stopped.await.unwrap_or(()) };
        let task = tokio::spawn(api::serve(vec![listener], state, shutdown));
        Self { address, stop, task }
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

/// Reads one answer: status, head and body. Bodies here have a length.
pub(crate) async fn answer(stream: &mut (impl AsyncReadExt + Unpin)) -> (u16, String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head.split("content-length: ").nth(1).expect(&head);
    let mut body = vec![0; length.split("\r\n").next().unwrap().parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    (status, head, body)
}

pub(crate) const NAMES: usize = 5_000;

/// Five thousand names of two hundred characters.
pub(crate) fn names() -> Vec<String> {
    (0..NAMES).map(|number| format!("{number:0>200}")).collect()
}

fn long_request(names: &[String]) -> String {
    format!(
        "GET /api/v1/model/namespaces/ns/pod-list/{}/metrics/cpu/usage_rate HTTP/1.1\r\nhost: x\r\n\
         accept: application/json, */*\r\n\r\n",
        names.join(",")
    )
}

pub(crate) fn batch(names: &[String]) -> Arc<Batch> {
    let mut draft = Draft::new(time("2026-11-23T09:18:00Z"), Registry::default());
    for (value, name) in (0..).zip(names) {
        let pod = draft.registry.pod("ns", name, "");
        let row = draft.insert(&pod).row;
        draft.table_mut(EntityKind::Pod).set_int(row, metric::CPU_USAGE_RATE, value);
    }
    draft.freeze().0
}

/// What the answer to [`long_request`] must be.
fn long_answer() -> String {
    let mut expected = "{\"items\":[".to_owned();
    for value in 0..NAMES {
        let comma = if value == 0 { "" } else { "," };
        write!(
            expected,
            "{comma}{{\"metrics\":[{{\"timestamp\":\"2026-11-23T09:18:00Z\",\"value\":{value}}}],\
             \"latestTimestamp\":\"2026-11-23T09:18:00Z\"}}"
        )
        .unwrap();
    }
    expected + "]}\n"
}

const SHORT: &str = "GET /api/v1/model/namespaces/ HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn a_megabyte_of_names_is_answered_on_any_connection() {
    let names = names();
    let request = long_request(&names);
    assert!(request.len() > 1_000_000 && request.len() < 1 << 20);
    let server =
        Server::start(state(&[batch(&names)], Inventory::default()), Listener::plain).await;
    let expected = long_answer();
    // A fresh connection each, then one connection for a mix with bodies in between.
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let (status, _, body) = answer(&mut stream).await;
        assert!(status == 200 && body == expected.as_bytes());
    }
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let query = r#"{"start":0,"end":1,"points":1,"series":[]}"#;
    let post = format!(
        "POST /api/taffrail/v1/query HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{query}",
        query.len()
    );
    for _ in 0..2 {
        stream.write_all(SHORT.as_bytes()).await.unwrap();
        assert_eq!(answer(&mut stream).await.0, 200);
        stream.write_all(request.as_bytes()).await.unwrap();
        let (status, _, body) = answer(&mut stream).await;
        assert!(status == 200 && body == expected.as_bytes());
        stream.write_all(post.as_bytes()).await.unwrap();
        let (status, _, body) = answer(&mut stream).await;
        let body = String::from_utf8(body).unwrap();
        assert_eq!((status, &*body), (200, r#"{"timestamps":[],"stepMs":0,"series":[]}"#));
    }
    // Pipelined: all are sent before the first answer is read.
    let all = [SHORT, &request, &post, SHORT].concat();
    stream.write_all(all.as_bytes()).await.unwrap();
    for length in [b"[]".len(), expected.len()] {
        let (status, _, body) = answer(&mut stream).await;
        assert_eq!((status, body.len().max(2)), (200, length));
    }
    for _ in 0..2 {
        assert_eq!(answer(&mut stream).await.0, 200);
    }
    drop(stream);
    server.stop().await;
}

#[tokio::test]
async fn heads_beyond_the_limits_are_refused_and_the_connection_closed() {
    let server = Server::start(state(&recorded(), Inventory::default()), Listener::plain).await;
    let long = "x".repeat(70_000);
    let endless = "x".repeat((1 << 20) + 100);
    let model = "/api/v1/model/nodes/";
    for (request, status, text) in [
        (format!("GET {model}{endless}/metrics HTTP/1.1\r\n\r\n"), 414, "URI too long\n"),
        (format!("GET {model}{endless}"), 414, "URI too long\n"),
        (format!("GET /assets/{long} HTTP/1.1\r\n\r\n"), 414, "URI too long\n"),
        (format!("POST {model}{long} HTTP/1.1\r\n\r\n"), 414, "URI too long\n"),
        (format!("GET / HTTP/1.1\r\nx: {long}"), 431, "request header fields too large\n"),
        (
            format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101)),
            431,
            "request header fields too large\n",
        ),
        (
            "GET / HTTP/1.1\r\nX-Taffrail-Request-Target: /api/v1/model/nodes\r\n\r\n".to_owned(),
            400,
            "bad request\n",
        ),
        (
            "GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_owned(),
            400,
            "bad request\n",
        ),
        ("nonsense\r\n\r\n".to_owned(), 400, "bad request\n"),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let (found, head, body) = answer(&mut stream).await;
        let body = String::from_utf8(body).unwrap();
        assert_eq!((found, &*body), (status, text));
        if !request.starts_with("GET /assets") {
            assert!(head.contains("connection: close"), "{head}");
            assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 0);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_chunked_body_is_read_and_nothing_is_smuggled_behind_it() {
    let server = Server::start(state(&recorded(), Inventory::default()), Listener::plain).await;
    let query = r#"{"start":0,"end":1,"points":1,"series":[]}"#;
    let request = format!(
        "POST /api/taffrail/v1/query HTTP/1.1\r\nhost: x\r\nconnection: keep-alive\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{query}\r\n0\r\n\r\n\
         GET / HTTP/1.1\r\nx-taffrail-request-target: /api/v1/model/nodes\r\n\r\n",
        query.len()
    );
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let (status, head, _) = answer(&mut stream).await;
    assert_eq!(status, 200);
    assert!(head.contains("connection: close"), "{head}");
    let mut rest = Vec::new();
    // A reset is as good an end as any: nothing was answered.
    drop(stream.read_to_end(&mut rest).await);
    assert!(rest.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let server = Server::start(state(&recorded(), Inventory::default()), Listener::plain).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /api/taffrail/v1/stream HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    server.stop().await;
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "0\r\n\r\n");
}
