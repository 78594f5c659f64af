//! Every bound of the HTTP side in one place, with the counter that says when it was hit.

use std::time::Duration;

use metrics::counter;

use crate::telemetry;

/// Longest request target: what Go's servers, and so Heapster, accept (1 MiB of head).
pub(crate) const MAX_TARGET_BYTES: usize = 1 << 20;
/// Longest target that is handed to hyper as it is; the `http` crate takes 65,534 bytes.
pub(crate) const MAX_PLAIN_TARGET_BYTES: usize = 60_000;
/// What a long target is cut to for routing. Its whole text travels beside it.
pub(crate) const ROUTING_PREFIX_BYTES: usize = 1024;
/// Most bytes of header lines after the request line.
pub(crate) const MAX_HEADER_BYTES: usize = 64 << 10;
/// Most header lines; hyper takes no more of its own accord.
pub(crate) const MAX_HEADERS: usize = 100;
/// How many heads larger than [`MAX_HEADER_BYTES`] may be in memory at once.
pub(crate) const MAX_LONG_HEADS: usize = 32;
/// What hyper may buffer: a whole long head.
pub(crate) const MAX_CONNECTION_BUFFER_BYTES: usize =
    MAX_TARGET_BYTES + MAX_HEADER_BYTES + (16 << 10);
/// What is read and thrown away after a refused head, so that the client sees the answer.
pub(crate) const MAX_DISCARDED_BYTES: usize = 8 << 20;
/// Most open connections; further ones wait in the kernel's queue.
pub(crate) const MAX_CONNECTIONS: usize = 1024;
/// Most requests at once on one connection of HTTP/2.
pub(crate) const MAX_STREAMS_OF_CONNECTION: u32 = 16;
/// How long a client may take to send a head, waiting between requests included.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(90);
/// How long a client may leave an answer unread.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a client may take to send a body.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a TLS handshake may take.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long open requests may go on after shutdown was asked for.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after the listener failed to accept (no file descriptors left).
pub(crate) const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// Largest body of `POST /query`.
pub(crate) const MAX_QUERY_BODY_BYTES: usize = 1 << 20;
/// Largest body that asks for a silence.
pub(crate) const MAX_SILENCE_BODY_BYTES: usize = 256 << 10;
/// Most series of one query.
pub(crate) const MAX_QUERY_SERIES: usize = 500;
/// Most entities that one selector of a query may find before the greatest are taken.
pub(crate) const MAX_SELECTED: usize = 50_000;
/// Most questions to window and archive that are worked on at once; more wait.
pub(crate) const MAX_QUESTIONS: usize = 8;
/// Most events that one search counts.
pub(crate) const MAX_EVENTS: usize = 20_000;
/// Most buckets of their histogram.
pub(crate) const MAX_EVENT_BUCKETS: usize = 1_000;
/// Most points of one query.
pub(crate) const MAX_QUERY_POINTS: usize = 4_000;
/// Most items of one list answer.
pub(crate) const MAX_LIST_ITEMS: usize = 1_000;
/// Items of a list answer when none are asked for.
pub(crate) const DEFAULT_LIST_ITEMS: usize = 50;
/// Most open event streams.
pub(crate) const MAX_STREAMS: usize = 256;
/// Time between the comment lines of a quiet event stream.
pub(crate) const STREAM_KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Most lists of metrics.k8s.io that are read at once.
pub(crate) const MAX_LISTS: usize = 64;
/// Most values of one answer of custom and external metrics.
pub(crate) const MAX_METRIC_VALUES: usize = 50_000;
/// How long one list of metrics.k8s.io may take to be read.
pub(crate) const LIST_TIMEOUT: Duration = Duration::from_mins(5);
/// Most values of one list of pods of Heapster's model API: a megabyte of names may name a pod half
/// a million times.
pub(crate) const MAX_MODEL_POINTS: usize = 2_000_000;
/// Answers smaller than this are not compressed.
pub(crate) const MIN_COMPRESSED_BYTES: u64 = 1024;

/// How long a PromQL query may take, waiting for its turn included; Prometheus' default.
pub(crate) const MAX_QUERY_TIME: Duration = Duration::from_mins(2);

/// Counts that the bound `name` was hit.
pub(crate) fn hit(name: &'static str) {
    counter!(telemetry::LIMITS_HIT, "limit" => name).increment(1);
}
