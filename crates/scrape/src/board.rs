//! How the targets stand, for others to show.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::gauge;
use model::Timestamp;
use once::Order as _;

use crate::discover::RefusedTarget;
use crate::telemetry::{LEFT_OUT, REFUSED, TARGETS};

/// How one target stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Standing {
    /// `None` until it was asked.
    pub up: Option<bool>,
    /// What went wrong; empty while all is well.
    pub error: String,
    /// When it was asked last.
    pub asked: Timestamp,
    /// When it answered last as it should.
    pub answered: Timestamp,
    /// Since when it is up, or down.
    pub since: Timestamp,
    /// How long the last scrape took.
    pub took: Duration,
    /// Samples of the last scrape.
    pub samples: usize,
    /// Samples of the last scrape that are not kept, by reason.
    pub refused: BTreeMap<&'static str, usize>,
}

/// How all targets of this process stand.
#[derive(Debug, Default)]
pub(crate) struct Board {
    standings: Mutex<HashMap<Arc<str>, Standing>>,
    refused: Mutex<(Arc<[RefusedTarget]>, usize)>,
}

impl Board {
    /// Notes what discovery found; targets that are no more are forgotten.
    pub(crate) fn found(
        &self,
        refused: Vec<RefusedTarget>,
        left_out: usize,
        keep: impl Fn(&str) -> bool,
    ) {
        let mut standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        standings.retain(|key, _| keep(key));
        count(&standings);
        gauge!(REFUSED).set(float(refused.len()));
        gauge!(LEFT_OUT).set(float(left_out));
        let mut known = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        for one in refused.iter().filter(|one| known.0.binary_search(one).is_err()) {
            tracing::warn!(about = one.about, reason = one.reason, "cannot be scraped");
        }
        if left_out > 0 && known.1 == 0 {
            tracing::warn!(left_out, "there are more targets to scrape than are allowed");
        }
        *known = (refused.into(), left_out);
    }

    /// Changes how a target stands.
    pub(crate) fn note(&self, key: &Arc<str>, change: impl FnOnce(&mut Standing)) {
        let mut standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        change(standings.entry(Arc::clone(key)).or_default());
    }

    pub(crate) fn of(&self, key: &str) -> Standing {
        let standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        standings.get(key).cloned().unwrap_or_default()
    }

    pub(crate) fn refused(&self) -> (Arc<[RefusedTarget]>, usize) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Targets up, down and not asked yet, and some errors with the number of targets that have
    /// each, the most frequent first.
    pub(crate) fn summary(&self) -> Summary {
        let standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut summary, mut errors) =
            (Summary::default(), BTreeMap::<&str, (usize, &str)>::new());
        for (key, standing) in &*standings {
            match standing.up {
                Some(true) => summary.up += 1,
                Some(false) => {
                    summary.down += 1;
                    let since = standing.since;
                    let earlier = summary.down_since.is_never() || since < summary.down_since;
                    summary.down_since = if earlier { since } else { summary.down_since };
                    let error = errors.entry(&standing.error).or_insert((0, key));
                    error.0 += 1;
                    error.1 = error.1.min(key);
                }
                None => summary.unknown += 1,
            }
            for (reason, count) in &standing.refused {
                *summary.refused.entry(reason).or_default() += count;
            }
        }
        let mut errors: Vec<_> = errors.into_iter().collect();
        errors.order_by_key(|(error, (count, _))| (std::cmp::Reverse(*count), *error));
        summary.errors = errors
            .into_iter()
            .take(MAX_ERRORS)
            .map(|(error, (count, key))| (error.to_owned(), count, key.to_owned()))
            .collect();
        summary
    }
}

/// Different errors that a summary tells.
const MAX_ERRORS: usize = 5;

/// How the targets stand in all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// Answer as they should.
    pub up: usize,
    /// Do not.
    pub down: usize,
    /// Were not asked yet.
    pub unknown: usize,
    /// Since when the first of those that are down is.
    pub down_since: Timestamp,
    /// What went wrong, how many targets it concerns, and one of them.
    pub errors: Vec<(String, usize, String)>,
    /// Samples of the last scrapes that are not kept, by reason.
    pub refused: BTreeMap<&'static str, usize>,
}

fn count(standings: &HashMap<Arc<str>, Standing>) {
    for (state, up) in [("up", Some(true)), ("down", Some(false)), ("unknown", None)] {
        let targets = standings.values().filter(|standing| standing.up == up).count();
        gauge!(TARGETS, "state" => state).set(float(targets));
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
pub(crate) fn float(count: usize) -> f64 {
    count as f64
}
