//! Watches against a fake API server: lists in pages, events, refusals, and a relist.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use cluster::{Cluster, Connection, Defaults, SourceOptions};
use futures_util::StreamExt;
use http::Response;
use http_body_util::StreamBody;
use hyper::body::Frame;
use model::Hop;
use pipeline::Clock;

use crate::server::{Body, Seen, Server, answer};

fn pod(name: &str, version: u32) -> String {
    format!(
        r#"{{"metadata":{{"namespace":"ns","name":"{name}","resourceVersion":"{version}"}},"spec":{{}},"status":{{}}}}"#
    )
}

fn list(items: &str, cont: &str, version: u32) -> Response<Body> {
    answer(
        200,
        format!(
            r#"{{"kind":"List","apiVersion":"v1","metadata":{{"resourceVersion":"{version}","continue":"{cont}"}},"items":[{items}]}}"#
        ),
    )
}

/// Events, and then silence or the end.
fn events(lines: &[String], ends: bool) -> Response<Body> {
    let frames: Vec<_> =
        lines.iter().map(|line| Ok(Frame::data(Bytes::from(format!("{line}\n"))))).collect();
    let silence = futures_util::stream::pending();
    let begin = futures_util::stream::iter(frames);
    Response::new(StreamBody::new(if ends { begin.boxed() } else { begin.chain(silence).boxed() }))
}

fn event(kind: &str, object: &str) -> String {
    format!(r#"{{"type":"{kind}","object":{object}}}"#)
}

/// What an API server says whose feature gate `WatchList` is off.
pub(crate) fn no_streams() -> Response<Body> {
    answer(
        422,
        r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"sendInitialEvents: Forbidden","reason":"Invalid","code":422}"#,
    )
}

/// First a list of a, b in two pages, then c comes, a goes and the watch is too old; then a
/// list of c, d.
fn pods(seen: &Seen, lists: &AtomicUsize) -> Response<Body> {
    if seen.query.contains("watch=true") {
        return match lists.load(Ordering::SeqCst) {
            2 => events(
                &[
                    event("ADDED", &pod("c", 11)),
                    event("DELETED", &pod("a", 12)),
                    event(
                        "ERROR",
                        r#"{"kind":"Status","status":"Failure","code":410,"reason":"Expired","message":"too old"}"#,
                    ),
                ],
                true,
            ),
            _ => events(&[], false),
        };
    }
    match lists.fetch_add(1, Ordering::SeqCst) {
        0 => list(&pod("a", 1), "more", 10),
        1 => {
            assert!(seen.query.contains("continue=more"), "{}", seen.query);
            list(&pod("b", 2), "", 10)
        }
        _ => list(&format!("{},{}", pod("c", 11), pod("d", 20)), "", 20),
    }
}

#[tokio::test]
async fn watches_follow_pages_events_and_relists_and_survive_a_refusal() {
    let lists = AtomicUsize::new(0);
    let server = Server::http(move |seen| match &*seen.path {
        _ if seen.query.contains("sendInitialEvents") => no_streams(),
        "/api/v1/pods" => pods(seen, &lists),
        "/apis/apps/v1/daemonsets" | "/api/v1/resourcequotas" => answer(
            403,
            r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no","reason":"Forbidden","code":403}"#,
        ),
        "/apis/batch/v1/cronjobs" | "/apis/autoscaling/v2/horizontalpodautoscalers" => {
            answer(404, "404 page not found")
        }
        _ if seen.query.contains("watch=true") => events(&[], false),
        _ => list("", "", 5),
    })
    .await;
    let source = format!("kubernetes:http://{}?inClusterConfig=false", server.address);
    let options = SourceOptions::parse(&source, &|_| None, Defaults::heapster()).unwrap();
    let connection = Connection::resolve(&options, &|_| None).await.unwrap();
    let cluster = Cluster::start(&connection, Clock::system());
    let inventory = &cluster.inventory;
    let names = || {
        let inventory = inventory.read().unwrap();
        let mut names: Vec<String> = inventory.pods().map(|pod| pod.name.to_string()).collect();
        names.sort_unstable();
        names.join("")
    };
    cluster.watches.board.settled().await;
    let mut states = Vec::new();
    cluster
        .watches
        .board
        .until(|statuses| {
            states.push(names());
            names() == "cd"
                && statuses.iter().filter(|status| status.failure.is_some()).count() == 4
        })
        .await;
    // Between the lists the old pods stayed.
    assert!(
        states
            .iter()
            .all(|names| names.contains('b') || names == "cd" || names == "a" || names.is_empty()),
        "{states:?}"
    );
    let statuses = cluster.watches.board.statuses();
    for status in &statuses {
        match (status.kind, &status.failure) {
            ("daemonsets", Some(failure)) => {
                assert_eq!(failure.hop, Hop::Authorization);
                assert!(
                    failure.advice.contains(r#"apiGroups: ["apps"], resources: ["daemonsets"]"#)
                );
            }
            ("cronjobs", Some(failure)) => {
                assert_eq!(failure.reason, "the API server has no cronjobs");
            }
            ("horizontalpodautoscalers", Some(failure)) => {
                assert_eq!(failure.reason, "the API server has no horizontalpodautoscalers");
            }
            ("resourcequotas", Some(failure)) => assert_eq!(failure.hop, Hop::Authorization),
            (kind, failure) => assert!(status.synced && failure.is_none(), "{kind} {failure:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_no_api_server_is_told_apart_from_an_old_one() {
    let server = Server::http(|_| answer(404, "no such page")).await;
    let source = format!("kubernetes:http://{}?inClusterConfig=false", server.address);
    let options = SourceOptions::parse(&source, &|_| None, Defaults::heapster()).unwrap();
    let connection = Connection::resolve(&options, &|_| None).await.unwrap();
    let cluster = Cluster::start(&connection, Clock::system());
    let board = &cluster.watches.board;
    board.until(|statuses| statuses.iter().all(|status| status.failure.is_some())).await;
    for status in board.statuses() {
        let failure = status.failure.unwrap();
        assert_eq!(failure.reason, format!("the API server has no {}", status.kind));
        let begins = match status.kind {
            "namespaces" | "nodes" | "pods" => "check the server's address",
            _ => "nothing",
        };
        assert!(failure.advice.starts_with(begins), "{}: {}", status.kind, failure.advice);
    }
}

const MARK: &str = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"9","creationTimestamp":null,"annotations":{"k8s.io/initial-events-end":"true"}}}"#;

/// Names of the pods once the watch of pods has listed.
async fn streamed(
    streams: fn() -> Response<Body>,
    asked: &'static AtomicUsize,
) -> (String, Vec<Seen>) {
    asked.store(0, Ordering::SeqCst);
    let server = Server::http(move |seen| match &*seen.path {
        "/api/v1/pods" if seen.query.contains("sendInitialEvents") => {
            asked.fetch_add(1, Ordering::SeqCst);
            streams()
        }
        _ if seen.query.contains("sendInitialEvents") => events(&[event("BOOKMARK", MARK)], false),
        _ if seen.query.contains("watch=true") => events(&[], false),
        "/api/v1/pods" => list(&pod("paged", 1), "", 10),
        _ => list("", "", 5),
    })
    .await;
    let source = format!("kubernetes:http://{}?inClusterConfig=false", server.address);
    let options = SourceOptions::parse(&source, &|_| None, Defaults::heapster()).unwrap();
    let connection = Connection::resolve(&options, &|_| None).await.unwrap();
    let cluster = Cluster::start(&connection, Clock::system());
    cluster
        .watches
        .board
        .until(|statuses| statuses.iter().all(|status| status.synced && status.failure.is_none()))
        .await;
    let inventory = cluster.inventory.read().unwrap();
    let mut names: Vec<String> = inventory.pods().map(|pod| pod.name.to_string()).collect();
    names.sort_unstable();
    let pods = server.seen().into_iter().filter(|seen| seen.path == "/api/v1/pods").collect();
    (names.join(","), pods)
}

#[tokio::test]
async fn lists_are_streamed_where_the_api_server_can() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let whole = || {
        events(
            &[event("ADDED", &pod("a", 3)), event("ADDED", &pod("b", 4)), event("BOOKMARK", MARK)],
            false,
        )
    };
    let (names, pods) = streamed(whole, &ASKED).await;
    assert_eq!(names, "a,b");
    assert!(pods.iter().all(|seen| seen.query.contains("watch=true")), "{pods:?}");
}

/// Time passes by itself only while nothing else can happen.
#[tokio::test]
async fn a_streamed_list_without_an_end_is_asked_in_pages() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let endless = || events(&[event("ADDED", &pod("a", 3))], false);
    let (names, pods) = streamed(endless, &ASKED).await;
    assert_eq!(names, "paged");
    assert!(pods.iter().any(|seen| seen.query.contains("limit=500")), "{pods:?}");
    assert_eq!(ASKED.load(Ordering::SeqCst), 1, "it is remembered");
}
