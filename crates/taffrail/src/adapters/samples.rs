//! The store of samples as PromQL asks it, and as rules read and write it.

use std::sync::Arc;

use pipeline::Clock;
use query::promql::{
    Column, Database, Labels, MetricInfo, Select, SelectError, SelectRequest, Selected, SeriesView,
};
use rules::{Ledger, Sample};
use store::{Incoming, SampleQuery, Samples, TooMuch};

/// Series that rules recorded.
pub(crate) struct StoredSamples {
    samples: Arc<Samples>,
}

impl StoredSamples {
    pub(crate) fn new(samples: Arc<Samples>) -> Self {
        Self { samples }
    }
}

impl Select for StoredSamples {
    fn select<'a>(&'a self, request: &SelectRequest<'_>) -> Result<Selected<'a>, SelectError> {
        let matchers =
            request.matchers.iter().map(super::columns::matcher).collect::<Result<Vec<_>, _>>()?;
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
        let info = |name: Arc<str>| MetricInfo { name, kind: "unknown", help: "".into() };
        self.samples.names().into_iter().map(info).collect()
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
