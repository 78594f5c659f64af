//! What the process holds beside the newest numbers, as it tells the API: history on disk, and the other replicas.

use model::Timestamp;
use serde::Serialize;

/// History on disk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreFacts {
    /// The folder.
    pub dir: String,
    /// Whether the folder goes with the process.
    pub temporary: bool,
    /// First and last time of raw values, in milliseconds; `None` when there are none.
    pub from: Option<i64>,
    /// See `from`.
    pub to: Option<i64>,
    /// Bytes of blocks, log and events on disk.
    pub bytes: u64,
    /// Of these, the log of what is no block yet.
    pub log_bytes: u64,
    /// Of these, events.
    pub event_bytes: u64,
    /// Events kept.
    pub events: usize,
    /// Bytes of memory that hold what is no block yet.
    pub memory_bytes: usize,
    /// Entities known.
    pub entities: usize,
    /// How long values are kept, in milliseconds.
    pub retention_ms: u64,
    /// How many bytes blocks may take; `None` without a bound.
    pub retention_bytes: Option<u64>,
    /// How long events are kept, in milliseconds.
    pub event_retention_ms: u64,
    /// Blocks by the length of their buckets, raw values first.
    pub levels: Vec<StoreLevel>,
    /// Places that were found damaged, and read as gaps.
    pub damaged: usize,
    /// Why nothing is written now; `None` while all is well.
    pub stopped: Option<String>,
}

/// The blocks of one resolution.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreLevel {
    /// Length of a bucket in milliseconds; `None` for raw values.
    pub resolution_ms: Option<u64>,
    /// First time, in milliseconds.
    pub from: i64,
    /// Last time, in milliseconds.
    pub to: i64,
    /// Blocks.
    pub blocks: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Values in them.
    pub samples: u64,
}

impl StoreLevel {
    /// Takes one more block in.
    pub fn add(&mut self, range: (Timestamp, Timestamp), bytes: u64, samples: u64) {
        let (from, to) = (range.0.millis(), range.1.millis());
        (self.from, self.to) = match self.blocks {
            0 => (from, to),
            _ => (self.from.min(from), self.to.max(to)),
        };
        self.blocks += 1;
        self.bytes += bytes;
        self.samples += samples;
    }
}

/// One of several processes that share a cluster's nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplicaFacts {
    /// Its name.
    pub name: String,
    /// Where the others ask it.
    pub address: String,
    /// Whether it is the one that answers.
    pub me: bool,
    /// Whether the sinks are fed by it.
    pub feeds: bool,
    /// Why its share of the last tick did not come; `None` when it did.
    pub missing: Option<String>,
}
