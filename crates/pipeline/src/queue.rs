//! The bounded queue before a sink: never makes the tick wait, drops the oldest batch when full.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::Batch;
use tokio::sync::Notify;

/// How many batches wait for one sink; beyond that the oldest is dropped. Sinks share batches,
/// so this also bounds how many are held in memory.
pub const QUEUE_BATCHES: usize = 4;

/// A queue between the tick and one sink.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<Arc<Batch>>,
    closed: bool,
}

impl Queue {
    /// Appends `batch`. Whether the oldest had to make room.
    pub(crate) fn push(&self, batch: Arc<Batch>) -> bool {
        let mut state = self.lock();
        let dropped =
            if state.batches.len() >= QUEUE_BATCHES { state.batches.pop_front() } else { None };
        state.batches.push_back(batch);
        drop(state);
        self.changed.notify_one();
        dropped.is_some()
    }

    /// The oldest batch, as soon as there is one; `None` once the queue is closed and empty. For
    /// one caller at a time.
    pub(crate) async fn next(&self) -> Option<Arc<Batch>> {
        loop {
            {
                let mut state = self.lock();
                if let Some(batch) = state.batches.pop_front() {
                    return Some(batch);
                }
                if state.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    /// No more batches will come.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// How many batches wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().batches.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
