//! Operators between two vectors: which series meet, and what their results are called.

use std::sync::Arc;

use super::binary::{apply, stored};
use super::budget::Budget;
use super::expr::{Binary, BinaryOp, Matching, Side};
use super::labels::LabelMap;
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
    let series = if node.op.is_set() {
        set(node, left, right, steps)?
    } else {
        arithmetic(budget, node, &left, &right, steps)?
    };
    Ok(Value::Vector(distinct(series, SameLabels::Join)?))
}

/// What series must have in common to meet.
fn signature(labels: &Labels, matching: &Matching) -> Labels {
    if matching.on {
        labels.only(&matching.labels)
    } else {
        labels.except_and_name(&matching.labels)
    }
}

/// At which steps any series of each signature has a sample.
fn presence(all: &[Series], matching: &Matching, steps: Steps) -> LabelMap<Vec<bool>> {
    let mut map: LabelMap<Vec<bool>> = LabelMap::default();
    for series in all {
        let seen = map
            .entry(signature(&series.labels, matching))
            .or_insert_with(|| vec![false; steps.count]);
        for (seen, value) in seen.iter_mut().zip(&series.values) {
            *seen |= present(*value);
        }
    }
    map
}

fn set(
    node: &Binary,
    mut left: Vec<Series>,
    mut right: Vec<Series>,
    steps: Steps,
) -> Result<Vec<Series>, QueryError> {
    let keep = |all: &mut Vec<Series>, other: &LabelMap<Vec<bool>>, wanted: bool| {
        for series in all {
            let seen = other.get(&signature(&series.labels, &node.matching));
            for (step, value) in series.values.iter_mut().enumerate() {
                if seen.is_some_and(|seen| seen[step]) != wanted {
                    *value = ABSENT;
                }
            }
        }
    };
    match node.op {
        BinaryOp::And => keep(&mut left, &presence(&right, &node.matching, steps), true),
        BinaryOp::Unless => keep(&mut left, &presence(&right, &node.matching, steps), false),
        BinaryOp::Or => {
            keep(&mut right, &presence(&left, &node.matching, steps), false);
            left.append(&mut right);
        }
        _ => return Err(QueryError::execution("not a set operator")),
    }
    Ok(left)
}

fn arithmetic(
    budget: &Budget<'_>,
    node: &Binary,
    left: &[Series],
    right: &[Series],
    steps: Steps,
) -> Result<Vec<Series>, QueryError> {
    let swapped = matches!(node.matching.side, Side::Right(_));
    let (many, one) = if swapped { (right, left) } else { (left, right) };
    let groups = one_side(node, many, one, steps)?;
    let mut taken: LabelMap<Vec<bool>> = LabelMap::default();
    let mut out = Vec::new();
    for from_many in many {
        let sig = signature(&from_many.labels, &node.matching);
        let Some(group) = groups.get(&sig) else { continue };
        for index in group {
            let from_one = &one[*index];
            budget.make(1, steps.count)?;
            let pairs = from_many.values.iter().zip(&from_one.values);
            let result = |(many, one): (&f64, &f64)| {
                if !present(*many) || !present(*one) {
                    return ABSENT;
                }
                let (left, right) = if swapped { (*one, *many) } else { (*many, *one) };
                stored(apply(node.op, left, right), node.return_bool)
            };
            let values: Vec<f64> = pairs.map(result).collect();
            let series = Series { labels: result_labels(node, from_many, from_one), values };
            if !series.has_samples() {
                continue;
            }
            if matches!(node.matching.side, Side::None) {
                let taken = taken.entry(sig.clone()).or_insert_with(|| vec![false; steps.count]);
                take(taken, &series)?;
            }
            out.push(series);
        }
    }
    Ok(out)
}

/// The series of the one side by signature; at no step may two of them meet the many side.
fn one_side(
    node: &Binary,
    many: &[Series],
    one: &[Series],
    steps: Steps,
) -> Result<LabelMap<Vec<usize>>, QueryError> {
    let mut groups: LabelMap<Vec<usize>> = LabelMap::default();
    for (index, series) in one.iter().enumerate() {
        groups.entry(signature(&series.labels, &node.matching)).or_default().push(index);
    }
    let any_many = |step: usize| many.iter().any(|series| present(series.values[step]));
    for (sig, group) in &groups {
        if group.len() < 2 {
            continue;
        }
        for step in 0..steps.count {
            let mut there = group.iter().filter(|index| present(one[**index].values[step]));
            if let (Some(first), Some(second)) = (there.next(), there.next())
                && any_many(step)
            {
                let side =
                    if matches!(node.matching.side, Side::Right(_)) { "left" } else { "right" };
                return Err(QueryError::Execution(format!(
                    "found duplicate series for the match group {sig} on the {side} hand-side of \
                     the operation: [{}, {}]; many-to-many matching not allowed: matching labels \
                     must be unique on one side",
                    one[*first].labels, one[*second].labels
                )));
            }
        }
    }
    Ok(groups)
}

fn take(taken: &mut [bool], series: &Series) -> Result<(), QueryError> {
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
    let include = |included: &[Arc<str>]| {
        included.iter().fold(labels.clone(), |labels, name| labels.with(name, one.labels.get(name)))
    };
    match &matching.side {
        Side::None if matching.on => labels.only(&matching.labels),
        Side::None => labels.except(&matching.labels),
        Side::Left(included) | Side::Right(included) => include(included),
    }
}
