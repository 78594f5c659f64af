//! The recent past of rows, for sparklines: one query for everything that is seen.

use std::collections::HashMap;

use crate::list::read;
use crate::wire::{Query, Series, SeriesName};
use crate::{Api, Error, Row};

/// The metric behind the CPU column.
pub(crate) const CPU: &str = "cpu/usage_rate";
/// The metric behind the memory column.
pub(crate) const MEMORY: &str = "memory/working_set";

/// Most series that the API answers in one query.
const SERIES: usize = 500;

/// What a row's CPU and memory were, oldest first; a gap is `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Past {
    pub(crate) cpu: Vec<Option<f64>>,
    pub(crate) memory: Vec<Option<f64>>,
}

/// The past of each row by its position, and of the whole cluster as the last one: `minutes`
/// before `now` (milliseconds since the epoch) in `points` values.
pub(crate) async fn read_past(
    api: &dyn Api,
    rows: &[Row],
    now: i64,
    minutes: i64,
    points: usize,
) -> Result<(HashMap<usize, Past>, Past), Error> {
    let cluster = |metric| SeriesName {
        kind: "cluster",
        metric,
        name: None,
        namespace: None,
        pod: None,
        workload_kind: None,
    };
    let mut series = vec![cluster(CPU), cluster(MEMORY)];
    let rows = &rows[..rows.len().min(SERIES / 2 - 1)];
    series.extend(rows.iter().flat_map(|row| [row.series(CPU), row.series(MEMORY)]));
    let query = Query { start: now - minutes * 60_000, end: now, points, series };
    let body = serde_json::to_vec(&query).unwrap_or_default();
    let answer: Series = read(api, "/query", &api.post("/query", body).await?)?;
    let mut values = answer.series.into_iter().map(|values| values.avg);
    let mut next = || Past {
        cpu: values.next().unwrap_or_default(),
        memory: values.next().unwrap_or_default(),
    };
    let whole = next();
    Ok(((0..rows.len()).map(|at| (at, next())).collect(), whole))
}
