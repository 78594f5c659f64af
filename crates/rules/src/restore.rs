//! What an alert was before the process started: read back from `ALERTS_FOR_STATE`.

use std::collections::HashMap;

use query::promql::{Labels, METRIC_NAME, Matcher, SelectRequest, is_stale};

use crate::Ledger;

/// How long the process may have been away before its alerts begin anew.
const OUTAGE_MS: i64 = 3_600_000;
/// How long a restored alert stays pending at least, unless it fired already.
const GRACE_MS: i64 = 600_000;
/// Most alerts of one rule that are restored.
const MAX_RESTORED: usize = 100_000;

/// When the alerts of one rule began, as far as that was kept.
#[derive(Debug, Default)]
pub struct Restored {
    hold_ms: i64,
    /// When it was kept last and since when it was active, milliseconds.
    known: HashMap<Labels, (i64, i64), foldhash::fast::RandomState>,
}

impl Restored {
    /// Of the rule `name`, as of `at`.
    pub(crate) fn of(name: &str, hold_ms: i64, at: i64, ledger: &dyn Ledger) -> Self {
        let matchers =
            [Matcher::equal(METRIC_NAME, "ALERTS_FOR_STATE"), Matcher::equal("alertname", name)];
        let request = SelectRequest {
            matchers: &matchers,
            start: at.saturating_sub(OUTAGE_MS),
            end: at.saturating_sub(1),
            max_series: MAX_RESTORED,
            max_samples: MAX_RESTORED * 100,
            samples: true,
            labels: None,
            ahead: false,
            newest: false,
        };
        let mut known = HashMap::default();
        for series in ledger.select(&request).map(|found| found.series).unwrap_or_default() {
            let newest = series.timestamps.partition_point(|time| *time < at).checked_sub(1);
            let Some(newest) = newest else { continue };
            let (time, value) = (series.timestamps[newest], series.values[newest]);
            if !is_stale(value) && time >= request.start {
                #[expect(clippy::cast_possible_truncation, reason = "seconds of a clock")]
                let active_at = (value as i64).saturating_mul(1000);
                known.insert(series.labels.without_name(), (time, active_at));
            }
        }
        Self { hold_ms, known }
    }

    /// Since when an alert that is there at `at` counts as active.
    ///
    /// As Prometheus: one that had fired goes on; one that was pending goes on where it was, but
    /// does not fire before a grace period is over.
    pub(crate) fn active_at(&self, labels: &Labels, at: i64) -> i64 {
        let Some((kept_at, active_at)) = self.known.get(labels).copied() else { return at };
        let left = self.hold_ms - (kept_at - active_at);
        let grace = GRACE_MS.min(self.hold_ms);
        if left <= 0 {
            active_at
        } else if left < grace {
            at + grace - self.hold_ms
        } else {
            active_at + (at - kept_at)
        }
    }
}
