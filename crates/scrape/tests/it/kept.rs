//! What was scraped, kept in memory for a test to wait on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use scrape::{Described, Keep, STALE, Sample};
use tokio::sync::watch;
use tokio::time::timeout;

/// How long a condition may take to hold.
const PATIENCE: Duration = Duration::from_mins(1);

/// Samples by series, oldest first.
pub(crate) type Series = BTreeMap<String, Vec<(i64, f64)>>;

/// Keeps everything.
#[derive(Default)]
pub(crate) struct Kept {
    series: Mutex<Series>,
    changed: watch::Sender<()>,
}

impl Keep for Kept {
    fn keep(
        &self,
        samples: &[Sample],
        _: &[Described],
    ) -> Result<BTreeMap<&'static str, usize>, String> {
        let mut series = self.series.lock().unwrap();
        for sample in samples {
            let labels: Vec<String> =
                sample.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
            let kept = series.entry(labels.join(",")).or_default();
            // As the store does: of two samples of one time the first counts.
            if kept.last().is_none_or(|(time, _)| *time < sample.time) {
                kept.push((sample.time, sample.value));
            }
        }
        drop(series);
        self.changed.send_replace(());
        Ok(BTreeMap::new())
    }
}

impl Kept {
    /// Waits until `condition` holds of what is kept, and answers that.
    pub(crate) async fn until(
        self: &Arc<Self>,
        what: &str,
        condition: impl Fn(&Series) -> bool,
    ) -> Series {
        let mut changes = self.changed.subscribe();
        let waited = timeout(PATIENCE, async {
            loop {
                {
                    let series = self.series.lock().unwrap();
                    if condition(&series) {
                        return series.clone();
                    }
                }
                changes.changed().await.unwrap();
            }
        });
        let kept = waited.await;
        assert!(kept.is_ok(), "never {what}: {:#?}", self.series.lock().unwrap());
        kept.unwrap()
    }
}

/// The newest value of the series whose labels contain all of `parts`; `None` for none or a stale
/// one.
pub(crate) fn newest(series: &Series, parts: &[&str]) -> Option<f64> {
    let found = series.iter().filter(|(labels, _)| parts.iter().all(|part| labels.contains(part)));
    let values: Vec<f64> = found.map(|(_, samples)| samples.last().unwrap().1).collect();
    assert!(values.len() < 2, "{parts:?} are not one series");
    values.first().copied().filter(|value| value.to_bits() != STALE.to_bits())
}
