//! The live window: whole batches for minutes, graphed metrics for up to an hour, in memory.
//!
//! Has no clock: what is old is old compared with the newest batch.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use metrics::{counter, gauge};
use model::{Batch, Entity, Metric, Timestamp, Value, lookup};

use crate::history::History;
use crate::range::{RangeAnswer, Reading, SeriesRef, answer};
use crate::telemetry;

/// How far the window reaches.
#[derive(Debug, Clone, Copy)]
pub struct WindowOptions {
    /// How long whole batches are kept. Heapster: 140 s.
    pub batch_horizon: Duration,
    /// How many whole batches are kept even when older.
    pub min_batches: usize,
    /// How many whole batches are kept at most.
    pub max_batches: usize,
    /// What whole batches beyond `min_batches` must fit into.
    pub batch_bytes: usize,
    /// How long history is kept whatever its size. Heapster: 15 min.
    pub min_history: Duration,
    /// How long history is kept while it fits `history_bytes`.
    pub max_history: Duration,
    /// How many ticks of history are kept at most.
    pub max_ticks: usize,
    /// What history older than `min_history` must fit into.
    pub history_bytes: usize,
    /// What history must fit into, however short it gets.
    pub max_history_bytes: usize,
    /// Whether an archive takes every batch too: history then keeps of pods, containers and volumes
    /// only what is asked of the window alone, and the archive answers for the rest.
    pub archived: bool,
}

impl Default for WindowOptions {
    fn default() -> Self {
        Self {
            batch_horizon: Duration::from_secs(140),
            min_batches: 3,
            max_batches: 32,
            batch_bytes: 64 << 20,
            min_history: Duration::from_mins(15),
            max_history: Duration::from_hours(1),
            max_ticks: 720,
            history_bytes: 32 << 20,
            max_history_bytes: 1 << 30,
            archived: false,
        }
    }
}

/// Why a batch was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The newest batch has this very timestamp.
    #[error("a batch of this time is already there")]
    Duplicate,
    /// A newer batch is already there.
    #[error("a newer batch is already there")]
    Late,
}

/// Recent batches and history, shared between the tick (writer) and readers.
#[derive(Debug)]
pub struct Window {
    options: WindowOptions,
    state: RwLock<State>,
}

/// Ticks of the window.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    from: Timestamp,
    to: Timestamp,
    /// In milliseconds since the epoch, ascending.
    pub(crate) times: Vec<i64>,
}

#[derive(Debug)]
struct State {
    /// The newest ticks of `history` as whole batches; never longer than `history`.
    batches: VecDeque<Arc<Batch>>,
    history: History,
}

impl Window {
    /// An empty window.
    pub fn new(options: WindowOptions) -> Self {
        let state = State { batches: VecDeque::new(), history: History::new(options.archived) };
        Self { options, state: RwLock::new(state) }
    }

    /// Takes the newest batch and drops what it makes too old.
    pub fn append(&self, batch: &Arc<Batch>) -> Result<(), Rejected> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let rejected = match state.batches.back().map(|newest| newest.timestamp()) {
            Some(newest) if newest == batch.timestamp() => Some((Rejected::Duplicate, "duplicate")),
            Some(newest) if newest > batch.timestamp() => Some((Rejected::Late, "late")),
            _ => None,
        };
        if let Some((rejected, reason)) = rejected {
            counter!(telemetry::REJECTED, "reason" => reason).increment(1);
            return Err(rejected);
        }
        state.history.push(batch);
        state.batches.push_back(Arc::clone(batch));
        state.expire(&self.options, batch.timestamp());
        state.observe();
        Ok(())
    }

    /// The newest batch.
    pub fn latest(&self) -> Option<Arc<Batch>> {
        self.read().batches.back().map(Arc::clone)
    }

    /// The whole batches that are kept, oldest first.
    pub fn batches(&self) -> Vec<Arc<Batch>> {
        self.read().batches.iter().map(Arc::clone).collect()
    }

    /// Those from a time on.
    pub fn batches_since(&self, from: Timestamp) -> Vec<Arc<Batch>> {
        let state = self.read();
        let first = state.batches.partition_point(|batch| batch.timestamp() < from);
        state.batches.range(first..).map(Arc::clone).collect()
    }

    /// Times of the oldest and newest tick of history.
    pub fn history(&self) -> Option<(Timestamp, Timestamp)> {
        let state = self.read();
        let mut times = state.history.times();
        let oldest = times.next()?;
        Some((oldest, times.next_back().unwrap_or(oldest)))
    }

    /// The metrics that `entity` has in any batch that is kept, each once, in no promised order.
    pub fn metrics_of(&self, entity: &Entity) -> Vec<Metric> {
        let mut found: Vec<Metric> = Vec::new();
        for batch in self.read().batches.iter().rev() {
            let Some((table, row)) = batch.find(entity) else { continue };
            for column in table.columns().iter().filter(|column| column.get(row).is_some()) {
                if !found.contains(column.metric()) {
                    found.push(column.metric().clone());
                }
            }
        }
        found
    }

    /// The samples of one series from `start` to `end`, both inclusive, ascending. Metrics that
    /// history does not keep reach back as far as the whole batches.
    pub fn samples(
        &self,
        entity: &Entity,
        metric: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Vec<(Timestamp, Value)> {
        let state = self.read();
        let reading = state.reading(entity, metric);
        let history = &state.history;
        let sample = |at: usize| reading.get(at).map(|value| (history.time(at), value));
        history.between(start, end).filter_map(sample).collect()
    }

    /// Many series from `start` to `end`, both inclusive, on shared timestamps: the samples if
    /// there are at most `points`, else at most `points` buckets of equal length, aligned to the
    /// epoch, each with average, minimum and maximum. What was not measured is a gap.
    pub fn range(
        &self,
        series: &[SeriesRef],
        start: Timestamp,
        end: Timestamp,
        points: usize,
    ) -> RangeAnswer {
        let state = self.read();
        let readings: Vec<Reading<'_>> =
            series.iter().map(|one| state.reading(&one.entity, &one.metric)).collect();
        answer(&state.history, &readings, start, end, points)
    }

    /// From which time on the window itself answers for all of `series`: its oldest tick, or its
    /// oldest whole batch when history does not keep one of them.
    pub(crate) fn seam(&self, series: &[SeriesRef]) -> Option<Timestamp> {
        let state = self.read();
        let kept = |one: &SeriesRef| {
            lookup(&one.metric).is_some_and(|id| state.history.series(&one.entity, id).is_some())
        };
        if series.iter().all(kept) {
            state.history.oldest()
        } else {
            state.batches.front().map(|batch| batch.timestamp())
        }
    }

    /// The times of the window's ticks from `seam` to `to`, both inclusive.
    pub(crate) fn tail(&self, seam: Option<Timestamp>, to: Timestamp) -> Tail {
        let Some(from) = seam else { return Tail::default() };
        let state = self.read();
        let times = state.history.between(from, to).map(|at| state.history.time(at).millis());
        Tail { from, to, times: times.collect() }
    }

    /// Calls `each` with position, time in milliseconds and value of what `series` have in `tail`.
    pub(crate) fn tail_values(
        &self,
        series: &[SeriesRef],
        tail: &Tail,
        mut each: impl FnMut(usize, i64, f64),
    ) {
        if tail.times.is_empty() {
            return;
        }
        let state = self.read();
        let positions = state.history.between(tail.from, tail.to);
        for (at, one) in series.iter().enumerate() {
            let reading = state.reading(&one.entity, &one.metric);
            for position in positions.clone() {
                if let Some(value) = reading.get(position) {
                    each(at, state.history.time(position).millis(), value.as_f64());
                }
            }
        }
    }

    /// Heap bytes that history holds, batches not counted.
    pub fn history_bytes(&self) -> usize {
        self.read().history.bytes()
    }

    /// Number of entities that history holds.
    pub fn history_entities(&self) -> usize {
        self.read().history.entities()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn reading(&self, entity: &Entity, metric: &str) -> Reading<'_> {
        let known = lookup(metric);
        if let Some(series) = known.and_then(|id| self.history.series(entity, id)) {
            return Reading::History(series);
        }
        let value = |batch: &Arc<Batch>| {
            let (table, row) = batch.find(entity)?;
            match known {
                Some(id) => table.get(row, id),
                None => table.column_named(metric)?.get(row),
            }
        };
        let first = self.history.len() - self.batches.len();
        Reading::Recent { first, values: self.batches.iter().map(value).collect() }
    }

    fn expire(&mut self, options: &WindowOptions, newest: Timestamp) {
        let keep_from = newest.minus(options.batch_horizon);
        while self.batches.len() > options.min_batches.max(1)
            && (self.batches.len() > options.max_batches
                || self.batch_bytes() > options.batch_bytes
                || self.batches.front().is_some_and(|batch| batch.timestamp() <= keep_from))
        {
            self.batches.pop_front();
        }
        while self.history.len() > self.batches.len() && self.oldest_tick_goes(options, newest) {
            self.history.pop();
        }
    }

    fn batch_bytes(&self) -> usize {
        self.batches.iter().map(|batch| batch.heap_bytes()).sum()
    }

    fn oldest_tick_goes(&self, options: &WindowOptions, newest: Timestamp) -> bool {
        let Some(oldest) = self.history.oldest() else { return false };
        if oldest <= newest.minus(options.max_history) {
            return true;
        }
        let bytes = self.history.bytes();
        let beyond_min = oldest <= newest.minus(options.min_history);
        let bound = if self.history.len() > options.max_ticks {
            "points"
        } else if bytes > options.max_history_bytes || (beyond_min && bytes > options.history_bytes)
        {
            "bytes"
        } else {
            return false;
        };
        counter!(telemetry::EVICTED, "bound" => bound).increment(1);
        true
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
    fn observe(&self) {
        gauge!(telemetry::BYTES).set(self.history.bytes() as f64);
        gauge!(telemetry::TICKS).set(self.history.len() as f64);
        gauge!(telemetry::ENTITIES).set(self.history.entities() as f64);
    }
}

#[cfg(test)]
mod tests;
