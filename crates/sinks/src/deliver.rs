//! Delivery, once for all sinks: metrics and events are encoded into a queue, which a task of its own empties
//! towards the destination, in order, as often as it takes.
//!
//! At least once: a chunk leaves the queue when the destination has taken it. Its id survives
//! restarts. Knows no format.

mod circuit;
mod gather;
mod lane;
mod status;

use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use model::{AlertBatch, Batch, EventBatch, Timestamp};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::chunks::{Chunk, Chunks, Framing};
use crate::plan::{AlertPlan, Encode, EncodeAlerts, EncodeEvents, EventPlan, Plan};
use crate::queue::{Caps, DiskQueue, MemoryQueue, Queue};
use crate::select::Selection;
use crate::settings::Settings;
use crate::transport::{Outcome, Parcel, Sender};
use crate::{Error, Kind};
use circuit::Circuit;
use gather::Gather;
use lane::Lane;
pub use status::{SinkStatus, StatusHandle};

/// Bytes that may wait on disk where nobody says otherwise.
const DISK_BYTES: u64 = 1 << 30;
/// Bytes that may wait in memory where nobody says otherwise.
const MEMORY_BYTES: u64 = 64 << 20;
/// The smallest queue that can be asked for.
const LEAST_BYTES: u64 = 1 << 16;
/// How old what waits may get where nobody says otherwise.
const AGE: Duration = Duration::from_hours(7 * 24);
/// How long an attempt may take where nobody says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long an export waits in all for room in a queue that is being emptied: a batch may be
/// larger than its queue.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the last of what was exported may take to be sent when a sink is stopped.
const FLUSH: Duration = Duration::from_secs(5);

/// A configured sink of metrics.
pub struct Sink {
    encode: Box<dyn Encode>,
    thin: Thin,
    delivery: Delivery,
}

/// Which batches are sent of many: one in each stretch of time.
#[derive(Debug)]
struct Thin {
    /// Zero: all of them.
    step: Duration,
    /// The stretch of the batch before.
    last: Option<Timestamp>,
}

impl Thin {
    /// Whether the batch of `time` is the first of its stretch. After a start, which stretch was
    /// served is not known: then only a batch at its very begin is.
    fn takes(&mut self, time: Timestamp) -> bool {
        if self.step.is_zero() {
            return true;
        }
        let stretch = time.truncated(self.step);
        self.last.replace(stretch).map_or(stretch == time, |last| last != stretch)
    }
}

impl Sink {
    pub(crate) fn new(
        kind: &Kind,
        plan: Plan,
        settings: &Settings,
        output: Box<dyn Write + Send>,
    ) -> Result<Self, Error> {
        let thin = Thin { step: settings.duration_or_zero("resolution")?, last: None };
        let (encode, delivery) =
            Delivery::open((kind.name, "metrics"), kind.key, plan, settings, output)?;
        Ok(Self { encode, thin, delivery })
    }

    /// Encodes one batch and puts it into the queue, or writes it to the output. May block for
    /// as long as the disk or the output takes; for a destination only while that is taking what
    /// fills the queue, and then at most ten seconds.
    pub fn export(&mut self, batch: &Batch) -> Result<(), Error> {
        let Self { encode, thin, delivery } = self;
        if !thin.takes(batch.timestamp()) {
            return Ok(());
        }
        delivery.deliver(batch.timestamp(), |chunks| encode.encode(batch, chunks))
    }
}

/// A configured sink of events, with a queue of its own: metrics never push events out.
pub struct EventSink {
    encode: Box<dyn EncodeEvents>,
    selection: Selection,
    delivery: Delivery,
}

impl EventSink {
    pub(crate) fn new(
        key: &str,
        name: &'static str,
        plan: EventPlan,
        selection: Selection,
        settings: &Settings,
        output: Box<dyn Write + Send>,
    ) -> Result<Self, Error> {
        let folder = format!("{key}-events");
        let (encode, delivery) = Delivery::open((name, "events"), &folder, plan, settings, output)?;
        Ok(Self { encode, selection, delivery })
    }

    /// Encodes the events that the settings let through; otherwise as [`Sink::export`].
    pub fn export(&mut self, batch: &EventBatch) -> Result<(), Error> {
        let Self { encode, selection, delivery } = self;
        let mut events = batch.events.iter().filter(|event| selection.keeps_event(event));
        let Some(first) = events.next() else { return Ok(()) };
        delivery.deliver(batch.timestamp, |chunks| {
            encode.begin(batch.timestamp, chunks);
            for event in std::iter::once(first).chain(events) {
                encode.event(batch.timestamp, event, chunks);
            }
        })
    }
}

/// A configured sink of alerts, with a queue of its own.
pub struct AlertSink {
    encode: Box<dyn EncodeAlerts>,
    selection: Selection,
    delivery: Delivery,
}

impl AlertSink {
    pub(crate) fn new(
        kind: &Kind,
        plan: AlertPlan,
        selection: Selection,
        settings: &Settings,
        output: Box<dyn Write + Send>,
    ) -> Result<Self, Error> {
        let folder = format!("{}-alerts", kind.key);
        let (encode, delivery) =
            Delivery::open((kind.name, "alerts"), &folder, plan, settings, output)?;
        Ok(Self { encode, selection, delivery })
    }

    /// Encodes the alerts that the settings let through; otherwise as [`Sink::export`].
    pub fn export(&mut self, batch: &AlertBatch) -> Result<(), Error> {
        let Self { encode, selection, delivery } = self;
        let mut alerts = batch.alerts.iter().filter(|alert| selection.keeps_alert(alert));
        let Some(first) = alerts.next() else { return Ok(()) };
        delivery.deliver(batch.timestamp, |chunks| {
            for alert in std::iter::once(first).chain(alerts) {
                encode.alert(batch.timestamp, alert, chunks);
            }
        })
    }
}

/// What all sinks have from their delivery.
macro_rules! delivered {
    ($($sink:ty),*) => {$(
        impl $sink {
            /// Heapster's name of it: the value of `exporter` in self-metrics.
            pub fn name(&self) -> &'static str {
                self.delivery.name
            }

            /// Who answers for how it stands; `None` for a sink that prints.
            pub fn status(&self) -> Option<StatusHandle> {
                self.delivery.status()
            }

            /// Waits until everything that was exported has been sent, or an attempt to send
            /// failed.
            pub fn settled(&self) -> impl Future<Output = ()> + Send + 'static {
                self.delivery.settled()
            }

            /// Sends what is there, gathered or not, for as long as that works and at most five
            /// seconds; then stops sending and lets go of the queue's folder.
            pub async fn stop(self) {
                self.delivery.stop().await;
            }
        }
    )*};
}

delivered!(Sink, EventSink, AlertSink);

/// From encoded points to their destination; knows not what they are.
struct Delivery {
    name: &'static str,
    framing: Framing,
    outlet: Outlet,
}

enum Outlet {
    Output(BufWriter<Box<dyn Write + Send>>),
    Queue { lane: Arc<Lane>, task: JoinHandle<()> },
}

impl Delivery {
    /// The encoder of `plan`, and the way that goes on behind it. `named` is the sink's name and what
    /// it takes, `folder` the first part of the queue's folder.
    fn open<E: ?Sized>(
        named: (&'static str, &'static str),
        folder: &str,
        plan: Plan<E>,
        settings: &Settings,
        output: Box<dyn Write + Send>,
    ) -> Result<(Box<E>, Self), Error> {
        let Plan { encode, framing, transport, concurrency } = plan;
        let limit = settings.duration("timeout", TIMEOUT)?;
        let to = transport.destination();
        let outlet = match Sender::new(transport, limit, settings)? {
            None => Outlet::Output(BufWriter::new(output)),
            Some(sender) => {
                let runtime =
                    Handle::try_current().map_err(|_| Error::NoRuntime { sink: settings.sink })?;
                let circuit = Circuit::new(RandomState::new().hash_one(folder));
                let queue = queue(folder, &to, settings)?;
                let gather = Gather::new(settings, &framing)?;
                let lane = Arc::new(Lane::new(named, to, queue, gather));
                let task =
                    runtime.spawn(run(Arc::clone(&lane), sender, concurrency.max(1), circuit));
                Outlet::Queue { lane, task }
            }
        };
        Ok((encode, Self { name: named.0, framing, outlet }))
    }

    fn deliver(
        &mut self,
        time: Timestamp,
        encode: impl FnOnce(&mut Chunks<'_>),
    ) -> Result<(), Error> {
        match &mut self.outlet {
            Outlet::Output(output) => {
                let mut outcome = Ok(());
                let mut write = |chunk: Chunk| {
                    if outcome.is_ok() {
                        outcome = output.write_all(&chunk.bytes);
                    }
                };
                let mut chunks = Chunks::new(&self.framing, &mut write);
                encode(&mut chunks);
                chunks.finish();
                outcome?;
                output.flush()?;
                Ok(())
            }
            Outlet::Queue { lane, .. } => {
                let mut patience = PATIENCE;
                let mut push = |chunk| lane.push(time, chunk, &mut patience);
                let mut chunks = Chunks::new(&self.framing, &mut push);
                encode(&mut chunks);
                chunks.finish();
                Ok(lane.sync()?)
            }
        }
    }

    fn status(&self) -> Option<StatusHandle> {
        match &self.outlet {
            Outlet::Output(_) => None,
            Outlet::Queue { lane, .. } => Some(StatusHandle(Arc::clone(lane))),
        }
    }

    fn settled(&self) -> impl Future<Output = ()> + Send + 'static {
        let lane = match &self.outlet {
            Outlet::Output(_) => None,
            Outlet::Queue { lane, .. } => Some(Arc::clone(lane)),
        };
        async move {
            if let Some(lane) = lane {
                lane.settled().await;
            }
        }
    }

    async fn stop(mut self) {
        if let Outlet::Queue { lane, task } = &mut self.outlet {
            // What does not go by then is where it was: on disk, or counted as lost.
            timeout(FLUSH, lane.flushed()).await.ok();
            task.abort();
            // It ends because it was told to; that it was is no news.
            task.await.ok();
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Outlet::Queue { lane, task } = &self.outlet {
            task.abort();
            lane.stop();
        }
    }
}

/// The queue that the settings ask for. On disk it is in a folder of its own, named after the
/// sink and its destination, so that sinks can share the setting.
fn queue(folder_name: &str, to: &str, settings: &Settings) -> Result<Queue, Error> {
    let folder = settings.path("queue");
    let default = if folder.is_some() { DISK_BYTES } else { MEMORY_BYTES };
    let caps = Caps {
        bytes: settings.number("queue_bytes", default, &LEAST_BYTES)?,
        age: settings.duration("queue_age", AGE)?,
    };
    let Some(folder) = folder else { return Ok(Queue::Memory(MemoryQueue::new(caps))) };
    let name = format!("{folder_name}-{:08x}", crc32c::crc32c(to.as_bytes()));
    DiskQueue::open(&folder.join(Path::new(&name)), caps).map(Queue::Disk)
}

/// Sends for ever.
async fn run(lane: Arc<Lane>, sender: Sender, concurrency: usize, mut circuit: Circuit) {
    loop {
        let parcels = lane.next(circuit.begin(concurrency)).await;
        lane.circuit(circuit.state());
        match attempt(&lane, &sender, &parcels).await {
            Ok(()) => circuit.succeeded(),
            Err(Failure { reason, retry_after }) => {
                lane.failed(&reason);
                let wait = circuit.failed(retry_after);
                lane.circuit(circuit.state());
                tracing::debug!(reason, ?wait, failures = circuit.failures(), "attempt failed");
                tokio::time::sleep(wait).await;
            }
        }
        lane.circuit(circuit.state());
    }
}

struct Failure {
    reason: String,
    retry_after: Option<Duration>,
}

/// Sends `parcels` at once. The longest run of them from the oldest on that is done for leaves
/// the queue; what follows a failure is sent again.
async fn attempt(lane: &Lane, sender: &Sender, parcels: &[Parcel]) -> Result<(), Failure> {
    match sender.prepare().await {
        Outcome::Delivered => {}
        Outcome::Refused(reason) => return Err(Failure { reason, retry_after: None }),
        Outcome::Failed { reason, retry_after } => return Err(Failure { reason, retry_after }),
    }
    let outcomes = join_all(parcels.iter().map(|parcel| sender.send(parcel))).await;
    let mut done = None;
    let mut failure = None;
    for (parcel, outcome) in parcels.iter().zip(outcomes) {
        match outcome {
            Outcome::Delivered => lane.sent(parcel),
            Outcome::Refused(reason) => lane.refused(parcel, &reason),
            Outcome::Failed { reason, retry_after } => {
                failure = Some(Failure { reason, retry_after });
                break;
            }
        }
        done = Some(parcel.through);
    }
    if let Some(id) = done {
        lane.done_through(id);
    }
    failure.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_batch_of_each_stretch_is_taken() {
        let taken = |step, seconds: &[i64]| -> Vec<i64> {
            let mut thin = Thin { step: Duration::from_secs(step), last: None };
            let times = seconds.iter().copied();
            times.filter(|second| thin.takes(Timestamp::from_secs(*second))).collect()
        };
        assert_eq!(taken(0, &[1, 2, 3]), [1, 2, 3]);
        assert_eq!(taken(300, &[60, 240, 300, 360, 599, 605, 900]), [300, 605, 900]);
        assert_eq!(taken(300, &[600, 660]), [600]);
    }
}
