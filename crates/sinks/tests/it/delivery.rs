//! Delivery over real sockets, in paused time: outages, restarts, hanging and unwilling servers.

use std::path::Path;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep, timeout};

use crate::servers::{OK, Seen, Server, batch, free_address, pods_batch, sink};

/// Longest wait for a delivery that must happen.
const SOON: Duration = Duration::from_mins(2);

/// Waits until everything is sent, failed attempts or not.
async fn drained(server: &Server, expected: impl Fn(&str) -> bool) -> String {
    let arrived = async {
        loop {
            let text = server.text();
            if expected(&text) {
                return text;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(SOON, arrived).await.unwrap_or_else(|_| panic!("only {:?} arrived", server.text()))
}

fn is_write(seen: &Seen) -> bool {
    seen.line.starts_with("POST /write") || seen.line.starts_with("POST /api/put")
}

async fn healthy(kind: &str, address: &str) -> Server {
    match kind {
        "graphite" => Server::lines(address).await,
        _ => Server::http(address, |_, _| Some(OK.to_owned())).await,
    }
}

/// How a kind sends the point with `value` of minute `minute`.
fn expected(kind: &str, minute: i64, value: i64) -> String {
    let seconds = 60 * minute;
    match kind {
        "graphite" => format!("kubernetes.cluster.cpu.usage_rate {value} {seconds}\n"),
        "influxdb" => {
            format!(
                "cpu/usage_rate,cluster_name=default,type=cluster value={value}i {seconds}000000000\n"
            )
        }
        _ => format!(
            r#"[{{"metric":"cpu_usage_rate_gauge","timestamp":{seconds},"value":{value},"tags":{{"cluster":"k8s-cluster","type":"cluster"}}}}]"#
        ),
    }
}

/// Ten minutes without a server; the process is stopped and started again after five.
async fn outage(kind: &str) {
    let folder = tempfile::tempdir().unwrap();
    let queue = folder.path().to_str().unwrap();
    let address = free_address().await;
    let scheme = if kind == "graphite" { "tcp" } else { "http" };
    let uri = format!("{scheme}://{address}");
    let mut out = sink(kind, &uri, &[("queue", queue)]);
    for minute in 1..=10 {
        let before = Instant::now();
        out.export(&batch(minute, minute * 7)).unwrap();
        assert_eq!(before.elapsed(), Duration::ZERO, "an export waits for nobody");
        sleep(Duration::from_mins(1)).await;
        if minute == 5 {
            out.stop().await;
            out = sink(kind, &uri, &[("queue", queue)]);
        }
    }
    let server = healthy(kind, &address).await;
    let everything: String = (1..=10).map(|minute| expected(kind, minute, minute * 7)).collect();
    let arrived = drained(&server, |text| text.len() >= everything.len()).await;
    assert_eq!(arrived, everything, "{kind}: all of it, in order, once");
    timeout(SOON, out.settled()).await.unwrap();
    out.export(&batch(11, 1)).unwrap();
    let last = expected(kind, 11, 1);
    drained(&server, |text| text.ends_with(&last)).await;
    assert_eq!(server.text(), everything + &last);
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_influxdb_loses_nothing() {
    outage("influxdb").await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_graphite_loses_nothing() {
    outage("graphite").await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_opentsdb_loses_nothing() {
    outage("opentsdb").await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// What `kill -9` leaves is what the files hold at that moment: a copy of them.
#[tokio::test(start_paused = true)]
async fn a_killed_process_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (alive, killed) = (folder.path().join("alive"), folder.path().join("killed"));
    let address = free_address().await;
    let uri = format!("tcp://{address}");
    let mut out = sink("graphite", &uri, &[("queue", alive.to_str().unwrap())]);
    for minute in 1..=3 {
        out.export(&batch(minute, minute)).unwrap();
    }
    copy(&alive, &killed);
    out.stop().await;
    let server = Server::lines(&address).await;
    let out = sink("graphite", &uri, &[("queue", killed.to_str().unwrap())]);
    let everything: String = (1..=3).map(|minute| expected("graphite", minute, minute)).collect();
    drained(&server, |text| text.len() >= everything.len()).await;
    timeout(SOON, out.settled()).await.unwrap();
    assert_eq!(server.text(), everything);
    // After delivery and another kill, nothing comes twice.
    let again = folder.path().join("again");
    copy(&killed, &again);
    let mut out = sink("graphite", &uri, &[("queue", again.to_str().unwrap())]);
    out.export(&batch(4, 4)).unwrap();
    let last = expected("graphite", 4, 4);
    assert_eq!(drained(&server, |text| text.ends_with(&last)).await, everything + &last);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_server_delays_nobody_and_is_given_up_on() {
    let hanging = Server::http("127.0.0.1:0", |seen, before| {
        (!is_write(seen) || before >= 4).then(|| OK.to_owned())
    })
    .await;
    let healthy = healthy("influxdb", "127.0.0.1:0").await;
    let mut stuck = sink("influxdb", &format!("http://{}", hanging.address), &[("timeout", "10s")]);
    let mut other = sink("influxdb", &format!("http://{}", healthy.address), &[]);
    let started = Instant::now();
    for minute in 1..=3 {
        stuck.export(&batch(minute, minute)).unwrap();
        other.export(&batch(minute, minute)).unwrap();
    }
    assert_eq!(started.elapsed(), Duration::ZERO);
    other.settled().await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(healthy.text().lines().count(), 3);
    drained(&hanging, |text| text.ends_with(&expected("influxdb", 3, 3))).await;
    let writes: Vec<_> = hanging.seen().into_iter().filter(is_write).collect();
    assert!(writes[1].at - writes[0].at >= Duration::from_secs(10), "the timeout passed");
    assert_eq!(writes[0].body, writes[1].body, "the same chunk again");
}

#[tokio::test(start_paused = true)]
async fn a_server_says_when_to_come_back() {
    let server = Server::http("127.0.0.1:0", |seen, before| {
        Some(match before {
            _ if !is_write(seen) => OK.to_owned(),
            1 => "HTTP/1.1 503 Busy\r\nRetry-After: 77\r\nContent-Length: 0\r\n\r\n".to_owned(),
            _ => OK.to_owned(),
        })
    })
    .await;
    let mut out = sink("influxdb", &format!("http://{}", server.address), &[]);
    out.export(&batch(1, 1)).unwrap();
    drained(&server, |text| text.lines().count() == 2).await;
    let seen = server.seen();
    let waited = seen[2].at - seen[1].at;
    assert!(waited >= Duration::from_secs(77) && waited < Duration::from_secs(80), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_server_refuses_does_not_stop_the_rest() {
    let server = Server::http("127.0.0.1:0", |seen, _| {
        Some(if seen.body.contains("value=1i") {
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 6\r\n\r\nno way".to_owned()
        } else {
            OK.to_owned()
        })
    })
    .await;
    let mut out = sink("influxdb", &format!("http://{}", server.address), &[]);
    out.export(&batch(1, 1)).unwrap();
    out.export(&batch(2, 2)).unwrap();
    out.settled().await;
    assert_eq!(server.seen().iter().filter(|seen| is_write(seen)).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn influxdb_makes_its_database_and_keeps_its_retention_even_when_it_was_dropped() {
    let server = Server::http("127.0.0.1:0", |_, before| {
        Some(if before == 3 {
            let error = r#"{"error":"database not found: \"k8s\""}"#;
            format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n{error}", error.len())
        } else {
            OK.to_owned()
        })
    })
    .await;
    let settings = [("retention", "7d"), ("user", "me"), ("pw", "secret")];
    let mut out = sink("influxdb", &format!("http://{}", server.address), &settings);
    out.export(&batch(1, 1)).unwrap();
    drained(&server, |text| text.lines().count() == 2).await;
    let lines: Vec<_> = server.seen().into_iter().map(|seen| seen.line).collect();
    let policy = "RETENTION+POLICY+%22default%22+ON+k8s+DURATION+7d+REPLICATION+1+DEFAULT";
    let attempt = [
        "GET /query?db=&q=CREATE+DATABASE+k8s+WITH+NAME+%22default%22 HTTP/1.1".to_owned(),
        format!("POST /query?db=&q=CREATE+{policy} HTTP/1.1"),
        format!("POST /query?db=&q=ALTER+{policy} HTTP/1.1"),
        "POST /write?consistency=&db=k8s&precision=&rp=default HTTP/1.1".to_owned(),
    ];
    assert_eq!(lines, [attempt.clone(), attempt].concat());
    let head = &server.seen()[0].head;
    assert!(head.contains("authorization: Basic bWU6c2VjcmV0\r\n"), "{head}");
}

/// Requests of one batch overlap; the next batch waits for all of them.
#[tokio::test(start_paused = true)]
async fn requests_of_a_batch_overlap_when_asked_to() {
    let server = Server::http("127.0.0.1:0", |seen, before| {
        (!is_write(seen) || before > 3).then(|| OK.to_owned())
    })
    .await;
    let settings = [("concurrency", "9"), ("timeout", "9s")];
    let mut out = sink("influxdb", &format!("http://{}", server.address), &settings);
    // 10,000 points go with one request.
    out.export(&pods_batch(25_000)).unwrap();
    out.export(&batch(2, 2)).unwrap();
    let last = expected("influxdb", 2, 2);
    drained(&server, |text| text.ends_with(&last)).await;
    let writes: Vec<_> = server.seen().into_iter().filter(is_write).collect();
    assert_eq!(writes[0].at, writes[2].at, "three at once");
    assert_eq!(writes.len(), 7, "three, the same again, and the next batch's");
    assert!(writes[3].at > writes[0].at);
}

#[tokio::test]
async fn statsd_sends_datagrams() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut out = sink("statsd", &format!("udp://{}", socket.local_addr().unwrap()), &[]);
    out.export(&batch(1, 5)).unwrap();
    let mut packet = [0; 100];
    let length = timeout(SOON, socket.recv(&mut packet)).await.unwrap().unwrap();
    assert_eq!(&packet[..length], b"cluster.cpu/usage_rate:5|g\n");
}

#[test]
fn a_full_queue_drops_the_oldest_and_counts_it() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let shown = recorder.handle();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    metrics::with_local_recorder(&recorder, || {
        runtime.unwrap().block_on(async {
            let address = free_address().await;
            let uri = format!("tcp://{address}");
            let mut out = sink("graphite", &uri, &[("queue_bytes", "65536")]);
            let each = expected("graphite", 10_000, 10_000).len() + 64;
            let fit = i64::try_from(65_536 / each).unwrap();
            out.export(&batch(10_000, 10_000)).unwrap();
            // Once an attempt has failed, a full queue is not waited for.
            out.settled().await;
            for minute in 10_001..10_000 + fit + 10 {
                out.export(&batch(minute, minute)).unwrap();
            }
            sleep(Duration::from_secs(1)).await;
            let text = shown.render();
            let line = |name: &str, rest: &str, value: i64| {
                format!(
                    "{name}{{sink=\"Graphite Sink\",to=\"tcp://{address}\",takes=\"metrics\"{rest}}} \
                     {value}"
                )
            };
            for expected in [
                line("taffrail_sink_queued_points_total", "", fit + 10),
                line("taffrail_sink_dropped_points_total", ",reason=\"full\"", 10),
                line("taffrail_sink_waiting_points", "", fit),
            ] {
                assert!(text.contains(&expected), "{expected} in\n{text}");
            }
            let server = Server::lines(&address).await;
            let last = 10_000 + fit + 9;
            let last = expected("graphite", last, last);
            let arrived = drained(&server, |text| text.ends_with(&last)).await;
            assert!(
                arrived.starts_with(&expected("graphite", 10_010, 10_010)),
                "the rest, in order"
            );
            assert_eq!(arrived.lines().count(), usize::try_from(fit).unwrap());
            out.settled().await;
            let text = shown.render();
            let expected = line("taffrail_sink_sent_points_total", "", fit);
            assert!(text.contains(&expected), "{expected} in\n{text}");
        });
    });
}

/// 100 chunks of which the queue holds a few: what exports waits for what sends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_larger_than_its_queue_arrives_whole_where_the_server_works() {
    let server = healthy("opentsdb", "127.0.0.1:0").await;
    let uri = format!("http://{}", server.address);
    let mut out = sink("opentsdb", &uri, &[("queue_bytes", "65536")]);
    let pods = 75 * 100;
    let batch = pods_batch(pods);
    let exported = tokio::task::spawn_blocking(move || out.export(&batch).map(|()| out));
    let out = exported.await.unwrap().unwrap();
    timeout(SOON, out.settled()).await.unwrap();
    assert_eq!(server.text().matches("\"metric\"").count(), pods);
}
