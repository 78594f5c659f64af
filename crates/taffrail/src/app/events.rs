//! The cluster's events on their way from the API server to the store and to sinks.
//!
//! The position moves only when the store has made the events safe and every sink has them in its
//! queue, so that a crash repeats a batch and loses none.

mod outlet;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cluster::replicas::Membership;
use cluster::{Connection, EventBatch, Position, Watches};
use pipeline::Clock;
use sinks::{EventSink, StatusHandle};
use store::Store;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::history::History;
use super::measure::Measured;
use super::replicas::Replicas;
use crate::config::Config;
use crate::exit::Failure;
use crate::outputs;
use crate::telemetry;
use outlet::{Outlet, Parcel, Taker};

/// Name of the position's file in the data folder.
pub(crate) const POSITION: &str = "events.position";
/// How long events are gathered before they are made safe together.
pub(crate) const GATHER: Duration = Duration::from_millis(200);
/// How often the loop shows that it lives.
const ALIVE: Duration = Duration::from_secs(30);
/// How long the last events may take to be kept when the process ends.
const LAST: Duration = Duration::from_secs(5);
/// Positions that wait for their parcels to be taken at most; above that every second is
/// forgotten, which makes the kept one coarser.
const MAX_POSITIONS: usize = 1024;

/// Takes events until it is told to stop.
pub(crate) struct EventIntake {
    batches: mpsc::Receiver<EventBatch>,
    outlets: Vec<Outlet>,
    /// How the sinks stand.
    statuses: Vec<StatusHandle>,
    progress: watch::Receiver<()>,
    /// Where the position is kept, where there is a folder.
    file: Option<PathBuf>,
    gather: Duration,
    /// When the loop ran last, in seconds since 1970.
    looped: Arc<AtomicI64>,
    clock: Clock,
    /// Number of the newest parcel.
    number: u64,
    /// Positions behind parcels that are not taken yet, or not written.
    positions: VecDeque<(u64, Position)>,
}

/// Who takes events, and where the position is kept.
pub(crate) struct Takers {
    pub(crate) store: Option<Arc<Store>>,
    pub(crate) sinks: Vec<EventSink>,
    pub(crate) file: Option<PathBuf>,
    /// Where one of several replicas feeds the sinks.
    pub(crate) membership: Option<Membership>,
}

impl EventIntake {
    /// Begins to read where there is a cluster and somebody who wants its events. Must run inside
    /// a runtime.
    pub(super) fn begin(
        config: &Config,
        history: Option<&History>,
        measured: &mut Measured,
        clock: Clock,
    ) -> Result<Option<Self>, Failure> {
        let store = history.map(History::store);
        let membership = measured.replicas.as_ref().map(Replicas::membership);
        let sinks = outputs::build_events(config, clock)?;
        let Some((watches, connection)) = &mut measured.cluster else {
            if sinks.is_empty() {
                return Ok(None);
            }
            return Err(Failure::config(
                "--event-sink: this machine has no events: give a cluster",
            ));
        };
        if sinks.is_empty() && store.is_none() {
            return Ok(None);
        }
        let file = store.as_ref().map(|store| store.dir().join(POSITION));
        let takers = Takers { store, sinks, file, membership };
        Ok(Some(Self::new(takers, watches, connection, GATHER, clock)))
    }

    /// Who answers for how its sinks stand.
    pub(super) fn statuses(&self) -> impl Iterator<Item = StatusHandle> {
        self.statuses.iter().cloned()
    }

    /// Begins to read for `takers`.
    pub(crate) fn new(
        takers: Takers,
        watches: &mut Watches,
        connection: &Connection,
        gather: Duration,
        clock: Clock,
    ) -> Self {
        let Takers { store, sinks, file, membership } = takers;
        let position = file.as_ref().and_then(|file| match Position::read(file) {
            Ok(position) => position,
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "events are read from the beginning");
                None
            }
        });
        let batches = watches.follow_events(connection, position, !sinks.is_empty());
        let told = Arc::new(watch::Sender::new(()));
        let progress = told.subscribe();
        let statuses = sinks.iter().filter_map(EventSink::status).collect();
        let sinks = sinks.into_iter().map(|sink| Taker::Sink(Box::new(sink)));
        let outlets = store
            .map(Taker::Store)
            .into_iter()
            .chain(sinks)
            .map(|taker| Outlet::new(taker, membership.clone(), Arc::clone(&told), clock))
            .collect();
        Self {
            batches,
            outlets,
            statuses,
            progress,
            file,
            gather,
            looped: Arc::new(AtomicI64::new(clock.now().secs())),
            clock,
            number: 0,
            positions: VecDeque::new(),
        }
    }

    /// When the loop ran last, in seconds since 1970.
    pub(crate) fn looped(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.looped)
    }

    /// Takes events until `stop` is dropped; what is taken is kept when this ends.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut alive = interval(ALIVE);
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = false;
        while !stopping {
            tokio::select! {
                batch = self.batches.recv() => match batch {
                    Some(first) => {
                        let begun = Instant::now();
                        stopping = timeout(self.gather, &mut stop).await.is_ok();
                        self.offer(first, begun);
                    }
                    None => stopping = true,
                },
                // The sender lives in the outlets, and they live here.
                _ = self.progress.changed() => {}
                _ = alive.tick() => {}
                _ = &mut stop => stopping = true,
            }
            self.show_life();
            let reached = self.outlets.iter().map(Outlet::reached).min();
            self.keep_position(reached.unwrap_or(self.number)).await;
        }
        let mut reached = self.number;
        for outlet in std::mem::take(&mut self.outlets) {
            reached = reached.min(outlet.close().await);
        }
        self.keep_position(reached).await;
    }

    /// Everything that is there by now becomes one parcel for every taker.
    fn offer(&mut self, first: EventBatch, begun: Instant) {
        let mut batches = vec![first];
        while let Ok(next) = self.batches.try_recv() {
            batches.push(next);
        }
        self.number += 1;
        let count: usize = batches.iter().map(|batch| batch.events.len()).sum();
        metrics::counter!(telemetry::SCRAPER_EVENTS)
            .increment(u64::try_from(count).unwrap_or(u64::MAX));
        metrics::histogram!(telemetry::SCRAPER_DURATION)
            .record(begun.elapsed().as_secs_f64() * 1e3);
        metrics::gauge!(telemetry::SCRAPER_LAST_TIME).set(seconds(self.clock));
        let position = batches.iter().rev().find_map(|batch| batch.position.clone());
        let parcel = Arc::new(Parcel { number: self.number, batches });
        for outlet in &self.outlets {
            outlet.offer(&parcel);
        }
        self.positions.extend(position.map(|position| (self.number, position)));
        if self.positions.len() > MAX_POSITIONS {
            let mut keep = false;
            self.positions.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }

    fn show_life(&self) {
        self.looped.store(self.clock.now().secs(), Ordering::Relaxed);
        metrics::gauge!(telemetry::MANAGER_LAST_TIME).set(seconds(self.clock));
    }

    /// Writes the newest position behind parcels that everybody has.
    async fn keep_position(&mut self, reached: u64) {
        let mut newest = None;
        while self.positions.front().is_some_and(|(number, _)| *number <= reached) {
            newest = self.positions.pop_front();
        }
        let (Some((number, position)), Some(file)) = (newest, self.file.clone()) else { return };
        let kept = position.clone();
        let written = spawn_blocking(move || kept.write(&file).map_err(|error| (file, error)));
        if let Ok(Err((file, error))) = written.await {
            tracing::error!(file = %file.display(), %error, "the position of events is not kept");
            // A later one, or the same again, may be.
            self.positions.push_front((number, position));
        }
    }
}

fn seconds(clock: Clock) -> f64 {
    model::Value::Int(clock.now().secs()).as_f64()
}

/// Waits until the intake has kept what it took.
pub(crate) async fn ended(intake: Option<JoinHandle<()>>) {
    if let Some(intake) = intake
        && timeout(LAST, intake).await.is_err()
    {
        tracing::error!("the last events were not kept in time: they are read again");
    }
}
