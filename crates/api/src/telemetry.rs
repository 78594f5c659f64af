//! Names of the self-metrics, and the recorder that exposes them with Heapster's quantiles.

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};

/// Counter: requests answered, by `handler`, `method` and `code`. Heapster's name.
pub const REQUESTS: &str = "http_requests_total";
/// Summary: time to answer, by `handler`. Heapster's name.
pub const REQUEST_MICROSECONDS: &str = "http_request_duration_microseconds";
/// Summary: size of requests, by `handler`. Heapster's name.
pub const REQUEST_BYTES: &str = "http_request_size_bytes";
/// Summary: size of answers before compression, by `handler`. Heapster's name.
pub const RESPONSE_BYTES: &str = "http_response_size_bytes";
/// Counter: samples that were pushed, by what became of them.
pub(crate) const PUSHED: &str = "taffrail_pushed_samples_total";
/// Counter: times a bound was hit, by `limit`.
pub const LIMITS_HIT: &str = "taffrail_http_limits_hit_total";
/// Gauge: open connections.
pub const CONNECTIONS: &str = "taffrail_http_connections";
/// Gauge: open event streams.
pub const STREAMS: &str = "taffrail_http_streams";

/// Histogram: seconds from the measurement of the oldest thing in an answer of metrics.k8s.io to the
/// answer. metrics-server's name.
pub const FRESHNESS: &str = "metrics_server_api_metric_freshness_seconds";

/// The quantiles of every summary. Heapster's.
pub const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// Heapster's names of its handlers; those of ours that have a counterpart carry the same.
pub const HEAPSTER_HANDLERS: [&str; 20] = [
    "availableClusterMetrics",
    "availableContainerMetrics",
    "availableMetrics",
    "availableNamespaceMetrics",
    "availableNodeMetrics",
    "availablePodMetrics",
    "clusterMetrics",
    "debugAllKeys",
    "freeContainerMetrics",
    "namespaceList",
    "namespaceMetrics",
    "namespacePodList",
    "nodeList",
    "nodeMetrics",
    "podContainerList",
    "podContainerMetrics",
    "podListMetric",
    "podMetrics",
    "prometheus",
    "systemContainerList",
];

/// Beginning of the names that dashboards of metrics-server ask for; they expect histograms.
const METRICS_SERVER: &str = "metrics_server_";
/// Buckets of seconds for requests and rounds.
const DURATIONS: [f64; 13] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0];
/// Buckets of seconds for the age of what is answered.
const AGES: [f64; 12] = [1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0];

/// The recorder that the binary installs: histograms become summaries of [`QUANTILES`], but for
/// those of metrics-server.
pub fn recorder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_quantiles(&QUANTILES)?
        .set_buckets_for_metric(Matcher::Prefix(METRICS_SERVER.to_owned()), &DURATIONS)?
        .set_buckets_for_metric(Matcher::Full(FRESHNESS.to_owned()), &AGES)
}

/// Describes this crate's metrics and makes Heapster's series appear before the first request.
pub(crate) fn describe() {
    describe_counter!(REQUESTS, "Total number of HTTP requests made.");
    describe_histogram!(REQUEST_MICROSECONDS, "The HTTP request latencies in microseconds.");
    describe_histogram!(REQUEST_BYTES, Unit::Bytes, "The HTTP request sizes in bytes.");
    describe_histogram!(RESPONSE_BYTES, Unit::Bytes, "The HTTP response sizes in bytes.");
    describe_counter!(LIMITS_HIT, "Number of times a bound was hit.");
    describe_gauge!(CONNECTIONS, "Number of open connections.");
    describe_gauge!(STREAMS, "Number of open event streams.");
    describe_histogram!(FRESHNESS, Unit::Seconds, "Age of the oldest measurement in an answer.");
    gauge!(CONNECTIONS).increment(0.0);
    gauge!(STREAMS).increment(0.0);
    counter!(LIMITS_HIT, "limit" => "connections").increment(0);
    for handler in HEAPSTER_HANDLERS {
        for name in [REQUEST_MICROSECONDS, REQUEST_BYTES, RESPONSE_BYTES] {
            drop(histogram!(name, "handler" => handler));
        }
    }
}
