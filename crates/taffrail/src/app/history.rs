//! History on disk: the store's owner while the process runs.
//!
//! One thread appends batches from a bounded queue, one maintains the files; neither can delay
//! the tick. What fails is counted, logged when it begins and ends, and shown as a problem.

use std::fmt;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use metrics::counter;
use model::{Batch, Timestamp};
use pipeline::Clock;
use query::Archive;
use store::{Disk, Durability, Error, Options, Store};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::adapters::StoredArchive;
use crate::config::{Config, HistoryConfig};
use crate::exit::Failure;
use crate::facts::{StoreTold, Trouble};
use crate::input::{Input, environment};

mod board;
mod folder;
mod holdings;

use board::{Board, Place};

/// Batches that wait for the disk; one that finds no room is counted and left out.
const QUEUE_BATCHES: usize = 8;
/// The longest pause between two steps of maintenance.
const MAINTAIN_EVERY: Duration = Duration::from_secs(1);
/// How long a disk may take to make everything safe at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// Counter: batches that the queue before the disk had no room for.
const DROPPED: &str = "taffrail_history_dropped_batches_total";

/// A store with the threads that feed and maintain it.
pub(crate) struct History {
    store: Arc<Store>,
    board: Arc<Board>,
    intake: Arc<Intake>,
    writer: JoinHandle<()>,
    /// Dropped to end the maintenance.
    running: SyncSender<()>,
    keeper: JoinHandle<()>,
    temporary: bool,
    clock: Clock,
}

/// The queue's near end; empty once it was closed.
struct Intake {
    queue: Mutex<Option<SyncSender<Arc<Batch>>>>,
    board: Arc<Board>,
    clock: Clock,
}

impl History {
    /// Opens the store that `config` asks for, if any: as long as its log takes to replay.
    pub(crate) async fn open(
        config: &Config,
        input: &Input,
        clock: Clock,
    ) -> Result<Option<Self>, Failure> {
        let Some(wanted) = config.history.clone() else { return Ok(None) };
        let dir = if let Some(dir) = &wanted.dir {
            dir.clone()
        } else {
            let name = config.cluster.clone().unwrap_or_else(|| input.name());
            folder::default_dir(&environment, &name).ok_or_else(|| {
                Failure::config(
                    "no folder to keep history in: neither XDG_DATA_HOME nor HOME is set; give \
                     --data-dir=DIR, or --no-history to keep none",
                )
            })?
        };
        let opened = {
            let (dir, options) = (dir.clone(), options(&wanted));
            spawn_blocking(move || Store::open(Arc::new(Disk), dir, options, clock.now()))
        };
        let opened = opened.await.map_err(|error| anyhow::anyhow!("open the store: {error}"))?;
        let store = Arc::new(opened.map_err(|error| cannot_open(&dir, &error))?);
        let history = Self::start(store, wanted.temporary, clock);
        history
            .map(Some)
            .map_err(|error| Failure::unavailable(format!("start the threads of history: {error}")))
    }

    fn start(store: Arc<Store>, temporary: bool, clock: Clock) -> std::io::Result<Self> {
        let board = Arc::new(Board::default());
        let (queue, batches) = sync_channel(QUEUE_BATCHES);
        let (running, stopped) = sync_channel::<()>(0);
        let writer = {
            let (store, board) = (Arc::clone(&store), Arc::clone(&board));
            let name = "history-write".to_owned();
            thread::Builder::new().name(name).spawn(move || {
                write(&store, &board, &batches, clock);
            })?
        };
        let keeper = {
            let (store, board) = (Arc::clone(&store), Arc::clone(&board));
            let name = "history-maintain".to_owned();
            thread::Builder::new().name(name).spawn(move || {
                maintain(&store, &board, &stopped, clock);
            })?
        };
        let queue = Mutex::new(Some(queue));
        let intake = Arc::new(Intake { queue, board: Arc::clone(&board), clock });
        Ok(Self { store, board, intake, writer, running, keeper, temporary, clock })
    }

    /// What takes batches from the tick: never waits.
    pub(crate) fn consumer(&self) -> impl Fn(&Arc<Batch>) + Send + 'static {
        let intake = Arc::clone(&self.intake);
        move |batch| intake.offer(batch)
    }

    /// The store, for whatever else reads or feeds it.
    pub(crate) fn store(&self) -> Arc<Store> {
        Arc::clone(&self.store)
    }

    /// The store as the API asks it.
    pub(crate) fn archive(&self) -> Arc<dyn Archive> {
        Arc::new(StoredArchive(self.store()))
    }

    /// What is wrong with history as it is now.
    pub(crate) fn trouble(&self) -> Trouble {
        let (board, store, opened) = (Arc::clone(&self.board), self.store(), self.clock.now());
        Arc::new(move || {
            let damaged = board::damaged(&store.damage(), opened);
            board.problem().into_iter().chain(damaged).collect()
        })
    }

    /// How history stands.
    pub(crate) fn holdings(&self) -> StoreTold {
        let (store, temporary) = (self.store(), self.temporary);
        Arc::new(move || holdings::facts(&store, temporary))
    }

    /// Stores what waits, makes everything safe and gives the folder back.
    pub(crate) async fn close(self) {
        let closing = spawn_blocking(move || {
            self.intake.close();
            drop(self.running);
            for thread in [self.writer, self.keeper] {
                if thread.join().is_err() {
                    tracing::error!("a thread of history panicked");
                }
            }
            if let Err(error) = self.store.sync(self.clock.now()) {
                tracing::error!(error = board::chain(&error), "the last values may be lost");
            }
        });
        if timeout(CLOSE_TIMEOUT, closing).await.is_err() {
            tracing::error!("the disk did not finish in time: the last values may be lost");
        }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dir = self.store.dir().display();
        if self.temporary {
            return write!(f, "history in {dir} until it ends");
        }
        let hours = self.store.options().retention.as_secs() / 3600;
        match hours % 24 {
            0 => write!(f, "history of {} d in {dir}", hours / 24),
            _ => write!(f, "history of {hours} h in {dir}"),
        }
    }
}

impl Intake {
    fn offer(&self, batch: &Arc<Batch>) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else { return };
        let reason = match queue.try_send(Arc::clone(batch)) {
            Ok(()) => return self.board.clear(Place::Queue),
            Err(TrySendError::Full(_)) => "the disk is slower than the measurements",
            Err(TrySendError::Disconnected(_)) => "the thread that writes history ended",
        };
        counter!(DROPPED).increment(1);
        let advice = "give --data-dir a faster disk, or measure less often";
        self.board.report(Place::Queue, reason.to_owned(), advice, self.clock.now());
    }

    fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Appends batches until the queue is closed and empty.
fn write(store: &Store, board: &Board, batches: &Receiver<Arc<Batch>>, clock: Clock) {
    for batch in batches {
        match store.append(&batch, clock.now()) {
            Ok(_) => board.clear(Place::Append),
            // The store counts it.
            Err(error @ Error::OutOfOrder { .. }) => {
                tracing::warn!(%error, "batch not kept: has the clock been set back?");
            }
            Err(error) => board.failed(Place::Append, &error, clock.now()),
        }
    }
}

/// Maintains the files until the other end of `stopped` is gone.
fn maintain(store: &Store, board: &Board, stopped: &Receiver<()>, clock: Clock) {
    use std::sync::mpsc::RecvTimeoutError::Timeout;
    let every = match store.options().durability {
        Durability::EachAppend => MAINTAIN_EVERY,
        Durability::Within(interval) => interval.min(MAINTAIN_EVERY),
    };
    let mut more = false;
    while stopped.recv_timeout(if more { Duration::ZERO } else { every }) == Err(Timeout) {
        more = step(store, board, clock.now());
    }
}

/// One step of maintenance. Whether there is more to do now.
fn step(store: &Store, board: &Board, now: Timestamp) -> bool {
    match store.maintain(now) {
        Ok(done) => {
            // Writing goes on too: it would not have let this succeed.
            board.clear(Place::Append);
            board.clear(Place::Maintain);
            done.more
        }
        Err(error) => {
            board.failed(Place::Maintain, &error, now);
            false
        }
    }
}

fn options(wanted: &HistoryConfig) -> Options {
    let durability = match wanted.fsync {
        Duration::ZERO => Durability::EachAppend,
        interval => Durability::Within(interval),
    };
    let retention_bytes = wanted.retention_bytes;
    Options { durability, retention: wanted.retention, retention_bytes, ..Options::default() }
}

fn cannot_open(dir: &Path, error: &Error) -> Failure {
    let advice = match error {
        Error::Locked { .. } => {
            "stop that process, or give this one a folder of its own with --data-dir=DIR"
        }
        Error::Version { .. } => "run that version, or give another folder with --data-dir=DIR",
        _ => "give a folder that can be written with --data-dir=DIR, or --no-history to keep none",
    };
    let (dir, reason) = (dir.display(), board::chain(error));
    Failure::unavailable(format!("cannot keep history in {dir}: {reason}; {advice}"))
}

#[cfg(test)]
mod tests;
