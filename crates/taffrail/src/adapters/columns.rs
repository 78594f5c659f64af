//! The store and the newest batches as the columns that PromQL's views read.

use std::collections::HashMap;
use std::sync::Arc;

use model::{Batch, Pairs, Table, Timestamp};
use query::promql::{MatchOp, Matcher, SelectError};
use query::{Columns, ColumnsAsked, EntityRow, Window};
use store::{Labels, Moment, Query, Selection, Store, Values};

/// What is kept on disk, and what is too new to be there.
pub(crate) struct StoredColumns {
    store: Option<Arc<Store>>,
    window: Arc<Window>,
}

impl StoredColumns {
    pub(crate) fn new(store: Option<Arc<Store>>, window: Arc<Window>) -> Self {
        Self { store, window }
    }

    /// The batches of the window that are newer than what is stored, oldest first.
    fn newer(&self, stored: Option<i64>, start: i64, end: i64) -> Vec<Arc<Batch>> {
        let from = stored.map_or(start, |stored| start.max(stored.saturating_add(1)));
        let mut batches = self.window.batches_since(at(from));
        batches.retain(|batch| batch.timestamp().millis() <= end);
        batches
    }

    fn newest_stored(&self) -> Option<i64> {
        Some(self.store.as_ref()?.newest()?.millis())
    }

    /// Reads the newest tick alone.
    fn read_newest(
        &self,
        asked: &ColumnsAsked<'_>,
        take: &mut dyn FnMut(&Arc<[i64]>, EntityRow) -> bool,
    ) -> Result<(), SelectError> {
        if let Some(store) = self.store.as_ref().filter(|_| asked.values) {
            let matchers: Vec<_> = asked.matchers.iter().map(matcher).collect();
            let moment = store.moment(&query(asked, &matchers)).map_err(failed)?;
            if self.newer(moment.newest(), asked.start, asked.end).is_empty() {
                return hand_on(&moment, asked, take);
            }
        }
        let Some(tick) = self.newest(asked.start, asked.end)? else { return Ok(()) };
        self.read(&ColumnsAsked { start: tick, end: tick, newest: false, ..*asked }, take)
    }

    /// What the store has of it; `None` without a store.
    fn selection(&self, asked: &ColumnsAsked<'_>) -> Result<Option<Selection>, SelectError> {
        let Some(store) = &self.store else { return Ok(None) };
        let matchers: Vec<_> = asked.matchers.iter().map(matcher).collect();
        let query = query(asked, &matchers);
        let selection = if asked.values {
            store.select_unordered(&query)
        } else {
            store.select_entities(&query)
        };
        let mut selection = selection.map_err(failed)?;
        if let Some(wanted) = asked.wanted {
            selection.retain(|labels| wanted(labels.pairs()));
        }
        Ok(Some(selection))
    }
}

fn query<'a>(asked: &ColumnsAsked<'a>, matchers: &'a [store::Matcher]) -> Query<'a> {
    Query {
        kind: asked.kind,
        matchers,
        columns: asked.columns,
        from: at(asked.start),
        to: at(asked.end),
        step: None,
    }
}

/// Hands on what a store has at the newest tick.
fn hand_on(
    moment: &Moment,
    asked: &ColumnsAsked<'_>,
    take: &mut dyn FnMut(&Arc<[i64]>, EntityRow) -> bool,
) -> Result<(), SelectError> {
    if moment.len() > asked.max_values {
        return Err(SelectError::TooMany { what: "samples", limit: asked.max_values });
    }
    let times = moment.tick().into_iter().collect();
    for (labels, values) in moment.rows() {
        if asked.wanted.is_some_and(|wanted| !wanted(labels.pairs())) {
            continue;
        }
        let there = |value: &f64| if value.is_nan() { Vec::new() } else { vec![*value] };
        let columns = values.iter().map(there).collect();
        if !take(&times, EntityRow { labels: labels.pairs().clone(), start: 0, columns }) {
            break;
        }
    }
    Ok(())
}

/// The rows of a selection, read one after the other.
fn rows(selection: Selection, asked: &ColumnsAsked<'_>) -> Result<Rows, SelectError> {
    if !asked.values {
        let row = |labels: &Labels| EntityRow {
            labels: labels.pairs().clone(),
            start: 0,
            columns: Vec::new(),
        };
        let all: Vec<EntityRow> = selection.entities().map(row).collect();
        return Ok(Box::new(all.into_iter()));
    }
    let values = selection.entities().len().saturating_mul(selection.times().len());
    if values > asked.max_values {
        return Err(SelectError::TooMany { what: "samples", limit: asked.max_values });
    }
    Ok(Box::new(selection.map(|slice| EntityRow {
        labels: slice.labels.pairs().clone(),
        start: slice.start,
        columns: slice.columns.into_iter().map(raw).collect(),
    })))
}

impl Columns for StoredColumns {
    fn times(&self, start: i64, end: i64) -> Result<Arc<[i64]>, SelectError> {
        let stored = self.newest_stored();
        let times = match &self.store {
            Some(store) => store.ticks(at(start), at(end)).map_err(failed)?,
            None => Vec::new(),
        };
        Ok(followed(times.into(), &self.newer(stored, start, end)))
    }

    fn newest(&self, start: i64, end: i64) -> Result<Option<i64>, SelectError> {
        let newer = self.newer(self.newest_stored(), start, end);
        if let Some(newest) = newer.last() {
            return Ok(Some(newest.timestamp().millis()));
        }
        let Some(store) = &self.store else { return Ok(None) };
        store.newest_tick(at(start), at(end)).map_err(failed)
    }

    fn read(
        &self,
        asked: &ColumnsAsked<'_>,
        take: &mut dyn FnMut(&Arc<[i64]>, EntityRow) -> bool,
    ) -> Result<(), SelectError> {
        if asked.newest {
            return self.read_newest(asked, take);
        }
        // Taken before the store is read, so that a batch stored meanwhile is not read twice.
        let stored = self.newest_stored();
        let end = stored.map_or(asked.end, |stored| stored.min(asked.end));
        let selection = self.selection(&ColumnsAsked { end, ..*asked })?;
        let known = times_of(selection.as_ref());
        let mut rows: Rows = match selection {
            Some(selection) => rows(selection, asked)?,
            None => Box::new(std::iter::empty()),
        };
        let newer = self.newer(stored, asked.start, asked.end);
        if !newer.is_empty() {
            // Some grow: all of them are needed at once.
            let mut tail = Tail::new(asked, rows.collect(), known.len(), newer.len());
            for (at, batch) in newer.iter().enumerate() {
                tail.add(batch.table(asked.kind), at);
            }
            rows = Box::new(tail.rows.into_iter());
        }
        let times = followed(known, &newer);
        rows.all(|row| take(&times, row));
        Ok(())
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

type Rows = Box<dyn Iterator<Item = EntityRow>>;

fn times_of(selection: Option<&Selection>) -> Arc<[i64]> {
    selection.map_or_else(|| Arc::from([]), |selection| Arc::clone(selection.times()))
}

/// `times`, and those of the batches that follow.
fn followed(times: Arc<[i64]>, newer: &[Arc<Batch>]) -> Arc<[i64]> {
    if newer.is_empty() {
        return times;
    }
    let newer = newer.iter().map(|batch| batch.timestamp().millis());
    times.iter().copied().chain(newer).collect()
}

/// Rows that grow by the values of newer batches.
struct Tail<'a> {
    asked: &'a ColumnsAsked<'a>,
    rows: Vec<EntityRow>,
    places: HashMap<Pairs, usize>,
    /// Number of stored times.
    known: usize,
    /// Number of newer times.
    newer: usize,
}

impl<'a> Tail<'a> {
    fn new(asked: &'a ColumnsAsked<'a>, rows: Vec<EntityRow>, known: usize, newer: usize) -> Self {
        let places = rows.iter().enumerate().map(|(at, row)| (row.labels.clone(), at)).collect();
        Self { asked, rows, places, known, newer }
    }

    fn add(&mut self, table: &Table, at: usize) {
        let columns: Vec<_> =
            self.asked.columns.iter().map(|name| table.column_named(name)).collect();
        for (row, entity) in table.entities().iter().enumerate() {
            let labels = Labels::of(entity, table.context(row));
            let passes =
                |matcher: &Matcher| matcher.is_match(labels.get(matcher.name()).unwrap_or(""));
            let wanted = self.asked.wanted.is_none_or(|wanted| wanted(labels.pairs()));
            if !wanted || !self.asked.matchers.iter().all(passes) {
                continue;
            }
            let place = self.place(labels.pairs());
            if !self.asked.values {
                continue;
            }
            let (known, newer) = (self.known, self.newer);
            let Some(found) = self.rows.get_mut(place) else { continue };
            for (values, column) in found.columns.iter_mut().zip(&columns) {
                let Some(value) = column.and_then(|column| column.get(row)) else { continue };
                values.resize(known + newer - found.start, f64::NAN);
                if let Some(cell) = values.get_mut(known + at - found.start) {
                    *cell = value.as_f64();
                }
            }
        }
    }

    fn place(&mut self, labels: &Pairs) -> usize {
        if let Some(place) = self.places.get(labels) {
            return *place;
        }
        self.places.insert(labels.clone(), self.rows.len());
        self.rows.push(EntityRow {
            labels: labels.clone(),
            start: self.known,
            columns: self.asked.columns.iter().map(|_| Vec::new()).collect(),
        });
        self.rows.len() - 1
    }
}

fn raw(values: Values) -> Vec<f64> {
    match values {
        Values::Raw(values) => values,
        // Nothing asks for buckets.
        Values::Buckets(_) => Vec::new(),
    }
}

pub(super) fn matcher(wanted: &Matcher) -> store::Matcher {
    let (name, value) = (wanted.name(), wanted.value());
    if let Some(listed) = wanted.listed() {
        return store::Matcher::one_of(name, listed);
    }
    match wanted.op() {
        MatchOp::Equal => store::Matcher::equal(name, value),
        MatchOp::NotEqual => store::Matcher::not_equal(name, value),
        // Dashboards send it for "any".
        MatchOp::Matches if value == ".+" => store::Matcher::not_equal(name, ""),
        MatchOp::MatchesNot if value == ".+" => store::Matcher::equal(name, ""),
        MatchOp::Matches | MatchOp::MatchesNot => {
            let wanted = wanted.clone();
            store::Matcher::passing(name, move |value| wanted.is_match(value))
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn failed(error: store::Error) -> SelectError {
    SelectError::Failed(error.to_string())
}
