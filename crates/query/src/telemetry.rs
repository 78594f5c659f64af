//! Names of the window's self-metrics; knows no exporter.

/// Counter: batches that were not taken, by `reason` (`late`, `duplicate`).
pub const REJECTED: &str = "taffrail_window_rejected_batches_total";
/// Counter: ticks of history dropped before their time, by `bound` (`bytes`, `points`),
/// versions of objects (`versions`) and ticks of recording rules (`rule_values`) likewise.
pub const EVICTED: &str = "taffrail_window_evicted_ticks_total";
/// Gauge: bytes of values and slots that history holds.
pub const BYTES: &str = "taffrail_window_history_bytes";
/// Gauge: ticks that history holds.
pub const TICKS: &str = "taffrail_window_history_ticks";
/// Gauge: entities that history holds.
pub const ENTITIES: &str = "taffrail_window_history_entities";
/// Gauge: nodes and containers in the resource windows, by `type`. metrics-server's name.
pub const STORAGE_POINTS: &str = "metrics_server_storage_points";
/// Gauge: versions of objects that no longer hold and are kept for queries.
pub const CLOSED_VERSIONS: &str = "taffrail_state_closed_versions";
