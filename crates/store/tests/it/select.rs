//! Matchers, columns, ranges, labels and last values, over a window and a block alike.

use std::path::PathBuf;
use std::sync::Arc;

use model::{EntityKind, Metric, Timestamp, Value};
use store::{Matcher, Query, Simulated, Store, Values};

use crate::support::{CPU, DAY, Feed, MEMORY, append_minutes, at, open, options};

fn store() -> Store {
    let disk = Simulated::new(1);
    let store = open(&disk, options(), DAY).unwrap();
    let mut feed = Feed::default();
    for tick in 0..30 {
        let now = DAY + 7200 - 900 + tick * 60;
        let value = |scale: i64| Value::Int(tick * scale);
        let mut points = vec![
            ("web-0", "n1", Metric::Known(MEMORY), value(1)),
            ("web-1", "n2", Metric::Known(MEMORY), value(10)),
            ("db-0", "n1", Metric::Known(CPU), value(1_000_000)),
        ];
        if tick % 3 == 1 {
            points.remove(1);
        }
        // The pod moves: the same pod on another node is another entity.
        if tick >= 20 {
            points[0].1 = "n3";
        }
        store.append(&feed.batch(now, &points), at(now)).unwrap();
    }
    // Half of it is a block, half is in memory.
    store.maintain(at(DAY + 7200 + 900)).unwrap();
    assert_eq!(store.summary().blocks.len(), 1);
    store
}

fn pods(matchers: &[Matcher], from: i64, to: i64) -> Vec<String> {
    let query = Query {
        kind: EntityKind::Pod,
        matchers,
        columns: &["memory/usage"],
        from: at(from),
        to: at(to),
        step: None,
    };
    let name = |slice: store::Slice| {
        format!("{}@{}", slice.labels.get("pod").unwrap(), slice.labels.get("node").unwrap())
    };
    store().select(&query).unwrap().map(name).collect()
}

#[test]
fn matchers_choose_entities() {
    let (from, to) = (DAY, DAY + 9000);
    let matches = |name: &str, pattern: &str| Matcher::matches(name, pattern).unwrap();
    assert_eq!(pods(&[], from, to), ["web-0@n1", "web-1@n2", "web-0@n3"], "db-0 has no memory");
    assert_eq!(pods(&[Matcher::equal("pod", "web-0")], from, to), ["web-0@n1", "web-0@n3"]);
    assert_eq!(pods(&[Matcher::not_equal("pod", "web-0")], from, to), ["web-1@n2"]);
    assert_eq!(pods(&[matches("node", "n[12]")], from, to), ["web-0@n1", "web-1@n2"]);
    let not = Matcher::not_matches("node", "n[12]").unwrap();
    assert_eq!(pods(&[not], from, to), ["web-0@n3"]);
    assert_eq!(pods(&[Matcher::equal("namespace", "other")], from, to), Vec::<String>::new());
    // Entities without a value in the range are left out.
    assert_eq!(pods(&[], DAY + 7200 - 900, DAY + 7200 - 900), ["web-0@n1", "web-1@n2"]);
}

#[test]
fn ticks_are_those_of_blocks_and_windows() {
    let (store, first) = (store(), DAY + 7200 - 900);
    let ticks = |from: i64, to: i64| store.ticks(at(from), at(to)).unwrap();
    let newest = |from: i64, to: i64| store.newest_tick(at(from), at(to)).unwrap();
    let all: Vec<i64> = (0..30).map(|tick| (first + tick * 60) * 1000).collect();
    assert_eq!(ticks(DAY, DAY + 86_400), all);
    assert_eq!(ticks(DAY, first - 1), []);
    // What is before 7200 is a block, the rest is in memory.
    let (before, after) = ((first, DAY + 7199), (DAY + 7199, DAY + 9000));
    for (from, to) in [(first, first + 59), before, (first + 61, DAY + 7200), after] {
        let within: Vec<i64> =
            all.iter().copied().filter(|at| (from * 1000..=to * 1000).contains(at)).collect();
        assert_eq!(ticks(from, to), within, "{from} {to}");
        assert_eq!(newest(from, to), within.last().copied(), "{from} {to}");
    }
    assert_eq!(newest(first + 1, first + 59), None);
    assert_eq!(newest(DAY + 7141, DAY + 7199), None);
    assert_eq!(store.reach(), Some((at(first), at(first + 29 * 60))));
    assert_eq!(newest(first + 29 * 60 + 1, DAY + 86_400), None);
}

/// Pods with their values at one tick.
type AtOnce = Vec<(store::Labels, Vec<Option<f64>>)>;

/// At the newest tick not older than a minute: by a moment, and by a selection.
fn at_once(store: &Store, matchers: &[Matcher], columns: &[&str], to: i64) -> (AtOnce, AtOnce) {
    let (kind, from, to) = (EntityKind::Pod, at(to - 59), at(to));
    let query = Query { kind, matchers, columns, from, to, step: None };
    let moment = store.moment(&query).unwrap();
    assert_eq!(moment.len(), moment.rows().count());
    assert_eq!(moment.tick(), store.newest_tick(from, to).unwrap());
    assert_eq!(moment.newest(), store.newest().map(Timestamp::millis));
    let there = |value: &f64| (!value.is_nan()).then_some(*value);
    let of_moment = moment.rows().map(|(labels, row)| (labels, row.iter().map(there).collect()));
    let value = |values: &Values| match values {
        Values::Raw(values) => values.first().and_then(there),
        Values::Buckets(_) => panic!("raw"),
    };
    let selection = store.select_unordered(&query).unwrap();
    let selected = selection.map(|one| (one.labels, one.columns.iter().map(value).collect()));
    (of_moment.collect(), selected.collect())
}

#[test]
fn a_moment_is_what_a_selection_of_one_tick_finds() {
    let (store, first) = (store(), DAY + 7200 - 900);
    let one = [Matcher::equal("pod", "web-1")];
    let mut found = 0;
    for to in (-1..=30).flat_map(|tick| [first + tick * 60, first + tick * 60 + 59]) {
        for matchers in [&[][..], &one] {
            for columns in [&["memory/usage"][..], &["cpu/usage", "memory/usage"], &["no/such"]] {
                let (moment, selected) = at_once(&store, matchers, columns, to);
                assert_eq!(moment, selected, "{to} {columns:?}");
                found += moment.len();
            }
        }
    }
    // Each tick twice: web-0 and twenty times web-1 for two lists of columns, db-0 for one; then
    // web-1 by itself.
    assert_eq!(found, 2 * (2 * (30 + 20) + 30 + 2 * 20));
}

#[test]
fn a_moment_of_which_two_blocks_know_is_told_once() {
    let disk = Simulated::new(1);
    let store = open(&disk, options(), DAY).unwrap();
    append_minutes(&store, 130);
    store.maintain(at(DAY + 7200 + 900)).unwrap();
    drop(store);
    let is_block = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "blk");
    let (path, bytes) = disk.files().into_iter().find(|(path, _)| is_block(path)).unwrap();
    disk.put(&path.with_file_name("w0000000009.blk"), bytes);
    let store = open(&disk, options(), DAY).unwrap();
    assert_eq!(store.summary().blocks.len(), 2);
    let (moment, selected) = at_once(&store, &[], &["memory/usage"], DAY + 60);
    assert_eq!(moment, selected);
    assert_eq!(moment[0].1, [Some(1.0)]);
}

#[test]
fn blocks_read_the_same_again_with_and_without_room_for_chunks() {
    for decoded_bytes in [0, 1 << 20] {
        let disk = Simulated::new(1);
        let options = store::Options { decoded_bytes, ..options() };
        let store = open(&disk, options, DAY).unwrap();
        let mut feed = Feed::default();
        let value = |tick: i64| tick * tick * 7;
        for tick in 0..90 {
            let now = DAY + tick * 60;
            store.append(&feed.memory(now, value(tick)), at(now)).unwrap();
        }
        store.maintain(at(DAY + 7200 + 900)).unwrap();
        assert_eq!(store.summary().blocks.len(), 1);
        for (from, to) in [(0, 89), (0, 89), (30, 40), (0, 89)] {
            let query = Query {
                kind: EntityKind::Pod,
                matchers: &[],
                columns: &["memory/usage"],
                from: at(DAY + from * 60),
                to: at(DAY + to * 60),
                step: None,
            };
            let slices: Vec<_> = store.select(&query).unwrap().collect();
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let expected = (from..=to).map(|tick| value(tick) as f64).collect();
            assert_eq!(slices[0].columns, [Values::Raw(expected)], "{decoded_bytes} {from}");
        }
    }
}

#[test]
fn columns_come_with_gaps() {
    let store = store();
    let matcher = [Matcher::equal("pod", "web-1")];
    let query = Query {
        kind: EntityKind::Pod,
        matchers: &matcher,
        columns: &["memory/usage", "cpu/usage", "no/such"],
        from: at(DAY + 7200 - 120),
        to: at(DAY + 7200 + 120),
        step: None,
    };
    let mut selection = store.select(&query).unwrap();
    assert_eq!(selection.entities().len(), 1);
    assert_eq!(selection.columns()[0].kind, Some(model::Kind::Gauge));
    assert_eq!(selection.columns()[2].kind, None);
    let times: Vec<i64> = selection.times().iter().map(|time| time / 1000 - DAY - 7200).collect();
    assert_eq!(times, [-120, -60, 0, 60, 120]);
    let slice = selection.next().unwrap();
    assert_eq!(slice.start, 0);
    let Values::Raw(values) = &slice.columns[0] else { panic!("raw") };
    let shown: Vec<String> = values.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["NaN", "140", "150", "NaN", "170"]);
    assert!(slice.columns[1].is_empty() && slice.columns[2].is_empty());
    assert!(selection.next().is_none());
    assert_eq!(selection.damage(), []);
}

#[test]
fn labels_are_listed() {
    let store = store();
    let (from, to) = (at(DAY), at(DAY + 9000));
    let strings =
        |found: Vec<Arc<str>>| -> Vec<String> { found.iter().map(ToString::to_string).collect() };
    let names = store.label_names(Some(EntityKind::Pod), from, to).unwrap();
    assert_eq!(strings(names), ["namespace", "node", "pod"]);
    let nodes = store.label_values(None, "node", &[Matcher::equal("pod", "web-0")], from, to);
    assert_eq!(strings(nodes.unwrap()), ["n1", "n3"]);
    let metrics = store.metric_names(EntityKind::Pod, from, to).unwrap();
    assert_eq!(strings(metrics), ["cpu/usage", "memory/usage"]);
    assert_eq!(store.metric_names(EntityKind::Node, from, to).unwrap().len(), 0);
}

#[test]
fn last_values_are_the_newest() {
    let store = store();
    let columns = ["memory/usage", "cpu/usage"];
    let found = store.last(EntityKind::Pod, &[], &columns, at(DAY + 7200 + 600)).unwrap();
    let shown: Vec<(String, Option<i64>, Option<f64>)> = found
        .iter()
        .map(|last| {
            let pod = last.labels.get("pod").unwrap().to_owned();
            let (memory, cpu) = (last.values[0], last.values[1]);
            (pod, memory.map(|(time, _)| time.secs() - DAY - 7200), cpu.map(|(_, value)| value))
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("db-0".to_owned(), None, Some(29_000_000.0)),
            ("web-1".to_owned(), Some(840), None),
            ("web-0".to_owned(), Some(840), None),
        ]
    );
}

/// Ends the other threads also when the appending one fails.
struct Finish<'a>(&'a std::sync::atomic::AtomicBool);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

/// Appends, queries and maintenance on threads of their own: nothing waits for ever, and every
/// query sees a prefix of what was appended.
#[test]
fn threads_share_a_store() {
    let disk = Simulated::new(2);
    let options = store::Options { window_samples: 40, ..options() };
    let store = open(&disk, options, DAY).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let order = std::sync::atomic::Ordering::SeqCst;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _finish = Finish(&done);
            let mut feed = Feed::default();
            for tick in 0..1500 {
                let now = DAY + tick * 120;
                store.append(&feed.memory(now, tick), at(now)).unwrap();
            }
        });
        scope.spawn(|| {
            let mut now = DAY;
            while !done.load(order) {
                now += 3600;
                store.maintain(at(now.min(DAY + 1500 * 120))).unwrap();
                store.label_values(None, "pod", &[], at(DAY), at(now)).unwrap();
            }
        });
        scope.spawn(|| {
            while !done.load(order) {
                let found = crate::support::memory_of(&store);
                let values = found.iter().map(|(time, _)| *time);
                assert!(values.eq((DAY..).step_by(120).take(found.len())));
            }
        });
    });
    assert_eq!(crate::support::memory_of(&store).len(), 1500);
    assert_eq!(store.summary().damage, []);
}

#[test]
fn very_many_entities_are_named_and_ordered_like_few() {
    let store = open(&Simulated::new(2), options(), DAY).unwrap();
    let mut feed = Feed::default();
    let names: Vec<String> =
        (0..17_000).map(|pod| format!("pod-{}", pod * 7_919 % 17_000)).collect();
    // The first half is a block and in memory, the second in memory alone.
    for (now, from, to) in [(DAY, 0, 8_500), (DAY + 60, 0, 17_000)] {
        let point = |name| (name, "n1", Metric::Known(MEMORY), Value::Int(1));
        let points: Vec<_> = names[from..to].iter().map(|name| point(&**name)).collect();
        store.append(&feed.batch(now, &points), at(now)).unwrap();
        if now == DAY {
            store.flush(at(now)).unwrap();
        }
    }
    let query = Query {
        kind: EntityKind::Pod,
        matchers: &[],
        columns: &["memory/usage"],
        from: at(DAY),
        to: at(DAY + 60),
        step: None,
    };
    let mut sorted: Vec<&str> = names.iter().map(|name| &**name).collect();
    sorted.sort_unstable();
    let mut selection = store.select(&query).unwrap();
    assert!(selection.entities().map(|labels| labels.get("pod").unwrap()).eq(sorted.clone()));
    selection.retain(|labels| labels.get("pod").is_some_and(|pod| pod.ends_with('7')));
    sorted.retain(|pod| pod.ends_with('7'));
    assert_eq!(selection.entities().len(), sorted.len());
    let read: Vec<String> =
        selection.map(|slice| slice.labels.get("pod").unwrap().to_owned()).collect();
    assert_eq!(read, sorted);
}
