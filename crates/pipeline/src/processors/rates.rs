//! Rates: what counters grew by since the entity's last sample, per second.
//!
//! Remembers one counter sample an entity for some minutes, so that a missed scrape yields a rate
//! over the longer interval. Formulas are those of Heapster's rate calculator; what it let
//! through (negative rates after a reset) and what it lost (start times that jitter, repeated
//! samples) is decided here.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashTable;
use model::{Draft, Entity, EntityKind, MetricId, SharedInventory, Table, Timestamp, metric};

use super::State as AllState;

/// A start time that moved by no more than this, with counters that did not fall, is the same
/// run of the entity (kubernetes/kubernetes#59524).
const START_JITTER: Duration = Duration::from_secs(2);
/// A rate is shown again for a repeated sample at least until it is this old.
const CARRY_AT_LEAST: Duration = Duration::from_mins(1);
const ABSENT: i64 = i64::MIN;

/// What `rates` can be told.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long an entity's last sample is good for; at least two ticks.
    pub keep: Duration,
    /// Whether a sample that the kubelet repeated shows its previous rate again. Heapster showed
    /// none.
    pub carry: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { keep: Duration::from_mins(5), carry: true }
    }
}

/// (counter, its rate)
type Pair = (MetricId, MetricId);

/// What a kubelet measures of everything, at a row's compute time.
const COMPUTE: [Pair; 3] = [
    (metric::CPU_USAGE, metric::CPU_USAGE_RATE),
    (metric::MEMORY_PAGE_FAULTS, metric::MEMORY_PAGE_FAULTS_RATE),
    (metric::MEMORY_MAJOR_PAGE_FAULTS, metric::MEMORY_MAJOR_PAGE_FAULTS_RATE),
];
/// Nodes and pods have a network, measured at its own time.
const NETWORK: [Pair; 4] = [
    (metric::NETWORK_RX, metric::NETWORK_RX_RATE),
    (metric::NETWORK_RX_ERRORS, metric::NETWORK_RX_ERRORS_RATE),
    (metric::NETWORK_TX, metric::NETWORK_TX_RATE),
    (metric::NETWORK_TX_ERRORS, metric::NETWORK_TX_ERRORS_RATE),
];
const DISKS: [Pair; 2] = [
    (metric::DISK_IO_READ_BYTES, metric::DISK_IO_READ_BYTES_RATE),
    (metric::DISK_IO_WRITE_BYTES, metric::DISK_IO_WRITE_BYTES_RATE),
];

/// The last samples of everything that has counters.
#[derive(Debug)]
pub(super) struct State {
    last: Option<Timestamp>,
    compute: [(EntityKind, History<3>); 4],
    network: [(EntityKind, History<4>); 2],
    disks: History<2>,
}

impl Default for State {
    fn default() -> Self {
        use EntityKind::{Container, Node, Pod, SystemContainer};
        let compute = || History::new(&COMPUTE, Table::compute_time);
        let network = || History::new(&NETWORK, Table::scraped);
        Self {
            last: None,
            compute: [Node, Pod, Container, SystemContainer].map(|kind| (kind, compute())),
            network: [Node, Pod].map(|kind| (kind, network())),
            disks: History::new(&DISKS, Table::scraped),
        }
    }
}

#[cfg(test)]
impl State {
    pub(super) fn pods_known(&self) -> usize {
        self.compute[1].1.slots.len()
    }
}

/// Adds rates to every row that has counters. A draft that is not newer than the last one passes
/// without rates and leaves no trace.
pub(super) fn run(
    draft: &mut Draft,
    _: &SharedInventory,
    options: &super::Options,
    state: &mut AllState,
) {
    let now = draft.timestamp();
    let state = &mut state.rates;
    if state.last.is_some_and(|last| now <= last) {
        tracing::warn!(timestamp = %now, "batch is not newer than the last one, no rates");
        return;
    }
    state.last = Some(now);
    let options = &options.rates;
    for (kind, history) in &mut state.compute {
        history.update(draft.table_mut(*kind), now, options);
    }
    for (kind, history) in &mut state.network {
        history.update(draft.table_mut(*kind), now, options);
    }
    state.disks.update(draft.table_mut(EntityKind::Disk), now, options);
}

/// The last sample of each entity of one kind.
#[derive(Debug)]
struct History<const N: usize> {
    pairs: &'static [Pair; N],
    /// When these counters of a row were measured.
    time: fn(&Table, usize) -> Timestamp,
    index: HashTable<u32>,
    slots: Vec<Slot<N>>,
}

/// One entity's last sample and what came of it.
#[derive(Debug)]
struct Slot<const N: usize> {
    entity: Arc<Entity>,
    sample: Sample<N>,
    /// Batch time at which the sample was last confirmed.
    confirmed: Timestamp,
    /// Batch time at which `rates` were computed.
    rated: Timestamp,
    /// Scrape time that `rates` span, ns.
    interval: i64,
    /// NaN where there is none.
    rates: [f64; N],
}

#[derive(Debug, Clone, Copy)]
struct Sample<const N: usize> {
    scraped: Timestamp,
    started: Timestamp,
    counters: [i64; N],
}

/// What a new sample is to the one before.
enum Step {
    /// It continues it after so many ns.
    Continues(i64),
    /// It is the same one again.
    Repeats,
    /// It is older.
    Late,
    /// It has nothing to do with it.
    Restarts,
}

impl<const N: usize> History<N> {
    fn new(pairs: &'static [Pair; N], time: fn(&Table, usize) -> Timestamp) -> Self {
        Self { pairs, time, index: HashTable::new(), slots: Vec::new() }
    }

    fn update(&mut self, table: &mut Table, now: Timestamp, options: &Options) {
        let pairs = self.pairs;
        for row in 0..table.len() {
            let sample = self.sample(table, row);
            if sample.scraped.is_never() || sample.counters.iter().all(|value| *value == ABSENT) {
                continue;
            }
            let entity = &table.entities()[row];
            let Some(slot) = self.slot(entity) else {
                self.remember(Slot::new(entity, sample, now));
                continue;
            };
            if slot.advance(pairs, entity, sample, now, options) {
                for ((_, rate), value) in pairs.iter().zip(slot.rates) {
                    if !value.is_nan() {
                        table.set_float(row, *rate, value);
                    }
                }
            }
        }
        self.forget(now, options.keep);
    }

    fn sample(&self, table: &Table, row: usize) -> Sample<N> {
        let counters = self
            .pairs
            .map(|(counter, _)| table.get(row, counter).map_or(ABSENT, model::Value::as_i64));
        Sample { scraped: (self.time)(table, row), started: table.started(row), counters }
    }

    fn slot(&mut self, entity: &Entity) -> Option<&mut Slot<N>> {
        let slots = &mut self.slots;
        let at =
            *self.index.find(entity.hash64(), |slot| *slots[*slot as usize].entity == *entity)?;
        slots.get_mut(at as usize)
    }

    fn remember(&mut self, slot: Slot<N>) {
        let Ok(at) = u32::try_from(self.slots.len()) else { return };
        let hash = slot.entity.hash64();
        model::push_long(&mut self.slots, slot);
        let slots = &self.slots;
        self.index.insert_unique(hash, at, |slot| slots[*slot as usize].entity.hash64());
    }

    /// Forgets entities whose sample was not confirmed for `keep`.
    fn forget(&mut self, now: Timestamp, keep: Duration) {
        let before = self.slots.len();
        self.slots.retain(|slot| now.since(slot.confirmed) <= keep);
        if self.slots.len() == before {
            return;
        }
        self.index.clear();
        let slots = &self.slots;
        for (slot, at) in slots.iter().zip(0..) {
            self.index.insert_unique(slot.entity.hash64(), at, |slot| {
                slots[*slot as usize].entity.hash64()
            });
        }
    }
}

impl<const N: usize> Slot<N> {
    fn new(entity: &Arc<Entity>, sample: Sample<N>, now: Timestamp) -> Self {
        Self {
            entity: Arc::clone(entity),
            sample,
            confirmed: now,
            rated: now,
            interval: 0,
            rates: [f64::NAN; N],
        }
    }

    /// Takes `sample`. Whether `rates` hold for it.
    fn advance(
        &mut self,
        pairs: &[Pair; N],
        entity: &Arc<Entity>,
        sample: Sample<N>,
        now: Timestamp,
        options: &Options,
    ) -> bool {
        match self.sample.step_to(&sample, options.keep) {
            Step::Continues(interval) => {
                for (at, (counter, _)) in pairs.iter().enumerate() {
                    let (old, new) = (self.sample.counters[at], sample.counters[at]);
                    self.rates[at] = rate(*counter, old, new, interval);
                }
                self.sample = sample;
                self.interval = interval;
                self.confirmed = now;
                self.rated = now;
                true
            }
            Step::Repeats => {
                self.confirmed = now;
                let good_for =
                    Duration::from_nanos(self.interval.unsigned_abs()).saturating_mul(5) / 2;
                options.carry && now.since(self.rated) < good_for.max(CARRY_AT_LEAST)
            }
            Step::Late if now.since(self.confirmed) <= options.keep => false,
            Step::Late | Step::Restarts => {
                *self = Self::new(entity, sample, now);
                false
            }
        }
    }
}

impl<const N: usize> Sample<N> {
    fn step_to(&self, next: &Self, keep: Duration) -> Step {
        let started_later = self.start_moved(next) && next.started > self.started;
        let interval = next.scraped.nanos_since(self.scraped);
        if interval < 0 {
            return if started_later { Step::Restarts } else { Step::Late };
        }
        if self.start_moved(next) {
            return Step::Restarts;
        }
        if interval == 0 {
            return Step::Repeats;
        }
        let fell = self.counters.iter().zip(next.counters).any(|(old, new)| falls(*old, new));
        let jittered = self.started != next.started;
        if next.scraped.since(self.scraped) > keep || (jittered && fell) {
            return Step::Restarts;
        }
        Step::Continues(interval)
    }

    /// Whether both start times are known and farther apart than jitter.
    fn start_moved(&self, next: &Self) -> bool {
        !self.started.is_never()
            && !next.started.is_never()
            && next.started.since(self.started).max(self.started.since(next.started)) > START_JITTER
    }
}

fn falls(old: i64, new: i64) -> bool {
    old != ABSENT && new != ABSENT && new < old
}

/// `counter`'s growth per second (CPU: in millicores, a whole number); NaN where either sample is
/// absent or the counter fell.
#[expect(clippy::cast_precision_loss, reason = "Heapster's formula, in floats")]
fn rate(counter: MetricId, old: i64, new: i64, interval: i64) -> f64 {
    if old == ABSENT || new == ABSENT || new < old {
        return f64::NAN;
    }
    let growth = new.saturating_sub(old);
    if counter == metric::CPU_USAGE {
        (i128::from(growth) * 1000 / i128::from(interval)) as f64
    } else {
        1e9 * growth as f64 / interval as f64
    }
}
