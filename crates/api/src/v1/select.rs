//! Series by selector: every entity of a kind that passes label conditions, ranked here.

use std::sync::Arc;

use model::{Entity, EntityKind, Timestamp};
use once::Order as _;
use query::{Cancel, LabelMatch, RangeAsked, SeriesRef, label_of};
use serde::Deserialize;

use super::series::known_metric;
use crate::ApiState;
use crate::error::Error;
use crate::limits::{MAX_QUERY_SERIES, MAX_SELECTED, hit};
use crate::people::Sight;

/// A selector as a client writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Selector {
    kind: String,
    metric: String,
    /// `label=value`, `label!=value`, `label=~regex`, `label!~regex`; all must pass.
    #[serde(default, rename = "match")]
    matches: Vec<String>,
    /// How many of them, the greatest first.
    top: Option<usize>,
    /// What is compared: `avg` (default) or `max`, over the range.
    #[serde(default)]
    rank: Rank,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Rank {
    #[default]
    Avg,
    Max,
}

/// What a selector found.
pub(super) struct Selected {
    /// Greatest first.
    pub(super) series: Vec<SeriesRef>,
    /// How many entities passed its conditions.
    pub(super) matched: usize,
}

impl Selector {
    /// The series that it asks for between two times.
    pub(super) fn resolve(
        &self,
        state: &ApiState,
        sight: Option<&Sight>,
        range: (Timestamp, Timestamp),
        cancel: &Cancel,
    ) -> Result<Selected, Error> {
        let kind = super::series::kind_named(&self.kind)?;
        known_metric(&self.metric)?;
        let read = |text: &String| LabelMatch::parse(text);
        let conditions = self.matches.iter().map(read).collect::<Result<Vec<_>, _>>();
        let conditions = conditions.map_err(Error::Body)?;
        let top = self.top.unwrap_or(MAX_QUERY_SERIES);
        if !(1..=MAX_QUERY_SERIES).contains(&top) {
            return Err(Error::Parameter {
                name: "top",
                value: top.to_string(),
                takes: format!("a number from 1 to {MAX_QUERY_SERIES}"),
            });
        }
        let mut found = match &state.archive {
            Some(archive) => archive.entities(kind, &conditions, range).map_err(Error::Archive)?,
            None => live(state, kind, &conditions),
        };
        if let Some(sight) = sight {
            found.retain(|entity| sight.tells(label_of(entity, None, "namespace")));
        }
        let matched = found.len();
        if matched > MAX_SELECTED {
            hit("query_selected");
            return Err(Error::TooManySelected(matched));
        }
        let metric = &self.metric;
        let named = |entity| SeriesRef { entity, metric: metric.clone() };
        let series: Vec<SeriesRef> = found.into_iter().map(named).collect();
        let (start, end) = range;
        let asked = RangeAsked { series: &series, start, end, points: 1 };
        let answer = state.window.joined(state.archive.as_deref(), &asked, cancel);
        let answer = answer.map_err(Error::Archive)?;
        let mut ranked: Vec<(f64, SeriesRef)> = answer
            .series
            .iter()
            .zip(series)
            .filter_map(|(values, one)| {
                let column = match (self.rank, &values.extremes) {
                    (Rank::Max, Some(both)) => &both.max,
                    _ => &values.avg,
                };
                Some((column.iter().flatten().copied().reduce(f64::max)?, one))
            })
            .collect();
        // Equal ones by name, so that an answer does not depend on chance.
        ranked.order_by(|(left, a), (right, b)| {
            right.total_cmp(left).then_with(|| a.entity.to_string().cmp(&b.entity.to_string()))
        });
        ranked.truncate(top);
        Ok(Selected { series: ranked.into_iter().map(|(_, one)| one).collect(), matched })
    }
}

/// The entities of the newest batch, where nothing is kept.
fn live(state: &ApiState, kind: EntityKind, matches: &[LabelMatch]) -> Vec<Arc<Entity>> {
    let Some(batch) = state.window.latest() else { return Vec::new() };
    let table = batch.table(kind);
    let passes = |row: usize, entity: &Entity| {
        let node = table.context(row).node.as_ref().map(|node| &*node.name);
        matches.iter().all(|one| one.accepts(label_of(entity, node, &one.name)))
    };
    let rows = table.entities().iter().enumerate();
    rows.filter(|(row, entity)| passes(*row, entity)).map(|(_, one)| Arc::clone(one)).collect()
}
