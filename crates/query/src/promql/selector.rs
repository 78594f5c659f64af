//! Reads series from the source: the newest sample at each step, or windows of samples.
//!
//! Lookback, staleness and the bounds of windows follow Prometheus 2.42: both ends inclusive.

use std::ops::Range;
use std::sync::Arc;

use super::eval::Evaluator;
use super::expr::{Expr, Selector, Subquery};
use super::spans::Spans;
use super::value::{ABSENT, Series, Steps, present};
use super::{
    Column, Matcher, QueryError, RangeSeries, SelectRequest, SeriesView, budget, is_stale,
};

/// Samples of windows that are counted together.
const SAID_AT_ONCE: usize = 1 << 12;

/// Where the windows of all steps are, and what they are cut from.
pub(super) struct RangeVector<'a> {
    evaluator: &'a Evaluator<'a>,
    expr: &'a Expr,
    /// Length of a window, milliseconds.
    range: i64,
    /// The last millisecond of every step's window.
    ends: Steps,
    /// All windows end at `ends.start`.
    fixed: bool,
    /// How the series are selected; none for a subquery.
    pub(super) matchers: &'a [Matcher],
    /// The only labels that are looked at, where it is not all.
    labels: Option<&'a [Arc<str>]>,
}

/// One series' samples within one window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'w> {
    pub(super) timestamps: &'w [i64],
    pub(super) values: &'w [f64],
    /// First millisecond of the window.
    pub(super) start: i64,
    /// Last millisecond of the window.
    pub(super) end: i64,
    /// The step's time, which differs from `end` under `@` and `offset`.
    pub(super) now: i64,
    /// False if no value of the whole series is below the one before it.
    pub(super) may_reset: bool,
}

/// The newest sample of each series at each step.
pub(super) fn instant(
    evaluator: &Evaluator<'_>,
    of: &Selector,
    steps: Steps,
) -> Result<Vec<Series>, QueryError> {
    newest(evaluator, of, steps, None)
}

/// The timestamp of the newest sample of each series at each step, seconds.
pub(super) fn timestamps(
    evaluator: &Evaluator<'_>,
    of: &Selector,
    steps: Steps,
) -> Result<Vec<Series>, QueryError> {
    newest(evaluator, of, steps, Some(|timestamp| timestamp as f64 / 1000.0))
}

fn newest(
    evaluator: &Evaluator<'_>,
    of: &Selector,
    steps: Steps,
    take: Option<fn(i64) -> f64>,
) -> Result<Vec<Series>, QueryError> {
    let mut all = Vec::new();
    each_newest(evaluator, of, (steps, None), take, &mut |series| {
        if series.has_samples() {
            all.push(series);
        }
        Ok(())
    })?;
    Ok(all)
}

/// Hands the series of [`instant`] on one by one, with those that have no sample.
pub(super) fn each_instant(
    evaluator: &Evaluator<'_>,
    of: &Selector,
    steps: Steps,
    labels: Option<&[Arc<str>]>,
    each: &mut dyn FnMut(Series) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    each_newest(evaluator, of, (steps, labels), None, each)
}

fn each_newest(
    evaluator: &Evaluator<'_>,
    of: &Selector,
    (steps, labels): (Steps, Option<&[Arc<str>]>),
    take: Option<fn(i64) -> f64>,
    each: &mut dyn FnMut(Series) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let fixed = evaluator.fixed(of.time);
    let times = match fixed {
        Some(at) => Steps::one(at).earlier(of.time.offset),
        None => steps.earlier(of.time.offset),
    };
    let lookback = evaluator.options.lookback_ms;
    let range = (times.start.saturating_sub(lookback), times.last());
    let mut spans = Spans::new(times, lookback, false);
    let newest = times.count == 1;
    each_view(evaluator, (&of.matchers, labels, newest), range, &mut |view| {
        evaluator.budget.make(1, steps.count)?;
        let samples = &*view.values;
        let mut values = Vec::with_capacity(steps.count);
        let newest = |span: Range<usize>| match (samples.get(span.clone()), take) {
            (Some([.., newest]), None) if !is_stale(*newest) => *newest,
            (Some([.., newest]), Some(take)) if !is_stale(*newest) => {
                take(view.timestamps[span.end - 1])
            }
            _ => ABSENT,
        };
        let (begin, found) = spans.of(&view.timestamps);
        values.resize(begin, ABSENT);
        values.extend(found.map(newest));
        values.resize(times.count, ABSENT);
        if fixed.is_some() {
            values.resize(steps.count, values.first().copied().unwrap_or(ABSENT));
        }
        evaluator.budget.look_at(&values);
        each(Series { labels: view.labels, values })
    })
}

/// The range vector that `expr`, a range selector or subquery, stands for.
pub(super) fn ranges<'a>(
    evaluator: &'a Evaluator<'a>,
    expr: &'a Expr,
    steps: Steps,
) -> Result<RangeVector<'a>, QueryError> {
    let (time, range) = match expr {
        Expr::Range(of, range) => (of.time, *range),
        Expr::Subquery(subquery) => (subquery.time, subquery.range),
        _ => return Err(QueryError::execution("expected a range vector")),
    };
    let limit = evaluator.options.limits.range_ms;
    if range > limit {
        return Err(QueryError::Limit { what: "range_ms", limit: limit.unsigned_abs() });
    }
    let fixed = evaluator.fixed(time);
    let ends = match fixed {
        Some(at) => Steps { start: at, ..steps }.earlier(time.offset),
        None => steps.earlier(time.offset),
    };
    let matchers = if let Expr::Range(of, _) = expr { &*of.matchers } else { &[] };
    Ok(RangeVector { evaluator, expr, range, ends, fixed: fixed.is_some(), matchers, labels: None })
}

impl<'a> RangeVector<'a> {
    /// The same, of whose series only these labels are looked at.
    pub(super) fn looking_at(self, labels: Option<&'a [Arc<str>]>) -> Self {
        Self { labels, ..self }
    }

    /// Hands on the series, one by one.
    pub(super) fn each(
        &self,
        each: &mut dyn FnMut(SeriesView<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let last = if self.fixed { self.ends.start } else { self.ends.last() };
        let range = (self.ends.start.saturating_sub(self.range), last);
        if let Expr::Subquery(subquery) = self.expr {
            return inner_series(self.evaluator, subquery, range, each);
        }
        let each = &mut |view: SeriesView<'_>| each(without_stale(view));
        each_view(self.evaluator, (self.matchers, self.labels, false), range, each)
    }

    /// Where the windows of `steps` fall within the series' samples.
    pub(super) fn spans(&self, steps: Steps) -> Spans {
        Spans::new(Steps { count: steps.count, ..self.ends }, self.range, self.fixed)
    }

    /// Calls `each` for every step at which the window of a series may have a sample.
    pub(super) fn windows(
        &self,
        view: &SeriesView<'_>,
        steps: Steps,
        spans: &mut Spans,
        mut each: impl FnMut(usize, &Window<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let (timestamps, values) = (&*view.timestamps, &*view.values);
        let may_reset = values.windows(2).any(|pair| pair[1] < pair[0]);
        let (begin, found) = spans.of(&view.timestamps);
        let budget = self.evaluator.budget;
        let by_step = budget.is_by_step();
        let say = |samples| {
            if !by_step {
                budget.look(0, samples);
            }
            budget.work(samples)
        };
        let mut unsaid = 0;
        for (step, span) in (begin..).zip(found) {
            let end = if self.fixed { self.ends.start } else { self.ends.at(step) };
            let window = Window {
                timestamps: &timestamps[span.clone()],
                values: &values[span],
                start: end.saturating_sub(self.range),
                end,
                now: steps.at(step),
                may_reset,
            };
            let count = window.timestamps.len();
            if by_step {
                budget.look(step, count);
            }
            unsaid += count;
            if unsaid >= SAID_AT_ONCE {
                say(std::mem::take(&mut unsaid))?;
            }
            each(step, &window)?;
        }
        say(unsaid)
    }
}

/// The samples themselves, for a range vector that is the whole query.
pub(super) fn raw(
    evaluator: &Evaluator<'_>,
    expr: &Expr,
    steps: Steps,
) -> Result<Vec<RangeSeries>, QueryError> {
    let ranges = ranges(evaluator, expr, steps)?;
    let mut spans = ranges.spans(steps);
    let mut all = Vec::new();
    ranges.each(&mut |view| {
        let mut samples = Vec::new();
        ranges.windows(&view, steps, &mut spans, |_, window| {
            let pairs = window.timestamps.iter().copied().zip(window.values.iter().copied());
            samples.extend(pairs);
            Ok(())
        })?;
        all.push(RangeSeries { labels: view.labels, samples });
        Ok(())
    })?;
    Ok(all)
}

/// Hands on what passes the matchers between two times, one series after the other.
fn each_view(
    evaluator: &Evaluator<'_>,
    (matchers, labels, newest): (&[Matcher], Option<&[Arc<str>]>, bool),
    (start, end): (i64, i64),
    each: &mut dyn FnMut(SeriesView<'_>) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let budget = evaluator.budget;
    let (max_series, max_samples) = (budget.series_left(), budget.samples_left());
    let (samples, ahead) = (true, evaluator.options.ahead);
    let request = SelectRequest {
        matchers,
        start,
        end,
        max_series,
        max_samples,
        samples,
        labels,
        ahead,
        newest,
    };
    let mut outcome = Ok(());
    let warnings = evaluator.source.select_each(&request, &mut |view| {
        outcome = budget.load(1, view.timestamps.len()).and_then(|()| each(view));
        outcome.is_ok()
    })?;
    budget.warn(warnings);
    outcome
}

/// Windows never see stale markers.
fn without_stale(mut view: SeriesView<'_>) -> SeriesView<'_> {
    if let (Column::Part(_, from, len), Column::Owned(values)) =
        (&mut view.timestamps, &mut view.values)
    {
        // Most have some alone before they begin and where they end.
        let there = |value: &f64| !is_stale(*value);
        values.truncate(values.iter().rposition(there).map_or(0, |last| last + 1));
        let first = values.iter().position(there).unwrap_or(0);
        values.drain(..first);
        *from += first;
        *len = values.len();
    }
    if !view.values.iter().any(|value| is_stale(*value)) {
        return view;
    }
    let kept =
        view.timestamps.iter().zip(view.values.iter()).filter(|(_, value)| !is_stale(**value));
    let (timestamps, values): (Vec<i64>, Vec<f64>) = kept.map(|(t, v)| (*t, *v)).unzip();
    shared(view.labels, timestamps, values)
}

fn shared<'a>(labels: super::Labels, timestamps: Vec<i64>, values: Vec<f64>) -> SeriesView<'a> {
    let timestamps = Column::Shared(Arc::from(timestamps));
    SeriesView { labels, timestamps, values: Column::Shared(Arc::from(values)) }
}

/// Evaluates a subquery's inner expression at all its steps between `first` and `last`.
fn inner_series(
    evaluator: &Evaluator<'_>,
    subquery: &Subquery,
    (first, last): (i64, i64),
    each: &mut dyn FnMut(SeriesView<'_>) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let step = subquery.step.unwrap_or(evaluator.options.subquery_step_ms).max(1);
    // Steps are multiples of the step, whatever the query's start is.
    let mut start = step.saturating_mul(first / step);
    if start < first {
        start = start.saturating_add(step);
    }
    if last < start {
        return Ok(());
    }
    let count = usize::try_from(last.saturating_sub(start) / step + 1).unwrap_or(usize::MAX);
    if count > evaluator.budget.samples_left() {
        return Err(budget::limit("samples", evaluator.options.limits.samples));
    }
    let steps = Steps { start, step, count };
    let inner = evaluator.budget.within(|| evaluator.eval(&subquery.inner, steps));
    let series = inner?.vector()?;
    evaluator.budget.make(series.len(), count)?;
    let view = |series: Series| {
        let kept = steps.iter().zip(series.values).filter(|(_, value)| present(*value));
        let (timestamps, values) = kept.unzip();
        shared(series.labels, timestamps, values)
    };
    series.into_iter().try_for_each(|series| each(view(series)))
}
