//! Events against a fake API server: pages, a watch, a forgotten position, a restart.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use cluster::{Connection, Defaults, EventBatch, Position, SourceOptions, Watches};
use futures_util::StreamExt;
use http::Response;
use http_body_util::StreamBody;
use hyper::body::Frame;
use pipeline::Clock;
use tokio::sync::mpsc::Receiver;

use crate::server::{Body, Seen, Server, answer};

fn event(name: &str, version: u32, count: u32) -> String {
    format!(
        r#"{{"metadata":{{"namespace":"ns","name":"{name}","uid":"{name}","resourceVersion":"{version}"}},
            "involvedObject":{{"kind":"Pod","namespace":"ns","name":"p"}},"reason":"R","message":"m",
            "lastTimestamp":"2026-01-02T03:04:05Z","count":{count}}}"#
    )
    .replace('\n', "")
}

fn list(items: &[String], cont: &str, version: u32) -> Response<Body> {
    let items = items.join(",");
    answer(
        200,
        format!(
            r#"{{"kind":"EventList","apiVersion":"v1","metadata":{{"resourceVersion":"{version}","continue":"{cont}"}},"items":[{items}]}}"#
        ),
    )
}

/// Changes, and then silence or the end.
fn changes(lines: &[(&str, String)], ends: bool) -> Response<Body> {
    let line = |(kind, object): &(&str, String)| {
        Ok(Frame::data(Bytes::from(format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n"))))
    };
    let frames: Vec<_> = lines.iter().map(line).collect();
    let begin = futures_util::stream::iter(frames);
    let silence = futures_util::stream::pending();
    Response::new(StreamBody::new(if ends { begin.boxed() } else { begin.chain(silence).boxed() }))
}

const GONE: &str =
    r#"{"kind":"Status","status":"Failure","code":410,"reason":"Expired","message":"too old"}"#;

/// Two pages with a and b; c comes and a happens again; the position is forgotten; a list whose
/// only news is d; then silence.
fn api(seen: &Seen, lists: &AtomicUsize) -> Response<Body> {
    match &*seen.path {
        "/api/v1/namespaces/kube-system" => answer(200, r#"{"metadata":{"uid":"cluster-1"}}"#),
        "/apis/events.k8s.io/v1/events" => answer(404, "404 page not found"),
        "/api/v1/events" if seen.query.contains("watch=true") => {
            if seen.query.contains("resourceVersion=10") {
                let changed = [
                    ("ADDED", event("c", 11, 1)),
                    ("MODIFIED", event("a", 12, 2)),
                    ("DELETED", event("b", 13, 1)),
                    ("ERROR", GONE.to_owned()),
                ];
                return changes(&changed, true);
            }
            changes(&[], false)
        }
        "/api/v1/events" => match lists.fetch_add(1, Ordering::SeqCst) {
            0 => list(&[event("a", 3, 1)], "more", 10),
            1 => list(&[event("b", 4, 1)], "", 10),
            _ => list(&[event("a", 12, 2), event("c", 11, 1), event("d", 20, 1)], "", 25),
        },
        _ => answer(404, "{}"),
    }
}

async fn follow(server: &Server, position: Option<Position>) -> (Watches, Receiver<EventBatch>) {
    let source = format!("kubernetes:http://{}?inClusterConfig=false", server.address);
    let options = SourceOptions::parse(&source, &|_| None, Defaults::heapster()).unwrap();
    let connection = Connection::resolve(&options, &|_| None).await.unwrap();
    let mut watches = Watches::none(Clock::system());
    let batches = watches.follow_events(&connection, position, false);
    (watches, batches)
}

/// What batches held (`+` marks the past) up to the position `end`.
async fn until(batches: &mut Receiver<EventBatch>, end: &str) -> (Vec<String>, Position) {
    let mut held = Vec::new();
    loop {
        let batch = batches.recv().await.unwrap();
        let mark = if batch.past { "+" } else { "" };
        held.extend(
            batch.events.iter().map(|event| format!("{mark}{}x{}", event.uid, event.count)),
        );
        if let Some(position) = batch.position.filter(|position| position.version == end) {
            return (held, position);
        }
    }
}

#[tokio::test]
async fn each_event_comes_once_over_pages_gaps_and_restarts() {
    let lists = AtomicUsize::new(0);
    let server = Server::http(move |seen| api(seen, &lists)).await;
    let (watches, mut batches) = follow(&server, None).await;
    let (first, _) = until(&mut batches, "10").await;
    assert_eq!(first, ["+ax1", "+bx1"]);
    let (then, position) = until(&mut batches, "25").await;
    assert_eq!(then, ["cx1", "ax2", "dx1"]);
    assert_eq!(position.cluster, "cluster-1");
    drop((watches, batches));
    // A restart that kept an older position: only what it does not cover.
    let older = Position { version: "11".to_owned(), ..position.clone() };
    let gone = Server::http(move |seen| match &*seen.path {
        "/api/v1/events" if seen.query.contains("resourceVersion=11") => answer(410, GONE),
        _ => api(seen, &AtomicUsize::new(2)),
    })
    .await;
    let (_watches, mut batches) = follow(&gone, Some(older)).await;
    assert_eq!(until(&mut batches, "25").await.0, ["ax2", "dx1"]);
    // Another cluster's position is none.
    let other = Position { cluster: "cluster-2".to_owned(), ..position };
    let (_watches, mut batches) = follow(&gone, Some(other)).await;
    assert_eq!(until(&mut batches, "25").await.0, ["+ax2", "+cx1", "+dx1"]);
}
