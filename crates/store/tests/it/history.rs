//! Windows, days, rollups and retention over simulated days.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use model::{EntityKind, Metric, Value};
use store::{Options, Query, Simulated, Store, Values};

use crate::support::{
    CPU, DAY, Feed, MEMORY, Random, append_minutes, at, content, custom, memory_of, open, options,
};

const STEP: i64 = 300;

/// Days at five minutes, two pods, one that runs for a quarter of an hour, a gap, a counter, a gauge and floats.
fn fill(store: &Store, days: i64) {
    let mut random = Random(7);
    let mut feed = Feed::default();
    let mut cpu = 0;
    for tick in 0..days * 86_400 / STEP {
        let now = DAY + tick * STEP;
        cpu += i64::try_from(random.below(1_000_000)).unwrap() * 1000;
        let memory = i64::try_from(random.below(1000)).unwrap() * 4096;
        let ratio = f64::from(u32::try_from(random.below(64)).unwrap()) / 8.0;
        let mut points = vec![
            ("web-0", "n1", Metric::Known(CPU), Value::Int(cpu)),
            ("web-0", "n1", Metric::Known(MEMORY), Value::Int(memory)),
            ("web-1", "n2", custom("custom/qps"), Value::Float(ratio)),
        ];
        if tick % 50 < 10 {
            points.remove(1);
        }
        if (30..34).contains(&(tick % 288)) {
            points.push(("work-0", "n1", Metric::Known(MEMORY), Value::Int(4096 * tick)));
        }
        store.append(&feed.batch(now, &points), at(now)).unwrap();
        store.maintain(at(now)).unwrap();
    }
}

fn settings() -> Options {
    Options { rollup_fold: 4, ..options() }
}

#[test]
fn days_are_compacted_and_answer_the_same() {
    let disk = Simulated::new(1);
    let store = open(&disk, settings(), DAY).unwrap();
    fill(&store, 2);
    let before = content(&store);
    assert_eq!(before.len(), 4);
    let end = DAY + 2 * 86_400 + 3600;
    store.flush(at(end)).unwrap();
    store.compact(at(end)).unwrap();
    let summary = store.summary();
    let names: Vec<&str> = summary.blocks.iter().map(|block| &*block.name).collect();
    let day = DAY / 86_400;
    let expected: Vec<String> = (day..day + 2)
        .flat_map(|day| [format!("d{day:06}.blk"), format!("d{day:06}-3600s.blk")])
        .collect();
    assert_eq!(names, expected);
    let series: Vec<u64> = summary.blocks.iter().map(|block| block.series).collect();
    assert_eq!(series, [4, 12, 4, 12], "the rollups are of the three that last");
    assert_eq!(content(&store), before);
    drop(store);
    disk.power_cycle();
    let store = open(&disk, settings(), end).unwrap();
    assert_eq!(content(&store), before);
    assert_eq!(store.verify(|_, _| {}).unwrap().damage, []);
}

fn hourly<'a>(columns: &'a [&'a str], from: i64, to: i64) -> Query<'a> {
    let step = Some(Duration::from_hours(3));
    Query { kind: EntityKind::Pod, matchers: &[], columns, from: at(from), to: at(to), step }
}

/// (bucket, min, max, sum, count) from raw values.
fn naive(raw: &[(i64, f64)]) -> Vec<(i64, [f64; 4])> {
    let mut buckets: Vec<(i64, [f64; 4])> = Vec::new();
    for (time, value) in raw {
        let start = time - time % 3600;
        match buckets.last_mut().filter(|(bucket, _)| *bucket == start) {
            Some((_, [min, max, sum, count])) => {
                *min = min.min(*value);
                *max = max.max(*value);
                *sum += value;
                *count += 1.0;
            }
            None => buckets.push((start, [*value, *value, *value, 1.0])),
        }
    }
    buckets
}

#[test]
fn rollups_are_what_raw_values_say() {
    let disk = Simulated::new(2);
    let store = open(&disk, settings(), DAY).unwrap();
    fill(&store, 2);
    let raw = content(&store);
    let check = |expected_rolled: usize| {
        let blocks = store.summary().blocks;
        assert_eq!(
            blocks.iter().filter(|block| block.resolution.is_some()).count(),
            expected_rolled
        );
        for ((labels, metric), points) in &raw {
            let columns = [&**metric];
            let query = hourly(&columns, DAY, DAY + 2 * 86_400);
            let selection = store.select(&query).unwrap();
            assert_eq!(selection.resolution(), Some(Duration::from_hours(1)));
            let times = selection.times().to_vec();
            let slice = selection.into_iter().find(|slice| slice.labels.to_string() == *labels);
            let slice = slice.unwrap();
            let Values::Buckets(buckets) = &slice.columns[0] else { panic!("buckets were asked") };
            let points: Vec<(i64, f64)> = points.iter().map(|(a, b)| (*a, *b)).collect();
            let found: Vec<(i64, [f64; 4])> = (0..buckets.count.len())
                .filter(|at| buckets.count[*at] > 0.0)
                .map(|at| {
                    let values =
                        [buckets.min[at], buckets.max[at], buckets.sum[at], buckets.count[at]];
                    (times[slice.start + at] / 1000, values)
                })
                .collect();
            assert_eq!(found, naive(&points), "{labels} {metric}");
        }
    };
    // The first day is compacted, the second is not.
    check(1);
    let end = DAY + 2 * 86_400 + 3600;
    store.flush(at(end)).unwrap();
    store.compact(at(end)).unwrap();
    check(2);
}

#[test]
fn old_days_are_unlinked() {
    let disk = Simulated::new(3);
    let options = Options { retention: Duration::from_hours(36), ..settings() };
    let store = open(&disk, options, DAY).unwrap();
    fill(&store, 3);
    assert_eq!(memory_of(&store)[0].0, DAY + 86_400, "whole days go");
    let files = disk.files();
    assert!(!files.iter().any(|(path, _)| path.ends_with(format!("d{:06}.blk", DAY / 86_400))));
}

#[test]
fn the_oldest_go_when_there_are_too_many_bytes() {
    let disk = Simulated::new(4);
    let store = open(&disk, Options { retention_bytes: Some(1), ..settings() }, DAY).unwrap();
    fill(&store, 1);
    store.maintain(at(DAY + 86_400)).unwrap();
    assert!(store.summary().blocks.len() <= 1);
    // The entities of unlinked blocks are forgotten; those in memory are known.
    let names = store.label_values(None, "pod", &[], at(0), at(DAY + 86_400)).unwrap();
    assert_eq!(names.len(), 2);
}

#[test]
fn windows_are_bounded_by_samples_too() {
    let disk = Simulated::new(5);
    let store = open(&disk, Options { window_samples: 10, ..options() }, DAY).unwrap();
    append_minutes(&store, 95);
    assert!(store.summary().head_samples < 40, "appends make room by themselves");
    assert_eq!(memory_of(&store).len(), 95);
}

#[test]
fn a_rollup_outlives_its_day() {
    let disk = Simulated::new(6);
    let store = open(&disk, settings(), DAY).unwrap();
    fill(&store, 1);
    let end = DAY + 86_400 + 3600;
    store.flush(at(end)).unwrap();
    store.compact(at(end)).unwrap();
    drop(store);
    let name = format!("/data/blocks/d{:06}.blk", DAY / 86_400);
    let (path, mut bytes) =
        disk.files().into_iter().find(|(path, _)| *path == *std::path::Path::new(&name)).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    disk.put(&path, bytes);
    let store = open(&disk, settings(), end).unwrap();
    assert_eq!(store.summary().damage[0].file, path);
    assert_eq!(content(&store).len(), 0, "raw values are set aside");
    let columns = ["memory/usage"];
    let slices: Vec<_> = store.select(&hourly(&columns, DAY, DAY + 86_400)).unwrap().collect();
    let Values::Buckets(buckets) = &slices[0].columns[0] else { panic!("buckets were asked") };
    assert!(buckets.count.iter().sum::<f64>() > 200.0);
}

#[test]
fn many_windows_of_a_day_become_one_block() {
    let disk = Simulated::new(7);
    let options = Options { window_samples: 5, merge_windows: 4, ..settings() };
    let store = open(&disk, options.clone(), DAY).unwrap();
    let (mut feed, mut windows) = (Feed::default(), BTreeMap::new());
    for tick in 0..195 {
        let now = DAY + tick * 60;
        // A pod a quarter of an hour: entities come and go.
        let passing = format!("work-{}", tick / 15);
        let memory = |value| (Metric::Known(MEMORY), Value::Int(value));
        let [(metric, value), (other, more)] = [memory(tick), memory(tick * 7)];
        let points = [("web-0", "n1", metric, value), (&*passing, "n1", other, more)];
        store.append(&feed.batch(now, &points), at(now)).unwrap();
        store.flush(at(now)).unwrap();
        windows.extend(
            disk.files().into_iter().filter(|(path, _)| path.to_string_lossy().ends_with(".blk")),
        );
        while store.maintain(at(now)).unwrap().more {}
    }
    let before = content(&store);
    let names = |store: &Store| -> Vec<String> {
        store.summary().blocks.iter().map(|block| block.name.clone()).collect()
    };
    let merged = names(&store);
    assert!(merged.len() < 195 / 4 + 4, "{merged:?}");
    assert_eq!(merged[0], "w0000000001-0000000004.blk");
    assert_eq!(memory_of(&store).len(), 195);
    drop(store);
    // What a crash leaves before the last step: blocks beside the one that replaced them.
    let path = |name: &str| PathBuf::from(format!("/data/blocks/{name}"));
    for number in [2, 3, 7] {
        let path = path(&format!("w{number:010}.blk"));
        disk.put(&path, windows[&path].clone());
    }
    let store = open(&disk, options, DAY + 86_400).unwrap();
    assert_eq!(names(&store), merged);
    assert_eq!(content(&store), before);
    let end = DAY + 86_400 + 3600;
    store.compact(at(end)).unwrap();
    assert_eq!(content(&store), before);
    assert!(names(&store).iter().all(|name| name.starts_with('d')), "{:?}", names(&store));
}

#[test]
fn indexes_beyond_their_bound_are_forgotten_until_they_are_asked_for() {
    let disk = Simulated::new(8);
    let store = open(&disk, Options { index_bytes: 0, ..settings() }, DAY).unwrap();
    fill(&store, 2);
    let before = content(&store);
    assert!(store.summary().index_bytes > 0);
    store.maintain(at(DAY + 2 * 86_400)).unwrap();
    assert_eq!(store.summary().index_bytes, 0);
    assert_eq!(content(&store), before);
}
