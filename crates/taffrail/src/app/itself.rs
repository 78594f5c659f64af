//! Taffrail's own metrics as series: what `/metrics` shows, kept with every tick.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::{Described, Intake as _, Pushed};
use metrics::gauge;
use metrics_exporter_prometheus::PrometheusHandle;
use model::Timestamp;
use pipeline::Clock;
use query::promql::Labels;
use scrape::exposition::{Entry, Format, Reader, labels_of};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::adapters::StoredSamples;
use crate::config::Config;
use crate::telemetry::{CPU_SECONDS, OPEN_FILES, RESIDENT_BYTES, STARTED};

/// The label `job` of every series.
const JOB: &str = "taffrail";
/// Label of what there is for every node: a large cluster has thousands, which stay on `/metrics`.
const PER_NODE: &str = "node";
/// The longest time between two samples, however far ticks are apart.
const LONGEST: Duration = Duration::from_mins(1);

/// Measures the process, and keeps what it says of itself.
pub(super) struct Itself {
    /// Nothing where `--no-self-scrape` leaves the series out.
    samples: Option<Arc<StoredSamples>>,
    metrics: PrometheusHandle,
    /// The label `instance`.
    instance: String,
    every: Duration,
    clock: Clock,
}

impl Itself {
    /// What is to run; `resolution` is the time between two ticks.
    pub(super) fn plan(
        config: &Config,
        resolution: Duration,
        samples: &Arc<StoredSamples>,
        (metrics, address): (&PrometheusHandle, SocketAddr),
        clock: Clock,
    ) -> Self {
        let replica = config.replicas.as_ref().map(|replica| replica.name.as_str());
        Self {
            samples: (!config.scrape.no_self).then(|| Arc::clone(samples)),
            metrics: metrics.clone(),
            instance: instance(replica, address),
            every: resolution.min(LONGEST),
            clock,
        }
    }

    /// Goes on until dropped.
    pub(super) async fn keep(self) -> &'static str {
        let (started, this) = (self.clock.now(), Arc::new(self));
        loop {
            let of = Arc::clone(&this);
            if let Err(error) = spawn_blocking(move || of.note(started)).await {
                tracing::warn!(%error, "own metrics are not kept");
            }
            sleep(this.every).await;
        }
    }

    fn note(&self, started: Timestamp) {
        measure(started);
        let Some(samples) = &self.samples else { return };
        let text = self.metrics.render();
        let (series, described) = read(&text, &self.instance, self.clock.now().millis());
        match samples.take(&series, &described) {
            Ok(outcome) if outcome.refused.is_empty() => {}
            Ok(outcome) => tracing::debug!(refused = ?outcome.refused, "own metrics were refused"),
            Err(error) => tracing::warn!(error, "own metrics are not kept"),
        }
    }
}

/// The replica's name, or the host's where the address is no host's, and the port.
fn instance(replica: Option<&str>, address: SocketAddr) -> String {
    let host = match replica {
        Some(name) => name.to_owned(),
        None if !address.ip().is_unspecified() => return address.to_string(),
        None => rustix::system::uname().nodename().to_string_lossy().into_owned(),
    };
    format!("{host}:{}", address.port())
}

/// The samples of an exposition at `now`, and what it says of its metrics.
fn read(text: &str, instance: &str, now: i64) -> (Vec<Pushed>, Vec<Described>) {
    let (mut series, mut described): (Vec<Pushed>, Vec<Described>) = (Vec::new(), Vec::new());
    let mut help = "";
    for entry in Reader::new(text, Format::Text).map_while(Result::ok) {
        match entry {
            Entry::Help { text, .. } => help = text,
            Entry::Type { name, kind } => {
                // The facade's counters are whole numbers, so that this one is a gauge there.
                let kind = if name == CPU_SECONDS { "counter" } else { kind };
                described.push(Described { name: name.to_owned(), kind, help: help.to_owned() });
                help = "";
            }
            // A summary of nothing has no quantiles.
            Entry::Sample(sample) if sample.value.is_nan() => {}
            Entry::Sample(sample) => {
                let mut pairs: Vec<(&str, String)> = Vec::new();
                labels_of(sample.series, |name, value| pairs.push((name, value.into_owned())));
                if pairs.iter().any(|(name, _)| *name == PER_NODE) {
                    continue;
                }
                // Of a repeated name the last value counts.
                pairs.extend([("job", JOB.to_owned()), ("instance", instance.to_owned())]);
                let labels = Labels::new(pairs);
                series.push(Pushed { labels, samples: vec![(now, sample.value)] });
            }
        }
    }
    (series, described)
}

/// Sets gauges to what the kernel says of this process, where there is /proc.
#[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
fn measure(started: Timestamp) {
    gauge!(STARTED).set(started.millis() as f64 / 1000.0);
    let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).ok();
    if let Some(pages) = read("statm").as_deref().and_then(resident_pages) {
        gauge!(RESIDENT_BYTES).set((pages * rustix::param::page_size() as u64) as f64);
    }
    if let Some(ticks) = read("stat").as_deref().and_then(cpu_ticks) {
        gauge!(CPU_SECONDS).set(ticks as f64 / rustix::param::clock_ticks_per_second() as f64);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        gauge!(OPEN_FILES).set(files.count() as f64);
    }
}

/// Of /proc/PID/statm: the second number.
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_whitespace().nth(1)?.parse().ok()
}

/// Of /proc/PID/stat: `utime` and `stime`. The command's name, in parentheses, may hold any byte.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(|field| field.parse::<u64>().ok());
    Some(times.next()?? + times.next()??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exposition_becomes_series_of_this_process() {
        let text = "# HELP requests_total Number of \\\"requests\\\".\n\
                    # TYPE requests_total counter\n\
                    requests_total{handler=\"a \\\"b\\\"\",job=\"another\"} 3\n\
                    # TYPE process_cpu_seconds_total gauge\n\
                    process_cpu_seconds_total 1.5\n\
                    # TYPE took summary\n\
                    took{quantile=\"0.5\"} NaN\n\
                    took_count 0\n\
                    asked_total{node=\"a\"} 1\n";
        let (series, described) = read(text, "here:80", 1000);
        let told: Vec<String> = series
            .iter()
            .map(|one| {
                let labels: Vec<String> =
                    one.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("{} {:?}", labels.join(","), one.samples)
            })
            .collect();
        let expected = [
            "__name__=requests_total,handler=a \"b\",instance=here:80,job=taffrail [(1000, 3.0)]",
            "__name__=process_cpu_seconds_total,instance=here:80,job=taffrail [(1000, 1.5)]",
            "__name__=took_count,instance=here:80,job=taffrail [(1000, 0.0)]",
        ];
        assert_eq!(told, expected);
        let kinds: Vec<_> = described.iter().map(|one| (&*one.name, one.kind)).collect();
        let expected = [
            ("requests_total", "counter"),
            ("process_cpu_seconds_total", "counter"),
            ("took", "summary"),
        ];
        assert_eq!(kinds, expected);
        assert!(described[0].help.starts_with("Number of"), "{described:?}");
        assert_eq!(described[1].help, "", "help is of one metric");
    }

    #[test]
    fn instances_are_told_apart() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(instance(None, at("127.0.0.1:8082")), "127.0.0.1:8082");
        assert_eq!(instance(Some("taffrail-1"), at("[::]:8082")), "taffrail-1:8082");
        let host = instance(None, at("[::]:8082"));
        assert!(host.ends_with(":8082") && !host.starts_with('['), "{host}");
    }

    #[test]
    fn the_kernel_is_read_by_places() {
        assert_eq!(resident_pages("5000 321 100 10 0 400 0\n"), Some(321));
        assert_eq!(resident_pages("5000"), None);
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 900 0 0 0 120 30 5 6 20 0 4 0 99 1 2";
        assert_eq!(cpu_ticks(stat), Some(150));
        assert_eq!(cpu_ticks("7 (short) S 1"), None);
    }
}
