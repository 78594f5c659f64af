//! Encoding speed on one core: points, bytes and allocations of each sink over one large batch.
//!
//! `cargo bench -p sinks`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, or stops")]
#![expect(clippy::cast_precision_loss, reason = "rates are printed with two digits")]

#[path = "deliver/batch.rs"]
mod batch;

use std::time::{Duration, Instant};

use sinks::bench::Encoder;

/// Nodes, and pods on each of them; a container in each pod.
const NODES: usize = 50;
const PODS: usize = 100;
/// How long each encoder is measured.
const MEASURED: Duration = Duration::from_secs(2);

fn main() {
    let batch = batch::batch(NODES, PODS, false);
    println!(
        "{:<24} {:>10} {:>12} {:>12} {:>10}",
        "sink", "points", "bytes/point", "Mpoints/s", "MB/s"
    );
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("influxdb", &[]),
        ("influxdb", &[("withfields", "true")]),
        ("graphite", &[]),
        ("statsd", &[]),
        ("statsd", &[("protocolType", "influxstatsd")]),
        ("opentsdb", &[]),
    ];
    for (kind, settings) in cases {
        let mut encoder = Encoder::new(sinks::find(kind).unwrap(), settings).unwrap();
        let (mut points, mut bytes, mut rounds) = (0, 0, 0_u32);
        let started = Instant::now();
        while started.elapsed() < MEASURED {
            points += encoder.encode(&batch, |chunk| bytes += chunk.len());
            rounds += 1;
        }
        let seconds = started.elapsed().as_secs_f64();
        let setting = settings.first().map_or("", |(_, value)| value);
        println!(
            "{:<24} {:>10} {:>12.1} {:>12.2} {:>10.0}",
            format!("{kind} {setting}"),
            points / u64::from(rounds),
            bytes as f64 / points as f64,
            points as f64 / seconds / 1e6,
            bytes as f64 / seconds / 1e6,
        );
    }
}
