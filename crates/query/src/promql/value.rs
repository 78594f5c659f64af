//! Evaluated values: one column of steps per series, absent where a series has no sample.

use std::collections::hash_map::Entry;

use super::labels::LabelMap;
use super::{Labels, QueryError, STALE, is_stale};

/// Marks a step without a sample. No operator yields a stale marker, so it is free for this.
pub(super) const ABSENT: f64 = STALE;

/// True for a step that has a sample.
pub(super) fn present(value: f64) -> bool {
    !is_stale(value)
}

/// The points in time at which an expression is evaluated, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Steps {
    pub(super) start: i64,
    pub(super) step: i64,
    pub(super) count: usize,
}

impl Steps {
    pub(super) fn one(at: i64) -> Self {
        Self { start: at, step: 1, count: 1 }
    }

    pub(super) fn at(&self, index: usize) -> i64 {
        self.start
            .saturating_add(self.step.saturating_mul(i64::try_from(index).unwrap_or(i64::MAX)))
    }

    pub(super) fn last(&self) -> i64 {
        self.at(self.count.saturating_sub(1))
    }

    pub(super) fn iter(self) -> impl Iterator<Item = i64> {
        (0..self.count).map(move |index| self.at(index))
    }

    pub(super) fn earlier(self, by: i64) -> Self {
        Self { start: self.start.saturating_sub(by), ..self }
    }
}

/// One series over all steps.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) labels: Labels,
    pub(super) values: Vec<f64>,
}

impl Series {
    pub(super) fn has_samples(&self) -> bool {
        self.values.iter().any(|value| present(*value))
    }
}

/// What an expression evaluates to.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// One number per step.
    Scalar(Vec<f64>),
    /// Series in the expression's order; no labels twice.
    Vector(Vec<Series>),
    /// A string literal.
    Text(String),
}

impl Value {
    pub(super) fn scalar(self) -> Result<Vec<f64>, QueryError> {
        match self {
            Self::Scalar(values) => Ok(values),
            _ => Err(QueryError::execution("expected a scalar")),
        }
    }

    pub(super) fn vector(self) -> Result<Vec<Series>, QueryError> {
        match self {
            Self::Vector(series) => Ok(series),
            _ => Err(QueryError::execution("expected an instant vector")),
        }
    }

    pub(super) fn text(self) -> Result<String, QueryError> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(QueryError::execution("expected a string")),
        }
    }
}

/// What happens to two series that got the same labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SameLabels {
    /// They are one series, unless both have a sample at the same step.
    Join,
    /// They are an error.
    Refuse,
}

/// Drops series without samples and sees to it that no labels occur twice.
pub(super) fn distinct(all: Vec<Series>, same: SameLabels) -> Result<Vec<Series>, QueryError> {
    let mut distinct: Vec<Series> = Vec::with_capacity(all.len());
    let mut places: LabelMap<usize> = LabelMap::default();
    for series in all {
        if !series.has_samples() {
            continue;
        }
        match places.entry(series.labels.clone()) {
            Entry::Vacant(place) => {
                place.insert(distinct.len());
                distinct.push(series);
            }
            Entry::Occupied(place) => {
                let into = &mut distinct[*place.get()].values;
                for (mine, value) in into.iter_mut().zip(series.values) {
                    if !present(value) {
                        continue;
                    }
                    if same == SameLabels::Refuse || present(*mine) {
                        return Err(QueryError::execution(
                            "vector cannot contain metrics with the same labelset",
                        ));
                    }
                    *mine = value;
                }
            }
        }
    }
    Ok(distinct)
}
