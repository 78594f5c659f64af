//! Scraping while the process runs: a task for each target, each at its own time.
//!
//! Targets share no queue: one that hangs costs its own timeout, and what exceeds a bound of the
//! process fails at once, by name. Only decoding takes turns.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::gauge;
use model::{Described, SeriesPairs as Pairs, SeriesSample as Sample, SharedInventory};
use pipeline::Clock;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{AbortHandle, JoinSet, spawn_blocking};
use tokio::time::sleep;

use crate::board::{Board, Standing, Summary, float};
use crate::client::Asker;
use crate::discover::{Discovery, Found, RefusedTarget};
use crate::limits::DISCOVER_EVERY;
use crate::pool::Pool;
use crate::series::Budget;
use crate::settings::Settings;
use crate::telemetry::SERIES;

mod follow;

use follow::{End, Follower};

/// How soon it is looked again where there was nothing to scrape.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Takes samples.
pub trait Keep: Send + Sync {
    /// Keeps what can be kept; answers how many are not, by reason. An error means that none is.
    fn keep(
        &self,
        samples: &[Sample],
        described: &[Described],
    ) -> Result<BTreeMap<&'static str, usize>, String>;
}

/// A target as others see it.
#[derive(Debug, Clone)]
pub struct ShownTarget {
    /// Its scrape pool.
    pub pool: String,
    /// What is asked.
    pub url: String,
    /// What its samples get.
    pub labels: Arc<Pairs>,
    /// What it was discovered with, sorted.
    pub discovered: Vec<(String, String)>,
    /// How often.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Whether this process asks it, rather than another replica.
    pub mine: bool,
    /// How it stands; nothing is known of what another replica asks.
    pub standing: Standing,
}

/// All targets.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    /// What is scraped, by pool and URL.
    pub active: Vec<ShownTarget>,
    /// What relabelling drops: the pool, and the labels that it was discovered with; the first
    /// ones only.
    pub dropped: Vec<(String, Vec<(String, String)>)>,
    /// How much relabelling drops.
    pub dropped_count: usize,
    /// What cannot be scraped.
    pub refused: Vec<RefusedTarget>,
    /// Targets beyond the bound.
    pub left_out: usize,
}

/// Scrapes. Cheap to clone.
#[derive(Clone)]
pub struct Scraper {
    shared: Arc<Shared>,
}

type Mine = Box<dyn Fn(&str) -> bool + Send + Sync>;

struct Shared {
    settings: Arc<Settings>,
    inventory: SharedInventory,
    keep: Arc<dyn Keep>,
    clock: Clock,
    asker: Asker,
    budget: Arc<Budget>,
    decoders: Semaphore,
    discovery: Mutex<Discovery>,
    board: Board,
    mine: Mine,
}

/// The task of one target.
struct Running {
    pool: Arc<Pool>,
    stop: Option<oneshot::Sender<End>>,
    task: AbortHandle,
}

impl Scraper {
    /// Scrapes what `inventory` shows; samples go to `keep`.
    pub fn new(
        settings: Settings,
        inventory: SharedInventory,
        keep: Arc<dyn Keep>,
        clock: Clock,
    ) -> Self {
        Self::shared_with(settings, inventory, keep, clock, |_| true)
    }

    /// The same as one of several: only targets whose key is `mine` are asked.
    pub fn shared_with(
        settings: Settings,
        inventory: SharedInventory,
        keep: Arc<dyn Keep>,
        clock: Clock,
        mine: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        let settings = Arc::new(settings);
        let limits = &settings.limits;
        let shared = Shared {
            inventory,
            keep,
            clock,
            asker: Asker::new(limits, settings.authorities.clone()),
            budget: Arc::new(Budget::new(limits.series)),
            decoders: Semaphore::new(limits.decoders.max(1)),
            discovery: Mutex::new(Discovery::new(&settings)),
            board: Board::default(),
            mine: Box::new(mine),
            settings,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Scrapes until it is dropped.
    pub async fn run(self) -> &'static str {
        let shared = self.shared;
        let mut running: HashMap<Arc<str>, Running> = HashMap::new();
        let mut tasks: JoinSet<()> = JoinSet::new();
        loop {
            let looking = Arc::clone(&shared);
            match spawn_blocking(move || looking.find(false)).await {
                Ok(found) => shared.follow(found, &mut running, &mut tasks),
                Err(error) => {
                    tracing::error!(%error, "targets are no longer looked for");
                    return "scrape";
                }
            }
            while let Some(ended) = tasks.try_join_next() {
                if let Err(error) = ended {
                    tracing::error!(%error, "a scrape failed in an unexpected way");
                }
            }
            sleep(if running.is_empty() { LOOK_AGAIN } else { DISCOVER_EVERY }).await;
        }
    }

    /// All targets with what they were discovered with.
    pub fn targets(&self) -> Targets {
        let shared = &self.shared;
        let found = shared.find(true);
        let shown = found.targets.into_values().map(|target| ShownTarget {
            mine: (shared.mine)(&target.key),
            standing: shared.board.of(&target.key),
            pool: target.pool.name.to_string(),
            url: target.url,
            labels: target.labels,
            discovered: target.discovered,
            interval: target.interval,
            timeout: target.timeout,
        });
        let dropped = found.dropped.into_iter();
        Targets {
            active: shown.collect(),
            dropped: dropped.map(|(pool, labels)| (pool.to_string(), labels)).collect(),
            dropped_count: found.dropped_count,
            refused: found.refused,
            left_out: found.left_out,
        }
    }

    /// How the targets stand in all.
    pub fn summary(&self) -> Summary {
        self.shared.board.summary()
    }

    /// What cannot be scraped, and how many targets are beyond the bound.
    pub fn refused(&self) -> (Arc<[RefusedTarget]>, usize) {
        self.shared.board.refused()
    }

    /// What it was told.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }
}

impl Shared {
    fn find(&self, show: bool) -> Found {
        let mut discovery = self.discovery.lock().unwrap_or_else(PoisonError::into_inner);
        let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
        discovery.find(&inventory, show, &*self.mine)
    }

    /// Ends what is gone, begins what is new.
    fn follow(
        self: &Arc<Self>,
        found: Found,
        running: &mut HashMap<Arc<str>, Running>,
        tasks: &mut JoinSet<()>,
    ) {
        running.retain(|key, one| {
            let target = found.targets.get(key);
            let end = match target {
                None => Some(End::Gone),
                Some(_) if !(self.mine)(key) => Some(End::Taken),
                Some(target) if !Arc::ptr_eq(&target.pool, &one.pool) => Some(End::Gone),
                Some(_) => None,
            };
            if let Some(end) = end
                && let Some(stop) = one.stop.take()
            {
                // One that has ended by itself needs no word.
                stop.send(end).ok();
            }
            end.is_none() && !one.task.is_finished()
        });
        for (key, target) in found.targets {
            if running.contains_key(&key) || !(self.mine)(&key) {
                continue;
            }
            let (stop, stopped) = oneshot::channel();
            let pool = Arc::clone(&target.pool);
            let task = tasks.spawn(Follower::new(Arc::clone(self), target).run(stopped));
            running.insert(Arc::clone(&key), Running { pool, stop: Some(stop), task });
            self.board.note(&key, |_| {});
        }
        self.board.found(found.refused, found.left_out, |key| running.contains_key(key));
        gauge!(SERIES).set(float(self.settings.limits.series - self.budget.left()));
    }
}
