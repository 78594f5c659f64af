//! What a query answers; its rendering is the asker's.

use super::Labels;

/// The answer to a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The values.
    pub value: AnswerValue,
    /// From the sources, sorted, each once.
    pub warnings: Vec<String>,
    /// What it cost.
    pub stats: Stats,
    /// Samples that each step looked at, where that was asked for; else empty.
    pub by_step: Vec<usize>,
}

/// The values of an answer. Timestamps are milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq)]
pub enum AnswerValue {
    /// A number at a time.
    Scalar(i64, f64),
    /// A string at a time.
    Text(i64, String),
    /// One sample each of some series, in the expression's order.
    Vector(Vec<InstantSample>),
    /// Samples over time, sorted by labels.
    Matrix(Vec<RangeSeries>),
}

/// One sample of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct InstantSample {
    /// The series.
    pub labels: Labels,
    /// When.
    pub timestamp: i64,
    /// How much.
    pub value: f64,
}

/// Samples of one series, at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeSeries {
    /// The series.
    pub labels: Labels,
    /// (timestamp, value), ascending.
    pub samples: Vec<(i64, f64)>,
}

/// What a query cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Series loaded, over all selectors.
    pub series: usize,
    /// Samples loaded.
    pub samples: usize,
    /// Values made by evaluation.
    pub values: usize,
    /// Samples that steps looked at, each as often as a step did: Prometheus' queryable ones.
    pub looked: usize,
}
