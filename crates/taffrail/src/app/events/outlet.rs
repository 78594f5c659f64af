//! One taker of events, the store or a sink, with the events that wait for it: a taker that fails
//! is tried again, and keeps no other waiting.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster::EventBatch;
use cluster::replicas::Membership;
use model::Event;
use pipeline::Clock;
use sinks::EventSink;
use store::Store;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};

use crate::app::replicas::SINKS;
use crate::telemetry;

/// Events that wait for a taker at most.
const MAX_WAITING: usize = 100_000;
/// How long to wait before a taker that failed is tried again; doubles up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// How long events are remembered by a replica that does not feed the sinks: whoever did may have
/// died before they were sent.
const REMEMBERED: Duration = Duration::from_mins(1);
/// How often such a replica looks whether it feeds them now.
const LOOK: Duration = Duration::from_secs(1);

/// What was gathered at once, numbered from 1 on.
pub(super) struct Parcel {
    pub(super) number: u64,
    pub(super) batches: Vec<EventBatch>,
}

impl Parcel {
    fn events(&self) -> usize {
        self.batches.iter().map(|batch| batch.events.len()).sum()
    }

    /// Events that happened while somebody reads, for sinks.
    fn fresh(&self) -> impl Iterator<Item = &Event> {
        self.batches.iter().filter(|batch| !batch.past).flat_map(|batch| &batch.events)
    }
}

/// Who takes events.
pub(super) enum Taker {
    Store(Arc<Store>),
    Sink(Box<EventSink>),
}

impl Taker {
    fn name(&self) -> &'static str {
        match self {
            Self::Store(_) => "store",
            Self::Sink(sink) => sink.name(),
        }
    }

    fn take(&mut self, parcel: &Parcel, clock: Clock) -> Result<(), String> {
        match self {
            Self::Store(store) => save(store, parcel, clock),
            Self::Sink(sink) => {
                let events: Vec<Event> = parcel.fresh().cloned().collect();
                if events.is_empty() {
                    return Ok(());
                }
                let begun = Instant::now();
                let batch = model::EventBatch { timestamp: clock.now(), events };
                let sent = sink.export(&batch).map_err(|error| error.to_string());
                let millis = begun.elapsed().as_secs_f64() * 1e3;
                metrics::histogram!(telemetry::EXPORTER_DURATION, "exporter" => sink.name())
                    .record(millis);
                sent
            }
        }
    }
}

fn save(store: &Store, parcel: &Parcel, clock: Clock) -> Result<(), String> {
    for events in parcel.batches.iter().map(|batch| &*batch.events).filter(|e| !e.is_empty()) {
        store.append_events(events, clock.now()).map_err(|error| error.to_string())?;
    }
    if parcel.events() > 0 {
        store.sync(clock.now()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// What waits for a taker.
#[derive(Default)]
struct Waiting {
    parcels: VecDeque<Arc<Parcel>>,
    events: usize,
    /// Number of the newest parcel that was taken.
    taken: u64,
    /// Number of the first parcel that found no room: the position stays before it.
    left_out: Option<u64>,
    closed: bool,
}

/// A taker and what waits for it.
pub(super) struct Outlet {
    name: &'static str,
    waiting: Arc<Mutex<Waiting>>,
    news: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Outlet {
    /// Begins to take; tells `progress` of each parcel that was taken.
    pub(super) fn new(
        taker: Taker,
        membership: Option<Membership>,
        progress: Arc<watch::Sender<()>>,
        clock: Clock,
    ) -> Self {
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let news = watch::Sender::new(());
        let membership = membership.filter(|_| matches!(taker, Taker::Sink(_)));
        let name = taker.name();
        let run = Run {
            waiting: Arc::clone(&waiting),
            news: news.subscribe(),
            progress,
            membership,
            remembered: VecDeque::new(),
            clock,
        };
        Self { name, waiting, news, task: tokio::spawn(run.run(taker)) }
    }

    /// Lets a parcel wait. One that finds no room is left out for this taker; as the position
    /// stays before it, a restart reads it again.
    pub(super) fn offer(&self, parcel: &Arc<Parcel>) {
        let mut waiting = lock(&self.waiting);
        let events = parcel.events();
        if waiting.events + events > MAX_WAITING && !waiting.parcels.is_empty() {
            metrics::counter!(telemetry::EVENTS_LEFT_OUT, "taker" => self.name)
                .increment(u64::try_from(events).unwrap_or(u64::MAX));
            if waiting.left_out.is_none() {
                waiting.left_out = Some(parcel.number);
                tracing::error!(
                    taker = self.name,
                    "too many events wait for it: new ones are read again after a restart only"
                );
            }
            return;
        }
        waiting.events += events;
        waiting.parcels.push_back(Arc::clone(parcel));
        drop(waiting);
        self.news.send_replace(());
    }

    /// Number of the newest parcel up to which every one was taken.
    pub(super) fn reached(&self) -> u64 {
        let waiting = lock(&self.waiting);
        let before = waiting.left_out.map_or(u64::MAX, |number| number - 1);
        waiting.taken.min(before)
    }

    /// Waits until all that waits is taken, or an attempt fails.
    pub(super) async fn close(self) -> u64 {
        lock(&self.waiting).closed = true;
        self.news.send_replace(());
        let reached = Arc::clone(&self.waiting);
        let before = self.reached();
        if self.task.await.is_err() {
            return before;
        }
        let waiting = lock(&reached);
        waiting.taken.min(waiting.left_out.map_or(u64::MAX, |number| number - 1))
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The task of a taker.
struct Run {
    waiting: Arc<Mutex<Waiting>>,
    news: watch::Receiver<()>,
    progress: Arc<watch::Sender<()>>,
    /// Where one of several replicas feeds the sinks.
    membership: Option<Membership>,
    /// Newest parcels that somebody else sends.
    remembered: VecDeque<(Instant, Arc<Parcel>)>,
    clock: Clock,
}

impl Run {
    async fn run(mut self, mut taker: Taker) {
        let mut wait = FIRST;
        loop {
            let Some(parcel) = self.next().await else { break };
            let number = parcel.number;
            match self.take(taker, Arc::clone(&parcel)).await {
                Some((back, Ok(()))) => {
                    taker = back;
                    if wait != FIRST {
                        tracing::info!(taker = taker.name(), "it takes events again");
                        wait = FIRST;
                    }
                    self.taken(number);
                }
                Some((back, Err(reason))) => {
                    taker = back;
                    tracing::warn!(taker = taker.name(), reason, ?wait, "events were not taken");
                    let waits = lock(&self.waiting).parcels.front().map(|first| first.number);
                    if waits != Some(number) {
                        self.remembered.push_front((Instant::now(), parcel));
                    }
                    if lock(&self.waiting).closed {
                        break;
                    }
                    sleep(wait).await;
                    wait = (wait * 2).min(LONGEST);
                }
                None => return,
            }
        }
        if let Taker::Sink(sink) = taker {
            sink.stop().await;
        }
    }

    /// The parcel that waits first; a remembered one with a number that was taken already where
    /// this replica feeds the sinks now. `None` at the end.
    async fn next(&mut self) -> Option<Arc<Parcel>> {
        loop {
            if self.feeds() {
                self.forget_old();
                if let Some((_, parcel)) = self.remembered.pop_front() {
                    return Some(parcel);
                }
            }
            let (first, closed) = {
                let waiting = lock(&self.waiting);
                (waiting.parcels.front().cloned(), waiting.closed)
            };
            match first {
                Some(parcel) if self.feeds() => return Some(parcel),
                Some(parcel) => self.remember(parcel),
                None if closed => return None,
                // Only the sender's end ends this, and that is the outlet's.
                None => drop(timeout(LOOK, self.news.changed()).await),
            }
        }
    }

    fn feeds(&self) -> bool {
        self.membership.as_ref().is_none_or(|membership| membership.members().is_mine(SINKS))
    }

    fn remember(&mut self, parcel: Arc<Parcel>) {
        let number = parcel.number;
        self.remembered.push_back((Instant::now(), parcel));
        self.forget_old();
        self.taken(number);
    }

    fn forget_old(&mut self) {
        while self.remembered.front().is_some_and(|(at, _)| at.elapsed() > REMEMBERED) {
            self.remembered.pop_front();
        }
    }

    fn taken(&self, number: u64) {
        let mut waiting = lock(&self.waiting);
        if waiting.parcels.front().is_some_and(|parcel| parcel.number == number)
            && let Some(parcel) = waiting.parcels.pop_front()
        {
            waiting.events -= parcel.events();
            waiting.taken = number;
        }
        drop(waiting);
        self.progress.send_replace(());
    }

    /// Takes on a thread that may block; `None` when that panicked.
    async fn take(&self, taker: Taker, parcel: Arc<Parcel>) -> Option<(Taker, Result<(), String>)> {
        let clock = self.clock;
        let done = spawn_blocking(move || {
            let mut taker = taker;
            let result = taker.take(&parcel, clock);
            (taker, result)
        });
        done.await.map_err(|error| tracing::error!(%error, "events are no longer taken")).ok()
    }
}
