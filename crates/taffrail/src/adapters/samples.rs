//! The store of samples as PromQL asks it, and as rules read and write it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use api::{Described, Intake, Outcome, Pushed};
use pipeline::Clock;
use query::promql::{
    Column, Database, Labels, MatchOp, Matcher, MetricInfo, Select, SelectError, SelectRequest,
    Selected, SeriesView,
};
use rules::{Ledger, Sample};
use store::{Incoming, SampleQuery, Samples, TooMuch};

/// Most metrics whose kind and help are remembered.
const MAX_DESCRIBED: usize = 100_000;

/// Series that rules recorded and others pushed.
pub(crate) struct StoredSamples {
    samples: Arc<Samples>,
    /// What senders said of their metrics: kind and help by name.
    described: Mutex<BTreeMap<String, (&'static str, Arc<str>)>>,
    clock: Clock,
}

impl StoredSamples {
    pub(crate) fn new(samples: Arc<Samples>, clock: Clock) -> Self {
        Self { samples, described: Mutex::default(), clock }
    }
}

impl Select for StoredSamples {
    fn select<'a>(&'a self, request: &SelectRequest<'_>) -> Result<Selected<'a>, SelectError> {
        // Most questions name one metric, and that is none of these.
        let needs = |one: &&Matcher| one.op() == MatchOp::Equal && !one.value().is_empty();
        let is_absent = |one: &Matcher| !self.samples.has(one.name(), one.value());
        if request.matchers.iter().filter(needs).any(is_absent) {
            return Ok(Selected::default());
        }
        let matchers: Vec<_> = request.matchers.iter().map(super::columns::matcher).collect();
        let query = SampleQuery {
            matchers: &matchers,
            from: request.start,
            to: request.end,
            max_series: request.max_series,
            max_samples: request.max_samples,
            samples: request.samples,
        };
        let found = self.samples.select(&query).map_err(|much| match much {
            TooMuch::Series(limit) => SelectError::TooMany { what: "series", limit },
            TooMuch::Samples(limit) => SelectError::TooMany { what: "samples", limit },
        })?;
        let view = |series: store::SampleSeries| SeriesView {
            labels: Labels::shared(series.labels),
            timestamps: Column::Owned(series.times),
            values: Column::Owned(series.values),
        };
        Ok(Selected { series: found.into_iter().map(view).collect(), warnings: Vec::new() })
    }
}

impl Database for StoredSamples {
    fn metrics(&self) -> Vec<MetricInfo> {
        let described = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        let info = |name: Arc<str>| match described.get(&*name) {
            Some((kind, help)) => MetricInfo { name, kind, help: Arc::clone(help) },
            None => MetricInfo { name, kind: "unknown", help: "".into() },
        };
        self.samples.names().into_iter().map(info).collect()
    }
}

impl StoredSamples {
    /// Keeps what can be kept. An error means that nothing was.
    pub(crate) fn append(
        &self,
        incoming: &[Incoming<'_>],
        described: &[Described],
    ) -> Result<Outcome, String> {
        let taken = self.samples.append(incoming, self.clock.now());
        let taken = taken.map_err(|error| error.to_string())?;
        let mut known = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        for one in described {
            if known.len() < MAX_DESCRIBED || known.contains_key(&one.name) {
                known.insert(one.name.clone(), (one.kind, one.help.as_str().into()));
            }
        }
        let refused = taken.refused.into_iter().map(|(reason, count)| (reason.name(), count));
        Ok(Outcome { stored: taken.stored, refused: refused.collect() })
    }
}

impl Intake for StoredSamples {
    fn take(&self, series: &[Pushed], described: &[Described]) -> Result<Outcome, String> {
        let incoming: Vec<Incoming<'_>> = series
            .iter()
            .flat_map(|one| {
                let labels = one.labels.pairs();
                one.samples.iter().map(move |(time, value)| Incoming {
                    labels,
                    time: *time,
                    value: *value,
                })
            })
            .collect();
        self.append(&incoming, described)
    }
}

/// Everything that there is to read, and the samples to write to.
pub(crate) struct RuleLedger {
    pub(crate) database: Arc<dyn Database>,
    pub(crate) samples: Arc<Samples>,
    pub(crate) clock: Clock,
}

impl Select for RuleLedger {
    fn select<'a>(&'a self, request: &SelectRequest<'_>) -> Result<Selected<'a>, SelectError> {
        self.database.select(request)
    }

    fn select_each(
        &self,
        request: &SelectRequest<'_>,
        take: &mut dyn FnMut(SeriesView<'_>) -> bool,
    ) -> Result<Vec<String>, SelectError> {
        self.database.select_each(request, take)
    }
}

impl Ledger for RuleLedger {
    fn append(&self, samples: &[Sample]) -> Result<(), String> {
        let incoming: Vec<Incoming<'_>> = samples
            .iter()
            .map(|sample| Incoming {
                labels: sample.labels.pairs(),
                time: sample.time,
                value: sample.value,
            })
            .collect();
        let taken = self.samples.append(&incoming, self.clock.now());
        let taken = taken.map_err(|error| error.to_string())?;
        match taken.refused.iter().next() {
            None => Ok(()),
            Some((reason, count)) => {
                Err(format!("{count} samples were not kept: {}", reason.name()))
            }
        }
    }
}
