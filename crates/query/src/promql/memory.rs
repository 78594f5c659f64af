//! Series held in memory: a source for tests and for small sets; no index.

use std::collections::BTreeSet;

use super::{
    Column, Database, Labels, METRIC_NAME, MetricInfo, Select, SelectError, SelectRequest,
    Selected, SeriesView,
};

/// Series with their samples, sorted by labels.
#[derive(Debug, Clone, Default)]
pub struct MemorySeries {
    series: Vec<(Labels, Vec<i64>, Vec<f64>)>,
}

impl MemorySeries {
    /// Adds a sample (milliseconds, value). A sample not newer than the series' last is ignored.
    pub fn push(&mut self, labels: &Labels, timestamp: i64, value: f64) {
        let index = match self.series.binary_search_by(|(known, ..)| known.cmp(labels)) {
            Ok(index) => index,
            Err(index) => {
                self.series.insert(index, (labels.clone(), Vec::new(), Vec::new()));
                index
            }
        };
        let (_, timestamps, values) = &mut self.series[index];
        if timestamps.last().is_none_or(|last| *last < timestamp) {
            timestamps.push(timestamp);
            values.push(value);
        }
    }

    /// Labels, timestamps and values of every series.
    pub fn iter(&self) -> impl Iterator<Item = (&Labels, &[i64], &[f64])> {
        self.series.iter().map(|(labels, timestamps, values)| (labels, &**timestamps, &**values))
    }
}

impl Select for MemorySeries {
    fn select<'a>(&'a self, request: &SelectRequest<'_>) -> Result<Selected<'a>, SelectError> {
        let mut selected = Selected::default();
        for (labels, timestamps, values) in &self.series {
            let wanted = |matcher: &super::Matcher| matcher.is_match(labels.get(matcher.name()));
            if !request.matchers.iter().all(wanted) {
                continue;
            }
            let from = timestamps.partition_point(|timestamp| *timestamp < request.start);
            let to = timestamps.partition_point(|timestamp| *timestamp <= request.end).max(from);
            if from == to {
                continue;
            }
            selected.series.push(SeriesView {
                labels: labels.clone(),
                timestamps: Column::Borrowed(&timestamps[from..to]),
                values: Column::Borrowed(&values[from..to]),
            });
        }
        Ok(selected)
    }
}

impl Database for MemorySeries {
    fn metrics(&self) -> Vec<MetricInfo> {
        let names = self.series.iter().map(|(labels, ..)| labels.get(METRIC_NAME));
        let names: BTreeSet<&str> = names.filter(|name| !name.is_empty()).collect();
        let info = |name: &str| MetricInfo { name: name.into(), kind: "unknown", help: "".into() };
        names.into_iter().map(info).collect()
    }
}
