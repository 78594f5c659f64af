//! A queue in memory: lost when the process ends.

use std::collections::VecDeque;

use model::Timestamp;

use super::{Caps, ENTRY_BYTES, Entry, Loss, Reason, Waiting, lose, random_name, too_old};
use crate::chunks::Chunk;

#[derive(Debug)]
pub(crate) struct MemoryQueue {
    pub(super) caps: Caps,
    entries: VecDeque<Entry>,
    next_id: u64,
    pub(super) name: u64,
    waiting: Waiting,
    pub(super) losses: Vec<Loss>,
}

impl MemoryQueue {
    pub(crate) fn new(caps: Caps) -> Self {
        let (entries, losses) = (VecDeque::new(), Vec::new());
        let (name, waiting) = (random_name(), Waiting::default());
        Self { caps, entries, next_id: 1, name, waiting, losses }
    }

    pub(super) fn push(&mut self, time: Timestamp, chunk: Chunk) {
        while self.entries.front().is_some_and(|oldest| too_old(self.caps, oldest.time, time)) {
            self.drop_oldest(Reason::Age);
        }
        let bytes = chunk.bytes.len() as u64 + ENTRY_BYTES;
        if bytes > self.caps.bytes {
            return lose(&mut self.losses, Reason::Full, 1, chunk.points.into());
        }
        while self.waiting.bytes + bytes > self.caps.bytes {
            self.drop_oldest(Reason::Full);
        }
        self.waiting.chunks += 1;
        self.waiting.points += u64::from(chunk.points);
        self.waiting.bytes += bytes;
        let id = self.next_id;
        self.next_id += 1;
        self.entries.push_back(Entry { id, time, points: chunk.points, bytes: chunk.bytes.into() });
    }

    pub(super) fn peek(&self, most: usize) -> Vec<Entry> {
        self.entries.iter().take(most).cloned().collect()
    }

    pub(super) fn remove_through(&mut self, id: u64) {
        while self.entries.front().is_some_and(|oldest| oldest.id <= id) {
            self.pop();
        }
    }

    pub(super) fn waiting(&self) -> Waiting {
        self.waiting
    }

    fn drop_oldest(&mut self, reason: Reason) {
        if let Some(oldest) = self.pop() {
            lose(&mut self.losses, reason, 1, oldest.points.into());
        }
    }

    fn pop(&mut self) -> Option<Entry> {
        let oldest = self.entries.pop_front()?;
        self.waiting.chunks -= 1;
        self.waiting.points -= u64::from(oldest.points);
        self.waiting.bytes -= oldest.bytes.len() as u64 + ENTRY_BYTES;
        Some(oldest)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn push(queue: &mut MemoryQueue, second: i64, bytes: usize) {
        let chunk = Chunk { bytes: vec![b'x'; bytes], points: 10 };
        queue.push(Timestamp::from_secs(second), chunk);
    }

    #[test]
    fn the_oldest_makes_room_and_is_counted() {
        let caps = Caps { bytes: 500, age: Duration::from_mins(1) };
        let mut queue = MemoryQueue::new(caps);
        for second in 1..=5 {
            push(&mut queue, second, 100);
        }
        let ids: Vec<_> = queue.peek(9).iter().map(|entry| entry.id).collect();
        assert_eq!(ids, [3, 4, 5]);
        assert_eq!(queue.losses, [Loss { reason: Reason::Full, chunks: 2, points: 20 }]);
        push(&mut queue, 64, 1);
        assert_eq!(queue.peek(1)[0].id, 4, "the third is older than a minute");
        assert_eq!(queue.losses[1], Loss { reason: Reason::Age, chunks: 1, points: 10 });
        push(&mut queue, 64, 1000);
        assert_eq!(queue.losses[0].chunks, 3, "larger than the whole queue");
        queue.remove_through(u64::MAX);
        assert_eq!(queue.waiting(), Waiting::default());
    }
}
