//! How a sink stands: what a status page shows of it.

use std::sync::Arc;

use super::lane::Lane;

/// How a sink with a queue stands. Numbers are of points since the process started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkStatus {
    /// Heapster's name of it.
    pub name: &'static str,
    /// What it takes: `metrics`, `events` or `alerts`.
    pub takes: &'static str,
    /// Its destination, without secrets.
    pub to: String,
    /// Whether what waits survives a restart.
    pub on_disk: bool,
    /// Points put into the queue.
    pub queued: u64,
    /// Points that the destination took.
    pub sent: u64,
    /// Attempts that failed and are made again.
    pub retried: u64,
    /// Points that will never arrive, by reason (`full`, `age`, `refused`, …).
    pub dropped: Vec<(&'static str, u64)>,
    /// Pieces that wait, those from before the process started included.
    pub waiting_chunks: u64,
    /// Points that wait.
    pub waiting_points: u64,
    /// Bytes that wait, on disk or in memory.
    pub waiting_bytes: u64,
    /// `closed` while the destination works, `open` while it is left alone, `half-open` while it
    /// is tried.
    pub circuit: &'static str,
    /// Why the last attempt failed; `None` once one succeeded.
    pub failure: Option<String>,
}

/// Answers for a sink that is elsewhere.
#[derive(Debug, Clone)]
pub struct StatusHandle(pub(super) Arc<Lane>);

impl StatusHandle {
    /// How the sink stands now.
    pub fn status(&self) -> SinkStatus {
        self.0.status()
    }
}
