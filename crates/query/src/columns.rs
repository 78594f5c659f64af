//! What views are made of: entities with columns of values over shared times; knows no store.

use std::sync::Arc;

use model::{EntityKind, Pairs};

use crate::promql::{Matcher, SelectError};

/// What is asked of [`Columns`].
#[derive(Clone, Copy)]
pub struct ColumnsAsked<'a> {
    /// Entities of this kind.
    pub kind: EntityKind,
    /// On the labels that are stored; all must pass.
    pub matchers: &'a [Matcher],
    /// Catalog names of the metrics, in the order of the answer.
    pub columns: &'a [&'a str],
    /// First wanted millisecond.
    pub start: i64,
    /// Last wanted millisecond.
    pub end: i64,
    /// How many values may be read; more are refused.
    pub max_values: usize,
    /// Whether values are wanted, or labels only.
    pub values: bool,
    /// Whether only values at the newest of the ticks are wanted: others may be left out, with who
    /// has none there.
    pub newest: bool,
    /// What labels say beyond the matchers, before values are read.
    pub wanted: Option<&'a dyn Fn(&Pairs) -> bool>,
}

/// One entity.
#[derive(Debug, Clone)]
pub struct EntityRow {
    /// Label names and values as they are stored (`namespace`, `pod`, `container`, `node`, …),
    /// sorted by name.
    pub labels: Pairs,
    /// Where in the times its columns begin.
    pub start: usize,
    /// A column per metric that was asked for, NaN where there is no value; may be empty.
    pub columns: Vec<Vec<f64>>,
}

/// Hands out entities with columns of values.
pub trait Columns: Send + Sync {
    /// The ticks between two milliseconds, both inclusive.
    fn times(&self, start: i64, end: i64) -> Result<Arc<[i64]>, SelectError>;

    /// The last of these ticks.
    fn newest(&self, start: i64, end: i64) -> Result<Option<i64>, SelectError> {
        Ok(self.times(start, end)?.last().copied())
    }

    /// The entities that pass, with their values, each handed to `take` with the times of all (every
    /// tick in the wanted time or the newest, milliseconds since the epoch, ascending) until that answers false.
    fn read(
        &self,
        asked: &ColumnsAsked<'_>,
        take: &mut dyn FnMut(&Arc<[i64]>, EntityRow) -> bool,
    ) -> Result<(), SelectError>;
}
