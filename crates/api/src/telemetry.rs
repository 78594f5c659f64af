//! Names of the self-metrics, and the recorder that exposes them with Heapster's quantiles.

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder};

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

/// The recorder that the binary installs: every histogram becomes a summary of [`QUANTILES`].
pub fn recorder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new().set_quantiles(&QUANTILES)
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
    gauge!(CONNECTIONS).increment(0.0);
    gauge!(STREAMS).increment(0.0);
    counter!(LIMITS_HIT, "limit" => "connections").increment(0);
    for handler in HEAPSTER_HANDLERS {
        for name in [REQUEST_MICROSECONDS, REQUEST_BYTES, RESPONSE_BYTES] {
            drop(histogram!(name, "handler" => handler));
        }
    }
}
