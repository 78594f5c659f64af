//! Names of the pipeline's self-metrics; those that begin with `heapster_` are Heapster's own.

/// Histogram, ms, by `processor` (Heapster's processor names).
pub(crate) const PROCESSOR_DURATION: &str = "heapster_processor_duration_milliseconds";
/// Histogram, ms, by `exporter` (the sink's name).
pub(crate) const EXPORTER_DURATION: &str = "heapster_exporter_duration_milliseconds";
/// Gauge, seconds since the epoch, by `exporter`.
pub(crate) const EXPORTER_LAST_TIME: &str = "heapster_exporter_last_time_seconds";
/// Counter: ticks that delivered a batch.
pub(crate) const TICKS: &str = "taffrail_ticks_total";
/// Counter: windows left out because the tick before took too long.
pub(crate) const TICKS_SKIPPED: &str = "taffrail_ticks_skipped_total";
/// Counter: scrapes abandoned because the source overran its deadline.
pub(crate) const SCRAPES_ABANDONED: &str = "taffrail_scrapes_abandoned_total";
/// Histogram, ms: from the start of a scrape to the delivery of its batch.
pub(crate) const TICK_DURATION: &str = "taffrail_tick_duration_milliseconds";
/// Gauge, by `kind`: rows of the last batch.
pub(crate) const BATCH_ROWS: &str = "taffrail_batch_rows";
/// Gauge: bytes that the last batch's columns hold.
pub(crate) const BATCH_BYTES: &str = "taffrail_batch_bytes";
/// Counter, by `sink`: batches that were dropped because its queue was full.
pub(crate) const SINK_DROPPED: &str = "taffrail_sink_dropped_batches_total";
/// Counter, by `sink`: exports that failed or ran out of time.
pub(crate) const SINK_FAILED: &str = "taffrail_sink_failed_exports_total";
/// Counter: values left out because a table has no room for another column.
pub(crate) const COLUMNS_REFUSED: &str = "taffrail_columns_refused_total";
