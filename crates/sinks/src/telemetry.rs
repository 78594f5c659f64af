//! Names of this crate's self-metrics. Each has the labels `sink` (Heapster's name of it), `to` (its
//! destination, without secrets) and `takes` (`metrics`, `events` or `alerts`).

/// Counter: points put into the queue.
pub const QUEUED: &str = "taffrail_sink_queued_points_total";
/// Counter: points that the destination took.
pub const SENT: &str = "taffrail_sink_sent_points_total";
/// Counter: attempts that failed and are made again.
pub const RETRIED: &str = "taffrail_sink_retries_total";
/// Counter by `reason` (`full`, `age`, `refused`, `damaged`, `disk`, `stopped`): points that will
/// never arrive.
pub const DROPPED: &str = "taffrail_sink_dropped_points_total";
/// Counter by `reason`: the same in pieces; damage on disk can be counted in pieces only.
pub const DROPPED_CHUNKS: &str = "taffrail_sink_dropped_chunks_total";
/// Gauge: points that wait.
pub const WAITING: &str = "taffrail_sink_waiting_points";
/// Gauge: bytes that wait, on disk or in memory.
pub const WAITING_BYTES: &str = "taffrail_sink_waiting_bytes";
/// Gauge: 0 while the destination works, 1 while it is left alone, 2 while it is tried.
pub const CIRCUIT: &str = "taffrail_sink_circuit";
