//! Operators between two vectors: which series meet, and what their results are called.

use super::binary::{apply, stored};
use super::budget::Budget;
use super::expr::{Binary, BinaryOp, Matching, Side};
use super::signature::{Places, Signature};
use super::value::{ABSENT, SameLabels, Series, Steps, Value, distinct, present};
use super::{Labels, QueryError};

/// `left op right` for two vectors.
pub(super) fn vectors(
    budget: &Budget<'_>,
    node: &Binary,
    left: Vec<Series>,
    right: Vec<Series>,
    steps: Steps,
) -> Result<Value, QueryError> {
    if node.op.is_set() {
        let series = set(node, left, right, steps)?;
        return Ok(Value::Vector(distinct(series, SameLabels::Join)?));
    }
    Meeting::new(budget, node, (left, right), steps)?.results().map(Value::Vector)
}

impl Matching {
    /// What series must have in common to meet.
    fn signature(&self) -> Signature<'_> {
        Signature { without: !self.on, names: &self.labels }
    }
}

/// At which steps any series of each signature has a sample.
struct Presence<'n> {
    places: Places<'n>,
    /// Steps of one place behind those of another.
    seen: Vec<bool>,
    steps: usize,
}

impl<'n> Presence<'n> {
    fn of(all: &[Series], matching: &'n Matching, steps: Steps) -> Self {
        let mut places = Places::new(matching.signature());
        let mut seen: Vec<bool> = Vec::new();
        for series in all {
            let (place, new) = places.of(&series.labels, Labels::clone);
            if new {
                seen.resize(seen.len() + steps.count, false);
            }
            let seen = seen[place * steps.count..].iter_mut();
            seen.zip(&series.values).for_each(|(seen, value)| *seen |= present(*value));
        }
        Self { places, seen, steps: steps.count }
    }

    /// Leaves of `all` only what is at steps at which its signature was seen, or was not.
    fn keep(&self, all: &mut [Series], wanted: bool) {
        for series in all {
            let place = self.places.find(&series.labels);
            for (step, value) in series.values.iter_mut().enumerate() {
                if place.is_some_and(|place| self.seen[place * self.steps + step]) != wanted {
                    *value = ABSENT;
                }
            }
        }
    }
}

fn set(
    node: &Binary,
    mut left: Vec<Series>,
    mut right: Vec<Series>,
    steps: Steps,
) -> Result<Vec<Series>, QueryError> {
    match node.op {
        BinaryOp::And => Presence::of(&right, &node.matching, steps).keep(&mut left, true),
        BinaryOp::Unless => Presence::of(&right, &node.matching, steps).keep(&mut left, false),
        BinaryOp::Or => {
            Presence::of(&left, &node.matching, steps).keep(&mut right, false);
            left.append(&mut right);
        }
        _ => return Err(QueryError::execution("not a set operator")),
    }
    Ok(left)
}

/// Results of one signature, where each step may have one.
#[derive(Debug, Clone)]
enum Taken {
    Nowhere,
    /// Where the result at this position is.
    By(usize),
    At(Vec<bool>),
}

/// Two sides of an operator: series of the many side meet those of the one side.
struct Meeting<'q> {
    budget: &'q Budget<'q>,
    node: &'q Binary,
    steps: Steps,
    many: Vec<Series>,
    one: Vec<Series>,
    places: Places<'q>,
    /// By place: the first series of the one side, and those that follow at other steps.
    groups: Vec<(usize, Vec<usize>)>,
}

impl<'q> Meeting<'q> {
    fn new(
        budget: &'q Budget<'q>,
        node: &'q Binary,
        (left, right): (Vec<Series>, Vec<Series>),
        steps: Steps,
    ) -> Result<Self, QueryError> {
        let swapped = is_swapped(node);
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        let mut places = Places::new(node.matching.signature());
        let mut groups: Vec<(usize, Vec<usize>)> = Vec::new();
        for (index, series) in one.iter().enumerate() {
            match places.of(&series.labels, Labels::clone) {
                (_, true) => groups.push((index, Vec::new())),
                (place, false) => groups[place].1.push(index),
            }
        }
        let meeting = Self { budget, node, steps, many, one, places, groups };
        meeting.check()?;
        Ok(meeting)
    }

    /// At no step may two series of the one side meet the many side.
    fn check(&self) -> Result<(), QueryError> {
        let Self { node, many, one, .. } = self;
        let any_many = |step: usize| many.iter().any(|series| present(series.values[step]));
        for (first, others) in self.groups.iter().filter(|(_, others)| !others.is_empty()) {
            let group = || std::iter::once(first).chain(others);
            for step in 0..self.steps.count {
                let mut there = group().filter(|index| present(one[**index].values[step]));
                if let (Some(first), Some(second)) = (there.next(), there.next())
                    && any_many(step)
                {
                    let side = if is_swapped(node) { "left" } else { "right" };
                    let sig = node.matching.signature().of(&one[*first].labels);
                    return Err(QueryError::Execution(format!(
                        "found duplicate series for the match group {sig} on the {side} hand-side \
                         of the operation: [{}, {}]; many-to-many matching not allowed: matching \
                         labels must be unique on one side",
                        one[*first].labels, one[*second].labels
                    )));
                }
            }
        }
        Ok(())
    }

    /// What the operator makes of those that meet.
    fn results(self) -> Result<Vec<Series>, QueryError> {
        let Self { budget, node, steps, many, one, places, groups } = self;
        let one_to_one = matches!(node.matching.side, Side::None);
        let mut taken = vec![Taken::Nowhere; if one_to_one { groups.len() } else { 0 }];
        let mut joined = !one_to_one;
        let mut out: Vec<Series> = Vec::new();
        for mut from_many in many {
            let Some(place) = places.find(&from_many.labels) else { continue };
            let (first, others) = &groups[place];
            for (at, index) in std::iter::once(first).chain(others).enumerate() {
                let from_one = &one[*index];
                budget.make(1, steps.count)?;
                let is_last = at == others.len();
                let mut values = if is_last {
                    std::mem::take(&mut from_many.values)
                } else {
                    from_many.values.clone()
                };
                combine(node, &mut values, &from_one.values);
                let labels = result_labels(node, &from_many, from_one);
                let series = Series { labels, values };
                if !series.has_samples() {
                    continue;
                }
                if let Some(taken) = taken.get_mut(place) {
                    joined |= !matches!(taken, Taken::Nowhere);
                    take(taken, &series, &out)?;
                }
                out.push(series);
            }
        }
        // Results of one signature each differ in it.
        if joined { distinct(out, SameLabels::Join) } else { Ok(out) }
    }
}

fn is_swapped(node: &Binary) -> bool {
    matches!(node.matching.side, Side::Right(_))
}

/// Makes the values of the many side those of the result.
fn combine(node: &Binary, many: &mut [f64], one: &[f64]) {
    let result = |left, right| stored(apply(node.op, left, right), node.return_bool);
    match node.op {
        _ if is_swapped(node) => each_met(many, one, |many, one| result(one, many)),
        // Most of what dashboards ask: the loop has nothing to choose.
        BinaryOp::Multiply => each_met(many, one, |left, right| left * right),
        BinaryOp::Divide => each_met(many, one, |left, right| left / right),
        _ => each_met(many, one, result),
    }
}

fn each_met(many: &mut [f64], one: &[f64], result: impl Fn(f64, f64) -> f64) {
    for (many, one) in many.iter_mut().zip(one) {
        let met = present(*many) && present(*one);
        *many = if met { result(*many, *one) } else { ABSENT };
    }
}

/// Notes where `series`, the next of `out`, has samples; nowhere may another one have some.
fn take(taken: &mut Taken, series: &Series, out: &[Series]) -> Result<(), QueryError> {
    let there = |series: &Series| series.values.iter().map(|value| present(*value)).collect();
    if let Taken::By(first) = taken {
        *taken = Taken::At(there(&out[*first]));
    }
    let Taken::At(taken) = taken else {
        *taken = Taken::By(out.len());
        return Ok(());
    };
    for (taken, value) in taken.iter_mut().zip(&series.values) {
        if !present(*value) {
            continue;
        }
        if *taken {
            return Err(QueryError::execution(
                "multiple matches for labels: many-to-one matching must be explicit \
                 (group_left/group_right)",
            ));
        }
        *taken = true;
    }
    Ok(())
}

fn result_labels(node: &Binary, many: &Series, one: &Series) -> Labels {
    let drops_name = node.return_bool || !node.op.keeps_name();
    let labels = if drops_name { many.labels.without_name() } else { many.labels.clone() };
    let matching = &node.matching;
    match &matching.side {
        Side::None if matching.on => labels.only(&matching.labels),
        Side::None => labels.except(&matching.labels),
        Side::Left(included) | Side::Right(included) => labels.with_of(included, &one.labels),
    }
}
