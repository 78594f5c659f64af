//! Where samples come from: series by matchers and time, as columns; knows no store.

use std::ops::Deref;
use std::sync::Arc;

use super::{Labels, Matcher, SelectError};

/// A column of a series: borrowed from the source, or decoded for this query and shared.
#[derive(Debug, Clone)]
pub enum Column<'a, T> {
    /// Lives in the source.
    Borrowed(&'a [T]),
    /// Lives as long as somebody holds it.
    Shared(Arc<[T]>),
    /// A part of a shared column: offset and length.
    Part(Arc<[T]>, usize, usize),
    /// Made for this query.
    Owned(Vec<T>),
}

impl<T> Deref for Column<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Borrowed(slice) => slice,
            Self::Shared(shared) => shared,
            Self::Part(shared, from, len) => shared.get(*from..from + len).unwrap_or_default(),
            Self::Owned(values) => values,
        }
    }
}

/// One series and its samples.
#[derive(Debug, Clone)]
pub struct SeriesView<'a> {
    /// With the metric's name as `__name__`.
    pub labels: Labels,
    /// Milliseconds since the epoch, strictly ascending.
    pub timestamps: Column<'a, i64>,
    /// As many as timestamps; [`STALE`](super::STALE) ends a series.
    pub values: Column<'a, f64>,
}

/// What is asked of a [`Select`].
#[derive(Debug, Clone, Copy)]
pub struct SelectRequest<'a> {
    /// All must pass.
    pub matchers: &'a [Matcher],
    /// First wanted millisecond.
    pub start: i64,
    /// Last wanted millisecond.
    pub end: i64,
    /// How many series the query may still load; more may be refused early.
    pub max_series: usize,
    /// How many samples the query may still load; more may be refused early.
    pub max_samples: usize,
    /// Whether samples are wanted; else columns may be left empty.
    pub samples: bool,
    /// The only labels that the asker looks at, where it is not all: series may come without the
    /// others, and then several with the same labels.
    pub labels: Option<&'a [Arc<str>]>,
    /// Whether another thread may find series while the asker looks at those before.
    pub ahead: bool,
    /// Whether the asker looks at each series' newest sample alone: earlier ones may be left out.
    pub newest: bool,
}

/// What a [`Select`] found.
#[derive(Debug, Default)]
pub struct Selected<'a> {
    /// Each labels once, in an order that stays the same. Samples outside the wanted time are ignored.
    pub series: Vec<SeriesView<'a>>,
    /// What the asker should know, such as that a source did not answer.
    pub warnings: Vec<String>,
}

/// Hands out series.
pub trait Select {
    /// The series whose labels pass all matchers and that may have samples in the wanted time.
    fn select<'a>(&'a self, request: &SelectRequest<'_>) -> Result<Selected<'a>, SelectError>;

    /// The same series in the same order, each handed to `take` until that answers false; the
    /// warnings. What needs only one at a time holds only one.
    fn select_each(
        &self,
        request: &SelectRequest<'_>,
        take: &mut dyn FnMut(SeriesView<'_>) -> bool,
    ) -> Result<Vec<String>, SelectError> {
        let Selected { series, warnings } = self.select(request)?;
        for one in series {
            if !take(one) {
                break;
            }
        }
        Ok(warnings)
    }
}

/// What is known of a metric's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricInfo {
    /// The name.
    pub name: Arc<str>,
    /// `counter`, `gauge` or `unknown`.
    pub kind: &'static str,
    /// One sentence; may be empty.
    pub help: Arc<str>,
}

/// Series with what is known of their names: what an HTTP API asks.
pub trait Database: Select + Send + Sync {
    /// Every metric that may have series, sorted by name.
    fn metrics(&self) -> Vec<MetricInfo>;
}
