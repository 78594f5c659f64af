//! Names of the store's own metrics.

/// Values appended.
pub(crate) const SAMPLES: &str = "taffrail_store_samples_total";
/// Bytes written to the log.
pub(crate) const LOG_BYTES: &str = "taffrail_store_wal_bytes_total";
/// Bytes written to blocks.
pub(crate) const BLOCK_BYTES: &str = "taffrail_store_block_bytes_total";
/// Syncs of the log that failed.
pub(crate) const SYNC_FAILURES: &str = "taffrail_store_sync_failures_total";
/// Batches refused because writing has stopped.
pub(crate) const REFUSED: &str = "taffrail_store_refused_batches_total";
/// Batches that were not newer than the newest.
pub(crate) const OUT_OF_ORDER: &str = "taffrail_store_out_of_order_batches_total";
/// Damaged chunks, records and files found.
pub(crate) const DAMAGED: &str = "taffrail_store_damaged_total";
/// Values dropped because a window had too many metrics.
pub(crate) const DROPPED: &str = "taffrail_store_dropped_samples_total";
/// Indexes of blocks that were forgotten because all together were too large.
pub(crate) const UNLOADED: &str = "taffrail_store_unloaded_indexes_total";
/// Chunks that readers decoded.
pub(crate) const CHUNKS_DECODED: &str = "taffrail_store_decoded_chunks_total";
/// Decoded chunks that were forgotten because all together were too large.
pub(crate) const CHUNKS_FORGOTTEN: &str = "taffrail_store_forgotten_chunks_total";
/// Files unlinked because of age or size.
pub(crate) const RETIRED: &str = "taffrail_store_retired_files_total";
/// Samples of any series stored.
pub(crate) const SAMPLES_STORED: &str = "taffrail_samples_stored_total";
/// Samples refused, by reason.
pub(crate) const SAMPLES_REFUSED: &str = "taffrail_samples_refused_total";
/// Series of a block whose samples could not be read.
pub(crate) const SAMPLES_DAMAGED: &str = "taffrail_samples_damaged_total";
/// Events stored.
pub(crate) const EVENTS: &str = "taffrail_store_events_total";
