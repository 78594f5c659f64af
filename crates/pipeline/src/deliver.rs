//! Delivery: each sink in its own task behind its own queue.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge, histogram};
use model::Batch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::queue::Queue;
use crate::{Clock, Sink, telemetry};

/// The sinks' queues, as the tick sees them.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    lanes: Vec<Lane>,
}

#[derive(Debug)]
struct Lane {
    name: Arc<str>,
    queue: Arc<Queue>,
    /// Whether the last batch pushed an older one out: logged when it changes.
    full: bool,
}

impl Queues {
    /// Starts a task for `sink`; it ends with the sink's name.
    pub(crate) fn start(
        &mut self,
        mut sink: Box<dyn Sink>,
        limit: Duration,
        clock: Clock,
        tasks: &mut JoinSet<()>,
    ) -> tokio::task::Id {
        let name: Arc<str> = sink.name().into();
        let queue = Arc::new(Queue::default());
        self.lanes.push(Lane { name: Arc::clone(&name), queue: Arc::clone(&queue), full: false });
        let handle = tasks.spawn(async move {
            let mut failing = false;
            while let Some(batch) = queue.next().await {
                let failure = export(sink.as_mut(), batch, limit, clock).await.err();
                if failing != failure.is_some() {
                    if let Some(reason) = &failure {
                        tracing::warn!(sink = %name, %reason, "export failed");
                    } else {
                        tracing::info!(sink = %name, "export works again");
                    }
                    failing = failure.is_some();
                }
            }
            sink.finish().await;
        });
        handle.id()
    }

    /// Puts `batch` into every queue. Never waits.
    pub(crate) fn push(&mut self, batch: &Arc<Batch>) {
        for lane in &mut self.lanes {
            let dropped = lane.queue.push(Arc::clone(batch));
            if dropped {
                counter!(telemetry::SINK_DROPPED, "sink" => lane.name.to_string()).increment(1);
            }
            if dropped && !lane.full {
                tracing::warn!(sink = %lane.name, "queue is full, oldest batch dropped");
            }
            lane.full = dropped;
        }
    }

    /// Tells every sink that no more batches come.
    pub(crate) fn close(&self) {
        self.lanes.iter().for_each(|lane| lane.queue.close());
    }

    /// How many batches wait in all queues.
    pub(crate) fn waiting(&self) -> usize {
        self.lanes.iter().map(|lane| lane.queue.len()).sum()
    }
}

async fn export(
    sink: &mut dyn Sink,
    batch: Arc<Batch>,
    limit: Duration,
    clock: Clock,
) -> Result<(), String> {
    let name = sink.name().to_owned();
    let started = Instant::now();
    let outcome = match timeout(limit, sink.export(batch)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("not done within {limit:?}")),
    };
    histogram!(telemetry::EXPORTER_DURATION, "exporter" => name.clone())
        .record(started.elapsed().as_secs_f64() * 1000.0);
    match &outcome {
        Ok(()) => {
            let now = Duration::from_nanos(clock.now().nanos().unsigned_abs());
            gauge!(telemetry::EXPORTER_LAST_TIME, "exporter" => name).set(now.as_secs_f64());
        }
        Err(_) => counter!(telemetry::SINK_FAILED, "sink" => name).increment(1),
    }
    outcome
}
