//! What waits for one destination, oldest first, in memory or on disk; bounded by bytes and age.
//!
//! Knows neither formats nor how anything is sent.

mod disk;
mod memory;
mod segment;

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use bytes::Bytes;
use model::Timestamp;

use crate::chunks::Chunk;

pub(crate) use disk::DiskQueue;
pub(crate) use memory::MemoryQueue;

/// What an entry costs besides its bytes, in memory or on disk.
const ENTRY_BYTES: u64 = 64;

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caps {
    pub(crate) bytes: u64,
    /// By the time of the newest batch, so that no clock is needed.
    pub(crate) age: Duration,
}

/// A chunk that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Counts up from 1 for as long as the queue's folder exists: names the chunk for ever.
    pub(crate) id: u64,
    /// The batch's time.
    pub(crate) time: Timestamp,
    pub(crate) points: u32,
    pub(crate) bytes: Bytes,
}

/// Why something will never arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The byte cap was reached.
    Full,
    /// It got older than the age cap.
    Age,
    /// The destination will never take it.
    Refused,
    /// A checksum did not fit what the disk gave back.
    Damaged,
    /// The disk did not take it.
    Disk,
    /// The process ended with it in memory.
    Stopped,
}

impl Reason {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Age => "age",
            Self::Refused => "refused",
            Self::Damaged => "damaged",
            Self::Disk => "disk",
            Self::Stopped => "stopped",
        }
    }
}

/// Something that will never arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) reason: Reason,
    pub(crate) chunks: u64,
    /// 0 where damage hides how many there were.
    pub(crate) points: u64,
}

/// A queue of either kind.
#[derive(Debug)]
pub(crate) enum Queue {
    Memory(MemoryQueue),
    Disk(DiskQueue),
}

impl Queue {
    /// Appends a chunk of the batch of `time`, making room by dropping the oldest.
    pub(crate) fn push(&mut self, time: Timestamp, chunk: Chunk) {
        match self {
            Self::Memory(queue) => queue.push(time, chunk),
            Self::Disk(queue) => queue.push(time, &chunk),
        }
    }

    /// Whether a chunk of `bytes` fits without anything being dropped, now or in an empty queue.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        let caps = match self {
            Self::Memory(queue) => queue.caps,
            Self::Disk(queue) => queue.caps,
        };
        let waiting = self.waiting();
        waiting.chunks == 0 || waiting.bytes + bytes as u64 + ENTRY_BYTES <= caps.bytes
    }

    /// The oldest entries, at most `most`; they stay.
    pub(crate) fn peek(&mut self, most: usize) -> Vec<Entry> {
        match self {
            Self::Memory(queue) => queue.peek(most),
            Self::Disk(queue) => queue.peek(most),
        }
    }

    /// Removes every entry up to `id`.
    pub(crate) fn remove_through(&mut self, id: u64) {
        match self {
            Self::Memory(queue) => queue.remove_through(id),
            Self::Disk(queue) => queue.remove_through(id),
        }
    }

    /// Number of entries, points and bytes that wait.
    pub(crate) fn waiting(&self) -> Waiting {
        match self {
            Self::Memory(queue) => queue.waiting(),
            Self::Disk(queue) => queue.waiting(),
        }
    }

    /// Its name among all queues there ever were, which survives with what is in it.
    pub(crate) fn name(&self) -> u64 {
        match self {
            Self::Memory(queue) => queue.name,
            Self::Disk(queue) => queue.name,
        }
    }

    /// What was lost since the last call.
    pub(crate) fn take_losses(&mut self) -> Vec<Loss> {
        match self {
            Self::Memory(queue) => std::mem::take(&mut queue.losses),
            Self::Disk(queue) => std::mem::take(&mut queue.losses),
        }
    }
}

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) chunks: usize,
    pub(crate) points: u64,
    pub(crate) bytes: u64,
}

/// A name that no other queue has.
fn random_name() -> u64 {
    RandomState::new().hash_one("queue")
}

/// Whether what happened at `time` is too old once `newest` has happened.
fn too_old(caps: Caps, time: Timestamp, newest: Timestamp) -> bool {
    newest.since(time) > caps.age
}

/// Adds to the loss of the same reason, so that the list stays short.
fn lose(losses: &mut Vec<Loss>, reason: Reason, chunks: u64, points: u64) {
    match losses.iter_mut().find(|loss| loss.reason == reason) {
        Some(loss) => {
            loss.chunks += chunks;
            loss.points += points;
        }
        None if chunks > 0 => losses.push(Loss { reason, chunks, points }),
        None => {}
    }
}

/// Points of all slots.
fn points_of<'a>(slots: impl Iterator<Item = &'a segment::Slot>) -> u64 {
    slots.map(|slot| u64::from(slot.points)).sum()
}

/// Slots in order of their ids.
type Slots = VecDeque<segment::Slot>;
