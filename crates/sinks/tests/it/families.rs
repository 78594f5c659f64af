//! What holds for every family of sinks: one whose destination hangs delays nobody, and one whose
//! queue is full drops the oldest and counts it.

use std::time::Duration;

use sinks::{SinkStatus, StatusHandle};
use tokio::time::{Instant, sleep, timeout};

use crate::servers::{OK, Server, batch, hanging, sink};

const SOON: Duration = Duration::from_mins(5);

/// A kind of each transport that connects, with what its address begins with and its settings.
type Family = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const FAMILIES: &[Family] = &[
    ("graphite", "tcp://", &[]),
    ("influxdb", "http://", &[]),
    ("remotewrite", "http://", &[]),
    ("otlp", "http://", &[("protocol", "grpc")]),
    ("riemann", "http://", &[]),
    ("s3", "http://", &[("access_key", "a"), ("secret_key", "b"), ("batch_time", "1s")]),
    ("kafka", "", &[]),
];

fn stuck(family: &Family, address: &str) -> sinks::Sink {
    let (kind, scheme, settings) = *family;
    let bucket = if kind == "s3" { "/bucket" } else { "" };
    let address = format!("{scheme}{address}{bucket}");
    let mut settings = settings.to_vec();
    settings.extend([("timeout", "10s"), ("queue_bytes", "65536")]);
    if kind == "kafka" {
        settings.push(("brokers", &address));
    }
    sink(kind, &address, &settings)
}

async fn until(handle: &StatusHandle, is: impl Fn(&SinkStatus) -> bool) {
    let waited = async {
        while !is(&handle.status()) {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(SOON, waited).await.unwrap_or_else(|_| panic!("{:?}", handle.status()));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_hangs_delays_nobody_and_drops_its_oldest() {
    for family in FAMILIES {
        let (address, held) = hanging().await;
        let healthy = Server::http("127.0.0.1:0", |_, _| Some(OK.to_owned())).await;
        let mut out = stuck(family, &address);
        let mut other = sink("influxdb", &format!("http://{}", healthy.address), &[]);
        let started = Instant::now();
        for minute in 1..=3 {
            out.export(&batch(minute, minute)).unwrap();
            other.export(&batch(minute, minute)).unwrap();
        }
        assert_eq!(started.elapsed(), Duration::ZERO, "{}: no tick waits", family.0);
        other.settled().await;
        assert!(started.elapsed() < Duration::from_secs(1), "{}: no other sink waits", family.0);
        assert_eq!(healthy.text().lines().count(), 3);
        let handle = out.status().unwrap();
        until(&handle, |status| status.failure.is_some()).await;
        let failure = handle.status().failure.unwrap();
        assert!(failure.contains("not done within 10s"), "{}: {failure}", family.0);
        fill(&mut out, family.0);
        held.abort();
    }
}

/// Exports until the queue has dropped something; then what waits is the newest.
fn fill(out: &mut sinks::Sink, kind: &str) {
    let handle = out.status().unwrap();
    let mut minute = 10;
    while handle.status().dropped.is_empty() {
        minute += 1;
        out.export(&batch(minute, minute)).unwrap();
        assert!(minute < 10_000, "{kind}: {:?}", handle.status());
    }
    let status = handle.status();
    let [(reason, dropped)] = status.dropped[..] else { panic!("{kind}: {status:?}") };
    assert_eq!(reason, "full", "{kind}");
    assert_eq!(status.queued, dropped + status.waiting_points, "{kind}: {status:?}");
    assert!(status.waiting_bytes <= 65_536, "{kind}: {status:?}");
}

/// A folder that cannot be written to, and a name that nobody knows: files and datagrams wait too.
#[tokio::test]
async fn files_and_datagrams_that_cannot_go_drop_their_oldest() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let below = file.path().join("folder").to_str().unwrap().to_owned();
    for (kind, address, settings) in [
        ("files", &*below, [("queue_bytes", "65536"), ("batch_time", "1s")]),
        ("statsd", "udp://nobody.invalid:8125", [("queue_bytes", "65536"), ("prefix", "p")]),
    ] {
        let mut out = sink(kind, address, &settings);
        for minute in 1..=2 {
            out.export(&batch(minute, minute)).unwrap();
        }
        let handle = out.status().unwrap();
        until(&handle, |status| status.failure.is_some()).await;
        fill(&mut out, kind);
    }
}
