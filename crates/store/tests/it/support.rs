//! What the tests share: batches in a line, stores on simulated disks, what is in them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{
    Batch, Context, Draft, EntityKind, Kind, Metric, MetricId, Node, Registry, Timestamp, Value,
    ValueType, metric,
};
use store::{Durability, Options, Query, Simulated, Store, Values};

/// 2026-11-23T00:00:00Z, the begin of a day.
pub(crate) const DAY: i64 = 1_795_392_000;
pub(crate) const CPU: MetricId = metric::CPU_USAGE;
pub(crate) const MEMORY: MetricId = metric::MEMORY_USAGE;

/// A random number generator: same seed, same numbers.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

pub(crate) fn custom(name: &str) -> Metric {
    Metric::Custom { name: name.into(), kind: Kind::Gauge, value: ValueType::Float }
}

/// A value of a pod: (pod, node, metric, value).
pub(crate) type Point<'a> = (&'a str, &'a str, Metric, Value);

/// Makes batches of pods in the namespace `shop`.
#[derive(Default)]
pub(crate) struct Feed {
    registry: Registry,
}

impl Feed {
    pub(crate) fn batch(&mut self, secs: i64, points: &[Point<'_>]) -> Arc<Batch> {
        let mut draft = Draft::new(at(secs), std::mem::take(&mut self.registry));
        for (pod, node, metric, value) in points {
            let pod = draft.registry.pod("shop", pod, "");
            let row = draft.insert(&pod).row;
            let table = draft.table_mut(EntityKind::Pod);
            table.column_for(metric).unwrap().set(row, *value);
            let node = Node { name: (*node).into(), ..Node::default() };
            *table.context_mut(row) = Context { node: Some(Arc::new(node)), ..Context::default() };
        }
        let (batch, registry) = draft.freeze();
        self.registry = registry;
        batch
    }

    /// One pod's memory.
    pub(crate) fn memory(&mut self, secs: i64, value: i64) -> Arc<Batch> {
        self.batch(secs, &[("web-0", "n1", Metric::Known(MEMORY), Value::Int(value))])
    }
}

/// Appends a tick a minute from [`DAY`] on, of one pod's memory, which is the tick's number.
pub(crate) fn append_minutes(store: &Store, ticks: i64) {
    let mut feed = Feed::default();
    for tick in 0..ticks {
        let now = DAY + tick * 60;
        store.append(&feed.memory(now, tick), at(now)).unwrap();
    }
}

pub(crate) fn options() -> Options {
    Options { durability: Durability::EachAppend, ..Options::default() }
}

pub(crate) fn open(disk: &Simulated, options: Options, secs: i64) -> Result<Store, store::Error> {
    Store::open(Arc::new(disk.clone()), "/data", options, at(secs))
}

/// Every pod's values: (labels, metric) → seconds → value.
pub(crate) type Content = BTreeMap<(String, String), BTreeMap<i64, f64>>;

pub(crate) fn content(store: &Store) -> Content {
    let query = Query {
        kind: EntityKind::Pod,
        matchers: &[],
        columns: &[],
        from: at(0),
        to: at(4_000_000_000),
        step: None,
    };
    let mut selection = store.select(&query).unwrap();
    let times = Arc::clone(selection.times());
    let names: Vec<String> =
        selection.columns().iter().map(|column| column.name.to_string()).collect();
    let mut content = Content::new();
    for slice in selection.by_ref() {
        for (name, values) in names.iter().zip(&slice.columns) {
            let Values::Raw(values) = values else { panic!("raw values were asked") };
            let points: BTreeMap<i64, f64> = times[slice.start..]
                .iter()
                .zip(values)
                .filter(|(_, value)| !value.is_nan())
                .map(|(time, value)| (time / 1000, *value))
                .collect();
            if !points.is_empty() {
                content.insert((slice.labels.to_string(), name.clone()), points);
            }
        }
    }
    content
}

/// One pod's memory as (seconds, value).
pub(crate) fn memory_of(store: &Store) -> Vec<(i64, f64)> {
    let content = content(store);
    let found = content.iter().find(|((_, name), _)| name == "memory/usage");
    found
        .map(|(_, points)| points.iter().map(|(time, value)| (*time, *value)).collect())
        .unwrap_or_default()
}

pub(crate) fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}
