//! Requests that nobody should send, on the ports that everybody reaches: endless paths, readers that
//! do not read, words that mean nothing. What is refused is refused in the client's own dialect.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use api::{ApiParts, ApiState, Listener};
use axum::body::Body;
use futures_util::StreamExt;
use http::{Request, StatusCode};
use model::{Draft, EntityKind, Inventory, NodeSamples, Pod, PodSamples, Registry, Sample};
use model::{Timestamp, metric};
use query::{ResourceOptions, ResourceWindows};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

use super::fixture::{self, parts, time};
use super::kubernetes::{BASE, Secure, authority, client, get, trust};
use super::sockets::{NAMES, Server, answer, batch, names};

/// Most lists that are read at once, and how long a client may leave an answer unread.
const LISTS: usize = 64;
const UNREAD: Duration = Duration::from_secs(61);
/// Pods whose list is some 17 MB.
const MANY: usize = 20_000;
/// Pods whose list is more than is written at once.
const SOME: usize = 2_000;

/// So many running pods on one node, each with half a kilobyte of labels.
fn pods(count: usize) -> Arc<ApiState> {
    let mut inventory = Inventory::default();
    let mut samples = Vec::new();
    for n in 0..count {
        let name: Box<str> = format!("pod-{n:05}").into();
        let label = |n: usize| (format!("label-{n}").into(), "x".repeat(63).into());
        let labels: [(Box<str>, Box<str>); 8] = std::array::from_fn(label);
        inventory.put_pod(Arc::new(Pod {
            namespace: "many".into(),
            name: name.clone(),
            node: "n".into(),
            phase: "Running".into(),
            labels: labels.into(),
            ..Pod::default()
        }));
        samples.push(name);
    }
    let windows = ResourceWindows::new(ResourceOptions::default());
    for (at, cpu) in [("2026-11-23T09:17:45Z", 1), ("2026-11-23T09:18:00Z", 2)] {
        let at = time(at);
        let started = Timestamp::from_secs(1);
        let one = Sample { at, started, cpu_nanos: Some(cpu), memory_bytes: Some(1) };
        let pods = samples.iter().map(|name| PodSamples {
            namespace: "many".into(),
            name: name.clone(),
            containers: vec![("c".into(), one)],
        });
        windows.take(NodeSamples { node: "n".into(), own: one, pods: pods.collect() }, at);
    }
    ApiState::new(ApiParts { resources: Arc::new(windows), ..parts(&[], inventory) })
}

#[tokio::test]
async fn a_path_with_a_million_names_is_a_status() {
    let secure = Secure::start(api::Trust::default()).await;
    let names = "n,".repeat(1_000_000);
    let selector = format!("{BASE}/pods?labelSelector=app%20in%20({})", "n,".repeat(50_000));
    for path in
        [format!("{BASE}/nodes/{names}"), format!("{BASE}/nodes/{}", "n".repeat(100_000)), selector]
    {
        let (status, body) = secure.ask(None, &path, "").await;
        assert_eq!(status, 414);
        assert!(body.contains(r#""kind":"Status""#), "{body}");
        assert!(body.contains(r#""reason":"RequestURITooLong""#), "{body}");
    }
    let headers = format!("x-much: {}\r\n", "y".repeat(70_000));
    let (status, body) = secure.ask(None, &format!("{BASE}/nodes"), &headers).await;
    assert_eq!(status, 431);
    assert!(body.contains(r#""reason":"RequestHeaderFieldsTooLarge""#), "{body}");
    let (status, _) = secure.ask(None, "/livez", "").await;
    assert_eq!(status, 200);
    secure.server.stop().await;
}

#[tokio::test]
async fn words_that_mean_nothing_are_refused_over_the_wire() {
    let (front, clients) = (authority(), authority());
    let secure = Secure::start(trust(&front, &clients)).await;
    let admin = client(&clients, "admin", "system:masters");
    let custom = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/web/pods/*/network_rx_rate";
    let external = "/apis/external.metrics.k8s.io/v1beta1/namespaces/web/pod_cpu_usage_rate";
    for (path, code, reason) in [
        (format!("{BASE}/pods?labelSelector=a%20b%20c"), 400, "BadRequest"),
        (format!("{BASE}/pods?labelSelector=a%20in%20(b"), 400, "BadRequest"),
        (format!("{BASE}/pods?labelSelector=%ff%fe%00"), 400, "BadRequest"),
        (format!("{BASE}/pods?labelSelector={}", "%28".repeat(10_000)), 400, "BadRequest"),
        (format!("{BASE}/pods?fieldSelector=spec.nodeName%3Dx"), 400, "BadRequest"),
        (format!("{BASE}/pods?fieldSelector=%3D%3D%3D"), 400, "BadRequest"),
        (format!("{BASE}/pods?limit=9999999999999999999999"), 400, "BadRequest"),
        (format!("{BASE}/pods?continue=%00"), 400, "BadRequest"),
        (format!("{BASE}/pods?watch=perhaps"), 400, "BadRequest"),
        (format!("{BASE}/pods?watch=true&sendInitialEvents=true"), 405, "MethodNotAllowed"),
        (format!("{BASE}/nodes/%00"), 404, "NotFound"),
        (format!("{custom}?labelSelector=a%20b%20c"), 400, "BadRequest"),
        (format!("{external}?labelSelector=a%20b%20c"), 400, "BadRequest"),
    ] {
        let (status, body) = secure.ask(Some(&admin), &path, "").await;
        assert_eq!(status, code, "{path}: {body}");
        let told: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&told["kind"], &told["reason"]), (&"Status".into(), &reason.into()), "{path}");
    }
    secure.server.stop().await;
}

/// Reads a head: its status.
async fn status_of(stream: &mut (impl AsyncReadExt + Unpin)) -> u16 {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Bytes of this process's memory.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test]
async fn who_does_not_read_holds_a_place_for_a_minute_and_little_memory() {
    let (front, clients) = (authority(), authority());
    let secure = Secure::over(pods(MANY), trust(&front, &clients)).await;
    let path = format!("{BASE}/pods");
    let viewer = "Authorization: Bearer viewer\r\nConnection: close\r\n";
    let before = resident();
    let mut idle = Vec::new();
    for _ in 0..LISTS {
        idle.push(secure.open(None, &path, viewer).await);
    }
    // One more is told to come again, while others are answered.
    let busy = async {
        while status_of(&mut secure.open(None, &path, viewer).await).await != 429 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), busy).await.unwrap();
    assert_eq!(secure.ask(None, "/livez", "").await.0, 200);
    let grown = resident().saturating_sub(before);
    assert!(grown < 400 << 20, "{LISTS} lists of 17 MB took {} MiB", grown >> 20);
    // Whoever reads nothing is given up after a minute, and its place is free.
    let mut whole = Vec::new();
    let wait = async || {
        tokio::time::pause();
        tokio::time::advance(UNREAD).await;
        tokio::time::resume();
        assert_eq!(secure.ask(None, "/livez", "").await.0, 200);
    };
    loop {
        wait().await;
        let mut stream = secure.open(None, &path, viewer).await;
        if status_of(&mut stream).await == 200 {
            // The other side may close without a farewell once the answer is whole.
            drop(stream.read_to_end(&mut whole).await);
            break;
        }
        assert!(whole.is_empty());
    }
    let end = b"\"metadata\":{}}\r\n0\r\n\r\n";
    assert!(whole.ends_with(end), "{}", String::from_utf8_lossy(&whole[whole.len() - 99..]));
    // Those whose answer stalled later than the others'.
    wait().await;
    for mut stream in idle {
        let mut part = Vec::new();
        drop(stream.read_to_end(&mut part).await);
        assert!(part.len() < whole.len() / 2, "{} of {}", part.len(), whole.len());
    }
    secure.server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_reads_a_little_now_and_then_is_cut_off() {
    let state = pods(SOME);
    let request = Request::get(format!("{BASE}/pods")).body(Body::empty()).unwrap();
    let response = api::kubernetes_router(&state).oneshot(request).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    for _ in 0..4 {
        assert!(body.next().await.unwrap().is_ok());
        tokio::time::advance(Duration::from_mins(1)).await;
    }
    tokio::time::advance(Duration::from_mins(2)).await;
    assert!(body.next().await.unwrap().is_err());
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn lists_are_bounded_in_every_form() {
    let state = pods(SOME);
    let protobuf = "application/vnd.kubernetes.protobuf";
    for accept in ["application/json", protobuf] {
        let mut held = Vec::new();
        loop {
            let request = Request::get(format!("{BASE}/pods")).header("accept", accept);
            let request = request.body(Body::empty()).unwrap();
            let response = api::kubernetes_router(&state).oneshot(request).await.unwrap();
            if response.status() == StatusCode::TOO_MANY_REQUESTS {
                assert_eq!(response.headers()["retry-after"], "1");
                break;
            }
            held.push(response);
            assert!(held.len() <= LISTS, "lists are not bounded");
        }
        assert_eq!(held.len(), LISTS);
        let whole = axum::body::to_bytes(held.pop().unwrap().into_body(), 1 << 26).await.unwrap();
        if accept == protobuf {
            assert!(whole.starts_with(b"k8s\0"));
        } else {
            let list: Value = serde_json::from_slice(&whole).unwrap();
            assert_eq!(list["items"].as_array().unwrap().len(), SOME);
        }
        drop(held);
        let (status, _, _) = get(&state, &format!("{BASE}/pods?limit=1"), accept).await;
        assert_eq!(status, 200);
    }
}

/// What the sidecar must answer for [`names`].
fn sidecar_answer(names: &[String]) -> String {
    let mut items = String::new();
    for (value, name) in names.iter().enumerate() {
        let comma = if value == 0 { "" } else { "," };
        write!(
            items,
            "{comma}{{\"dataPoints\":[],\"metricPoints\":[{{\"timestamp\":\"2026-11-23T09:18:00Z\",\
             \"value\":{value}}}],\"metricName\":\"cpu\",\"uids\":[\"{name}\"]}}"
        )
        .unwrap();
    }
    format!("{{\"items\":[{items}]}}")
}

#[tokio::test]
async fn the_sidecar_answers_a_megabyte_of_names_and_refuses_more() {
    let names = names();
    let server =
        Server::start(fixture::state(&[batch(&names)], Inventory::default()), Listener::sidecar)
            .await;
    let ask = async |names: &str| {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request = format!(
            "GET /api/v1/dashboard/namespaces/ns/pod-list/{names}/metrics/cpu/usage_rate \
             HTTP/1.1\r\nhost: x\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let (status, _, body) = answer(&mut stream).await;
        (status, String::from_utf8(body).unwrap())
    };
    let all = names.join(",");
    assert!(all.len() > 1_000_000);
    let (status, body) = ask(&all).await;
    assert_eq!(status, 200);
    assert!(body == sidecar_answer(&names), "{:?}", body.get(..300));
    // In the order in which they are asked for, and each once.
    let turned: Vec<&str> = [7, 3, 7, 5].map(|n| names[n].as_str()).into();
    let (_, body) = ask(&turned.join(",")).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    let order = answer["items"].as_array().unwrap().iter();
    let order: Vec<_> = order.map(|item| item["metricPoints"][0]["value"].as_u64()).collect();
    assert_eq!(order, [Some(7), Some(3), Some(5)]);
    let (_, body) = ask(&format!("{0},", names[NAMES - 1]).repeat(5_000)).await;
    assert_eq!(body.matches("uids").count(), 1);
    assert_eq!(ask(&"n,".repeat(1_000_000)).await, (414, "URI too long\n".to_owned()));
    // Another path of that length has nothing to say.
    let long = format!("GET /api/v1/other/{all} HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(long.as_bytes()).await.unwrap();
    assert_eq!(super::sockets::answer(&mut stream).await.0, 414);
    let (status, _) = ask("none").await;
    assert_eq!(status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_pod_named_half_a_million_times_does_not_fill_memory() {
    let mut registry = Registry::default();
    let mut batches = Vec::new();
    for minute in 4..=18 {
        let at = time(&format!("2026-11-23T09:{minute:02}:00Z"));
        let mut draft = Draft::new(at, registry);
        let pod = draft.registry.pod("ns", "p", "");
        let row = draft.insert(&pod).row;
        draft.table_mut(EntityKind::Pod).set_int(row, metric::CPU_USAGE_RATE, 1);
        let (batch, back) = draft.freeze();
        batches.push(batch);
        registry = back;
    }
    let state = fixture::state(&batches, Inventory::default());
    let server = Server::start(state, Listener::plain).await;
    for (times, status) in [(1_000, 200), (200_000, 400)] {
        let names = vec!["p"; times].join(",");
        let path = format!("/api/v1/model/namespaces/ns/pod-list/{names}/metrics/cpu/usage_rate");
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let (found, _, body) = answer(&mut stream).await;
        let body = String::from_utf8(body).unwrap();
        assert_eq!(found, status, "{:?}", body.get(..100));
        if status == 400 {
            assert!(body.contains("name fewer of them"), "{body}");
        }
    }
    server.stop().await;
}
