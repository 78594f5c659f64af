//! What a store can be told: durability, window, retention, rollups.

use std::time::Duration;

/// How the log is made to survive a power cut. Either way an append that returned survives the
/// end of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Every append ends with a sync.
    EachAppend,
    /// Appends share a sync, at most this long after the first of them, as far as
    /// [`append`](crate::Store::append) and [`maintain`](crate::Store::maintain) are called that
    /// often.
    Within(Duration),
}

/// How a store works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// When the log is synced.
    pub durability: Durability,
    /// How much time is held in memory before it becomes a block; must divide a day.
    pub window: Duration,
    /// How many values are held in memory at most: bounds memory and the replay at start.
    pub window_samples: u64,
    /// How many blocks of windows of a day become one before the day is over: a cluster that fills
    /// a window in minutes has hundreds a day, and each has an index.
    pub merge_windows: usize,
    /// What indexes of blocks may take in memory while nobody asks; the least recently used go.
    pub index_bytes: u64,
    /// What decoded chunks of blocks may take in memory for the next query.
    pub decoded_bytes: u64,
    /// How long values are kept.
    pub retention: Duration,
    /// How many bytes blocks may take; the oldest go first.
    pub retention_bytes: Option<u64>,
    /// Bucket lengths of rollups; each must divide a day.
    pub rollups: Vec<Duration>,
    /// A rollup is written when a bucket holds at least so many ticks on average: one that
    /// saves less is computed from raw values instead.
    pub rollup_fold: u32,
    /// How long events are kept.
    pub event_retention: Duration,
    /// How many bytes events may take; the oldest go first.
    pub event_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Within(Duration::from_secs(1)),
            window: Duration::from_hours(2),
            window_samples: 48_000_000,
            merge_windows: 16,
            index_bytes: 192 << 20,
            decoded_bytes: 32 << 20,
            retention: Duration::from_hours(30 * 24),
            retention_bytes: None,
            rollups: vec![Duration::from_mins(1), Duration::from_mins(5), Duration::from_hours(1)],
            rollup_fold: 8,
            event_retention: Duration::from_hours(30 * 24),
            event_bytes: 256 << 20,
        }
    }
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
