//! The tick: scrape, process, freeze, deliver; again at every window's end until told to stop.
//!
//! Nothing behind the tick can delay it: consumers are handed the batch in turn and must be
//! quick, sinks take it from queues of their own.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge, histogram};
use model::{Batch, Draft, Registry, SharedInventory, Timestamp};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::deliver::Queues;
use crate::schedule::{Planned, Schedule};
use crate::{Clock, ProcessorOptions, Processors, Sink, Source, Window, telemetry};

/// No scrape takes longer, however long the window (Heapster's batch deadline).
const LONGEST_SCRAPE: Duration = Duration::from_secs(20);
/// How much longer than its deadline a source may take before its scrape is abandoned.
const SCRAPE_GRACE: Duration = Duration::from_millis(250);

/// What the tick can be told.
#[derive(Debug, Clone, Copy)]
pub struct TickOptions {
    /// Length of a window (`--metric_resolution`); at least 5 s.
    pub resolution: Duration,
    /// How long after a window's end it is scraped. Heapster: 5 s.
    pub scrape_offset: Duration,
    /// How long a sink may take for one batch (`--sink_export_data_timeout`).
    pub sink_timeout: Duration,
    /// How long sinks may take to empty their queues at the end.
    pub drain_timeout: Duration,
    /// The newest batch of a process before this one: the first window ends after it.
    pub before: Timestamp,
    /// For the processors.
    pub processors: ProcessorOptions,
}

impl Default for TickOptions {
    fn default() -> Self {
        Self {
            resolution: Duration::from_mins(1),
            scrape_offset: Duration::ZERO,
            sink_timeout: Duration::from_secs(20),
            drain_timeout: Duration::from_secs(10),
            before: Timestamp::NEVER,
            processors: ProcessorOptions::default(),
        }
    }
}

/// How the tick stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TickStatus {
    /// Timestamp of the last batch; [`Timestamp::NEVER`] before the first.
    pub last_batch: Timestamp,
    /// When that batch was delivered.
    pub delivered: Timestamp,
    /// From the start of its scrape to its delivery.
    pub took: Duration,
    /// The part of that which the scrape took.
    pub scrape_took: Duration,
    /// Its rows of all kinds.
    pub rows: usize,
    /// Batches delivered so far.
    pub ticks: u64,
    /// Windows left out so far.
    pub skipped: u64,
    /// Whether the last tick took so long that a window was left out.
    pub overrunning: bool,
}

/// Why [`Pipeline::run`] ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// It was asked to.
    Asked {
        /// Batches that sinks had not taken when the time to drain was over, counted by sink.
        undelivered: usize,
    },
    /// A part of it panicked or ended by itself.
    Failed {
        /// Which: `scrape`, `process` or `sink:<name>`.
        task: String,
        /// What it said.
        reason: String,
    },
}

/// A consumer inside the process: the live window, the store's queue.
type Consumer = Box<dyn Fn(&Arc<Batch>) + Send>;

/// The tick with everything around it.
pub struct Pipeline {
    clock: Clock,
    source: Arc<dyn Source>,
    inventory: SharedInventory,
    options: TickOptions,
    consumers: Vec<Consumer>,
    sinks: Vec<Box<dyn Sink>>,
    status: watch::Sender<TickStatus>,
}

impl Pipeline {
    /// A pipeline that delivers to nobody yet.
    pub fn new(
        clock: Clock,
        source: Arc<dyn Source>,
        inventory: SharedInventory,
        options: TickOptions,
    ) -> Self {
        let status = watch::Sender::new(TickStatus::default());
        let (consumers, sinks) = (Vec::new(), Vec::new());
        Self { clock, source, inventory, options, consumers, sinks, status }
    }

    /// Also calls `consumer` with every batch, before any sink gets it, in the tick itself.
    #[must_use]
    pub fn with_consumer(mut self, consumer: impl Fn(&Arc<Batch>) + Send + 'static) -> Self {
        self.consumers.push(Box::new(consumer));
        self
    }

    /// Also delivers every batch to `sink`, through a queue.
    #[must_use]
    pub fn with_sink(mut self, sink: Box<dyn Sink>) -> Self {
        self.sinks.push(sink);
        self
    }

    /// How the tick stands, now and whenever it changes.
    pub fn status(&self) -> watch::Receiver<TickStatus> {
        self.status.subscribe()
    }

    /// Ticks until `shutdown` is ready or a part fails, then drains the sinks.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Stopped {
        let Self { clock, source, inventory, options, consumers, sinks, status } = self;
        let mut tasks = JoinSet::new();
        let mut names = HashMap::new();
        let mut queues = Queues::default();
        for sink in sinks {
            let name = sink.name().to_owned();
            names.insert(queues.start(sink, options.sink_timeout, clock, &mut tasks), name);
        }
        let works = Works {
            processors: Processors::new(options.processors),
            registry: Registry::default(),
            consumers,
            inventory,
        };
        let mut shutdown = pin!(shutdown);
        let failed = {
            let mut ticker = Ticker { clock, source, options, status, works: Some(works) };
            tokio::select! {
                failed = ticker.run(&mut queues, shutdown.as_mut()) => failed,
                failed = first_end(&mut tasks, &names) => Some(failed),
            }
        };
        queues.close();
        drain(&mut tasks, &names, options.drain_timeout, failed)
            .await
            .unwrap_or_else(|| Stopped::Asked { undelivered: queues.waiting() + tasks.len() })
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("source", &self.source.name())
            .field("options", &self.options)
            .field("sinks", &self.sinks.iter().map(|sink| sink.name()).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// What one tick needs and hands on to the next; moves to a blocking thread and back.
struct Works {
    processors: Processors,
    registry: Registry,
    consumers: Vec<Consumer>,
    inventory: SharedInventory,
}

impl Works {
    /// Processes, freezes and shows `draft` to the consumers.
    fn complete(&mut self, mut draft: Draft) -> Arc<Batch> {
        self.processors.run(&mut draft, &self.inventory);
        let (batch, registry) = draft.freeze();
        self.registry = registry;
        self.consumers.iter().for_each(|consumer| consumer(&batch));
        batch
    }
}

struct Ticker {
    clock: Clock,
    source: Arc<dyn Source>,
    options: TickOptions,
    status: watch::Sender<TickStatus>,
    works: Option<Works>,
}

impl Ticker {
    /// Ticks until `shutdown` is ready or something fails. Waiting and scraping are broken off; a
    /// draft that is already scraped is still delivered.
    async fn run(
        &mut self,
        queues: &mut Queues,
        mut shutdown: Pin<&mut impl Future<Output = ()>>,
    ) -> Option<Stopped> {
        let mut schedule = Schedule::new(self.options.resolution, self.options.scrape_offset)
            .behind(self.options.before);
        loop {
            let planned = schedule.next(self.clock.now());
            self.note_overrun(&planned);
            tokio::select! {
                biased;
                () = &mut shutdown => return None,
                () = sleep_until(self.clock.instant_at(planned.wake)) => {}
            }
            if self.status.borrow().ticks == 0 {
                schedule.settle(self.clock.now());
            }
            let started = Instant::now();
            let scraped = tokio::select! {
                biased;
                () = &mut shutdown => return None,
                scraped = self.scrape(planned.end) => scraped,
            };
            let completed = match scraped {
                Ok(Some(draft)) => self.complete(draft, started, queues).await,
                Ok(None) => Ok(()),
                Err(stopped) => Err(stopped),
            };
            if let Err(stopped) = completed {
                return Some(stopped);
            }
        }
    }

    /// Makes a batch of `draft` and hands it to everybody.
    async fn complete(
        &mut self,
        draft: Draft,
        started: Instant,
        queues: &mut Queues,
    ) -> Result<(), Stopped> {
        let scrape_took = started.elapsed();
        let Some(mut works) = self.works.take() else { return Ok(()) };
        let (works, batch) = spawn_blocking(move || {
            let batch = works.complete(draft);
            (works, batch)
        })
        .await
        .map_err(|error| failed("process", error))?;
        self.works = Some(works);
        self.publish(&batch, started, scrape_took);
        queues.push(&batch);
        Ok(())
    }

    /// The filled draft; `None` when the source did not come back in time.
    async fn scrape(&mut self, end: Timestamp) -> Result<Option<Draft>, Stopped> {
        let resolution = self.options.resolution;
        let deadline = Instant::now() + LONGEST_SCRAPE.min(resolution.mul_f64(0.9));
        let window = Window { start: end.minus(resolution), end, deadline };
        let registry = self.works.as_mut().map(|works| std::mem::take(&mut works.registry));
        let draft = Draft::new(end, registry.unwrap_or_default());
        let source = Arc::clone(&self.source);
        let mut scrape = JoinSet::new();
        scrape.spawn(async move { source.scrape(window, draft).await });
        match timeout_at(window.deadline + SCRAPE_GRACE, scrape.join_next()).await {
            Ok(Some(Ok(draft))) => Ok(Some(draft)),
            Ok(Some(Err(error))) => Err(failed("scrape", error)),
            Ok(None) => Ok(None),
            Err(_) => {
                counter!(telemetry::SCRAPES_ABANDONED).increment(1);
                tracing::error!(source = self.source.name(), "scrape overran its deadline");
                Ok(None)
            }
        }
    }

    fn publish(&self, batch: &Batch, started: Instant, scrape_took: Duration) {
        let took = started.elapsed();
        counter!(telemetry::TICKS).increment(1);
        histogram!(telemetry::TICK_DURATION).record(took.as_secs_f64() * 1000.0);
        for table in batch.tables() {
            #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
            gauge!(telemetry::BATCH_ROWS, "kind" => table.kind().name()).set(table.len() as f64);
        }
        #[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^53 bytes")]
        gauge!(telemetry::BATCH_BYTES).set(batch.heap_bytes() as f64);
        let delivered = self.clock.now();
        self.status.send_modify(|status| {
            *status = TickStatus {
                last_batch: batch.timestamp(),
                delivered,
                took,
                scrape_took,
                rows: batch.rows(),
                ticks: status.ticks + 1,
                ..*status
            };
        });
    }

    /// Counts windows that are left out; says so when that begins and when it ends.
    fn note_overrun(&self, planned: &Planned) {
        let overrunning = planned.skipped > 0;
        let before = self.status.borrow().overrunning;
        if overrunning {
            counter!(telemetry::TICKS_SKIPPED).increment(planned.skipped);
        }
        match (before, overrunning) {
            (false, true) => {
                let skipped = planned.skipped;
                tracing::warn!(skipped, "tick took longer than the resolution, window skipped");
            }
            (true, false) => tracing::info!("ticks keep up again"),
            _ => {}
        }
        if before || overrunning {
            self.status.send_modify(|status| {
                status.skipped += planned.skipped;
                status.overrunning = overrunning;
            });
        }
    }
}

/// Waits until a sink's task ends, which before shutdown none should; for ever without sinks.
async fn first_end(tasks: &mut JoinSet<()>, names: &HashMap<Id, String>) -> Stopped {
    match tasks.join_next_with_id().await {
        Some(Ok((id, ()))) => {
            Stopped::Failed { task: sink_task(names, id), reason: "it ended".to_owned() }
        }
        Some(Err(error)) => failed(&sink_task(names, error.id()), error),
        None => std::future::pending().await,
    }
}

/// Lets sinks finish until `limit` is over, then ends them. What failed first, if anything.
async fn drain(
    tasks: &mut JoinSet<()>,
    names: &HashMap<Id, String>,
    limit: Duration,
    mut failure: Option<Stopped>,
) -> Option<Stopped> {
    let deadline = Instant::now() + limit;
    while let Ok(Some(ended)) = timeout_at(deadline, tasks.join_next_with_id()).await {
        if let Err(error) = ended {
            let task = sink_task(names, error.id());
            failure.get_or_insert_with(|| failed(&task, error));
        }
    }
    tasks.abort_all();
    failure
}

fn sink_task(names: &HashMap<Id, String>, id: Id) -> String {
    format!("sink:{}", names.get(&id).map_or("", String::as_str))
}

fn failed(task: &str, error: JoinError) -> Stopped {
    let reason = match error.try_into_panic() {
        Ok(panic) => {
            let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
            said.or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "it panicked".to_owned())
        }
        Err(error) => error.to_string(),
    };
    Stopped::Failed { task: task.to_owned(), reason }
}

#[cfg(test)]
mod tests;
