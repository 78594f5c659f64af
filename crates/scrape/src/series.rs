//! The series of one target from scrape to scrape: their labels, made once; which are new, and
//! which are gone and get a stale marker.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::{
    Described, STALE, SeriesPairs as Pairs, SeriesSample as Sample, is_label_name, is_metric_name,
};

use crate::exposition::{Entry, Format, Reader, Sample as Line, labels_of};
use crate::failure::Failure;
use crate::labels::{Labels, METRIC_NAME, Pool};
use crate::limits::{MAX_DESCRIBED, MAX_HELP_BYTES, MAX_LABELS, MAX_NAME_BYTES, MAX_VALUE_BYTES};
use crate::relabel::{self, Rule};

/// What is written of every scrape beside its samples, in this order.
pub(crate) const REPORTS: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

/// How the samples of a target are treated.
#[derive(Debug, Clone)]
pub(crate) struct Treatment {
    pub(crate) honor_labels: bool,
    pub(crate) honor_timestamps: bool,
    pub(crate) rules: Arc<[Rule]>,
    /// Most samples in a body.
    pub(crate) body_samples: usize,
    /// Most samples that are left after relabelling; 0 for no bound.
    pub(crate) sample_limit: u64,
    pub(crate) label_limit: u64,
    pub(crate) label_name_limit: u64,
    pub(crate) label_value_limit: u64,
}

/// How many series may be remembered in all, shared by every target.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(series: usize) -> Self {
        Self { left: AtomicUsize::new(series) }
    }

    fn take(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    fn give_back(&self, series: usize) {
        self.left.fetch_add(series, Ordering::Relaxed);
    }

    pub(crate) fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }
}

/// What is known of one series as it stands in the text.
#[derive(Debug)]
struct Known {
    /// `None`: relabelling drops it.
    labels: Option<Arc<Pairs>>,
    /// The scrape in which it was seen last.
    seen: u64,
    /// The scrape in which it was seen first.
    since: u64,
    /// Whether its samples bring their own time; then nobody can tell when it ends.
    timed: bool,
}

/// What came of a body.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Taken {
    pub(crate) samples: Vec<Sample>,
    pub(crate) described: Vec<Described>,
    /// Samples in the body.
    pub(crate) scraped: usize,
    /// Samples that relabelling left.
    pub(crate) kept: usize,
    /// Series that were not in the scrape before.
    pub(crate) added: usize,
    /// Samples that are not taken, by reason.
    pub(crate) refused: BTreeMap<&'static str, usize>,
}

/// The series of one target.
#[derive(Debug)]
pub(crate) struct SeriesOf {
    target: Arc<Pairs>,
    known: HashMap<Box<str>, Known, foldhash::fast::RandomState>,
    pool: Pool,
    reports: Vec<Arc<Pairs>>,
    /// Whether reports were written and not ended.
    reported: bool,
    scrapes: u64,
    /// The last scrape that succeeded.
    succeeded: u64,
    described: HashMap<Box<str>, u64, foldhash::fast::RandomState>,
    budget: Arc<Budget>,
}

impl Drop for SeriesOf {
    fn drop(&mut self) {
        self.budget.give_back(self.known.len());
    }
}

impl SeriesOf {
    pub(crate) fn new(target: Arc<Pairs>, budget: Arc<Budget>) -> Self {
        let mut pool = Pool::default();
        let reports = REPORTS.map(|name| {
            let mut labels: Labels<'_> =
                target.iter().map(|(name, value)| (&**name, &**value)).collect();
            labels.set(METRIC_NAME, name);
            labels.finish(&mut pool)
        });
        Self {
            target,
            known: HashMap::default(),
            pool,
            reports: reports.into(),
            reported: false,
            scrapes: 0,
            succeeded: 0,
            described: HashMap::default(),
            budget,
        }
    }

    /// Takes a body that was scraped at `at`. An error takes nothing of it.
    pub(crate) fn take(
        &mut self,
        body: &str,
        format: Format,
        treatment: &Treatment,
        at: i64,
    ) -> Result<Taken, Failure> {
        self.scrapes += 1;
        let mut taken = Taken::default();
        let mut families: BTreeMap<&str, (&'static str, &str)> = BTreeMap::new();
        for entry in Reader::new(body, format) {
            let entry = entry.map_err(|error| Failure {
                name: "malformed",
                reason: format!("the answer is not in Prometheus' format: {error}"),
            })?;
            match entry {
                Entry::Type { name, kind } => {
                    families.entry(name).or_insert(("unknown", "")).0 = kind;
                }
                Entry::Help { name, text } => {
                    families.entry(name).or_insert(("unknown", "")).1 = text;
                }
                Entry::Sample(line) => {
                    self.take_line(&line, treatment, at, &mut taken)?;
                }
            }
        }
        self.end_unseen(at, &mut taken.samples);
        self.succeeded = self.scrapes;
        self.describe(families, &mut taken.described);
        self.pool.sweep();
        Ok(taken)
    }

    fn take_line(
        &mut self,
        line: &Line<'_>,
        treatment: &Treatment,
        at: i64,
        taken: &mut Taken,
    ) -> Result<(), Failure> {
        taken.scraped += 1;
        if taken.scraped > treatment.body_samples {
            let reason = format!("the answer has more than {} samples", treatment.body_samples);
            return Err(Failure { name: "too_many_samples", reason });
        }
        let timed = treatment.honor_timestamps && line.time.is_some();
        let labels = match self.known.get_mut(line.series) {
            Some(known) => {
                known.seen = self.scrapes;
                known.timed = timed;
                known.labels.clone()
            }
            None => match self.learn(line.series, treatment, timed)? {
                Ok(labels) => {
                    taken.added += usize::from(labels.is_some());
                    labels
                }
                Err(refused) => {
                    *taken.refused.entry(refused).or_default() += 1;
                    return Ok(());
                }
            },
        };
        let Some(labels) = labels else { return Ok(()) };
        taken.kept += 1;
        if treatment.sample_limit > 0 && taken.kept as u64 > treatment.sample_limit {
            let reason = format!("its sampleLimit of {} is exceeded", treatment.sample_limit);
            return Err(Failure { name: "sample_limit", reason });
        }
        let time = line.time.filter(|_| timed).unwrap_or(at);
        taken.samples.push(Sample { labels, time, value: line.value });
        Ok(())
    }

    /// The labels of a new series; `Ok(Ok(None))` for one that relabelling drops.
    fn learn(
        &mut self,
        series: &str,
        treatment: &Treatment,
        timed: bool,
    ) -> Result<Result<Option<Arc<Pairs>>, &'static str>, Failure> {
        let mut labels = Labels::default();
        let mut twice = false;
        labels_of(series, |name, value| {
            twice |= labels.has(name);
            labels.push(name, value);
        });
        if twice {
            return Ok(Err("duplicate_label"));
        }
        check_limits(&labels, treatment)?;
        join(&mut labels, &self.target, treatment.honor_labels);
        labels.drop_empty();
        let kept = relabel::apply(&treatment.rules, &mut labels);
        if kept && let Some(refused) = wrong(&labels) {
            return Ok(Err(refused));
        }
        if !self.budget.take() {
            return Ok(Err("too_many_series"));
        }
        let labels = kept.then(|| labels.finish(&mut self.pool));
        let known =
            Known { labels: labels.clone(), seen: self.scrapes, since: self.scrapes, timed };
        self.known.insert(series.into(), known);
        Ok(Ok(labels))
    }

    /// Forgets series that were not in this scrape, with a stale marker each.
    fn end_unseen(&mut self, at: i64, samples: &mut Vec<Sample>) {
        let (scrapes, before) = (self.scrapes, self.known.len());
        self.known.retain(|_, known| {
            let stays = known.seen == scrapes;
            if !stays {
                samples.extend(ended(known, at));
            }
            stays
        });
        self.budget.give_back(before - self.known.len());
    }

    /// A scrape failed: every series of the last one that succeeded ends.
    pub(crate) fn fail(&mut self, at: i64) -> Vec<Sample> {
        let succeeded = self.succeeded;
        let known = self.known.values().filter(|known| known.since <= succeeded);
        let samples = known.filter_map(|known| ended(known, at)).collect();
        self.budget.give_back(self.known.len());
        self.known = HashMap::default();
        self.described = HashMap::default();
        self.pool.sweep();
        samples
    }

    /// The target is gone: everything ends.
    pub(crate) fn end(&mut self, at: i64) -> Vec<Sample> {
        let mut samples = self.fail(at);
        if std::mem::take(&mut self.reported) {
            let ended = self.reports.iter();
            samples.extend(ended.map(|labels| Sample {
                labels: Arc::clone(labels),
                time: at,
                value: STALE,
            }));
        }
        samples
    }

    /// The samples that tell of the scrape itself, in the order of [`REPORTS`].
    pub(crate) fn report(&mut self, values: [f64; 5], at: i64) -> impl Iterator<Item = Sample> {
        self.reported = true;
        let told = self.reports.iter().zip(values);
        told.map(move |(labels, value)| Sample { labels: Arc::clone(labels), time: at, value })
    }

    /// What the target says of its metrics, where it is new.
    fn describe(
        &mut self,
        families: BTreeMap<&str, (&'static str, &str)>,
        described: &mut Vec<Described>,
    ) {
        let hashes = foldhash::quality::FixedState::default();
        for (name, (kind, help)) in families.into_iter().take(MAX_DESCRIBED) {
            let hash = std::hash::BuildHasher::hash_one(&hashes, (kind, help));
            if self.described.get(name) == Some(&hash) {
                continue;
            }
            if self.described.len() >= MAX_DESCRIBED {
                // Told again where it is still said.
                self.described.clear();
            }
            self.described.insert(name.into(), hash);
            let kind = Described::kind_named(kind);
            let help = help.get(..help.len().min(MAX_HELP_BYTES)).unwrap_or_default();
            let help = help.replace("\\n", " ").replace("\\\\", "\\");
            described.push(Described { name: name.to_owned(), kind, help });
        }
    }
}

/// The stale marker of a series that is no more; none for one that brings its own times.
fn ended(known: &Known, at: i64) -> Option<Sample> {
    let labels = known.labels.as_ref().filter(|_| !known.timed)?;
    Some(Sample { labels: Arc::clone(labels), time: at, value: STALE })
}

/// Adds the target's labels. A label that both have is the sample's with `honor`; without, it is
/// the target's, and the sample's goes on as `exported_…`.
fn join<'a>(labels: &mut Labels<'a>, target: &'a Pairs, honor: bool) {
    if honor {
        for (name, value) in target {
            if !labels.has(name) {
                labels.push(&**name, &**value);
            }
        }
        return;
    }
    let mut moved: Vec<(String, String)> = Vec::new();
    for (name, value) in target {
        let own = labels.get(name).to_owned();
        if !own.is_empty() {
            moved.push((name.to_string(), own));
        }
        labels.set(&**name, &**value);
    }
    moved.sort_by_key(|(name, _)| name.len());
    for (name, value) in moved {
        let mut name = format!("exported_{name}");
        while labels.has(&name) {
            name.insert_str(0, "exported_");
        }
        labels.set(name, value);
    }
}

/// The limits that a monitor sets: over one of them, nothing of the body is taken, as in
/// Prometheus.
fn check_limits(labels: &Labels<'_>, treatment: &Treatment) -> Result<(), Failure> {
    let over = |count: usize, limit: u64| limit > 0 && count as u64 > limit;
    let reject = |name: &'static str, what: &str, limit: u64| {
        let metric = labels.get(METRIC_NAME);
        Err(Failure { name, reason: format!("its {what} of {limit} is exceeded by {metric}") })
    };
    if over(labels.len(), treatment.label_limit) {
        return reject("label_limit", "labelLimit", treatment.label_limit);
    }
    for (name, value) in labels.iter() {
        if over(name.len(), treatment.label_name_limit) {
            return reject("label_limit", "labelNameLengthLimit", treatment.label_name_limit);
        }
        if over(value.len(), treatment.label_value_limit) {
            return reject("label_limit", "labelValueLengthLimit", treatment.label_value_limit);
        }
    }
    Ok(())
}

/// What is wrong with a series' labels.
fn wrong(labels: &Labels<'_>) -> Option<&'static str> {
    match labels.get(METRIC_NAME) {
        "" => return Some("no_metric_name"),
        name if !is_metric_name(name) => return Some("bad_metric_name"),
        _ => {}
    }
    if labels.len() > MAX_LABELS {
        return Some("too_many_labels");
    }
    labels.iter().find_map(|(name, value)| match () {
        () if !is_label_name(name) => Some("bad_label_name"),
        () if name.len() > MAX_NAME_BYTES || value.len() > MAX_VALUE_BYTES => {
            Some("label_too_long")
        }
        () => None,
    })
}

#[cfg(test)]
mod tests;
