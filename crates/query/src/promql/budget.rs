//! What a query may cost, and what one has cost so far; knows no operator.

use std::cell::{Cell, RefCell};

use super::value::present;
use super::{QueryError, Stats};

/// How many work units pass between two looks at cancellation.
const CANCEL_EVERY: usize = 1 << 16;

/// Bounds of one query; passing one is [`QueryError::Limit`] with the field's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the query text.
    pub query_bytes: usize,
    /// Tokens of the query text.
    pub tokens: usize,
    /// Nesting of the expression, and of brackets.
    pub depth: usize,
    /// Compiled size of one regular expression, bytes.
    pub regex_bytes: usize,
    /// Regular expressions in one query text.
    pub regexes: usize,
    /// Steps of a range query.
    pub steps: usize,
    /// Milliseconds between a range query's start and end, and length of a range selector.
    pub range_ms: i64,
    /// Series loaded, over all selectors.
    pub series: usize,
    /// Samples loaded plus values made by evaluation.
    pub samples: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            query_bytes: 64 << 10,
            tokens: 8192,
            depth: 128,
            regex_bytes: 1 << 20,
            regexes: 200,
            steps: 11_000,
            range_ms: 5 * 366 * 86_400_000,
            series: 500_000,
            samples: 50_000_000,
        }
    }
}

/// How a query is evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How old the newest sample may be, milliseconds.
    pub lookback_ms: i64,
    /// Step of subqueries that name none, milliseconds.
    pub subquery_step_ms: i64,
    /// Whether it is counted how many samples each step looked at.
    pub per_step: bool,
    /// Whether a second thread may find series while they are evaluated.
    pub ahead: bool,
    /// Bounds.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        let limits = Limits::default();
        let (lookback_ms, subquery_step_ms) = (300_000, 60_000);
        Self { lookback_ms, subquery_step_ms, per_step: false, ahead: false, limits }
    }
}

/// Counts one query's cost.
pub(super) struct Budget<'a> {
    limits: &'a Limits,
    canceled: &'a dyn Fn() -> bool,
    series: Cell<usize>,
    loaded: Cell<usize>,
    made: Cell<usize>,
    work: Cell<usize>,
    /// Samples that steps looked at.
    looked: Cell<usize>,
    /// By step, where that is wanted.
    by_step: RefCell<Vec<usize>>,
    /// Within a subquery: what steps look at is counted where its result is.
    inside: Cell<bool>,
    warnings: RefCell<Vec<String>>,
}

impl<'a> Budget<'a> {
    /// `steps` are those of which each is counted; none to count all together.
    pub(super) fn new(limits: &'a Limits, canceled: &'a dyn Fn() -> bool, steps: usize) -> Self {
        Self {
            limits,
            canceled,
            series: Cell::new(0),
            loaded: Cell::new(0),
            made: Cell::new(0),
            work: Cell::new(0),
            looked: Cell::new(0),
            by_step: RefCell::new(vec![0; steps]),
            inside: Cell::new(false),
            warnings: RefCell::default(),
        }
    }

    /// Whether each step's samples are counted by themselves.
    pub(super) fn is_by_step(&self) -> bool {
        !self.by_step.borrow().is_empty()
    }

    /// Counts samples that a step looked at, as Prometheus counts what it calls queryable.
    pub(super) fn look(&self, step: usize, samples: usize) {
        if self.inside.get() {
            return;
        }
        self.looked.set(self.looked.get() + samples);
        if let Some(place) = self.by_step.borrow_mut().get_mut(step) {
            *place += samples;
        }
    }

    /// Counts the sample that each step found of one series.
    pub(super) fn look_at(&self, values: &[f64]) {
        if self.inside.get() {
            return;
        }
        let found = values.iter().filter(|value| present(**value)).count();
        self.looked.set(self.looked.get() + found);
        for (place, value) in self.by_step.borrow_mut().iter_mut().zip(values) {
            *place += usize::from(present(*value));
        }
    }

    /// Does `work` on what is inside of a subquery.
    pub(super) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = self.inside.replace(true);
        let done = work();
        self.inside.set(before);
        done
    }

    /// Series that may still be loaded.
    pub(super) fn series_left(&self) -> usize {
        self.limits.series.saturating_sub(self.series.get())
    }

    /// Samples that may still be loaded or made.
    pub(super) fn samples_left(&self) -> usize {
        self.limits.samples.saturating_sub(self.loaded.get().saturating_add(self.made.get()))
    }

    pub(super) fn load(&self, series: usize, samples: usize) -> Result<(), QueryError> {
        if series > self.series_left() {
            return Err(limit("series", self.limits.series));
        }
        if samples > self.samples_left() {
            return Err(limit("samples", self.limits.samples));
        }
        self.series.set(self.series.get() + series);
        self.loaded.set(self.loaded.get() + samples);
        self.work(samples)
    }

    /// Accounts for `series` columns of `steps` values before they are made.
    pub(super) fn make(&self, series: usize, steps: usize) -> Result<(), QueryError> {
        let values = series.saturating_mul(steps);
        if values > self.samples_left() {
            return Err(limit("samples", self.limits.samples));
        }
        self.made.set(self.made.get() + values);
        self.work(values.max(1))
    }

    /// Accounts for work without memory, and looks now and then whether anybody still waits.
    pub(super) fn work(&self, units: usize) -> Result<(), QueryError> {
        let work = self.work.get().saturating_add(units);
        if work < CANCEL_EVERY {
            self.work.set(work);
            return Ok(());
        }
        self.work.set(0);
        if (self.canceled)() { Err(QueryError::Canceled) } else { Ok(()) }
    }

    pub(super) fn warn(&self, warnings: Vec<String>) {
        self.warnings.borrow_mut().extend(warnings);
    }

    pub(super) fn close(self) -> (Stats, Vec<usize>, Vec<String>) {
        let mut warnings = self.warnings.into_inner();
        warnings.sort_unstable();
        warnings.dedup();
        let stats = Stats {
            series: self.series.get(),
            samples: self.loaded.get(),
            values: self.made.get(),
            looked: self.looked.get(),
        };
        (stats, self.by_step.into_inner(), warnings)
    }
}

pub(super) fn limit(what: &'static str, limit: usize) -> QueryError {
    QueryError::Limit { what, limit: limit as u64 }
}
