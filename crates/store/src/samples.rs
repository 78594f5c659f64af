//! Samples of any series: what rules record, what others push, what is scraped.
//!
//! Beside the store of entities in the same folder: a log, a window in memory, immutable blocks.
//! A series is a set of labels with times of its own. Formats: docs/FORMAT.md, "Samples".

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use metrics::counter;
use model::{SeriesSample, Timestamp};

use crate::error::Error;
use crate::matcher::Matcher;
use crate::options::millis;
use crate::telemetry::{SAMPLES_DAMAGED, SAMPLES_REFUSED, SAMPLES_STORED};
use crate::vfs::Vfs;

mod block;
mod chunk;
mod log;
mod open;
mod registry;

use block::{Block, Entry};
use log::Log;
use registry::Registry;

pub use model::SeriesPairs as Pairs;

/// How samples are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleOptions {
    /// How much time is held in memory before it becomes a block.
    pub window: Duration,
    /// How many samples are held in memory at most.
    pub window_samples: usize,
    /// How long samples are kept.
    pub retention: Duration,
    /// How many bytes blocks may take; the oldest go first.
    pub retention_bytes: Option<u64>,
    /// Series at once; further ones are refused.
    pub max_series: usize,
    /// Samples older than this are refused.
    pub oldest: Duration,
    /// Samples further in the future than this are refused.
    pub newest: Duration,
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self {
            window: Duration::from_hours(2),
            window_samples: 8_000_000,
            retention: Duration::from_hours(30 * 24),
            retention_bytes: None,
            max_series: 500_000,
            oldest: Duration::from_hours(1),
            newest: Duration::from_mins(10),
        }
    }
}

/// A sample on its way in.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// The series.
    pub labels: &'a Pairs,
    /// Milliseconds since the epoch.
    pub time: i64,
    /// The value; every bit of it is kept.
    pub value: f64,
}

impl<'a> From<&'a SeriesSample> for Incoming<'a> {
    fn from(sample: &'a SeriesSample) -> Self {
        Self { labels: &sample.labels, time: sample.time, value: sample.value }
    }
}

/// Why a sample was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// Older than the oldest that is taken.
    TooOld,
    /// Further in the future than is taken.
    TooNew,
    /// Not after the newest of its series.
    OutOfOrder,
    /// As old as the newest of its series, with another value.
    Duplicate,
    /// Of a new series, and there are as many as may be.
    TooManySeries,
}

impl Refused {
    /// The reason as counters name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooOld => "too_old",
            Self::TooNew => "too_new",
            Self::OutOfOrder => "out_of_order",
            Self::Duplicate => "duplicate",
            Self::TooManySeries => "too_many_series",
        }
    }
}

/// What became of some samples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// Kept.
    pub stored: usize,
    /// Not kept, by reason.
    pub refused: BTreeMap<Refused, usize>,
}

/// One series and its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleSeries {
    /// The labels.
    pub labels: Arc<Pairs>,
    /// Milliseconds since the epoch, ascending.
    pub times: Vec<i64>,
    /// As many.
    pub values: Vec<f64>,
}

/// Which samples are wanted.
#[derive(Debug, Clone, Copy)]
pub struct SampleQuery<'a> {
    /// All must pass.
    pub matchers: &'a [Matcher],
    /// First wanted millisecond.
    pub from: i64,
    /// Last wanted millisecond.
    pub to: i64,
    /// Most series.
    pub max_series: usize,
    /// Most samples.
    pub max_samples: usize,
    /// Whether samples are wanted, or labels only.
    pub samples: bool,
}

/// Why samples were not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooMuch {
    /// More series than allowed.
    Series(usize),
    /// More samples than allowed.
    Samples(usize),
}

/// Values of one series that no block holds yet.
#[derive(Debug, Default)]
struct Buffer {
    times: Vec<i64>,
    values: Vec<f64>,
}

/// A store of samples.
pub struct Samples {
    /// `None`: everything is in memory.
    disk: Option<(Arc<dyn Vfs>, PathBuf)>,
    options: SampleOptions,
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    series: Registry,
    head: HashMap<u32, Buffer, foldhash::fast::RandomState>,
    head_samples: usize,
    /// When the first sample came into an empty head.
    head_since: Option<i64>,
    /// Of every series: time and value of its newest sample; the value is NaN where only its
    /// block knows it.
    last: HashMap<u32, (i64, f64), foldhash::fast::RandomState>,
    log: Option<Log>,
    /// Logs whose samples are in blocks.
    old_logs: Vec<PathBuf>,
    blocks: Vec<Arc<Block>>,
    next: u64,
}

impl Samples {
    /// Samples in memory only, for as long as `options.retention` says.
    pub fn in_memory(options: SampleOptions) -> Self {
        Self { disk: None, options, inner: RwLock::default() }
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Series that are known.
    pub fn series(&self) -> usize {
        self.read().series.len()
    }

    /// Takes samples as of `now`. What is kept survives the process, and a power cut after the
    /// next [`Samples::maintain`].
    pub fn append(&self, samples: &[Incoming<'_>], now: Timestamp) -> Result<Taken, Error> {
        let now = now.millis();
        let mut inner = self.write();
        let mut taken = Taken::default();
        let mut kept: Vec<(u32, i64, f64)> = Vec::with_capacity(samples.len());
        let mut newest: HashMap<u32, (i64, f64), foldhash::fast::RandomState> = HashMap::default();
        for sample in samples {
            let known = inner.series.id(sample.labels);
            let last =
                known.and_then(|id| newest.get(&id).or_else(|| inner.last.get(&id)).copied());
            if let Some(reason) = self.refusal(sample, last, known.is_none(), &inner, now) {
                *taken.refused.entry(reason).or_default() += 1;
                continue;
            }
            if last.is_some_and(|(time, _)| time == sample.time) {
                taken.stored += 1;
                continue;
            }
            let id = known.unwrap_or_else(|| inner.series.insert(sample.labels));
            newest.insert(id, (sample.time, sample.value));
            kept.push((id, sample.time, sample.value));
        }
        let inner = &mut *inner;
        if let Some(log) = &mut inner.log {
            log.write(&kept, &inner.series)?;
        }
        taken.stored += kept.len();
        inner.head_samples += kept.len();
        if !kept.is_empty() {
            inner.head_since.get_or_insert(now);
        }
        for (id, time, value) in kept {
            inner.put(id, time, value);
        }
        counter!(SAMPLES_STORED).increment(taken.stored as u64);
        for (reason, count) in &taken.refused {
            counter!(SAMPLES_REFUSED, "reason" => reason.name()).increment(*count as u64);
        }
        Ok(taken)
    }

    fn refusal(
        &self,
        sample: &Incoming<'_>,
        last: Option<(i64, f64)>,
        is_new: bool,
        inner: &Inner,
        now: i64,
    ) -> Option<Refused> {
        if sample.time < now.saturating_sub(millis(self.options.oldest)) {
            return Some(Refused::TooOld);
        }
        if sample.time > now.saturating_add(millis(self.options.newest)) {
            return Some(Refused::TooNew);
        }
        if is_new && inner.series.len() >= self.options.max_series {
            return Some(Refused::TooManySeries);
        }
        let (time, value) = last?;
        let same = value.to_bits() == sample.value.to_bits() || value.is_nan();
        match sample.time.cmp(&time) {
            std::cmp::Ordering::Less => Some(Refused::OutOfOrder),
            std::cmp::Ordering::Equal if !same => Some(Refused::Duplicate),
            _ => None,
        }
    }

    /// The series that pass, in the order of their labels.
    pub fn select(&self, query: &SampleQuery<'_>) -> Result<Vec<SampleSeries>, TooMuch> {
        let mut plans = Vec::new();
        {
            let inner = self.read();
            for id in inner.series.find(query.matchers) {
                let Some(labels) = inner.series.labels(id) else { continue };
                if let Some(plan) = inner.plan(id, labels, query) {
                    if plans.len() == query.max_series {
                        return Err(TooMuch::Series(query.max_series));
                    }
                    plans.push(plan);
                }
            }
        }
        plans.sort_by(|left, right| left.labels.cmp(&right.labels));
        let mut samples = 0;
        let mut found = Vec::with_capacity(plans.len());
        for plan in plans {
            let series = plan.run(query);
            samples += series.times.len();
            if samples > query.max_samples {
                return Err(TooMuch::Samples(query.max_samples));
            }
            if !query.samples || !series.times.is_empty() {
                found.push(series);
            }
        }
        Ok(found)
    }

    /// Whether any series has a label of this value.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.read().series.has(name, value)
    }

    /// Every value of `__name__`, sorted.
    pub fn names(&self) -> Vec<Arc<str>> {
        self.read().series.values("__name__")
    }
}

/// Where the samples of one series are.
struct Plan {
    labels: Arc<Pairs>,
    blocks: Vec<(Arc<Block>, Entry)>,
    head: Buffer,
}

impl Plan {
    fn run(self, query: &SampleQuery<'_>) -> SampleSeries {
        let (mut times, mut values) = (Vec::new(), Vec::new());
        for (block, entry) in self.blocks.iter().filter(|_| query.samples) {
            match block.read(entry) {
                Ok((their_times, their_values)) => {
                    // A crash while blocks are joined leaves some samples in two of them.
                    let from =
                        times.last().map_or(query.from, |last: &i64| query.from.max(last + 1));
                    let from = their_times.partition_point(|time| *time < from);
                    let to = their_times.partition_point(|time| *time <= query.to).max(from);
                    times.extend_from_slice(&their_times[from..to]);
                    values.extend_from_slice(&their_values[from..to]);
                }
                Err(error) => {
                    counter!(SAMPLES_DAMAGED).increment(1);
                    tracing::warn!(%error, "samples of a block are left out");
                }
            }
        }
        times.extend(self.head.times);
        values.extend(self.head.values);
        SampleSeries { labels: self.labels, times, values }
    }
}

impl Inner {
    fn put(&mut self, id: u32, time: i64, value: f64) {
        let buffer = self.head.entry(id).or_default();
        buffer.times.push(time);
        buffer.values.push(value);
        self.last.insert(id, (time, value));
    }

    /// Where the samples are that are wanted; `None` where there are none.
    fn plan(&self, id: u32, labels: &Arc<Pairs>, query: &SampleQuery<'_>) -> Option<Plan> {
        let overlaps = |first: i64, last: i64| first <= query.to && last >= query.from;
        let blocks: Vec<(Arc<Block>, Entry)> = self
            .blocks
            .iter()
            .filter(|block| overlaps(block.first, block.last))
            .filter_map(|block| Some((Arc::clone(block), *block.entries.get(&id)?)))
            .filter(|(_, entry)| overlaps(entry.first, entry.last))
            .collect();
        let mut head = Buffer::default();
        if let Some(buffer) = self.head.get(&id) {
            let from = buffer.times.partition_point(|time| *time < query.from);
            let to = buffer.times.partition_point(|time| *time <= query.to).max(from);
            head.times.extend_from_slice(&buffer.times[from..to]);
            head.values.extend_from_slice(&buffer.values[from..to]);
        }
        if blocks.is_empty() && head.times.is_empty() {
            return None;
        }
        Some(Plan { labels: Arc::clone(labels), blocks, head })
    }
}

impl std::fmt::Debug for Samples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Samples").field("options", &self.options).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
