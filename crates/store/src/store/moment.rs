//! Reading the newest tick of a range: what a question about one time asks, without what a
//! selection holds to go on reading.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::Timestamp;
use roaring::RoaringBitmap;

use super::read::overlaps;
use super::{Shared, Store};
use crate::block::{Block, Cursor, Decoded, Index};
use crate::catalog::Roll;
use crate::column::HeadColumn;
use crate::error::Error;
use crate::scale::MetricDef;
use crate::select::places_within;
use crate::window::Window;
use crate::{Labels, Query, Values};

/// The values at the newest tick of a range, of the entities that have any there; in an order that
/// stays the same, but is no other.
#[derive(Debug)]
pub struct Moment {
    tick: Option<i64>,
    newest: Option<i64>,
    roll: Roll,
    /// Their places in the roll.
    names: Vec<u32>,
    /// Number of columns.
    width: usize,
    /// As many for each as columns.
    values: Vec<f64>,
}

impl Moment {
    /// The tick, milliseconds since the epoch; `None` when there is none in the range.
    pub fn tick(&self) -> Option<i64> {
        self.tick
    }

    /// The newest tick of all that was stored, then.
    pub fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// Number of entities.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether no entity has a value.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Who, and the value of each column; NaN where there is none.
    pub fn rows(&self) -> impl Iterator<Item = (Labels, &[f64])> {
        let labels = self.names.iter().map(|name| self.roll.labels(*name));
        labels.zip(self.values.chunks(self.width.max(1)))
    }

    /// So many entities, without values yet.
    fn of(roll: Roll, entities: usize, width: usize) -> Self {
        let names = (0..u32::try_from(entities).unwrap_or(u32::MAX)).collect();
        let values = vec![f64::NAN; entities * width];
        Self { tick: None, newest: None, roll, names, width, values }
    }

    fn put(&mut self, row: usize, column: usize, def: &MetricDef, stored: i64) {
        if let Some(value) = self.values.get_mut(row * self.width + column) {
            *value = def.coding.decode(stored);
        }
    }

    /// Leaves out the entities without any value.
    fn done(mut self) -> Self {
        let has_value = |row: &[f64]| row.iter().any(|value| !value.is_nan());
        let rows = || self.values.chunks(self.width.max(1)).map(has_value);
        if rows().all(|there| there) {
            return self;
        }
        let there: Vec<bool> = rows().collect();
        let mut of_name = there.iter();
        self.names.retain(|_| of_name.next() == Some(&true));
        let mut of_value = there.iter().flat_map(|there| std::iter::repeat_n(*there, self.width));
        self.values.retain(|_| of_value.next() == Some(true));
        self
    }
}

/// Where the newest tick of a range is.
pub(super) struct Newest {
    /// When, milliseconds since the epoch.
    tick: i64,
    /// Its position among the ticks there.
    at: u32,
    place: Place,
}

/// What has a tick.
enum Place {
    Head,
    Sealed(Arc<Window>),
    Block(Arc<Block>, Arc<Index>),
    /// A crash while blocks are merged leaves two of the same time.
    Several,
}

/// The index of a block has to be read first.
pub(super) struct Unread;

impl Store {
    /// The values at the newest tick of a range: what [`Self::select_unordered`] gives where no
    /// other tick is in its range, in one piece. Raw values, whatever the step; columns have to be
    /// named.
    pub fn moment(&self, query: &Query<'_>) -> Result<Moment, Error> {
        let range = (query.from.millis(), query.to.millis());
        let number = self.queries.fetch_add(1, Ordering::Relaxed);
        loop {
            let catalog = self.catalog();
            let shared = self.shared();
            let Ok(found) = shared.newest_within(range, number) else {
                drop((shared, catalog));
                self.load_indexes(range)?;
                continue;
            };
            let newest = shared.newest();
            let Some(Newest { tick, at, place }) = found else {
                let nobody = Moment::of(Roll::Made(Vec::new()), 0, query.columns.len());
                return Ok(Moment { newest, ..nobody });
            };
            if matches!(place, Place::Several) {
                drop((shared, catalog));
                return Ok(Moment { newest, ..self.selected(query, tick)? });
            }
            let wanted = catalog.select(query.kind, query.matchers);
            let (mut ids, mut positions) = (Vec::new(), Vec::new());
            place.each_wanted(&shared, query, &wanted, |id, position| {
                ids.push(id);
                positions.push(position);
            });
            let roll = catalog.roll(query.kind, &ids);
            drop(catalog);
            let mut moment = Moment::of(roll, ids.len(), query.columns.len());
            (moment.tick, moment.newest) = (Some(tick), newest);
            match place {
                Place::Head => moment.read_window((&shared.head, true), at, query, &positions),
                // What does not grow is read while others go on.
                Place::Sealed(window) => {
                    drop(shared);
                    moment.read_window((&window, false), at, query, &positions);
                }
                Place::Block(block, index) => {
                    drop(shared);
                    moment.read_block((&block, &index, &self.decoded), at, query, &positions);
                }
                Place::Several => {}
            }
            return Ok(moment.done());
        }
    }

    /// The last of the ticks between two times, both inclusive, milliseconds.
    pub fn newest_tick(&self, from: Timestamp, to: Timestamp) -> Result<Option<i64>, Error> {
        let range = (from.millis(), to.millis());
        let number = self.queries.fetch_add(1, Ordering::Relaxed);
        loop {
            let found = self.shared().newest_within(range, number);
            if let Ok(found) = found {
                return Ok(found.map(|newest| newest.tick));
            }
            self.load_indexes(range)?;
        }
    }

    /// The same of a tick, by a selection.
    fn selected(&self, query: &Query<'_>, tick: i64) -> Result<Moment, Error> {
        let tick_only = Timestamp::from_millis(tick);
        let query = Query { from: tick_only, to: tick_only, step: None, ..*query };
        let (mut labels, mut values) = (Vec::new(), Vec::new());
        for slice in self.select_unordered(&query)? {
            labels.push(slice.labels);
            values.extend(slice.columns.iter().map(|column| match column {
                Values::Raw(values) => values.first().copied().unwrap_or(f64::NAN),
                Values::Buckets(_) => f64::NAN,
            }));
        }
        let entities = labels.len();
        let moment = Moment::of(Roll::Made(labels), entities, query.columns.len());
        Ok(Moment { tick: Some(tick), values, ..moment })
    }
}

impl Shared {
    /// The newest tick of raw values.
    pub(super) fn newest(&self) -> Option<i64> {
        // What became a block is older than what did not.
        let windows = self.windows().filter_map(|window| window.ticks.last().copied()).max();
        let raw = || self.blocks.iter().filter(|block| block.meta.resolution == 0);
        windows.or_else(|| raw().map(|block| block.meta.last).max())
    }

    /// The newest tick of raw values in a range, for the query `number`.
    pub(super) fn newest_within(
        &self,
        range: (i64, i64),
        number: u64,
    ) -> Result<Option<Newest>, Unread> {
        let newest = |ticks: &[i64]| {
            let at = places_within(ticks, range).last()?;
            Some((ticks[at], u32::try_from(at).ok()?))
        };
        if let Some((tick, at)) = newest(&self.head.ticks) {
            return Ok(Some(Newest { tick, at, place: Place::Head }));
        }
        let sealed = self.sealed.iter().filter_map(|window| {
            let (tick, at) = newest(&window.ticks)?;
            Some(Newest { tick, at, place: Place::Sealed(Arc::clone(window)) })
        });
        if let Some(found) = sealed.max_by_key(|newest| newest.tick) {
            return Ok(Some(found));
        }
        let mut found: Option<Newest> = None;
        let raw = self.blocks.iter().filter(|block| block.meta.resolution == 0);
        for block in raw.filter(|block| overlaps(block, range)) {
            block.wanted_by(number);
            let index = block.loaded().ok_or(Unread)?;
            let Some((tick, at)) = newest(&index.ticks) else { continue };
            match &mut found {
                Some(known) if known.tick > tick => {}
                Some(known) if known.tick == tick => known.place = Place::Several,
                _ => {
                    let place = Place::Block(Arc::clone(block), index);
                    found = Some(Newest { tick, at, place });
                }
            }
        }
        Ok(found)
    }
}

impl Place {
    /// Calls `each(catalog number, position)` for the wanted entities, unless nothing that is
    /// asked for is held of any.
    fn each_wanted(
        &self,
        shared: &Shared,
        query: &Query<'_>,
        wanted: &RoaringBitmap,
        each: impl FnMut(u32, usize),
    ) {
        let window = match self {
            Self::Head => &shared.head,
            Self::Sealed(window) => window,
            Self::Block(_, index) => {
                let part = index.kind(query.kind).map(|(_, part)| part);
                if let Some(part) = part.filter(|part| part.holds(query.columns)) {
                    part.each_wanted(wanted, each);
                }
                return;
            }
            Self::Several => return,
        };
        if window.holds(query.kind, query.columns) {
            window.kinds[query.kind.index()].each_wanted(wanted, each);
        }
    }
}

impl Moment {
    /// Reads a window, from its newest tick back where that is known and nearer.
    fn read_window(
        &mut self,
        (window, grows): (&Window, bool),
        wanted: u32,
        query: &Query<'_>,
        slots: &[usize],
    ) {
        let bound = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let backwards = grows && bound(window.ticks.len()) - wanted < wanted;
        let all = window.kinds[query.kind.index()].columns.iter();
        let known = all.filter_map(|one| Some((window.metrics.get(usize::from(one.metric))?, one)));
        let known: Vec<(&MetricDef, &HeadColumn)> = known.collect();
        for (column, name) in query.columns.iter().enumerate() {
            for (def, held) in known.iter().filter(|(def, _)| *def.name == **name) {
                for (row, slot) in slots.iter().map(|slot| bound(*slot)).enumerate() {
                    let mut put = |tick, stored| {
                        if tick == wanted {
                            self.put(row, column, def, stored);
                        }
                    };
                    if backwards {
                        held.ticks.for_each_back((slot, held.newest(slot)), wanted, &mut put);
                    } else {
                        held.ticks.for_each(slot, wanted + 1, &mut put);
                    }
                }
            }
        }
    }

    /// Reads a block.
    fn read_block(
        &mut self,
        (block, index, decoded): (&Arc<Block>, &Arc<Index>, &Arc<Decoded>),
        at: u32,
        query: &Query<'_>,
        positions: &[usize],
    ) {
        let Some((kind, part)) = index.kind(query.kind) else { return };
        let wanted = at..at + 1;
        // The block notes it, too.
        let mut damage = Vec::new();
        for (column, name) in query.columns.iter().enumerate() {
            let defs = part.metrics.iter().enumerate();
            for (metric, def) in defs.filter(|(_, def)| *def.name == **name) {
                let cursor = Cursor::new(Arc::clone(block), Arc::clone(index), kind, metric);
                let mut cursor = cursor.sharing(decoded);
                for (row, position) in positions.iter().enumerate() {
                    cursor.read(*position, &wanted, &mut damage, |first, values| {
                        let at = at.checked_sub(first);
                        if let Some(stored) = at.and_then(|at| values.get(at as usize)) {
                            self.put(row, column, def, *stored);
                        }
                    });
                }
            }
        }
    }
}
