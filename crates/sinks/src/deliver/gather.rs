//! What is sent together: one chunk, or all chunks of a stretch of time once it is over.
//!
//! Stretches are by the batches' own times, so that the same chunks go together after a restart.

use std::time::Duration;

use crate::Error;
use crate::chunks::Framing;
use crate::queue::Entry;
use crate::settings::Settings;

/// Most bytes that are gathered where nobody says otherwise.
const BYTES: u64 = 16 << 20;

/// How chunks are gathered.
#[derive(Debug, Clone)]
pub(crate) struct Gather {
    /// Zero: each chunk goes alone.
    time: Duration,
    bytes: u64,
    framing: Framing,
}

impl Gather {
    pub(crate) fn new(settings: &Settings, framing: &Framing) -> Result<Self, Error> {
        let asked = settings.text("batch_time").is_some();
        if asked && !framing.joins {
            let value = settings.text_or("batch_time", "");
            return Err(settings.bad("batch_time", value, "what this sink can gather: nothing"));
        }
        let time =
            if asked { settings.duration("batch_time", framing.gather)? } else { framing.gather };
        let bytes = settings.number("batch_bytes", BYTES, &1)?;
        Ok(Self { time, bytes, framing: framing.clone() })
    }

    /// Whether chunks go alone.
    pub(super) fn is_off(&self) -> bool {
        self.time.is_zero()
    }

    /// How many of `entries`, the oldest ones, make a whole; `None` while more may belong to it.
    pub(super) fn whole(&self, entries: &[Entry]) -> Option<usize> {
        let first = entries.first()?;
        let mut bytes = first.bytes.len() as u64;
        for (at, entry) in entries.iter().enumerate().skip(1) {
            bytes += entry.bytes.len() as u64;
            let other = entry.time.truncated(self.time) != first.time.truncated(self.time);
            if other || bytes > self.bytes {
                return Some(at);
            }
        }
        (bytes >= self.bytes).then_some(entries.len())
    }

    /// One body of `entries`.
    pub(super) fn join(&self, entries: &[Entry]) -> bytes::Bytes {
        let chunks: Vec<_> = entries.iter().map(|entry| entry.bytes.clone()).collect();
        self.framing.join(&chunks)
    }
}
