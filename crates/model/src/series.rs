//! Samples of single series, as Prometheus has them: scraped, pushed, or shared by replicas.

use std::sync::Arc;

/// Label names and values, the metric's name among them; sorted by name, none empty.
pub type SeriesPairs = [(Arc<str>, Arc<str>)];

/// One sample of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesSample {
    /// With the metric's name.
    pub labels: Arc<SeriesPairs>,
    /// Milliseconds since the epoch.
    pub time: i64,
    /// The value, or [`crate::STALE`]; every bit of it counts.
    pub value: f64,
}

/// What somebody said of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The metric's name.
    pub name: String,
    /// `counter`, `gauge`, `histogram`, `summary` or `unknown`.
    pub kind: &'static str,
    /// One sentence.
    pub help: String,
}

impl Described {
    /// The kind by its name; any other is `unknown`.
    pub fn kind_named(text: &str) -> &'static str {
        let known = ["counter", "gauge", "histogram", "summary"];
        known.into_iter().find(|kind| *kind == text).unwrap_or("unknown")
    }
}
