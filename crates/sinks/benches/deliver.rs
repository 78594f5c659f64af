//! A batch of 300,000 containers to each sink, from the frozen batch to the last acknowledgement:
//! CPU and bytes per sample. The destinations are processes of their own that take everything and
//! keep nothing.
//!
//! `cargo xtask bench sinks`, or `cargo bench -p sinks --bench deliver -- [KIND…]`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, or stops")]
#![expect(clippy::cast_precision_loss, reason = "rates are printed with two digits")]

#[path = "deliver/batch.rs"]
mod batch;
#[path = "deliver/destination.rs"]
mod destination;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Batch, LabelOptions, Timestamp};
use sinks::bench::Encoder;
use sinks::{Setup, Sink};
use tempfile::TempDir;

use destination::{Destination, Protocol};

/// Nodes, and pods on each of them; a container in each pod.
const NODES: usize = 3000;
const PODS: usize = 100;
/// The kernel's unit of CPU time in /proc/PID/stat: 1/100 s on every Linux we build for.
const CLOCK_TICKS_PER_SECOND: f64 = 100.0;

/// Kind, what it speaks, what its address begins with, further settings.
type Case = (&'static str, Protocol, &'static str, &'static [(&'static str, &'static str)]);

const CASES: &[Case] = &[
    ("log", Protocol::None, "", &[]),
    ("influxdb", Protocol::Http, "http://", &[]),
    ("influxdb", Protocol::Http, "http://", &[("withfields", "true")]),
    ("influxdb2", Protocol::Http, "http://", &[("org", "o"), ("bucket", "k8s"), ("token", "t")]),
    ("influxdb3", Protocol::Http, "http://", &[("db", "k8s")]),
    ("graphite", Protocol::Lines, "tcp://", &[]),
    ("statsd", Protocol::Datagrams, "udp://", &[]),
    ("opentsdb", Protocol::Http, "http://", &[]),
    ("wavefront", Protocol::Lines, "", &[]),
    ("honeycomb", Protocol::Http, "http://", &[("writekey", "k")]),
    ("librato", Protocol::Http, "http://", &[("username", "u"), ("token", "t")]),
    ("riemann", Protocol::Riemann, "http://", &[]),
    ("kafka", Protocol::Kafka, "", &[("compression", "lz4")]),
    ("elasticsearch", Protocol::Http, "http://", &[("ver", "8")]),
    ("gcm", Protocol::Google, "http://", &[]),
    ("stackdriver", Protocol::Google, "http://", STACKDRIVER),
    ("hawkular", Protocol::Http, "http://", &[]),
    ("remotewrite", Protocol::Http, "http://", &[("metrics", "heapster")]),
    ("remotewrite", Protocol::Http, "http://", &[("metrics", "heapster"), ("version", "2")]),
    ("victoriametrics", Protocol::Http, "http://", &[("metrics", "heapster")]),
    ("otlp", Protocol::Http, "http://", &[("metrics", "heapster")]),
    ("files", Protocol::Folder, "", &[("metrics", "heapster")]),
    ("files", Protocol::Folder, "", &[("metrics", "heapster"), ("format", "parquet")]),
    ("s3", Protocol::Http, "http://", &[("metrics", "heapster")]),
];

/// Else this machine would be asked whether it is one of Google's.
const STACKDRIVER: &[(&str, &str)] =
    &[("zone", "z"), ("cluster_location", "z"), ("cluster_name", "c")];

fn main() {
    if destination::is_wanted() {
        return destination::serve();
    }
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let batch = Arc::new(batch::batch(NODES, PODS, true));
    let samples = samples(&batch);
    println!("{} containers, {samples} samples", NODES * PODS);
    println!(
        "{:<24} {:>12} {:>11} {:>11} {:>12} {:>8}",
        "sink", "encode ns", "all CPU ns", "bytes", "wire bytes", "s"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    for case in CASES.iter().filter(|case| wanted.is_empty() || wanted.iter().any(|w| w == case.0))
    {
        let (kind, _, _, settings) = case;
        let mut encoder = Encoder::new(sinks::find(kind).unwrap(), &example(case)).unwrap();
        let mut bytes = 0;
        let started = cpu();
        encoder.encode(&batch, |chunk| bytes += chunk.len() as u64);
        let encoding = cpu().saturating_sub(started);
        drop(encoder);
        let delivered = runtime.block_on(deliver(case, &batch));
        let each = |cpu: Duration| cpu.as_secs_f64() * 1e9 / samples as f64;
        let last = settings
            .last()
            .filter(|(name, _)| !["token", "db", "writekey", "cluster_name"].contains(name));
        println!(
            "{:<24} {:>12.0} {:>11.0} {:>11.1} {:>12.1} {:>8.1}",
            format!("{kind} {}", last.map_or("", |(_, value)| value)),
            each(encoding),
            each(delivered.cpu),
            bytes as f64 / samples as f64,
            delivered.bytes as f64 / samples as f64,
            delivered.took.as_secs_f64(),
        );
    }
}

fn samples(batch: &Batch) -> usize {
    let columns = batch.tables().iter().flat_map(|table| {
        let rows = table.entities().len();
        table.columns().iter().map(move |column| (column, rows))
    });
    columns.map(|(column, rows)| (0..rows).filter(|row| column.get(*row).is_some()).count()).sum()
}

/// What one delivery cost.
struct Delivered {
    cpu: Duration,
    /// That reached the destination.
    bytes: u64,
    took: Duration,
}

async fn deliver(case: &Case, batch: &Arc<Batch>) -> Delivered {
    let folder = tempfile::tempdir().unwrap();
    let mut destination = Destination::start(case.1, folder.path());
    let mut sink = sink(case, &destination.address, &folder);
    let status = sink.status();
    let (begun, started) = (cpu(), Instant::now());
    let sink = tokio::task::spawn_blocking({
        let batch = Arc::clone(batch);
        move || {
            sink.export(&batch).unwrap();
            sink
        }
    });
    let sink = sink.await.unwrap();
    sink.settled().await;
    sink.stop().await;
    let (cpu, took) = (cpu().saturating_sub(begun), started.elapsed());
    if let Some(status) = status.map(|handle| handle.status()) {
        assert!(status.failure.is_none() && status.dropped.is_empty(), "{status:?}");
        assert_eq!(status.queued, status.sent, "{status:?}");
    }
    Delivered { cpu, bytes: destination.bytes(), took }
}

/// Settings that are enough to encode.
fn example(case: &Case) -> Vec<(&'static str, &'static str)> {
    let (kind, protocol, _, settings) = *case;
    let mut settings = settings.to_vec();
    settings.push(match protocol {
        Protocol::Google => ("project", "p"),
        Protocol::Kafka => ("brokers", "localhost:9092"),
        Protocol::Folder => ("address", "/tmp"),
        Protocol::Datagrams => ("address", "udp://localhost"),
        Protocol::Lines => ("address", "tcp://localhost"),
        _ if kind == "s3" => ("address", "http://localhost/bucket"),
        _ => ("address", "http://localhost"),
    });
    settings
}

fn sink(case: &Case, address: &str, folder: &TempDir) -> Sink {
    let (kind, protocol, scheme, settings) = *case;
    let bucket = if kind == "s3" { "/bucket" } else { "" };
    let queue = folder.path().join("queue");
    let mut settings: Vec<(String, String)> =
        settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let mut set = |name: &str, value: &str| settings.push((name.to_owned(), value.to_owned()));
    match protocol {
        Protocol::None => {}
        Protocol::Folder => set("address", folder.path().join("files").to_str().unwrap()),
        Protocol::Kafka => address.split(',').for_each(|broker| set("brokers", broker)),
        Protocol::Google => {
            set("api", &format!("{scheme}{address}"));
            set("credentials", folder.path().join("key.json").to_str().unwrap());
        }
        _ => set("address", &format!("{scheme}{address}{bucket}")),
    }
    if protocol != Protocol::None {
        set("queue", queue.to_str().unwrap());
        // A batch may be larger than what may wait by default: what it costs is asked here.
        set("queue_bytes", "17179869184");
    }
    let setup = Setup {
        settings,
        labels: LabelOptions::default(),
        output: Box::new(std::io::sink()),
        clock: sinks::Clock::new(|| Timestamp::from_secs(1_795_426_190)),
    };
    sinks::find(kind).unwrap().build(setup).unwrap()
}

/// The CPU time of this process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string(Path::new("/proc/self/stat")).unwrap();
    let after_name = stat.rsplit(") ").next().unwrap();
    let fields: Vec<&str> = after_name.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_secs_f64(ticks as f64 / CLOCK_TICKS_PER_SECOND)
}
