//! Series in memory that rules read and write: for the tests beside the engine too.

use std::sync::Mutex;

use query::promql::{
    Column, MemorySeries, Select, SelectError, SelectRequest, Selected, SeriesView,
};

use super::{Ledger, Sample};

#[derive(Default)]
pub(super) struct Memory(pub(super) Mutex<MemorySeries>);

impl Select for Memory {
    fn select<'a>(&'a self, request: &SelectRequest<'_>) -> Result<Selected<'a>, SelectError> {
        let memory = self.0.lock().unwrap();
        let found = memory.select(request)?;
        let owned = found.series.into_iter().map(|series| SeriesView {
            labels: series.labels,
            timestamps: Column::Owned(series.timestamps.to_vec()),
            values: Column::Owned(series.values.to_vec()),
        });
        Ok(Selected { series: owned.collect(), warnings: found.warnings })
    }
}

impl Ledger for Memory {
    fn append(&self, samples: &[Sample]) -> Result<(), String> {
        for sample in samples {
            self.0.lock().unwrap().push(&sample.labels, sample.time, sample.value);
        }
        Ok(())
    }
}
