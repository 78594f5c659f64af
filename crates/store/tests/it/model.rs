//! Random operations against a model, with power cuts, full disks and failed syncs at random
//! writes. A failure prints the seed.

use std::collections::BTreeMap;

use model::{Metric, Value};
use store::{Durability, Error, Fault, Options, Simulated, Store};

use crate::support::{
    CPU, Content, DAY, Feed, MEMORY, Point, Random, at, content, custom, minutes, open,
};

/// How sure a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Promise {
    /// It must be there after a power cut.
    Synced,
    /// It may be lost in a power cut.
    Appended,
    /// The append failed: there or not, but never in part.
    Failed,
}

type Batch = BTreeMap<(String, String), f64>;

struct World {
    disk: Simulated,
    random: Random,
    feed: Feed,
    now: i64,
    options: Options,
    batches: BTreeMap<i64, (Batch, Promise)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let durability = if seed.is_multiple_of(2) {
            Durability::EachAppend
        } else {
            Durability::Within(minutes(3))
        };
        let options = Options {
            durability,
            window_samples: 60,
            merge_windows: 3,
            index_bytes: 400,
            rollup_fold: 2,
            ..Options::default()
        };
        Self {
            disk: Simulated::new(seed),
            random: Random(seed),
            feed: Feed::default(),
            now: DAY,
            options,
            batches: BTreeMap::new(),
        }
    }

    fn append(&mut self, store: &Store) {
        self.now += if self.random.one_in(20) { 20_000 } else { 60 };
        let mut points: Vec<Point<'_>> = Vec::new();
        let mut batch = Batch::new();
        for (pod, node) in [("a", "n1"), ("b", "n1"), ("c", "n2"), ("d", "n2")] {
            let node = if pod == "d" && self.random.one_in(5) { "n3" } else { node };
            for metric in [Metric::Known(CPU), Metric::Known(MEMORY), custom("custom/x")] {
                if self.random.one_in(4) {
                    continue;
                }
                let number = self.random.below(1 << (1 + self.random.0 % 40));
                let number = i64::try_from(number).unwrap();
                let value = if metric == Metric::Known(CPU) {
                    Value::Int(number * 1000)
                } else if metric == Metric::Known(MEMORY) {
                    Value::Int(number * 4096)
                } else {
                    Value::Float(Value::Int(number % 1000).as_f64() / 4.0)
                };
                let labels = format!("pod{{namespace=\"shop\",node=\"{node}\",pod=\"{pod}\"}}");
                batch.insert((labels, metric.name().to_owned()), value.as_f64());
                points.push((pod, node, metric, value));
            }
        }
        let frozen = self.feed.batch(self.now, &points);
        let promise = match store.append(&frozen, at(self.now)) {
            Ok(_) if self.options.durability == Durability::EachAppend => Promise::Synced,
            Ok(_) => Promise::Appended,
            Err(Error::Poisoned { .. }) => return,
            Err(_) => Promise::Failed,
        };
        self.batches.insert(self.now, (batch, promise));
    }

    fn synced(&mut self) {
        for (_, promise) in self.batches.values_mut() {
            if *promise == Promise::Appended {
                *promise = Promise::Synced;
            }
        }
    }

    /// What must be there, given what is: a batch whose append failed may come or not, but whole.
    fn expected(&self, has: impl Fn(i64) -> bool) -> Content {
        let mut content = Content::new();
        for (time, (batch, promise)) in &self.batches {
            if *promise == Promise::Failed && !has(*time) {
                continue;
            }
            for (series, value) in batch {
                content.entry(series.clone()).or_default().insert(*time, *value);
            }
        }
        content
    }

    /// Drops from the model what may be lost and is.
    fn settle(&mut self, store: &Store, after_power_cut: bool) {
        let found = content(store);
        let has = |time: i64| found.values().any(|points| points.contains_key(&time));
        self.batches.retain(|time, (batch, promise)| match promise {
            Promise::Synced | Promise::Failed => true,
            Promise::Appended => !after_power_cut || has(*time) || batch.is_empty(),
        });
        let expected = self.expected(has);
        for (series, points) in &expected {
            for (time, value) in points {
                let got = found.get(series).and_then(|points| points.get(time));
                let promise = self.batches[time].1;
                assert_eq!(got, Some(value), "{promise:?} {series:?} at {time}");
            }
        }
        assert_eq!(found, expected, "nothing else");
        if after_power_cut {
            self.synced();
        }
        assert_eq!(store.summary().damage, []);
    }

    /// Opens the store; says whether the power went while it recovered.
    fn reopen(&mut self) -> (Store, bool) {
        let mut cut = false;
        loop {
            if self.random.one_in(2) {
                // The power may go again while the store recovers.
                self.disk.inject(1 + self.random.below(12), Fault::PowerCut);
            }
            match open(&self.disk, self.options.clone(), self.now) {
                Ok(store) => {
                    self.disk.heal();
                    return (store, cut);
                }
                Err(Error::Io { .. }) => {
                    self.disk.power_cycle();
                    cut = true;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn run(&mut self, steps: u64) {
        let (mut store, _) = self.reopen();
        for _ in 0..steps {
            match self.random.below(40) {
                0..=25 => self.append(&store),
                26..=29 => drop(store.maintain(at(self.now))),
                30 => drop(store.flush(at(self.now))),
                31 => {
                    if store.sync(at(self.now)).is_ok() {
                        self.synced();
                    }
                }
                32 => drop(store.resume()),
                33 => self.settle(&store, false),
                34 => self.disk.inject(1 + self.random.below(10), Fault::Full),
                35 => self.disk.inject(1 + self.random.below(10), Fault::SyncError),
                36 => self.disk.heal(),
                37 => {
                    drop(store);
                    let cut;
                    (store, cut) = self.reopen();
                    self.settle(&store, cut);
                }
                _ => {
                    self.disk.inject(1 + self.random.below(6), Fault::PowerCut);
                    for _ in 0..4 {
                        self.append(&store);
                        drop(store.maintain(at(self.now)));
                    }
                    drop(store);
                    self.disk.power_cycle();
                    (store, _) = self.reopen();
                    self.settle(&store, true);
                }
            }
        }
        self.disk.heal();
        self.settle(&store, false);
    }
}

#[test]
fn random_operations_agree_with_the_model() {
    // FROM=48 SEEDS=49 repeats a failure, SEEDS=6000 runs for minutes.
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse().ok());
    for seed in number("FROM").unwrap_or(0)..number("SEEDS").unwrap_or(12) {
        let result = std::panic::catch_unwind(|| World::new(seed).run(120));
        if let Err(panic) = result {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
