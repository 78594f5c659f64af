//! The tick with everything that takes its batches: live window, history, sinks, event streams.

use std::sync::Arc;
use std::time::Duration;

use api::ApiState;
use model::SharedInventory;
use pipeline::{Clock, Pipeline, TickOptions, TickStatus};
use query::{ResourceWindows, StateHistory, Window};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::history::History;
use super::measure::Measured;
use crate::adapters::{QueuedSink, fill_from};
use crate::config::{Config, Dialect, HEAPSTER_SCRAPE_OFFSET};
use crate::heap;

/// Who takes batches in the tick itself: the live window, the objects' states, history, resource
/// windows.
pub(super) type Takers<'a> =
    (&'a Arc<Window>, &'a Arc<StateHistory>, Option<&'a History>, Option<&'a Arc<ResourceWindows>>);

/// The tick over `measured`: the window shows a batch first, history keeps it, sinks send it.
pub(super) fn pipeline(
    config: &Config,
    resolution: Duration,
    clock: Clock,
    measured: &Measured,
    (window, stated, history, ticked): Takers<'_>,
    sinks: Vec<sinks::Sink>,
) -> Pipeline {
    let (source, inventory) = (Arc::clone(&measured.source), Arc::clone(&measured.inventory));
    let noted = noted_by(stated, Arc::clone(&inventory));
    let kept = history.and_then(|history| history.store().reach());
    let before = kept.map_or(model::Timestamp::NEVER, |(_, newest)| newest);
    let options = TickOptions { before, ..tick_options(config, resolution) };
    // Who sees a tick sees its states: what a rule gives at one is computed once.
    let mut pipeline = Pipeline::new(clock, source, inventory, options)
        .with_consumer(noted)
        .with_consumer(taken_by(window));
    if let Some(windows) = ticked {
        let windows = Arc::clone(windows);
        pipeline = pipeline.with_consumer(move |batch| fill_from(&windows, batch, clock.now()));
    }
    if let Some(history) = history {
        pipeline = pipeline.with_consumer(history.consumer());
    }
    for sink in sinks {
        let sink = QueuedSink::new(sink);
        pipeline = pipeline.with_sink(match &measured.replicas {
            Some(replicas) => replicas.elected(sink),
            None => Box::new(sink),
        });
    }
    pipeline
}

/// What comes after each tick: open event streams are told, memory is given back.
pub(super) fn follow(
    pipeline: &Pipeline,
    (window, state): (Arc<Window>, Arc<ApiState>),
    tasks: &mut JoinSet<&'static str>,
) {
    tasks.spawn(announce(pipeline.status(), window, state));
    tasks.spawn(heap::follow(pipeline.status()));
}

/// Tells open event streams of each batch, once its tick is complete.
async fn announce(
    mut ticks: watch::Receiver<TickStatus>,
    window: Arc<Window>,
    state: Arc<ApiState>,
) -> &'static str {
    while ticks.changed().await.is_ok() {
        let took = ticks.borrow_and_update().took;
        if let Some(batch) = window.latest() {
            state.batch_arrived(&batch, took);
        }
    }
    // The pipeline is gone: this task has nothing more to tell and must not end before it.
    std::future::pending().await
}

fn taken_by(window: &Arc<Window>) -> impl Fn(&Arc<model::Batch>) + Send + 'static {
    let window = Arc::clone(window);
    move |batch| {
        if let Err(rejected) = window.append(batch) {
            tracing::warn!(timestamp = %batch.timestamp(), %rejected, "batch not shown");
        }
    }
}

/// Notes what the cluster's objects are at the time of each batch.
fn noted_by(
    stated: &Arc<StateHistory>,
    inventory: SharedInventory,
) -> impl Fn(&Arc<model::Batch>) + Send + 'static {
    let stated = Arc::clone(stated);
    move |batch| {
        stated.observe(&inventory, batch.targets(), batch.timestamp().millis());
    }
}

fn tick_options(config: &Config, resolution: Duration) -> TickOptions {
    let scrape_offset = match config.dialect {
        Dialect::Taffrail => Duration::ZERO,
        Dialect::Heapster => HEAPSTER_SCRAPE_OFFSET,
    };
    TickOptions {
        resolution,
        scrape_offset,
        sink_timeout: config.sink_timeout,
        ..TickOptions::default()
    }
}
