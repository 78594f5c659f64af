//! Aggregations: series of one group become one, step by step in the series' order.

use super::eval::Evaluator;
use super::expr::{Aggregate, AggregateOp};
use super::labels::LabelMap;
use super::rank::Ranking;
use super::signature::{Places, Signature};
use super::value::{ABSENT, SameLabels, Series, Steps, Value, distinct, present};
use super::{Labels, QueryError, is_label_name};

/// Evaluates an aggregation.
pub(super) fn eval(
    evaluator: &Evaluator<'_>,
    node: &Aggregate,
    steps: Steps,
) -> Result<Value, QueryError> {
    let parameter = match &node.parameter {
        Some(parameter) => Some(evaluator.eval(parameter, steps)?),
        None => None,
    };
    let Some(parameter) = parameter else {
        // A group's labels are no other group's.
        return Ok(Value::Vector(reduced(evaluator, node, steps)?));
    };
    let inner = evaluator.eval(&node.inner, steps)?.vector()?;
    let series = if node.op == AggregateOp::CountValues {
        count_values(evaluator, node, &parameter.text()?, &inner, steps)?
    } else {
        let mut parameter = parameter.scalar()?;
        if node.inner.is_step_invariant() {
            let first = parameter.first().copied().unwrap_or(f64::NAN);
            parameter.fill(first);
        }
        match node.op {
            AggregateOp::Quantile => quantiles(evaluator, node, &parameter, &inner, steps)?,
            op => ranked(evaluator, node, op == AggregateOp::Topk, &parameter, inner, steps)?,
        }
    };
    Ok(Value::Vector(distinct(series, SameLabels::Join)?))
}

impl Aggregate {
    /// The labels by which series are grouped.
    fn signature(&self) -> Signature<'_> {
        Signature { without: self.without, names: &self.labels }
    }
}

/// Labels of a group and the series in it.
struct Group {
    labels: Labels,
    members: Vec<usize>,
}

fn groups(node: &Aggregate, series: &[Series]) -> Vec<Group> {
    let mut places = Places::new(node.signature());
    let mut members: Vec<Vec<usize>> = Vec::new();
    for (index, one) in series.iter().enumerate() {
        match places.of(&one.labels, |labels| node.signature().of(labels)) {
            (_, true) => members.push(vec![index]),
            (place, false) => members[place].push(index),
        }
    }
    let groups = places.into_labels().into_iter().zip(members);
    groups.map(|(labels, members)| Group { labels, members }).collect()
}

/// Groups of which each takes its series as they come.
fn reduced(
    evaluator: &Evaluator<'_>,
    node: &Aggregate,
    steps: Steps,
) -> Result<Vec<Series>, QueryError> {
    let mut places = Places::new(node.signature());
    let mut groups: Vec<Reduced> = Vec::new();
    let labels = (!node.without).then_some(&*node.labels);
    evaluator.each(&node.inner, steps, labels, &mut |series| {
        if !series.has_samples() {
            return Ok(());
        }
        let (place, new) = places.of(&series.labels, |labels| node.signature().of(labels));
        if new {
            evaluator.budget.make(1, steps.count)?;
            groups.push(Reduced::new(node.op, steps.count));
        }
        groups[place].add(node.op, &series.values);
        Ok(())
    })?;
    let groups = places.into_labels().into_iter().zip(groups);
    let series = groups.map(|(labels, group)| Series { labels, values: group.values(node.op) });
    Ok(series.filter(Series::has_samples).collect())
}

/// What a group's columns have become so far.
enum Reduced {
    Folded(Vec<f64>),
    /// For operators that need more than one number.
    Cells(Vec<Cell>),
}

impl Reduced {
    fn new(op: AggregateOp, count: usize) -> Self {
        match op {
            AggregateOp::Avg | AggregateOp::Stddev | AggregateOp::Stdvar => {
                Self::Cells(vec![Cell::default(); count])
            }
            _ => Self::Folded(vec![ABSENT; count]),
        }
    }

    fn add(&mut self, op: AggregateOp, values: &[f64]) {
        let same = |value: f64| value;
        match self {
            Self::Folded(folded) => match op {
                AggregateOp::Count => fold(folded, values, |_| 1.0, |count, _| count + 1.0),
                AggregateOp::Group => fold(folded, values, |_| 1.0, |one, _| one),
                AggregateOp::Max => fold(folded, values, same, larger),
                AggregateOp::Min => fold(folded, values, same, smaller),
                _ => fold(folded, values, same, |sum, value| sum + value),
            },
            Self::Cells(cells) => {
                for (cell, value) in cells.iter_mut().zip(values) {
                    if present(*value) {
                        cell.add(op, *value);
                    }
                }
            }
        }
    }

    fn values(self, op: AggregateOp) -> Vec<f64> {
        match self {
            Self::Folded(values) => values,
            Self::Cells(cells) => cells.iter().map(|cell| cell.result(op)).collect(),
        }
    }
}

/// The larger of two; NaN only where both are.
fn larger(max: f64, value: f64) -> f64 {
    if max < value || max.is_nan() { value } else { max }
}

/// The smaller of two; NaN only where both are.
fn smaller(min: f64, value: f64) -> f64 {
    if min > value || min.is_nan() { value } else { min }
}

/// Step by step: `first` of the first value there is, then `next` of what there is and the next.
fn fold(
    folded: &mut [f64],
    values: &[f64],
    first: impl Fn(f64) -> f64,
    next: impl Fn(f64, f64) -> f64,
) {
    for (folded, value) in folded.iter_mut().zip(values) {
        let more = if present(*folded) { next(*folded, *value) } else { first(*value) };
        *folded = if present(*value) { more } else { *folded };
    }
}

/// What one group has collected at one step, for operators that need more than one number.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    count: f64,
    mean: f64,
    /// Sum of the squares of differences to the mean.
    squares: f64,
}

impl Cell {
    fn add(&mut self, op: AggregateOp, value: f64) {
        self.count += 1.0;
        if self.count <= 1.0 {
            self.mean = value;
            return;
        }
        match op {
            AggregateOp::Avg => self.average(value),
            AggregateOp::Stddev | AggregateOp::Stdvar => {
                let delta = value - self.mean;
                self.mean += delta / self.count;
                self.squares += delta * (value - self.mean);
            }
            _ => {}
        }
    }

    /// A running mean that neither overflows nor turns infinities of one sign into NaN.
    fn average(&mut self, value: f64) {
        if self.mean.is_infinite() {
            let same_sign = value.is_infinite() && (self.mean > 0.0) == (value > 0.0);
            if same_sign || value.is_finite() {
                return;
            }
        }
        self.mean += value / self.count - self.mean / self.count;
    }

    fn result(&self, op: AggregateOp) -> f64 {
        if self.count < 1.0 {
            return ABSENT;
        }
        match op {
            AggregateOp::Stdvar => self.squares / self.count,
            AggregateOp::Stddev => (self.squares / self.count).sqrt(),
            _ => self.mean,
        }
    }
}

fn quantiles(
    evaluator: &Evaluator<'_>,
    node: &Aggregate,
    q: &[f64],
    series: &[Series],
    steps: Steps,
) -> Result<Vec<Series>, QueryError> {
    let groups = groups(node, series);
    evaluator.budget.make(groups.len(), steps.count)?;
    let mut out = Vec::with_capacity(groups.len());
    let mut sorted = Vec::new();
    for group in groups {
        let mut values = Vec::with_capacity(steps.count);
        for (step, q) in q.iter().enumerate() {
            sorted.clear();
            let at_step = group.members.iter().map(|member| series[*member].values[step]);
            sorted.extend(at_step.filter(|value| present(*value)));
            evaluator.budget.work(sorted.len())?;
            values.push(if sorted.is_empty() { ABSENT } else { quantile(*q, &mut sorted) });
        }
        out.push(Series { labels: group.labels, values });
    }
    Ok(out)
}

/// The `q` quantile of at least one value, linear between ranks; sorts `values`, NaN first.
pub(super) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
    let last = values.len() - 1;
    let rank = q * last as f64;
    let lower = index(rank).min(last);
    let upper = (lower + 1).min(last);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}

/// A number as an index: what is negative is 0, what is too large saturates.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn index(number: f64) -> usize {
    number as usize
}

fn ranked(
    evaluator: &Evaluator<'_>,
    node: &Aggregate,
    largest: bool,
    k: &[f64],
    mut series: Vec<Series>,
    steps: Steps,
) -> Result<Vec<Series>, QueryError> {
    let groups = groups(node, &series);
    let mut order = Vec::new();
    for (step, k) in k.iter().enumerate() {
        if !k.is_finite() || *k >= i64::MAX as f64 || *k <= i64::MIN as f64 {
            return Err(QueryError::Execution(format!("scalar value {k} overflows int64")));
        }
        let k = index(*k).min(series.len());
        for group in &groups {
            evaluator.budget.work(group.members.len())?;
            let mut ranking = Ranking::new(k, largest);
            for member in &group.members {
                let value = series[*member].values[step];
                if present(value) {
                    ranking.offer((value, *member));
                }
            }
            for member in &group.members {
                series[*member].values[step] = ABSENT;
            }
            for (value, member) in ranking.ranked() {
                series[member].values[step] = value;
                order.push(member);
            }
        }
    }
    if steps.count == 1 {
        return Ok(order.into_iter().map(|member| series[member].clone()).collect());
    }
    Ok(series)
}

fn count_values(
    evaluator: &Evaluator<'_>,
    node: &Aggregate,
    label: &str,
    series: &[Series],
    steps: Steps,
) -> Result<Vec<Series>, QueryError> {
    if !is_label_name(label) {
        return Err(QueryError::Execution(format!("invalid label name {label:?}")));
    }
    let mut with_label = node.clone();
    if !node.without {
        with_label.labels.push(label.into());
    }
    let mut out: Vec<Series> = Vec::new();
    let mut places: LabelMap<usize> = LabelMap::default();
    for one in series {
        for (step, value) in one.values.iter().enumerate() {
            if !present(*value) {
                continue;
            }
            evaluator.budget.work(1)?;
            let labels = with_label.signature().of(&one.labels.with(label, &go_float(*value)));
            let place = if let Some(place) = places.get(&labels) {
                *place
            } else {
                evaluator.budget.make(1, steps.count)?;
                places.insert(labels.clone(), out.len());
                out.push(Series { labels, values: vec![ABSENT; steps.count] });
                out.len() - 1
            };
            let count = &mut out[place].values[step];
            *count = if present(*count) { *count + 1.0 } else { 1.0 };
        }
    }
    Ok(out)
}

/// A value as Go's `FormatFloat(v, 'f', -1, 64)` writes it: as short as reads back the same, and of
/// two such texts equally near the one with the even digit.
fn go_float(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let shortest = value.to_string();
    let decimals = shortest.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let rounded = format!("{value:.decimals$}");
    let reads_back = rounded.parse::<f64>().is_ok_and(|read| read.to_bits() == value.to_bits());
    if reads_back { rounded } else { shortest }
}
