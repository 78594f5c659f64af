//! The cluster's events on their way from the API server to the store and to sinks.
//!
//! The position moves only when the store has made the events safe and every sink was offered
//! them, so that a crash repeats a batch and loses none.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cluster::{Connection, EventBatch, Position, Watches};
use model::Event;
use pipeline::Clock;
use sinks::EventSink;
use store::Store;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

use super::history::History;
use crate::config::Config;
use crate::exit::Failure;
use crate::outputs;

/// Name of the position's file in the data folder.
const POSITION: &str = "events.position";
/// How long events are gathered before they are made safe together.
const GATHER: Duration = Duration::from_millis(200);
/// How long to wait before a store that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// How long the last events may take to be kept when the process ends.
const LAST: Duration = Duration::from_secs(5);

/// Takes events until it is told to stop.
pub(crate) struct EventIntake {
    batches: mpsc::Receiver<EventBatch>,
    store: Option<Arc<Store>>,
    sinks: Vec<EventSink>,
    /// Where the position is kept, where there is a folder.
    file: Option<PathBuf>,
    clock: Clock,
}

impl EventIntake {
    /// Begins to read where there is a cluster and somebody who wants its events. Must run inside
    /// a runtime.
    #[expect(clippy::needless_pass_by_value, reason = "what is borrowed is changed")]
    pub(super) fn begin(
        config: &Config,
        history: Option<&History>,
        cluster: Option<&mut (Watches, Connection)>,
        clock: Clock,
    ) -> Result<Option<Self>, Failure> {
        let sinks = outputs::build_events(config, clock)?;
        let store = history.map(History::store);
        let Some((watches, connection)) = cluster else {
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
        let position = file.as_ref().and_then(|file| match Position::read(file) {
            Ok(position) => position,
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "events are read from the beginning");
                None
            }
        });
        let batches = watches.follow_events(connection, position, !sinks.is_empty());
        Ok(Some(Self { batches, store, sinks, file, clock }))
    }

    /// Takes events until `stop` is dropped; what is taken is kept when this ends.
    pub(super) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut stopping = false;
        while !stopping {
            let first = tokio::select! {
                batch = self.batches.recv() => batch,
                _ = &mut stop => None,
            };
            let Some(first) = first else { break };
            stopping = timeout(GATHER, &mut stop).await.is_ok();
            let mut gathered = vec![first];
            while let Ok(next) = self.batches.try_recv() {
                gathered.push(next);
            }
            match self.keep(gathered).await {
                Some(back) => self = back,
                None => return,
            }
        }
        for sink in self.sinks {
            sink.stop().await;
        }
    }

    /// Hands events to every sink once, then to the store until that has them.
    async fn keep(self, batches: Vec<EventBatch>) -> Option<Self> {
        let sent = spawn_blocking(move || {
            let mut this = self;
            this.send(&batches);
            (this, batches)
        });
        let (this, batches) = settled(sent.await)?;
        let batches = Arc::new(batches);
        loop {
            let kept = {
                let (store, file, clock) = (this.store.clone(), this.file.clone(), this.clock);
                let batches = Arc::clone(&batches);
                spawn_blocking(move || save(store.as_deref(), file, &batches, clock))
            };
            match settled(kept.await)? {
                Ok(()) => return Some(this),
                Err(error) => {
                    tracing::error!(error, "events are not kept; trying again every {RETRY:?}");
                }
            }
            sleep(RETRY).await;
        }
    }

    fn send(&mut self, batches: &[EventBatch]) {
        for batch in batches.iter().filter(|batch| !batch.past && !batch.events.is_empty()) {
            let events =
                model::EventBatch { timestamp: self.clock.now(), events: batch.events.clone() };
            for sink in &mut self.sinks {
                if let Err(error) = sink.export(&events) {
                    tracing::warn!(sink = sink.name(), %error, "events were not taken");
                }
            }
        }
    }
}

/// Stores events and, once they are safe, the position behind them.
fn save(
    store: Option<&Store>,
    file: Option<PathBuf>,
    batches: &[EventBatch],
    clock: Clock,
) -> Result<(), String> {
    if let Some(store) = store {
        for events in batches.iter().map(|batch| &batch.events).filter(|events| !events.is_empty())
        {
            let events: &[Event] = events;
            store.append_events(events, clock.now()).map_err(|error| error.to_string())?;
        }
        if batches.iter().any(|batch| !batch.events.is_empty()) {
            store.sync(clock.now()).map_err(|error| error.to_string())?;
        }
    }
    let reached = batches.iter().rev().find_map(|batch| batch.position.as_ref());
    match (file, reached) {
        (Some(file), Some(position)) => position
            .write(&file)
            .map_err(|error| format!("cannot write {}: {error}", file.display())),
        _ => Ok(()),
    }
}

fn settled<T>(joined: Result<T, tokio::task::JoinError>) -> Option<T> {
    joined.map_err(|error| tracing::error!(%error, "events are no longer kept")).ok()
}

/// Waits until the intake has kept what it took.
pub(super) async fn ended(intake: Option<JoinHandle<()>>) {
    if let Some(intake) = intake
        && timeout(LAST, intake).await.is_err()
    {
        tracing::error!("the last events were not kept in time: they are read again");
    }
}
