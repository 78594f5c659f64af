//! The functions of Prometheus 2.42 by name, and how each is applied over all steps.

mod calendar;
mod histogram;
mod math;
mod names;
mod over_time;
mod rate;
mod regression;

use std::sync::Arc;

use rate::{Growth, Reach};

use super::eval::Evaluator;
use super::expr::{Expr, ValueKind};
use super::selector::{self, RangeVector, Window};
use super::value::{ABSENT, SameLabels, Series, Steps, Value, distinct, present};
use super::{Labels, Matcher, QueryError};

/// Computes one value from one window and the scalar arguments at that step.
type OfWindow = fn(&Window<'_>, &[f64]) -> Option<f64>;

/// How a function of windows makes its values.
#[derive(Debug, Clone, Copy)]
enum Over {
    /// What a window has grown by, extrapolated.
    Growth(Growth),
    /// Of each window by itself.
    Each(OfWindow),
    /// As `Each`, with two factors between 0 and 1.
    Smoothed(OfWindow),
    /// As `Each`, keeping the metric's name.
    Named(OfWindow),
}

/// A known function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Function {
    name: &'static str,
    body: Body,
}

#[derive(Debug, Clone, Copy)]
enum Body {
    /// Of every value by itself.
    Each(fn(f64) -> f64),
    /// Of every value and two scalars.
    EachWith(fn(f64, &[f64]) -> Option<f64>),
    /// Of every window.
    Over(Over),
    /// Of every value as a time, or of the step's time.
    Calendar(fn(i64) -> i64),
    Absent,
    AbsentOverTime,
    HistogramQuantile,
    /// Functions of native histograms, of which there are none.
    NativeHistogram,
    LabelJoin,
    LabelReplace,
    Pi,
    Scalar,
    Sort {
        descending: bool,
    },
    Time,
    Timestamp,
    Vector,
}

// glibc's of these four hold a fifth of a megabyte of tables.
const FUNCTIONS: &[(&str, Body)] = &[
    ("abs", Body::Each(f64::abs)),
    ("absent", Body::Absent),
    ("absent_over_time", Body::AbsentOverTime),
    ("acos", Body::Each(libm::acos)),
    ("acosh", Body::Each(f64::acosh)),
    ("asin", Body::Each(libm::asin)),
    ("asinh", Body::Each(f64::asinh)),
    ("atan", Body::Each(libm::atan)),
    ("atanh", Body::Each(f64::atanh)),
    ("avg_over_time", Body::Over(Over::Each(over_time::avg))),
    ("ceil", Body::Each(f64::ceil)),
    ("changes", Body::Over(Over::Each(over_time::changes))),
    ("clamp", Body::EachWith(math::clamp)),
    ("clamp_max", Body::EachWith(math::clamp_max)),
    ("clamp_min", Body::EachWith(math::clamp_min)),
    ("cos", Body::Each(f64::cos)),
    ("cosh", Body::Each(f64::cosh)),
    ("count_over_time", Body::Over(Over::Each(over_time::count))),
    ("day_of_month", Body::Calendar(calendar::day_of_month)),
    ("day_of_week", Body::Calendar(calendar::day_of_week)),
    ("day_of_year", Body::Calendar(calendar::day_of_year)),
    ("days_in_month", Body::Calendar(calendar::days_in_month)),
    ("deg", Body::Each(math::deg)),
    ("delta", Body::Over(Over::Growth(Growth::Delta))),
    ("deriv", Body::Over(Over::Each(regression::deriv))),
    ("exp", Body::Each(f64::exp)),
    ("floor", Body::Each(f64::floor)),
    ("histogram_count", Body::NativeHistogram),
    ("histogram_fraction", Body::NativeHistogram),
    ("histogram_quantile", Body::HistogramQuantile),
    ("histogram_sum", Body::NativeHistogram),
    ("holt_winters", Body::Over(Over::Smoothed(regression::holt_winters))),
    ("hour", Body::Calendar(calendar::hour)),
    ("idelta", Body::Over(Over::Each(rate::idelta))),
    ("increase", Body::Over(Over::Growth(Growth::Increase))),
    ("irate", Body::Over(Over::Each(rate::irate))),
    ("label_join", Body::LabelJoin),
    ("label_replace", Body::LabelReplace),
    ("last_over_time", Body::Over(Over::Named(over_time::last))),
    ("ln", Body::Each(f64::ln)),
    ("log10", Body::Each(f64::log10)),
    ("log2", Body::Each(f64::log2)),
    ("max_over_time", Body::Over(Over::Each(over_time::max))),
    ("min_over_time", Body::Over(Over::Each(over_time::min))),
    ("minute", Body::Calendar(calendar::minute)),
    ("month", Body::Calendar(calendar::month)),
    ("pi", Body::Pi),
    ("predict_linear", Body::Over(Over::Each(regression::predict_linear))),
    ("present_over_time", Body::Over(Over::Each(over_time::present))),
    ("quantile_over_time", Body::Over(Over::Each(over_time::quantile))),
    ("rad", Body::Each(math::rad)),
    ("rate", Body::Over(Over::Growth(Growth::Rate))),
    ("resets", Body::Over(Over::Each(over_time::resets))),
    ("round", Body::EachWith(math::round)),
    ("scalar", Body::Scalar),
    ("sgn", Body::Each(math::sgn)),
    ("sin", Body::Each(f64::sin)),
    ("sinh", Body::Each(f64::sinh)),
    ("sort", Body::Sort { descending: false }),
    ("sort_desc", Body::Sort { descending: true }),
    ("sqrt", Body::Each(f64::sqrt)),
    ("stddev_over_time", Body::Over(Over::Each(over_time::stddev))),
    ("stdvar_over_time", Body::Over(Over::Each(over_time::stdvar))),
    ("sum_over_time", Body::Over(Over::Each(over_time::sum))),
    ("tan", Body::Each(libm::tan)),
    ("tanh", Body::Each(f64::tanh)),
    ("time", Body::Time),
    ("timestamp", Body::Timestamp),
    ("vector", Body::Vector),
    ("year", Body::Calendar(calendar::year)),
];

impl Function {
    pub(super) fn by_name(name: &str) -> Option<Self> {
        let index = FUNCTIONS.binary_search_by_key(&name, |(known, _)| known).ok()?;
        let (name, body) = FUNCTIONS[index];
        Some(Self { name, body })
    }

    pub(super) fn yields_scalar(self) -> bool {
        matches!(self.body, Body::Scalar | Body::Time | Body::Pi)
    }

    /// True if the value depends on the step's time besides the arguments.
    pub(super) fn reads_step_time(self) -> bool {
        matches!(self.body, Body::Calendar(_) | Body::Time | Body::Timestamp)
            || self.name == "predict_linear"
    }
}

/// Evaluates `function(args)`.
pub(super) fn call(
    evaluator: &Evaluator<'_>,
    function: Function,
    args: &[Expr],
    steps: Steps,
) -> Result<Value, QueryError> {
    let arg = |index: usize| match args.get(index) {
        Some(arg) => evaluator.eval(arg, steps),
        None => Err(QueryError::Execution(format!("{} lacks an argument", function.name))),
    };
    let scalars = |from: usize| -> Result<Vec<Vec<f64>>, QueryError> {
        (from..args.len()).map(|index| arg(index)?.scalar()).collect()
    };
    let series = match function.body {
        Body::Time => {
            evaluator.budget.make(1, steps.count)?;
            return Ok(Value::Scalar(steps.iter().map(seconds).collect()));
        }
        Body::Pi => return Ok(Value::Scalar(vec![std::f64::consts::PI; steps.count])),
        Body::Scalar => return Ok(Value::Scalar(only_values(&arg(0)?.vector()?, steps))),
        Body::Vector => {
            vec![Series { labels: Labels::default(), values: arg(0)?.scalar()? }]
        }
        Body::Each(f) => each(arg(0)?.vector()?, |_, value| Some(f(value))),
        Body::EachWith(f) => {
            let scalars = scalars(1)?;
            each(arg(0)?.vector()?, |step, value| f(value, &at_step(&scalars, step)))
        }
        Body::Calendar(f) => calendar::eval(args.first().map(|_| arg(0)).transpose()?, f, steps)?,
        Body::Over(over) => return all_over(evaluator, over, args, steps),
        Body::Absent => names::absent(&arg(0)?.vector()?, args.first(), steps),
        Body::AbsentOverTime => names::absent_over_time(evaluator, args, steps)?,
        Body::HistogramQuantile => {
            histogram::quantiles(evaluator, &arg(0)?.scalar()?, &arg(1)?.vector()?, steps)?
        }
        Body::NativeHistogram => Vec::new(),
        Body::LabelJoin | Body::LabelReplace => {
            let series = arg(0)?.vector()?;
            let texts: Result<Vec<String>, QueryError> =
                (1..args.len()).map(|index| arg(index)?.text()).collect();
            match function.body {
                Body::LabelJoin => names::label_join(series, &texts?)?,
                _ => names::label_replace(series, &texts?, &evaluator.options.limits)?,
            }
        }
        Body::Sort { descending } => {
            return Ok(Value::Vector(sorted(arg(0)?.vector()?, descending)));
        }
        Body::Timestamp => match args.first() {
            Some(Expr::Instant(of)) => unnamed(selector::timestamps(evaluator, of, steps)?),
            _ => each(arg(0)?.vector()?, |step, _| Some(seconds(steps.at(step)))),
        },
    };
    Ok(Value::Vector(distinct(series, SameLabels::Join)?))
}

fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

fn at_step(columns: &[Vec<f64>], step: usize) -> Vec<f64> {
    columns.iter().map(|column| column[step]).collect()
}

fn unnamed(mut series: Vec<Series>) -> Vec<Series> {
    for one in &mut series {
        one.labels = one.labels.without_name();
    }
    series
}

/// Every present value by `f(step, value)`, without the metric's name.
fn each(mut series: Vec<Series>, f: impl Fn(usize, f64) -> Option<f64>) -> Vec<Series> {
    for one in &mut series {
        for (step, value) in one.values.iter_mut().enumerate() {
            if present(*value) {
                *value = f(step, *value).unwrap_or(ABSENT);
            }
        }
    }
    unnamed(series)
}

/// The value at each step that has exactly one.
fn only_values(series: &[Series], steps: Steps) -> Vec<f64> {
    let only = |step: usize| {
        let mut values = series.iter().map(|one| one.values[step]).filter(|value| present(*value));
        match (values.next(), values.next()) {
            (Some(value), None) => value,
            _ => f64::NAN,
        }
    };
    (0..steps.count).map(only).collect()
}

/// By value, NaN last, where there is only one step; a range answer is sorted by labels anyway.
fn sorted(mut series: Vec<Series>, descending: bool) -> Vec<Series> {
    let value = |one: &Series| one.values.first().copied().unwrap_or(f64::NAN);
    if series.iter().all(|one| one.values.len() == 1) {
        series.sort_by(|a, b| {
            let (a, b) = (value(a), value(b));
            let by_value = if descending { b.total_cmp(&a) } else { a.total_cmp(&b) };
            a.is_nan().cmp(&b.is_nan()).then(by_value)
        });
    }
    series
}

/// A function of windows.
fn all_over(
    evaluator: &Evaluator<'_>,
    over: Over,
    args: &[Expr],
    steps: Steps,
) -> Result<Value, QueryError> {
    let mut out = Vec::new();
    let unlike = each_over(evaluator, over, args, (steps, None), &mut |series| {
        if series.has_samples() {
            out.push(series);
        }
        Ok(())
    })?;
    let out = if unlike { out } else { distinct(out, SameLabels::Refuse)? };
    Ok(Value::Vector(out))
}

/// Hands on the series of a function of windows one by one, with those that have no sample. Whether
/// no labels can occur twice: without a name that all have in common, they differ as before.
fn each_over(
    evaluator: &Evaluator<'_>,
    over: Over,
    args: &[Expr],
    (steps, labels): (Steps, Option<&[Arc<str>]>),
    each: &mut dyn FnMut(Series) -> Result<(), QueryError>,
) -> Result<bool, QueryError> {
    let Some(matrix) = args.iter().find(|arg| is_matrix(arg)) else {
        return Err(QueryError::execution("expected a range vector"));
    };
    let others = args.iter().filter(|arg| !is_matrix(arg));
    let columns: Result<Vec<Vec<f64>>, QueryError> =
        others.map(|arg| evaluator.eval(arg, steps)?.scalar()).collect();
    let (columns, ranges) = (columns?, selector::ranges(evaluator, matrix, steps)?);
    let ranges = ranges.looking_at(labels);
    match over {
        Over::Growth(growth) => {
            let mut reaches = vec![Reach::default(); steps.count];
            each_window(evaluator, (&ranges, false), steps, each, |step, window| {
                Ok(growth.of(window, &mut reaches[step]))
            })?;
        }
        Over::Each(f) | Over::Smoothed(f) | Over::Named(f) => {
            let mut scalars = vec![0.0; columns.len()];
            let named = matches!(over, Over::Named(_));
            each_window(evaluator, (&ranges, named), steps, each, |step, window| {
                for (scalar, column) in scalars.iter_mut().zip(&columns) {
                    *scalar = column[step];
                }
                if matches!(over, Over::Smoothed(_)) {
                    regression::check_factors(&scalars)?;
                }
                Ok(f(window, &scalars))
            })?;
        }
    }
    Ok(ranges.matchers.iter().any(Matcher::is_one_name))
}

/// Hands on series of what `value` makes of each window, with their names where `named`.
fn each_window(
    evaluator: &Evaluator<'_>,
    (ranges, named): (&RangeVector<'_>, bool),
    steps: Steps,
    each: &mut dyn FnMut(Series) -> Result<(), QueryError>,
    mut value: impl FnMut(usize, &Window<'_>) -> Result<Option<f64>, QueryError>,
) -> Result<(), QueryError> {
    let mut spans = ranges.spans(steps);
    ranges.each(&mut |view| {
        evaluator.budget.make(1, steps.count)?;
        let mut values = vec![ABSENT; steps.count];
        ranges.windows(&view, steps, &mut spans, |step, window| {
            if !window.values.is_empty() {
                values[step] = value(step, window)?.unwrap_or(ABSENT);
            }
            Ok(())
        })?;
        let labels = if named { view.labels } else { view.labels.without_name() };
        each(Series { labels, values })
    })
}

fn is_matrix(arg: &Expr) -> bool {
    arg.kind() == ValueKind::Matrix
}

/// How a call makes the windows of series of one name into its own, if it is such a function: its
/// series can be handed on one by one, for none has to know the others.
fn over_one_name(function: Function, args: &[Expr]) -> Option<Over> {
    let Body::Over(over) = function.body else { return None };
    let matrix = args.iter().find(|arg| is_matrix(arg));
    matches!(matrix, Some(Expr::Range(of, _)) if of.has_one_name()).then_some(over)
}

/// Whether a call is a function of windows of series of one name.
pub(super) fn has_one_name(function: Function, args: &[Expr]) -> bool {
    over_one_name(function, args).is_some()
}

/// Hands on the series of a call one by one where none has to know the others; `false` where that
/// cannot be, and nothing was done.
pub(super) fn call_each(
    evaluator: &Evaluator<'_>,
    function: Function,
    args: &[Expr],
    steps: Steps,
    labels: Option<&[Arc<str>]>,
    each: &mut dyn FnMut(Series) -> Result<(), QueryError>,
) -> Result<bool, QueryError> {
    match over_one_name(function, args) {
        Some(over) => each_over(evaluator, over, args, (steps, labels), each),
        None => Ok(false),
    }
}
