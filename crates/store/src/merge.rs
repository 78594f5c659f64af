//! Sources of new blocks: a window, several blocks as one, and the rollup of such a merge.

use std::sync::{Arc, PoisonError, RwLock};

use model::{EntityKind, Value};

use crate::block::{Block, Cursor, Index, KindPlan, Source};
use crate::catalog::Catalog;
use crate::chunk::Points;
use crate::error::{Damage, Error};
use crate::scale::{Aggregate, Coding, MetricDef};
use crate::window::{LOST, Window};
use crate::wire;

/// Kinds in the order of their codes, as blocks hold them.
fn kinds() -> Vec<EntityKind> {
    let mut kinds = EntityKind::ALL.to_vec();
    kinds.sort_by_key(|kind| wire::kind_code(*kind));
    kinds
}

/// A window as the content of a block.
pub(crate) struct WindowSource<'a> {
    window: &'a Window,
    catalog: &'a RwLock<Catalog>,
    kinds: Vec<KindPlan>,
    /// By kind: slots in the order of the block.
    slots: Vec<Vec<u32>>,
    /// By kind: the window's numbers of the metrics.
    metrics: Vec<Vec<u16>>,
}

impl<'a> WindowSource<'a> {
    pub(crate) fn new(window: &'a Window, catalog: &'a RwLock<Catalog>) -> Self {
        let (slots, metrics) = (Vec::new(), Vec::new());
        let mut source = Self { window, catalog, kinds: Vec::new(), slots, metrics };
        for kind in kinds() {
            let head = &window.kinds[kind.index()];
            let slots = ordered(&head.ids, catalog);
            let mut metrics: Vec<(MetricDef, u16)> = head
                .columns
                .iter()
                .filter_map(|column| {
                    let def = window.metrics.get(usize::from(column.metric))?;
                    (!def.name.is_empty()).then(|| (def.clone(), column.metric))
                })
                .collect();
            metrics.sort_unstable_by(|left, right| left.0.name.cmp(&right.0.name));
            if slots.is_empty() || metrics.is_empty() {
                continue;
            }
            let entities = slots.iter().map(|slot| head.ids[*slot as usize]).collect();
            let (metrics, numbers) = metrics.into_iter().unzip();
            source.kinds.push(KindPlan { kind, entities, metrics });
            source.slots.push(slots);
            source.metrics.push(numbers);
        }
        source
    }
}

/// The slots of `ids` in the order of their labels, without those that are lost.
fn ordered(ids: &[u32], catalog: &RwLock<Catalog>) -> Vec<u32> {
    let catalog = catalog.read().unwrap_or_else(PoisonError::into_inner);
    let known = |(_, id): &(u32, &u32)| **id != LOST && catalog.holds(**id);
    let mut slots: Vec<u32> = (0_u32..).zip(ids).filter(known).map(|(slot, _)| slot).collect();
    slots.sort_unstable_by(|left, right| {
        let (one, other) = (ids[*left as usize], ids[*right as usize]);
        catalog.compare(one, other).then(left.cmp(right))
    });
    slots
}

impl Source for WindowSource<'_> {
    fn ticks(&self) -> &[i64] {
        &self.window.ticks
    }

    fn kinds(&self) -> &[KindPlan] {
        &self.kinds
    }

    fn catalog(&self) -> &RwLock<Catalog> {
        self.catalog
    }

    fn series(
        &mut self,
        kind: usize,
        metric: usize,
        entity: usize,
        out: &mut Points,
    ) -> Result<(), Error> {
        let plan = &self.kinds[kind];
        let column = self.window.kinds[plan.kind.index()].column(self.metrics[kind][metric]);
        if let Some(column) = column {
            let slot = self.slots[kind][entity];
            column.ticks.for_each(slot, u32::MAX, |tick, value| out.push(tick, value));
        }
        Ok(())
    }
}

struct Part {
    block: Arc<Block>,
    index: Arc<Index>,
    /// Position of each of the block's ticks among all.
    ticks: Vec<u32>,
    cursor: Option<Cursor>,
    /// Position of the next of its entities that was not passed.
    next: usize,
}

/// Several blocks of the same resolution, in order of time, as the content of one.
pub(crate) struct Merge<'a> {
    catalog: &'a RwLock<Catalog>,
    ticks: Vec<i64>,
    kinds: Vec<KindPlan>,
    /// By catalog number: the place among the entities of its kind, from 1 on; 0 for none.
    places: Vec<u32>,
    /// By kind: the entities that are in more than one window, as far as the blocks tell.
    lasting: Vec<Vec<u32>>,
    /// By kind: how many ticks the blocks have that an entity is in, on average.
    lengths: Vec<usize>,
    parts: Vec<Part>,
    /// What the cursors read.
    at: Option<(usize, usize)>,
    /// The entity that was asked for last.
    asked: usize,
    /// Chunks that were left out.
    pub(crate) damage: Vec<Damage>,
}

impl<'a> Merge<'a> {
    /// Of `blocks`, whose indexes are read.
    pub(crate) fn new(blocks: &[(Arc<Block>, Arc<Index>)], catalog: &'a RwLock<Catalog>) -> Self {
        let mut ticks: Vec<i64> =
            blocks.iter().flat_map(|(_, index)| index.ticks.iter().copied()).collect();
        ticks.sort_unstable();
        ticks.dedup();
        let parts = blocks
            .iter()
            .map(|(block, index)| Part {
                block: Arc::clone(block),
                index: Arc::clone(index),
                ticks: positions(&index.ticks, &ticks),
                cursor: None,
                next: 0,
            })
            .collect();
        let mut merge = Self {
            catalog,
            ticks,
            kinds: Vec::new(),
            places: Vec::new(),
            lasting: Vec::new(),
            lengths: Vec::new(),
            parts,
            at: None,
            asked: 0,
            damage: Vec::new(),
        };
        for kind in kinds() {
            merge.add_kind(kind, blocks);
        }
        merge
    }

    fn add_kind(&mut self, kind: EntityKind, blocks: &[(Arc<Block>, Arc<Index>)]) {
        let (entities, windows) = self.entities(kind, blocks);
        if entities.is_empty() {
            return;
        }
        let mut metrics: Vec<MetricDef> = Vec::new();
        let mut ticks = 0;
        for (_, index) in blocks {
            let Some((_, part)) = index.kind(kind) else { continue };
            let known = part.ids.iter().filter(|id| windows[**id as usize] > 0);
            ticks += known.count() * index.ticks.len();
            metrics.extend(part.metrics.iter().cloned());
        }
        metrics.sort_by(|left, right| {
            (&left.name, left.aggregate).cmp(&(&right.name, right.aggregate))
        });
        metrics.dedup();
        self.lengths.push(ticks.div_ceil(entities.len()));
        if self.places.len() < windows.len() {
            self.places.resize(windows.len(), 0);
        }
        let mut lasting = Vec::new();
        for (at, id) in (0_u32..).zip(&entities) {
            self.places[*id as usize] = at + 1;
            if windows[*id as usize] > 1 || blocks.len() == 1 {
                lasting.push(at);
            }
        }
        self.kinds.push(KindPlan { kind, entities, metrics });
        self.lasting.push(lasting);
    }

    /// The numbers of a kind in the order of their labels; by number, how many windows it is in.
    fn entities(
        &self,
        kind: EntityKind,
        blocks: &[(Arc<Block>, Arc<Index>)],
    ) -> (Vec<u32>, Vec<u32>) {
        let catalog = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
        let (mut entities, mut windows) = (Vec::new(), Vec::new());
        for (block, index) in blocks {
            let Some((_, part)) = index.kind(kind) else { continue };
            for id in part.ids.iter().filter(|id| catalog.holds(**id)) {
                let at = *id as usize;
                if windows.len() <= at {
                    windows.resize(at + 1, 0);
                }
                if windows[at] == 0 {
                    entities.push(*id);
                }
                windows[at] += if block.meta.compacted { 2 } else { 1 };
            }
        }
        // What each block adds is in order: a stable sort finds these runs.
        entities.sort_by(|left, right| catalog.compare(*left, *right));
        (entities, windows)
    }

    fn turn_to(&mut self, kind: usize, metric: usize) {
        if self.at == Some((kind, metric)) {
            return;
        }
        self.at = Some((kind, metric));
        self.asked = 0;
        let plan = &self.kinds[kind];
        let def = &plan.metrics[metric];
        for part in &mut self.parts {
            part.next = 0;
            part.cursor = part.index.kind(plan.kind).and_then(|(at, index)| {
                let metric = index.metrics.iter().position(|found| found == def)?;
                Some(Cursor::new(Arc::clone(&part.block), Arc::clone(&part.index), at, metric))
            });
        }
    }
}

impl Source for Merge<'_> {
    fn ticks(&self) -> &[i64] {
        &self.ticks
    }

    fn kinds(&self) -> &[KindPlan] {
        &self.kinds
    }

    fn catalog(&self) -> &RwLock<Catalog> {
        self.catalog
    }

    fn ticks_of_an_entity(&self, kind: usize) -> usize {
        self.lengths[kind]
    }

    fn series(
        &mut self,
        kind: usize,
        metric: usize,
        entity: usize,
        out: &mut Points,
    ) -> Result<(), Error> {
        self.turn_to(kind, metric);
        let id = self.kinds[kind].entities[entity];
        let entity_kind = self.kinds[kind].kind;
        // A rollup reads the same metric several times.
        let again = entity < self.asked;
        self.asked = entity;
        for part in &mut self.parts {
            let (Some(cursor), Some((_, index))) = (&mut part.cursor, part.index.kind(entity_kind))
            else {
                continue;
            };
            if again {
                part.next = 0;
            }
            // Both are in the order of labels.
            let places = &self.places;
            let passed =
                |id: &u32| places.get(*id as usize).is_none_or(|at| *at as usize <= entity);
            part.next += index.ids[part.next..].iter().take_while(|id| passed(id)).count();
            if index.ids.get(part.next) != Some(&id) {
                continue;
            }
            let ticks = &part.ticks;
            cursor.read(part.next, &(0..u32::MAX), &mut self.damage, |first, values| {
                for (tick, value) in ticks[first as usize..].iter().zip(values) {
                    // Blocks do not overlap; if they did, the earlier one would win.
                    if out.ticks.last().is_none_or(|last| last < tick) {
                        out.push(*tick, *value);
                    }
                }
            });
        }
        Ok(())
    }
}

/// Position of each of `part` in `all`; both grow.
pub(crate) fn positions(part: &[i64], all: &[i64]) -> Vec<u32> {
    part.iter()
        .map(|time| u32::try_from(all.partition_point(|other| other < time)).unwrap_or(u32::MAX))
        .collect()
}

/// The start of the bucket that `time` is in.
pub(crate) fn bucket_of(time: i64, resolution: i64) -> i64 {
    time.div_euclid(resolution) * resolution
}

/// A merge in buckets: for every metric its min, max, sum and count. Entities that came and went
/// within one window are left out: their buckets would be more than their values.
pub(crate) struct Rollup<'a, 'b> {
    raw: &'a mut Merge<'b>,
    ticks: Vec<i64>,
    /// Bucket of each raw tick.
    buckets: Vec<u32>,
    kinds: Vec<KindPlan>,
    /// By kind: its place in the merge.
    places: Vec<usize>,
    scratch: Points,
}

impl<'a, 'b> Rollup<'a, 'b> {
    /// In buckets of `resolution` milliseconds.
    pub(crate) fn new(raw: &'a mut Merge<'b>, resolution: i64) -> Self {
        let times: Vec<i64> = raw.ticks.iter().map(|time| bucket_of(*time, resolution)).collect();
        let mut ticks = times.clone();
        ticks.dedup();
        let buckets = positions(&times, &ticks);
        let (mut kinds, mut places) = (Vec::new(), Vec::new());
        for (at, (plan, lasting)) in raw.kinds.iter().zip(&raw.lasting).enumerate() {
            if lasting.is_empty() {
                continue;
            }
            let bucketed =
                |metric: &MetricDef| Aggregate::BUCKET.map(|aggregate| metric.bucket(aggregate));
            kinds.push(KindPlan {
                kind: plan.kind,
                entities: lasting.iter().map(|at| plan.entities[*at as usize]).collect(),
                metrics: plan.metrics.iter().flat_map(bucketed).collect(),
            });
            places.push(at);
        }
        Self { raw, ticks, buckets, kinds, places, scratch: Points::default() }
    }

    /// Whether a bucket holds at least `ticks` ticks on average.
    pub(crate) fn folds(&self, ticks: u32) -> bool {
        self.buckets.len() >= self.ticks.len() * ticks as usize
    }
}

impl Source for Rollup<'_, '_> {
    fn ticks(&self) -> &[i64] {
        &self.ticks
    }

    fn kinds(&self) -> &[KindPlan] {
        &self.kinds
    }

    fn catalog(&self) -> &RwLock<Catalog> {
        self.raw.catalog
    }

    fn series(
        &mut self,
        kind: usize,
        metric: usize,
        entity: usize,
        out: &mut Points,
    ) -> Result<(), Error> {
        let def = &self.kinds[kind].metrics[metric];
        let (kind, metric) = (self.places[kind], metric / Aggregate::BUCKET.len());
        let entity = self.raw.lasting[kind][entity] as usize;
        self.scratch.clear();
        self.raw.series(kind, metric, entity, &mut self.scratch)?;
        let bucket = |at: usize| self.buckets[self.scratch.ticks[at] as usize];
        let mut start = 0;
        while start < self.scratch.ticks.len() {
            let mut end = start + 1;
            while end < self.scratch.ticks.len() && bucket(end) == bucket(start) {
                end += 1;
            }
            let value = aggregate(def, &self.scratch.values[start..end]);
            out.push(bucket(start), value);
            start = end;
        }
        Ok(())
    }
}

fn aggregate(def: &MetricDef, values: &[i64]) -> i64 {
    // The order of floats kept as bits is not that of the integers.
    let order = |left: &&i64, right: &&i64| match def.coding {
        Coding::Scaled { .. } => left.cmp(right),
        coding @ Coding::Bits => coding.decode(**left).total_cmp(&coding.decode(**right)),
    };
    match def.aggregate {
        Aggregate::Raw => values.last().copied(),
        Aggregate::Min => values.iter().min_by(order).copied(),
        Aggregate::Max => values.iter().max_by(order).copied(),
        Aggregate::Count => i64::try_from(values.len()).ok(),
        Aggregate::Sum => Some(match def.coding {
            Coding::Scaled { .. } => {
                values.iter().fold(0, |sum: i64, value| sum.saturating_add(*value))
            }
            coding @ Coding::Bits => {
                let sum = values.iter().map(|value| coding.decode(*value)).sum();
                coding.encode(Value::Float(sum))
            }
        }),
    }
    .unwrap_or(0)
}
