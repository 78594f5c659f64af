//! A selection: matched entities over a range of time, streamed as columns with gaps.
//!
//! Knows blocks and windows, but neither the store's locks nor its maintenance.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use model::{EntityKind, Kind, Timestamp, ValueType};

use crate::block::{Block, Cursor, Decoded, Index};
use crate::catalog::Roll;
use crate::column::{Predictor, Ticks};
use crate::error::Damage;
use crate::merge::{bucket_of, positions};
use crate::scale::{Aggregate, Coding, MetricDef};
use crate::window::Window;
use crate::{Labels, Matcher};

mod targets;

use targets::Target;
pub(crate) use targets::{Found, Targets};

/// Where the ticks of a range are, both ends inclusive.
pub(crate) fn places_within(ticks: &[i64], (from, to): (i64, i64)) -> Range<usize> {
    ticks.partition_point(|time| *time < from)..ticks.partition_point(|time| *time <= to)
}

/// What to select.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Entities of this kind.
    pub kind: EntityKind,
    /// That pass all of these.
    pub matchers: &'a [Matcher],
    /// Metrics by name, in the order of the answer; none means every metric there is.
    pub columns: &'a [&'a str],
    /// First time, inclusive.
    pub from: Timestamp,
    /// Last time, inclusive.
    pub to: Timestamp,
    /// Distance between the points that the caller will show. `None` asks for raw values; else
    /// the answer is in buckets of the longest rollup not above it, or raw when all are.
    pub step: Option<Duration>,
}

/// A column of a selection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnHead {
    /// The metric's name.
    pub name: Arc<str>,
    /// Counter or gauge; `None` when nothing in the range has the metric.
    pub kind: Option<Kind>,
    /// Integer or float.
    pub value: Option<ValueType>,
}

/// The values of one column of one entity; NaN is a gap. Empty when there are none at all.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Values as they were appended.
    Raw(Vec<f64>),
    /// Values by bucket.
    Buckets(Buckets),
}

impl Values {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Raw(values) => values.is_empty(),
            Self::Buckets(buckets) => buckets.count.is_empty(),
        }
    }
}

/// Aggregates by bucket, of the values in `[time, time + resolution)`. NaN is a gap; an empty
/// bucket's count is 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Buckets {
    /// Least value.
    pub min: Vec<f64>,
    /// Greatest value.
    pub max: Vec<f64>,
    /// Sum of values.
    pub sum: Vec<f64>,
    /// Number of values.
    pub count: Vec<f64>,
}

impl Buckets {
    fn of(len: usize) -> Self {
        Self {
            min: vec![f64::NAN; len],
            max: vec![f64::NAN; len],
            sum: vec![f64::NAN; len],
            count: vec![0.0; len],
        }
    }

    /// `f64::min` and `max` take the other side of a NaN, which an empty bucket is.
    fn add(&mut self, at: usize, aggregate: Aggregate, value: f64) {
        let plus = |sum: f64| if sum.is_nan() { value } else { sum + value };
        match aggregate {
            Aggregate::Min => self.min[at] = self.min[at].min(value),
            Aggregate::Max => self.max[at] = self.max[at].max(value),
            Aggregate::Sum => self.sum[at] = plus(self.sum[at]),
            Aggregate::Count => self.count[at] += value,
            Aggregate::Raw => {
                self.min[at] = self.min[at].min(value);
                self.max[at] = self.max[at].max(value);
                self.sum[at] = plus(self.sum[at]);
                self.count[at] += 1.0;
            }
        }
    }
}

/// One entity of a selection.
#[derive(Debug, Clone)]
pub struct Slice {
    /// Who.
    pub labels: Labels,
    /// Where in [`Selection::times`] its columns begin; they are equally long, or empty.
    pub start: usize,
    /// In the order of [`Selection::columns`].
    pub columns: Vec<Values>,
}

/// A metric of the growing head, as far as it had grown.
pub(crate) struct HeadTicks {
    pub(crate) def: MetricDef,
    pub(crate) ticks: Ticks,
    /// By position, where most of what is wanted is nearer to the end than to the beginning.
    pub(crate) newest: Option<Vec<Predictor>>,
}

/// Where values come from.
pub(crate) enum Part {
    Block {
        block: Arc<Block>,
        index: Arc<Index>,
    },
    Window {
        window: Arc<Window>,
    },
    /// What the growing window held.
    Head {
        ticks: Vec<i64>,
        /// By wanted column.
        columns: Vec<Vec<HeadTicks>>,
        /// By position.
        slots: Vec<u32>,
    },
}

impl Part {
    fn ticks(&self) -> &[i64] {
        match self {
            Self::Block { index, .. } => &index.ticks,
            Self::Window { window } => &window.ticks,
            Self::Head { ticks, .. } => ticks,
        }
    }
}

/// A part with its place in the answer.
struct Placed {
    part: Part,
    /// Its ticks that are wanted.
    wanted: Range<u32>,
    /// For each of those, the position in the answer's times.
    places: Vec<u32>,
    /// For a block, by column: cursors.
    cursors: Vec<Vec<Cursor>>,
}

/// The answer: an iterator over entities in the order of their labels. Entities without any
/// value in the range are left out.
pub struct Selection {
    kind: EntityKind,
    times: Arc<[i64]>,
    columns: Vec<ColumnHead>,
    resolution: Option<i64>,
    parts: Vec<Placed>,
    targets: std::vec::IntoIter<Target>,
    /// What they are called.
    roll: Roll,
    /// Whether they are in the order of their labels already.
    ordered: bool,
    /// Part and position, entity by entity.
    places: Vec<(u32, u32)>,
    damage: Vec<Damage>,
    /// The columns of the entity that is read.
    filled: Vec<Values>,
}

impl Selection {
    pub(crate) fn new(
        kind: EntityKind,
        columns: Vec<Arc<str>>,
        range: (i64, i64),
        resolution: Option<i64>,
        parts: Vec<Part>,
        (found, decoded): (Found, &Arc<Decoded>),
    ) -> Self {
        let Found { targets, roll, places, ordered } = found;
        let mut times = Vec::new();
        let wanted: Vec<Range<usize>> = parts
            .iter()
            .map(|part| {
                let ticks = part.ticks();
                let range = places_within(ticks, range);
                let place = |time: &i64| resolution.map_or(*time, |step| bucket_of(*time, step));
                times.extend(ticks[range.clone()].iter().map(place));
                range
            })
            .collect();
        times.sort_unstable();
        times.dedup();
        let mut selection = Self {
            kind,
            times: Arc::from([]),
            columns: columns
                .into_iter()
                .map(|name| ColumnHead { name, kind: None, value: None })
                .collect(),
            resolution,
            parts: Vec::with_capacity(parts.len()),
            targets: targets.into_iter(),
            roll,
            ordered,
            places,
            damage: Vec::new(),
            filled: Vec::new(),
        };
        for (part, range) in parts.into_iter().zip(wanted) {
            let within: Vec<i64> = part.ticks()[range.clone()]
                .iter()
                .map(|time| resolution.map_or(*time, |step| bucket_of(*time, step)))
                .collect();
            let bound = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            let cursors = selection.describe(&part, decoded);
            selection.parts.push(Placed {
                part,
                wanted: bound(range.start)..bound(range.end),
                places: positions(&within, &times),
                cursors,
            });
        }
        selection.times = times.into();
        selection
    }

    /// Learns the columns' types from `part`; for a block, also makes its cursors.
    fn describe(&mut self, part: &Part, decoded: &Arc<Decoded>) -> Vec<Vec<Cursor>> {
        let kind = self.kind;
        let mut cursors = Vec::new();
        for (at, column) in self.columns.iter_mut().enumerate() {
            let mut learn = |def: &MetricDef| {
                column.kind = Some(def.kind);
                column.value = Some(def.value);
            };
            match part {
                Part::Block { block, index } => {
                    let mut found = Vec::new();
                    if let Some((kind, part)) = index.kind(kind) {
                        for (metric, def) in part.metrics.iter().enumerate() {
                            if def.name == column.name {
                                learn(def);
                                let (block, index) = (Arc::clone(block), Arc::clone(index));
                                let cursor = Cursor::new(block, index, kind, metric);
                                found.push(cursor.sharing(decoded));
                            }
                        }
                    }
                    cursors.push(found);
                }
                Part::Window { window } => {
                    window.metrics.iter().filter(|def| def.name == column.name).for_each(learn);
                }
                Part::Head { columns, .. } => {
                    columns.get(at).into_iter().flatten().for_each(|one| learn(&one.def));
                }
            }
        }
        cursors
    }

    /// Milliseconds since the epoch of every tick in the range, or of every bucket's start;
    /// shared by all entities.
    pub fn times(&self) -> &Arc<[i64]> {
        &self.times
    }

    /// What the columns are.
    pub fn columns(&self) -> &[ColumnHead] {
        &self.columns
    }

    /// The length of a bucket; `None` for raw values.
    pub fn resolution(&self) -> Option<Duration> {
        self.resolution.map(|millis| Duration::from_millis(millis.unsigned_abs()))
    }

    /// The entities that are still to come, with some that may turn out to have no value.
    pub fn entities(&self) -> impl ExactSizeIterator<Item = &Labels> {
        self.targets.as_slice().iter().map(|target| self.roll.kept(target.name))
    }

    /// Leaves out entities that `keep` says no to.
    pub fn retain(&mut self, mut keep: impl FnMut(&Labels) -> bool) {
        let mut targets: Vec<Target> = std::mem::take(&mut self.targets).collect();
        targets.retain(|target| keep(&self.roll.labels(target.name)));
        self.targets = targets.into_iter();
    }

    /// Chunks that were found damaged so far; what they held reads as a gap.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Puts the entities in the order of their labels.
    pub(crate) fn order(&mut self) {
        if std::mem::replace(&mut self.ordered, true) {
            return;
        }
        let mut targets: Vec<Target> = std::mem::take(&mut self.targets).collect();
        // A stable sort finds what is in order already.
        targets.sort_by(|left, right| self.roll.compare(left.name, right.name));
        self.targets = targets.into_iter();
    }

    /// `None` where there is no value: most of what came and went within a day.
    fn read(&mut self, target: &Target) -> Option<Slice> {
        let (mut start, mut end) = (usize::MAX, 0);
        for (part, _) in &self.places[target.places()] {
            let places = &self.parts[*part as usize].places;
            start = start.min(places.first().map_or(usize::MAX, |place| *place as usize));
            end = end.max(places.last().map_or(0, |place| *place as usize + 1));
        }
        let start = start.min(end);
        let buckets = self.resolution.is_some();
        self.filled.clear();
        for column in 0..self.columns.len() {
            let mut fill = Fill::new(buckets, start, end - start);
            for (part, position) in &self.places[target.places()] {
                self.parts[*part as usize].read(
                    self.kind,
                    &self.columns[column].name,
                    column,
                    *position as usize,
                    &mut self.damage,
                    &mut fill,
                );
            }
            self.filled.push(fill.done());
        }
        if self.filled.iter().all(Values::is_empty) {
            return None;
        }
        let columns = self.filled.drain(..).collect();
        Some(Slice { labels: self.roll.labels(target.name), start, columns })
    }
}

impl Iterator for Selection {
    type Item = Slice;

    fn next(&mut self) -> Option<Slice> {
        loop {
            let target = self.targets.next()?;
            if let Some(slice) = self.read(&target) {
                return Some(slice);
            }
        }
    }
}

/// What a stored integer stands for.
type Meaning = (Coding, Aggregate);

fn meaning(def: &MetricDef) -> Meaning {
    (def.coding, def.aggregate)
}

/// A column while it is filled.
struct Fill {
    values: Values,
    start: usize,
    len: usize,
}

impl Fill {
    fn new(buckets: bool, start: usize, len: usize) -> Self {
        let values =
            if buckets { Values::Buckets(Buckets::default()) } else { Values::Raw(Vec::new()) };
        Self { values, start, len }
    }

    #[inline]
    fn put(&mut self, place: u32, (coding, aggregate): Meaning, stored: i64) {
        let at = place as usize - self.start;
        let value = coding.decode(stored);
        match &mut self.values {
            Values::Raw(values) => {
                if values.is_empty() {
                    values.resize(self.len, f64::NAN);
                }
                values[at] = value;
            }
            Values::Buckets(buckets) => {
                if buckets.count.is_empty() {
                    *buckets = Buckets::of(self.len);
                }
                buckets.add(at, aggregate, value);
            }
        }
    }

    fn done(self) -> Values {
        self.values
    }
}

impl Placed {
    fn read(
        &mut self,
        kind: EntityKind,
        name: &str,
        column: usize,
        position: usize,
        damage: &mut Vec<Damage>,
        fill: &mut Fill,
    ) {
        let (wanted, places) = (&self.wanted, &self.places);
        let place =
            |tick: u32| wanted.contains(&tick).then(|| places[(tick - wanted.start) as usize]);
        let mut put = |def: &MetricDef, tick: u32, value: i64| {
            if let Some(place) = place(tick) {
                fill.put(place, meaning(def), value);
            }
        };
        match &self.part {
            Part::Block { .. } => {
                for cursor in &mut self.cursors[column] {
                    let meaning = meaning(cursor.metric());
                    cursor.read(position, wanted, damage, |first, values| {
                        for (tick, value) in (first..).zip(values) {
                            if let Some(place) = place(tick) {
                                fill.put(place, meaning, *value);
                            }
                        }
                    });
                }
            }
            Part::Window { window } => {
                for found in &window.kinds[kind.index()].columns {
                    let def = &window.metrics[usize::from(found.metric)];
                    if *def.name == *name {
                        let slot = u32::try_from(position).unwrap_or(u32::MAX);
                        found.ticks.for_each(slot, wanted.end, |at, value| put(def, at, value));
                    }
                }
            }
            Part::Head { columns, slots, .. } => {
                let slot = slots[position];
                for HeadTicks { def, ticks, newest } in &columns[column] {
                    let each = |tick, value| put(def, tick, value);
                    match newest.as_ref().and_then(|newest| newest.get(position)) {
                        Some(newest) => ticks.for_each_back((slot, *newest), wanted.start, each),
                        None => ticks.for_each(slot, wanted.end, each),
                    }
                }
            }
        }
    }
}
