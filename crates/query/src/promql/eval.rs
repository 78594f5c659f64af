//! The evaluator: walks the expression once and evaluates every node over all steps.

use std::sync::Arc;

use super::binary::WithScalar;
use super::budget::Budget;
use super::expr::{At, Expr, TimeShift, ValueKind};
use super::value::{SameLabels, Series, Steps, Value, distinct, present};
use super::{
    AnswerValue, InstantSample, Options, QueryError, RangeSeries, Select, aggregate, binary,
    functions, matching, selector,
};

/// What the nodes of one query share.
pub(super) struct Evaluator<'a> {
    pub(super) source: &'a dyn Select,
    pub(super) options: &'a Options,
    pub(super) budget: &'a Budget<'a>,
    /// What `start()` and `end()` mean.
    start: i64,
    end: i64,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(
        source: &'a dyn Select,
        options: &'a Options,
        budget: &'a Budget<'a>,
        start: i64,
        end: i64,
    ) -> Self {
        Self { source, options, budget, start, end }
    }

    /// The whole expression at one time.
    pub(super) fn instant(&self, expr: &Expr, at: i64) -> Result<AnswerValue, QueryError> {
        let steps = Steps::one(at);
        if expr.kind() == ValueKind::Matrix {
            let mut series = selector::raw(self, expr, steps)?;
            series.retain(|series| !series.is_empty());
            series.sort_by(|a, b| a.labels.cmp(&b.labels));
            return Ok(AnswerValue::Matrix(series));
        }
        Ok(match self.eval(expr, steps)? {
            Value::Scalar(values) => {
                AnswerValue::Scalar(at, values.first().copied().unwrap_or(f64::NAN))
            }
            Value::Text(text) => AnswerValue::Text(at, text),
            Value::Vector(all) => {
                let sample = |series: Series| {
                    let value = *series.values.first()?;
                    let labels = series.labels;
                    present(value).then_some(InstantSample { labels, timestamp: at, value })
                };
                AnswerValue::Vector(all.into_iter().filter_map(sample).collect())
            }
        })
    }

    /// The whole expression over steps, sorted by labels.
    pub(super) fn range(&self, expr: &Expr, steps: Steps) -> Result<Vec<RangeSeries>, QueryError> {
        let all = match self.eval(expr, steps)? {
            Value::Scalar(values) => vec![Series { labels: super::Labels::default(), values }],
            Value::Vector(all) => all,
            Value::Text(_) => Vec::new(),
        };
        let mut matrix: Vec<RangeSeries> = all
            .into_iter()
            .map(|series| RangeSeries {
                labels: series.labels,
                samples: samples(&series.values, steps),
            })
            .filter(|series| !series.is_empty())
            .collect();
        matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(matrix)
    }

    /// The value of `expr` at every step.
    pub(super) fn eval(&self, expr: &Expr, steps: Steps) -> Result<Value, QueryError> {
        match expr {
            Expr::Number(number) => {
                self.budget.make(1, steps.count)?;
                Ok(Value::Scalar(vec![*number; steps.count]))
            }
            Expr::Text(text) => Ok(Value::Text(text.clone())),
            Expr::Instant(of) => Ok(Value::Vector(selector::instant(self, of, steps)?)),
            Expr::Range(..) | Expr::Subquery(_) => {
                Err(QueryError::execution("a range vector can only be a function's argument"))
            }
            Expr::Negate(inner) => match self.eval(inner, steps)? {
                Value::Scalar(values) => {
                    Ok(Value::Scalar(values.into_iter().map(|value| -value).collect()))
                }
                value => {
                    let negated = value.vector()?.into_iter().map(|mut series| {
                        series.labels = series.labels.without_name();
                        map_present(&mut series.values, |value| -value);
                        series
                    });
                    Ok(Value::Vector(distinct(negated.collect(), SameLabels::Refuse)?))
                }
            },
            Expr::Binary(node) => {
                let left = self.eval(&node.left, steps)?;
                let right = self.eval(&node.right, steps)?;
                match (left, right) {
                    (Value::Vector(left), Value::Vector(right)) => {
                        matching::vectors(self.budget, node, left, right, steps)
                    }
                    (left, right) => binary::with_scalar(node.op, node.return_bool, left, right),
                }
            }
            Expr::Aggregate(node) => aggregate::eval(self, node, steps),
            Expr::Call(function, args) => functions::call(self, *function, args, steps),
        }
    }

    /// Hands on the series of `expr` at every step, with those that have no sample: one by one as
    /// they are found, where none has to know the others. Where only some labels are looked at,
    /// the others may be missing.
    pub(super) fn each(
        &self,
        expr: &Expr,
        steps: Steps,
        labels: Option<&[Arc<str>]>,
        each: &mut dyn FnMut(Series) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        match expr {
            Expr::Instant(of) => return selector::each_instant(self, of, steps, labels, each),
            Expr::Call(function, args)
                if functions::call_each(self, *function, args, steps, labels, each)? =>
            {
                return Ok(());
            }
            Expr::Binary(node)
                if let Some((vector, scalar, is_left)) = node.with_scalar()
                    && has_one_name(vector) =>
            {
                let scalar = self.eval(scalar, steps)?.scalar()?;
                let (op, return_bool) = (node.op, node.return_bool);
                let operator = WithScalar { op, return_bool, scalar, is_left };
                return self.each(vector, steps, labels, &mut |mut series| {
                    operator.apply(&mut series);
                    each(series)
                });
            }
            _ => {}
        }
        self.eval(expr, steps)?.vector()?.into_iter().try_for_each(each)
    }

    /// The time that `@` fixes, if any.
    pub(super) fn fixed(&self, time: TimeShift) -> Option<i64> {
        time.at.map(|at| match at {
            At::Start => self.start,
            At::End => self.end,
            At::Time(at) => at,
        })
    }
}

/// Whether all series come from those of one name, so that without it they differ as before.
fn has_one_name(expr: &Expr) -> bool {
    match expr {
        Expr::Instant(of) => of.has_one_name(),
        Expr::Call(function, args) => functions::has_one_name(*function, args),
        Expr::Binary(node) => node.with_scalar().is_some_and(|(vector, ..)| has_one_name(vector)),
        _ => false,
    }
}

/// The values that are there, with their times.
fn samples(values: &[f64], steps: Steps) -> Vec<(i64, f64)> {
    let there = |value: &f64| present(*value);
    let Some(first) = values.iter().position(there) else { return Vec::new() };
    let last = values.iter().rposition(there).map_or(first, |last| last + 1);
    let within = &values[first..last];
    let pairs = (first..last).map(|step| steps.at(step)).zip(within.iter().copied());
    let count = within.iter().filter(|value| there(value)).count();
    if count == within.len() {
        return pairs.collect();
    }
    let mut samples = Vec::with_capacity(count);
    samples.extend(pairs.filter(|(_, value)| there(value)));
    samples
}

/// Applies `f` to every present value.
pub(super) fn map_present(values: &mut [f64], f: impl Fn(f64) -> f64) {
    for value in values {
        if present(*value) {
            *value = f(*value);
        }
    }
}
