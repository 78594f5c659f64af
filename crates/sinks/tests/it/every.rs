//! What holds for every kind: a destination that hangs delays neither an export nor another sink, a
//! full queue drops the oldest and counts it, a retired service is named at the start.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as RealInstant};

use sinks::{ALL, Kind};
use tokio::time::{Instant, sleep, timeout};
use tracing_subscriber::fmt::MakeWriter;

use crate::any::{Any, aimed};
use crate::servers::{OK, Server, batch, free_address, hanging, sink};

const SOON: Duration = Duration::from_mins(2);
/// An export that waited for a destination would take its patience, which is ten seconds.
const AT_ONCE: Duration = Duration::from_secs(8);
const QUEUE_BYTES: u64 = 65_536;

/// Kinds that send to a server that can hang: a datagram is not waited for, a folder is no server.
fn sending() -> impl Iterator<Item = &'static Kind> {
    ALL.iter().filter(|kind| !["log", "statsd", "files"].contains(&kind.key))
}

#[tokio::test(start_paused = true)]
async fn whoever_hangs_delays_nobody() {
    let (address, hanging) = hanging().await;
    let healthy = Server::http("127.0.0.1:0", |_, _| Some(OK.to_owned())).await;
    let folder = tempfile::tempdir().unwrap();
    let mut other = sink("influxdb", &format!("http://{}", healthy.address), &[]);
    let (started, real) = (Instant::now(), RealInstant::now());
    let mut stuck = Vec::new();
    for kind in sending() {
        let mut settings = aimed(kind, &address, folder.path());
        settings.push(("timeout".to_owned(), "10s".to_owned()));
        let mut out = Any::new(kind, settings);
        for minute in 1..=3 {
            out.export(minute, minute);
        }
        stuck.push((kind.key, out));
    }
    for minute in 1..=3 {
        other.export(&batch(minute, minute)).unwrap();
    }
    other.settled().await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert!(real.elapsed() < AT_ONCE, "{:?}", real.elapsed());
    assert_eq!(healthy.text().lines().count(), 3);
    sleep(Duration::from_secs(15)).await;
    for (key, out) in &stuck {
        let status = out.status().unwrap();
        assert!(status.failure.is_some() && status.retried > 0, "{key}: {status:?}");
        assert_eq!((status.sent, status.waiting_chunks > 0), (0, true), "{key}: {status:?}");
        assert!(status.dropped.is_empty(), "{key}: {status:?}");
    }
    hanging.abort();
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_drops_the_oldest_of_every_kind() {
    let address = free_address().await;
    let folder = tempfile::tempdir().unwrap();
    // A file where a folder is wanted: nothing can be written.
    std::fs::write(folder.path().join("files"), "").unwrap();
    for kind in ALL.iter().filter(|kind| !["log", "statsd"].contains(&kind.key)) {
        let mut settings = aimed(kind, &address, folder.path());
        settings.push(("queue_bytes".to_owned(), QUEUE_BYTES.to_string()));
        let mut out = Any::new(kind, settings);
        out.export(1, 1);
        // Once an attempt has failed, a full queue is not waited for.
        timeout(SOON, out.settled()).await.unwrap();
        let real = RealInstant::now();
        for minute in 2..=60 {
            out.export_many(100, minute, minute);
        }
        assert!(real.elapsed() < AT_ONCE, "{}: {:?}", kind.key, real.elapsed());
        // What counts the losses is told of them when the next one looks at the queue.
        out.export(61, 61);
        let status = out.status().unwrap();
        let dropped: u64 = status.dropped.iter().map(|(_, points)| points).sum();
        let reasons: Vec<_> = status.dropped.iter().map(|(reason, _)| *reason).collect();
        assert_eq!(reasons, ["full"], "{}: {status:?}", kind.key);
        assert!(dropped > 0 && status.waiting_bytes <= QUEUE_BYTES, "{}: {status:?}", kind.key);
        assert_eq!(status.queued, dropped + status.waiting_points, "{}: {status:?}", kind.key);
    }
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logged {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_retired_service_is_named_at_the_start() {
    let logged = Logged::default();
    let writer = logged.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(writer).with_ansi(false).finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let address = free_address().await;
    let folder = tempfile::tempdir().unwrap();
    let mut retired = Vec::new();
    for kind in ALL {
        logged.0.lock().unwrap().clear();
        let settings = aimed(kind, &address, folder.path());
        drop(Any::new(kind, settings));
        let said = String::from_utf8(logged.0.lock().unwrap().clone()).unwrap();
        let notice = kind.notice.is_some_and(|notice| said.contains(notice));
        assert_eq!(notice, kind.notice.is_some(), "{}: {said}", kind.key);
        retired.extend(notice.then_some(kind.key));
    }
    assert_eq!(retired, ["librato", "hawkular", "stackdriver"]);
}
