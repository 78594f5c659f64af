//! Reading: selections, labels and last values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, RwLockReadGuard};
use std::time::Duration;

use model::{EntityKind, Timestamp};
use roaring::RoaringBitmap;

use super::open::damage_of;
use super::{Shared, Store};
use crate::block::{Block, Decoded, Index};
use crate::catalog::Catalog;
use crate::error::Error;
use crate::merge::bucket_of;
use crate::options::millis;
use crate::select::{HeadTicks, Part, Targets, places_within};
use crate::window::Window;
use crate::{Labels, Matcher, Query, Selection, Values};

const DAY_MS: i64 = 86_400_000;

/// The newest values of an entity.
#[derive(Debug, Clone)]
pub struct Last {
    /// Who.
    pub labels: Labels,
    /// By column: when, and what.
    pub values: Vec<Option<(Timestamp, f64)>>,
}

impl Store {
    /// Selects entities and columns over a range of time. Nothing is read from blocks yet but
    /// their indexes: values are read entity by entity as the selection is iterated. The cost is
    /// known before: `entities().len() × times().len() × columns().len()`.
    pub fn select(&self, query: &Query<'_>) -> Result<Selection, Error> {
        let mut selection = self.select_unordered(query)?;
        selection.order();
        Ok(selection)
    }

    /// As [`Self::select`], with the entities in an order that stays the same, but is no other.
    pub fn select_unordered(&self, query: &Query<'_>) -> Result<Selection, Error> {
        self.selection(query, true)
    }

    /// The entities that have any of the columns in files that overlap the range, and the times
    /// of those. Nothing can be read from the answer.
    pub fn select_entities(&self, query: &Query<'_>) -> Result<Selection, Error> {
        self.selection(query, false)
    }

    fn selection(&self, query: &Query<'_>, values: bool) -> Result<Selection, Error> {
        let range = (query.from.millis(), query.to.millis());
        let resolution = query.step.and_then(|step| self.rollup(millis(step)));
        loop {
            self.load_indexes(range)?;
            let catalog = self.catalog();
            let shared = self.shared();
            let blocks = overlapping(&shared, range, resolution);
            if blocks.iter().any(|wanted| wanted.block.loaded().is_none()) {
                // A block came between the two locks.
                continue;
            }
            let held = (&*shared, &*catalog, &self.decoded);
            return Ok(plan(query, range, resolution, &blocks, held, values));
        }
    }

    /// The newest value of each column (by name) of each matched entity, not older than `since`.
    pub fn last(
        &self,
        kind: EntityKind,
        matchers: &[Matcher],
        columns: &[&str],
        since: Timestamp,
    ) -> Result<Vec<Last>, Error> {
        let to = Timestamp::from_millis(i64::MAX / 2_000_000);
        let query = Query { kind, matchers, columns, from: since, to, step: None };
        let selection = self.select(&query)?;
        let times = Arc::clone(selection.times());
        let newest = |start: usize, values: &Values| match values {
            Values::Raw(values) => values
                .iter()
                .enumerate()
                .rfind(|(_, value)| !value.is_nan())
                .map(|(at, value)| (Timestamp::from_millis(times[start + at]), *value)),
            Values::Buckets(_) => None,
        };
        Ok(selection
            .map(|slice| Last {
                values: slice.columns.iter().map(|values| newest(slice.start, values)).collect(),
                labels: slice.labels,
            })
            .collect())
    }

    /// The names of labels on entities of `kind` (or of any) between two times.
    pub fn label_names(
        &self,
        kind: Option<EntityKind>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Arc<str>>, Error> {
        self.load_indexes((from.millis(), to.millis()))?;
        Ok(self.catalog().label_names(kind).into_iter().collect())
    }

    /// The values of the label `name` on entities of `kind` (or of any) that pass `matchers` and
    /// are in a file that overlaps the time between `from` and `to`, sorted.
    pub fn label_values(
        &self,
        kind: Option<EntityKind>,
        name: &str,
        matchers: &[Matcher],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Arc<str>>, Error> {
        let range = (from.millis(), to.millis());
        self.load_indexes(range)?;
        let catalog = self.catalog();
        let present = self.present(range);
        let mut found = BTreeSet::new();
        for one in EntityKind::ALL.into_iter().filter(|one| kind.is_none_or(|kind| kind == *one)) {
            let ids = catalog.select(one, matchers) & &present;
            found.extend(catalog.label_values(Some(one), name, Some(&ids)));
        }
        Ok(found.into_iter().collect())
    }

    /// Names of the metrics that entities of `kind` have between two times, sorted.
    pub fn metric_names(
        &self,
        kind: EntityKind,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Arc<str>>, Error> {
        let range = (from.millis(), to.millis());
        self.load_indexes(range)?;
        let shared = self.shared();
        Ok(all_columns(kind, &overlapping(&shared, range, None), &shared, range))
    }

    /// Times of the first and last raw values; `None` when there are none.
    pub fn reach(&self) -> Option<(Timestamp, Timestamp)> {
        let shared = self.shared();
        let raw = shared.blocks.iter().filter(|block| block.meta.resolution == 0);
        let blocks = raw.map(|block| (block.meta.first, block.meta.last));
        let windows =
            shared.windows().filter_map(|one| Some((*one.ticks.first()?, *one.ticks.last()?)));
        let wider = |(a, b): (i64, i64), (c, d): (i64, i64)| (a.min(c), b.max(d));
        let (first, last) = blocks.chain(windows).reduce(wider)?;
        Some((Timestamp::from_millis(first), Timestamp::from_millis(last)))
    }

    /// Time of the last raw values.
    pub fn newest(&self) -> Option<Timestamp> {
        self.shared().newest().map(Timestamp::from_millis)
    }

    /// The ticks of raw values between two times, both inclusive, milliseconds.
    pub fn ticks(&self, from: Timestamp, to: Timestamp) -> Result<Vec<i64>, Error> {
        let range = (from.millis(), to.millis());
        let (indexes, shared) = self.raw_indexes(range)?;
        let blocks = indexes.iter().map(|index| &*index.ticks);
        let windows = shared.windows().map(|window| &*window.ticks);
        let mut ticks: Vec<i64> =
            blocks.chain(windows).flat_map(|all| within(all, range)).copied().collect();
        // A crash while blocks are merged leaves two of the same time.
        if !ticks.is_sorted_by(|left, right| left < right) {
            ticks.sort_unstable();
            ticks.dedup();
        }
        Ok(ticks)
    }

    /// The indexes of raw blocks that overlap `range`, and what there was beside them.
    fn raw_indexes(
        &self,
        range: (i64, i64),
    ) -> Result<(Vec<Arc<Index>>, RwLockReadGuard<'_, Shared>), Error> {
        loop {
            self.load_indexes(range)?;
            let shared = self.shared();
            let blocks = overlapping(&shared, range, None);
            let loaded: Option<Vec<_>> = blocks.iter().map(|one| one.block.loaded()).collect();
            // Else a block came between the two locks.
            if let Some(loaded) = loaded {
                return Ok((loaded, shared));
            }
        }
    }

    /// The length of the buckets that a query with `step` is answered in; `None` for raw values.
    pub fn resolution(&self, step: Duration) -> Option<Duration> {
        self.rollup(millis(step)).map(|length| Duration::from_millis(length.unsigned_abs()))
    }

    /// The longest rollup that is not above `step`.
    fn rollup(&self, step: i64) -> Option<i64> {
        let lengths = self.options.rollups.iter().map(|length| millis(*length));
        lengths.filter(|length| *length <= step && *length > 0).max()
    }

    /// The entities in files and windows that overlap `range`.
    fn present(&self, range: (i64, i64)) -> RoaringBitmap {
        let shared = self.shared();
        let mut ids = RoaringBitmap::new();
        for Wanted { block, .. } in overlapping(&shared, range, None) {
            if let Some(index) = block.loaded() {
                ids |= index.ids();
            }
        }
        for window in windows(&shared, range) {
            ids.extend(window.kinds.iter().flat_map(|kind| kind.ids.iter().copied()));
        }
        ids
    }

    /// Reads the indexes of blocks that overlap `range`; damaged blocks are set aside.
    pub(super) fn load_indexes(&self, range: (i64, i64)) -> Result<(), Error> {
        let query = self.queries.fetch_add(1, Ordering::Relaxed);
        let missing: Vec<Arc<Block>> = {
            let shared = self.shared();
            let wanted = shared.blocks.iter().filter(|block| overlaps(block, range));
            let wanted = wanted.inspect(|block| block.wanted_by(query));
            wanted.filter(|block| block.loaded().is_none()).cloned().collect()
        };
        for block in missing {
            let read = block.index(&mut self.catalog_mut());
            let Err(error) = read else { continue };
            let Some(damage) = damage_of(&error) else { return Err(error) };
            let mut shared = self.shared_mut();
            let before = shared.blocks.len();
            shared.blocks.retain(|kept| !Arc::ptr_eq(kept, &block));
            let removed = shared.blocks.len() < before;
            drop(shared);
            if removed {
                self.set_aside(&self.blocks_dir(), &block.name, damage)?;
            }
        }
        Ok(())
    }
}

/// The ticks in a range.
fn within(ticks: &[i64], range: (i64, i64)) -> &[i64] {
    ticks.get(places_within(ticks, range)).unwrap_or_default()
}

pub(super) fn overlaps(block: &Block, (from, to): (i64, i64)) -> bool {
    // A bucket's values lie after its time.
    block.meta.first <= to && block.meta.last.saturating_add(block.meta.resolution) >= from
}

/// A block to read.
struct Wanted {
    block: Arc<Block>,
    /// For the raw block of a day: its rollup, which has most entities.
    rollup: Option<Arc<Block>>,
}

/// The blocks to read for a resolution: of a day that has a rollup, that and what it leaves out.
fn overlapping(shared: &Shared, range: (i64, i64), resolution: Option<i64>) -> Vec<Wanted> {
    let day = |block: &Block| bucket_of(block.meta.first, DAY_MS);
    let rolled: BTreeMap<i64, &Arc<Block>> = shared
        .blocks
        .iter()
        .filter(|block| resolution == Some(block.meta.resolution))
        .map(|block| (day(block), block))
        .collect();
    let blocks = shared.blocks.iter().filter(|block| overlaps(block, range));
    let wanted = |block: &Arc<Block>| {
        let raw = block.meta.resolution == 0;
        let rollup = rolled.get(&day(block)).filter(|_| raw && block.meta.compacted);
        let wanted = raw || resolution == Some(block.meta.resolution);
        wanted.then(|| Wanted {
            block: Arc::clone(block),
            rollup: rollup.map(|rollup| Arc::clone(rollup)),
        })
    };
    blocks.filter_map(wanted).collect()
}

fn windows(shared: &Shared, (from, to): (i64, i64)) -> impl Iterator<Item = &Window> {
    shared.windows().filter(move |window| in_range(window, (from, to)))
}

fn in_range(window: &Window, (from, to): (i64, i64)) -> bool {
    window.ticks.first().is_some_and(|first| *first <= to)
        && window.ticks.last().is_some_and(|last| *last >= from)
}

fn all_columns(
    kind: EntityKind,
    blocks: &[Wanted],
    shared: &Shared,
    range: (i64, i64),
) -> Vec<Arc<str>> {
    let mut names = BTreeSet::new();
    for index in blocks.iter().filter_map(|wanted| wanted.block.loaded()) {
        if let Some((_, part)) = index.kind(kind) {
            names.extend(part.metrics.iter().map(|metric| Arc::clone(&metric.name)));
        }
    }
    for window in windows(shared, range) {
        for column in &window.kinds[kind.index()].columns {
            names.extend(
                window.metrics.get(usize::from(column.metric)).map(|def| Arc::clone(&def.name)),
            );
        }
    }
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

fn plan(
    query: &Query<'_>,
    range: (i64, i64),
    resolution: Option<i64>,
    blocks: &[Wanted],
    (shared, catalog, decoded): (&Shared, &Catalog, &Arc<Decoded>),
    values: bool,
) -> Selection {
    // Whole buckets, so that their aggregates do not depend on where a query begins.
    let range = match resolution {
        Some(step) => (bucket_of(range.0, step), bucket_of(range.1, step) + step - 1),
        None => range,
    };
    let ids = catalog.select(query.kind, query.matchers);
    let columns: Vec<Arc<str>> = if query.columns.is_empty() {
        all_columns(query.kind, blocks, shared, range)
    } else {
        query.columns.iter().map(|name| Arc::from(*name)).collect()
    };
    let mut parts = Vec::new();
    let mut targets = Targets::default();
    for Wanted { block, rollup } in blocks {
        let Some(index) = block.loaded() else { continue };
        let rollup = rollup.as_ref().and_then(|rollup| rollup.loaded());
        let rolled = rollup.as_ref().and_then(|rollup| rollup.kind(query.kind));
        let left_out = |id: u32| rolled.is_none_or(|(_, rolled)| rolled.position(id).is_none());
        let before = targets.len();
        if let Some((_, part)) = index.kind(query.kind)
            && part.holds(&columns)
        {
            part.each_wanted(&ids, |id, position| {
                if left_out(id) {
                    targets.add(id, parts.len(), position);
                }
            });
        }
        if rolled.is_none() || targets.len() > before {
            parts.push(Part::Block { block: Arc::clone(block), index });
        }
    }
    let read_blocks = parts.len();
    for window in shared.sealed.iter().filter(|window| in_range(window, range)) {
        if window.holds(query.kind, &columns) {
            let part = &window.kinds[query.kind.index()];
            part.each_wanted(&ids, |id, slot| targets.add(id, parts.len(), slot));
        }
        parts.push(Part::Window { window: Arc::clone(window) });
    }
    if in_range(&shared.head, range) {
        let (head, part) = (&shared.head, parts.len());
        let mut position = 0;
        let each = |id| {
            targets.add(id, part, position);
            position += 1;
        };
        let (mut wanted, mut slots) = (Vec::new(), Vec::new());
        if head.holds(query.kind, &columns) {
            let columns = if values { &*columns } else { &[] };
            (wanted, slots) = snapshot((head, range), query.kind, &ids, columns, each);
        }
        parts.push(Part::Head { ticks: head.ticks.clone(), columns: wanted, slots });
    }
    let found = targets.by_entity(read_blocks, |ids| catalog.roll(query.kind, ids));
    Selection::new(query.kind, columns, range, resolution, parts, (found, decoded))
}

/// What the head holds of the wanted columns, so that it can go on growing, and the slots of the
/// wanted entities. Calls `each` with the catalog number of every such entity.
fn snapshot(
    (head, range): (&Window, (i64, i64)),
    kind: EntityKind,
    ids: &RoaringBitmap,
    columns: &[Arc<str>],
    mut each: impl FnMut(u32),
) -> (Vec<Vec<HeadTicks>>, Vec<u32>) {
    let part = &head.kinds[kind.index()];
    let mut slots = Vec::new();
    for (slot, id) in (0_u32..).zip(&part.ids).filter(|(_, id)| ids.contains(**id)) {
        each(*id);
        slots.push(slot);
    }
    // Values are differences from tick to tick: they are read from the nearer end.
    let wanted = places_within(&head.ticks, range);
    let from_the_end = head.ticks.len() - wanted.end < wanted.start;
    let bound = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let ticks = if from_the_end { bound(wanted.start)..u32::MAX } else { 0..bound(wanted.end) };
    let named = |name: &Arc<str>| {
        let all = part.columns.iter();
        let known = all.filter_map(|one| Some((head.metrics.get(usize::from(one.metric))?, one)));
        known
            .filter(|(def, _)| def.name == *name)
            .map(|(def, one)| HeadTicks {
                def: def.clone(),
                ticks: one.ticks.part(ticks.clone()),
                newest: from_the_end.then(|| slots.iter().map(|slot| one.newest(*slot)).collect()),
            })
            .collect()
    };
    (columns.iter().map(named).collect(), slots)
}
