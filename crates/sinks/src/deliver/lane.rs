//! One sink's queue between who fills it and the task that empties it, with its self-metrics.

use std::collections::BTreeMap;
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metrics::{counter, gauge};
use model::Timestamp;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

use crate::chunks::Chunk;
use crate::deliver::circuit::State;
use crate::deliver::gather::Gather;
use crate::deliver::status::SinkStatus;
use crate::queue::{Entry, Loss, Queue, Reason};
use crate::telemetry;
use crate::transport::Parcel;

/// How many entries are looked at first when a whole is gathered.
const FIRST_LOOK: usize = 64;

#[derive(Debug)]
pub(crate) struct Lane {
    sink: &'static str,
    takes: &'static str,
    to: String,
    on_disk: bool,
    /// The queue's name, which survives with it.
    name: u64,
    queue: Mutex<Queue>,
    pushed: Notify,
    settled: Notify,
    room: Condvar,
    failing: AtomicBool,
    gather: Gather,
    /// Whether what waits is still being gathered.
    gathering: AtomicBool,
    /// Whether what was gathered goes now, whole or not.
    last: AtomicBool,
    told: Mutex<Told>,
}

/// What happened so far, for [`SinkStatus`].
#[derive(Debug, Default)]
struct Told {
    queued: u64,
    sent: u64,
    retried: u64,
    dropped: BTreeMap<&'static str, u64>,
    circuit: Option<State>,
    failure: Option<String>,
}

impl Lane {
    /// The lane of a sink, by its name and what it takes.
    pub(crate) fn new(
        (sink, takes): (&'static str, &'static str),
        to: String,
        queue: Queue,
        gather: Gather,
    ) -> Self {
        let lane = Self {
            sink,
            takes,
            to,
            on_disk: matches!(queue, Queue::Disk(_)),
            name: queue.name(),
            queue: Mutex::new(queue),
            pushed: Notify::new(),
            settled: Notify::new(),
            room: Condvar::new(),
            failing: AtomicBool::new(false),
            gather,
            gathering: AtomicBool::new(false),
            last: AtomicBool::new(false),
            told: Mutex::default(),
        };
        lane.circuit(State::Closed);
        lane.tell(&mut lane.lock());
        lane
    }

    /// Appends a chunk of the batch of `time`. While a full queue is being emptied by a destination
    /// that works, waits for room, at most for `patience`, which is used up by that; otherwise the
    /// oldest makes room.
    pub(crate) fn push(&self, time: Timestamp, chunk: Chunk, patience: &mut Duration) {
        counter!(telemetry::QUEUED, &self.labels()).increment(chunk.points.into());
        self.told().queued += u64::from(chunk.points);
        let mut queue = self.lock();
        if !queue.has_room(chunk.bytes.len()) && self.works() {
            let started = Instant::now();
            let full = |queue: &mut Queue| self.works() && !queue.has_room(chunk.bytes.len());
            queue = self
                .room
                .wait_timeout_while(queue, *patience, full)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(queue, _)| queue);
            *patience = patience.saturating_sub(started.elapsed());
        }
        queue.push(time, chunk);
        self.tell(&mut queue);
        drop(queue);
        self.pushed.notify_one();
    }

    fn works(&self) -> bool {
        !self.failing.load(Ordering::Relaxed)
    }

    /// Makes what was pushed survive a loss of power, as far as the disk keeps its promises.
    pub(crate) fn sync(&self) -> std::io::Result<()> {
        let written = match &mut *self.lock() {
            Queue::Disk(queue) => queue.written()?,
            Queue::Memory(_) => Vec::new(),
        };
        written.iter().try_for_each(|file| file.sync_all())
    }

    /// The oldest parcels, at most `most`, as soon as there are any.
    pub(crate) async fn next(self: &Arc<Self>, most: usize) -> Vec<Parcel> {
        loop {
            let parcels = if self.on_disk {
                let lane = Arc::clone(self);
                // Only a panic or the runtime's end makes this fail, and both end the task.
                spawn_blocking(move || lane.parcels(most)).await.unwrap_or_default()
            } else {
                self.parcels(most)
            };
            if !parcels.is_empty() {
                return parcels;
            }
            self.settled.notify_waiters();
            self.pushed.notified().await;
        }
    }

    fn parcels(&self, most: usize) -> Vec<Parcel> {
        if self.gather.is_off() {
            let entries = self.peek(most);
            let time = entries.first().map(|entry| entry.time);
            // What goes at once is of one batch, so that batches arrive in order.
            let of_one = entries.iter().take_while(|entry| Some(entry.time) == time);
            return of_one.map(|entry| self.parcel(slice::from_ref(entry))).collect();
        }
        let mut looked_at = FIRST_LOOK;
        loop {
            let entries = self.peek(looked_at);
            if let Some(whole) = self.gather.whole(&entries) {
                self.gathering.store(false, Ordering::Relaxed);
                return vec![self.parcel(&entries[..whole])];
            }
            if entries.len() < looked_at {
                if self.last.load(Ordering::Relaxed) && !entries.is_empty() {
                    return vec![self.parcel(&entries)];
                }
                self.gathering.store(!entries.is_empty(), Ordering::Relaxed);
                return Vec::new();
            }
            looked_at *= 2;
        }
    }

    /// What is sent of `entries`, which are never none.
    fn parcel(&self, entries: &[Entry]) -> Parcel {
        let (first, last) = (entries.first(), entries.last());
        Parcel {
            id: format!("{:016x}-{:x}", self.name, first.map_or(0, |entry| entry.id)),
            through: last.map_or(0, |entry| entry.id),
            chunks: entries.len() as u64,
            time: first.map_or(Timestamp::NEVER, |entry| entry.time),
            points: entries.iter().map(|entry| u64::from(entry.points)).sum(),
            bytes: self.gather.join(entries),
        }
    }

    fn peek(&self, most: usize) -> Vec<Entry> {
        let mut queue = self.lock();
        let entries = queue.peek(most);
        self.tell(&mut queue);
        entries
    }

    /// Everything up to `id` has arrived or never will.
    pub(crate) fn done_through(&self, id: u64) {
        let mut queue = self.lock();
        queue.remove_through(id);
        self.tell(&mut queue);
        self.room.notify_all();
    }

    pub(crate) fn sent(&self, parcel: &Parcel) {
        counter!(telemetry::SENT, &self.labels()).increment(parcel.points);
        let mut told = self.told();
        told.sent += parcel.points;
        told.failure = None;
        drop(told);
        if self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!(sink = self.sink, to = self.to, "sink works again");
        }
    }

    pub(crate) fn refused(&self, parcel: &Parcel, reason: &str) {
        let (chunks, points) = (parcel.chunks, parcel.points);
        tracing::warn!(sink = self.sink, to = self.to, points, reason, "refused");
        self.count(Loss { reason: Reason::Refused, chunks, points });
    }

    /// An attempt failed; logged once until one succeeds.
    pub(crate) fn failed(&self, reason: &str) {
        counter!(telemetry::RETRIED, &self.labels()).increment(1);
        let mut told = self.told();
        told.retried += 1;
        told.failure = Some(reason.to_owned());
        drop(told);
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(sink = self.sink, to = self.to, reason, "sink does not work");
        }
        self.settled.notify_waiters();
        // Held so that nobody is between looking and waiting.
        drop(self.lock());
        self.room.notify_all();
    }

    pub(crate) fn circuit(&self, state: State) {
        self.told().circuit = Some(state);
        let value = match state {
            State::Closed => 0.0,
            State::Open => 1.0,
            State::HalfOpen => 2.0,
        };
        gauge!(telemetry::CIRCUIT, &self.labels()).set(value);
    }

    /// Waits until everything was sent, or an attempt failed.
    pub(crate) async fn settled(&self) {
        loop {
            let settled = self.settled.notified();
            let mut settled = std::pin::pin!(settled);
            // From here on no notification is missed.
            settled.as_mut().enable();
            if self.failing.load(Ordering::Relaxed)
                || self.gathering.load(Ordering::Relaxed) && !self.last.load(Ordering::Relaxed)
                || self.lock().waiting().chunks == 0
            {
                return;
            }
            settled.await;
        }
    }

    /// Nothing will be pushed any more: what is gathered goes as it is. Waits as [`Lane::settled`].
    pub(crate) async fn flushed(&self) {
        self.last.store(true, Ordering::Relaxed);
        self.pushed.notify_one();
        self.settled().await;
    }

    /// Counts what a queue in memory takes along when the process ends.
    pub(crate) fn stop(&self) {
        let waiting = self.lock().waiting();
        if waiting.chunks > 0 && !self.on_disk {
            let points = waiting.points;
            tracing::warn!(sink = self.sink, to = self.to, points, "stopped before all was sent");
            self.count(Loss { reason: Reason::Stopped, chunks: waiting.chunks as u64, points });
        }
    }

    /// Counts losses and shows how much waits.
    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
    fn tell(&self, queue: &mut Queue) {
        for loss in queue.take_losses() {
            let (reason, points) = (loss.reason.name(), loss.points);
            tracing::warn!(sink = self.sink, to = self.to, reason, points, "dropped");
            self.count(loss);
        }
        let waiting = queue.waiting();
        gauge!(telemetry::WAITING, &self.labels()).set(waiting.points as f64);
        gauge!(telemetry::WAITING_BYTES, &self.labels()).set(waiting.bytes as f64);
    }

    fn count(&self, loss: Loss) {
        let [sink, to, takes] = self.labels();
        let labels = [sink, to, takes, ("reason", loss.reason.name().to_owned())];
        counter!(telemetry::DROPPED, &labels).increment(loss.points);
        *self.told().dropped.entry(loss.reason.name()).or_default() += loss.points;
        counter!(telemetry::DROPPED_CHUNKS, &labels).increment(loss.chunks);
    }

    /// How it stands now.
    pub(crate) fn status(&self) -> SinkStatus {
        let waiting = self.lock().waiting();
        let told = self.told();
        SinkStatus {
            name: self.sink,
            takes: self.takes,
            to: self.to.clone(),
            on_disk: self.on_disk,
            queued: told.queued,
            sent: told.sent,
            retried: told.retried,
            dropped: told.dropped.iter().map(|(reason, points)| (*reason, *points)).collect(),
            waiting_chunks: waiting.chunks as u64,
            waiting_points: waiting.points,
            waiting_bytes: waiting.bytes,
            circuit: told.circuit.unwrap_or(State::Closed).name(),
            failure: told.failure.clone(),
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn labels(&self) -> [(&'static str, String); 3] {
        let takes = ("takes", self.takes.to_owned());
        [("sink", self.sink.to_owned()), ("to", self.to.clone()), takes]
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
