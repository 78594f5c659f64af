//! The window against a naive model that keeps everything and filters.

use std::collections::BTreeMap;

use model::{Draft, EntityKind, Registry, metric};
use proptest::prelude::*;

use super::*;

/// Metrics that the model compares: packed integers, floats, and one that history lacks.
const METRICS: [&str; 4] = ["cpu/usage_rate", "memory/usage", "network/rx_rate", "memory/cache"];

/// A tick of the model: (pod, metric) → value.
type Tick = BTreeMap<(u8, usize), f64>;

#[derive(Debug, Clone)]
struct Step {
    /// Seconds after the previous tick, as the source claims.
    after: i64,
    values: Tick,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let value = prop_oneof![0_u32..5000, Just(0), (0_u32..1000).prop_map(|pages| pages * 4096)];
    let values = proptest::collection::btree_map((0_u8..6, 0..METRICS.len()), value, 0..12);
    let step = (-10_i64..40, values).prop_map(|(after, values)| Step {
        after,
        values: values.into_iter().map(|(key, value)| (key, f64::from(value))).collect(),
    });
    proptest::collection::vec(step, 1..40)
}

fn pod(registry: &mut Registry, number: u8) -> Arc<Entity> {
    registry.pod("ns", &format!("pod-{number}"), "")
}

fn batch(registry: Registry, time: Timestamp, values: &Tick) -> (Arc<Batch>, Registry) {
    let mut draft = Draft::new(time, registry);
    // Rows in another order at every tick, as nodes answer in any order.
    let turned = time.secs() % 2 == 0;
    let keys: Vec<_> = if turned { values.keys().rev().collect() } else { values.keys().collect() };
    for (number, name) in keys {
        let entity = pod(&mut draft.registry, *number);
        let row = draft.insert(&entity).row;
        let id = lookup(METRICS[*name]).unwrap();
        draft.table_mut(EntityKind::Pod).set_float(row, id, values[&(*number, *name)]);
    }
    draft.freeze()
}

fn options() -> WindowOptions {
    WindowOptions {
        batch_horizon: Duration::from_mins(1),
        min_history: Duration::from_mins(2),
        max_history: Duration::from_mins(5),
        ..WindowOptions::default()
    }
}

/// What the window must hold: (kept ticks, kept whole batches of those).
fn expire(ticks: &mut Vec<(Timestamp, Tick)>, batches: &mut usize) {
    let newest = ticks.last().map_or(Timestamp::NEVER, |(time, _)| *time);
    let old = |from: Duration| move |time: Timestamp| time <= newest.minus(from);
    while *batches > 3 && old(Duration::from_mins(1))(ticks[ticks.len() - *batches].0) {
        *batches -= 1;
    }
    while ticks.len() > *batches && old(Duration::from_mins(5))(ticks[0].0) {
        ticks.remove(0);
    }
}

fn expected(
    ticks: &[(Timestamp, Tick)],
    batches: usize,
    key: (u8, usize),
    range: (Timestamp, Timestamp),
) -> Vec<(Timestamp, f64)> {
    let reach = if METRICS[key.1] == "memory/cache" { batches } else { ticks.len() };
    let reached = &ticks[ticks.len() - reach..];
    let inside = reached.iter().filter(|(time, _)| (range.0..=range.1).contains(time));
    inside.filter_map(|(time, values)| Some((*time, *values.get(&key)?))).collect()
}

fn check_samples(
    window: &Window,
    ticks: &[(Timestamp, Tick)],
    batches: usize,
    range: (Timestamp, Timestamp),
) {
    let mut registry = Registry::default();
    for number in 0..6 {
        let entity = pod(&mut registry, number);
        for (at, name) in METRICS.iter().enumerate() {
            let samples = window.samples(&entity, name, range.0, range.1).into_iter();
            let samples: Vec<_> = samples.map(|(time, value)| (time, value.as_f64())).collect();
            assert_eq!(
                samples,
                expected(ticks, batches, (number, at), range),
                "{name} of {number}"
            );
        }
    }
}

fn check_range(
    window: &Window,
    ticks: &[(Timestamp, Tick)],
    batches: usize,
    range: (Timestamp, Timestamp),
    points: usize,
) {
    let mut registry = Registry::default();
    let keys: Vec<(u8, usize)> = (0..6).flat_map(|pod| (0..4).map(move |at| (pod, at))).collect();
    let series: Vec<_> = keys
        .iter()
        .map(|(number, at)| SeriesRef {
            entity: pod(&mut registry, *number),
            metric: METRICS[*at].to_owned(),
        })
        .collect();
    let answer = window.range(&series, range.0, range.1, points);
    let count = ticks.iter().filter(|(time, _)| (range.0..=range.1).contains(time)).count();
    assert!(answer.timestamps.is_sorted_by(|left, right| left < right));
    for (key, values) in keys.iter().zip(&answer.series) {
        let samples = expected(ticks, batches, *key, range);
        let at = |time: &Timestamp, length: Duration| -> Vec<f64> {
            let inside = |other: &Timestamp| *other >= *time && *other < time.plus(length);
            samples.iter().filter(|(other, _)| inside(other)).map(|(_, value)| *value).collect()
        };
        let Some(extremes) = &values.extremes else {
            assert!(count <= points);
            let exact = Duration::from_nanos(1);
            for (time, value) in answer.timestamps.iter().zip(&values.avg) {
                assert_eq!(at(time, exact), Vec::from_iter(*value), "{key:?} at {time}");
            }
            assert_eq!(values.avg.iter().flatten().count(), samples.len(), "{key:?}");
            continue;
        };
        assert!(count > points && answer.timestamps.len() <= points);
        for (position, time) in answer.timestamps.iter().enumerate() {
            let inside = at(time, answer.step);
            let sum: f64 = inside.iter().sum();
            let average =
                (!inside.is_empty()).then(|| sum / f64::from(u32::try_from(inside.len()).unwrap()));
            assert_eq!(values.avg[position], average, "{key:?} at {time}");
            assert_eq!(extremes.min[position], inside.iter().copied().reduce(f64::min));
            assert_eq!(extremes.max[position], inside.iter().copied().reduce(f64::max));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn answers_like_the_naive_model(
        steps in steps(),
        from in 0_i64..500,
        length in 0_i64..500,
        points in 1_usize..12,
    ) {
        let window = Window::new(options());
        let mut registry = Registry::default();
        let (mut ticks, mut batches): (Vec<(Timestamp, Tick)>, usize) = (Vec::new(), 0);
        let mut now = Timestamp::from_secs(1_000);
        let mut frozen;
        for step in steps {
            let time = Timestamp::from_secs(now.secs() + step.after);
            (frozen, registry) = batch(registry, time, &step.values);
            let taken = window.append(&frozen);
            let accepted = ticks.last().is_none_or(|(newest, _)| time > *newest);
            prop_assert_eq!(taken.is_ok(), accepted);
            if accepted {
                now = time;
                ticks.push((time, step.values));
                batches += 1;
                expire(&mut ticks, &mut batches);
            }
        }
        prop_assert_eq!(window.batches().len(), batches);
        let span = Some((ticks[0].0, ticks[ticks.len() - 1].0));
        prop_assert_eq!(window.history(), span);
        let everything = (Timestamp::from_nanos(i64::MIN), Timestamp::from_nanos(i64::MAX));
        let start = Timestamp::from_secs(now.secs() - from);
        let range = (start, start.plus(Duration::from_secs(length.unsigned_abs())));
        for range in [everything, range] {
            check_samples(&window, &ticks, batches, range);
            check_range(&window, &ticks, batches, range, points);
        }
    }
}

#[test]
fn late_and_duplicate_batches_are_refused() {
    let window = Window::new(WindowOptions::default());
    let mut registry = Registry::default();
    let mut frozen;
    for (secs, expected) in
        [(60, Ok(())), (60, Err(Rejected::Duplicate)), (30, Err(Rejected::Late)), (120, Ok(()))]
    {
        (frozen, registry) = batch(registry, Timestamp::from_secs(secs), &Tick::new());
        assert_eq!(window.append(&frozen), expected);
    }
    assert_eq!(window.batches().len(), 2);
}

#[test]
fn a_missed_tick_is_a_hole() {
    let window = Window::new(WindowOptions::default());
    let mut registry = Registry::default();
    let entity = pod(&mut registry, 0);
    let mut frozen;
    for secs in [10, 20, 30, 70, 80] {
        let values = Tick::from([((0, 0), 5.0)]);
        (frozen, registry) = batch(registry, Timestamp::from_secs(secs), &values);
        window.append(&frozen).unwrap();
    }
    let series = [SeriesRef { entity, metric: METRICS[0].to_owned() }];
    let all = |points| window.range(&series, Timestamp::NEVER, Timestamp::from_secs(100), points);
    let answer = all(10);
    let secs: Vec<i64> = answer.timestamps.iter().map(|time| time.secs()).collect();
    assert_eq!(secs, [10, 20, 30, 40, 70, 80]);
    let hole = [Some(5.0), Some(5.0), Some(5.0), None, Some(5.0), Some(5.0)];
    assert_eq!(answer.series[0].avg, hole);
    let answer = all(4);
    let secs: Vec<i64> = answer.timestamps.iter().map(|time| time.secs()).collect();
    assert_eq!((secs, answer.step), (vec![0, 30, 60], Duration::from_secs(30)));
}

/// A cluster of `pods` pods with a container and a volume each, where every measured value moves.
fn cluster(registry: Registry, pods: u32, tick: u32) -> (Arc<Batch>, Registry) {
    let mut draft = Draft::new(Timestamp::from_secs(60 * (i64::from(tick) + 1)), registry);
    for number in 0..pods {
        let name = format!("workload-{}-{number}", number / 10);
        let pod = draft.registry.pod("namespace", &name, "");
        let container = draft.registry.container(&pod, "main");
        let volume = draft.registry.part(EntityKind::Volume, &pod, "Volume:data");
        let moving = i64::from(number.wrapping_mul(2_654_435_761).wrapping_add(tick * 977) % 9973);
        for entity in [&pod, &container] {
            let row = draft.insert(entity).row;
            let table = draft.table_mut(entity.kind());
            for id in [metric::CPU_REQUEST, metric::CPU_LIMIT] {
                table.set_int(row, id, 100);
            }
            for id in [metric::MEMORY_REQUEST, metric::MEMORY_LIMIT] {
                table.set_int(row, id, 1 << 28);
            }
            table.set_int(row, metric::CPU_USAGE_RATE, moving);
            for id in [metric::MEMORY_USAGE, metric::MEMORY_WORKING_SET, metric::MEMORY_RSS] {
                table.set_int(row, id, moving * 4096);
            }
        }
        let row = draft.table(EntityKind::Pod).find(&pod).unwrap();
        let table = draft.table_mut(EntityKind::Pod);
        for id in [metric::NETWORK_RX_RATE, metric::NETWORK_TX_RATE] {
            table.set_float(row, id, Value::Int(moving).as_f64() / 3.0);
        }
        table.set_int(row, metric::RESTART_COUNT, i64::from(number % 3));
        table.set_int(row, metric::EPHEMERAL_STORAGE_USAGE, moving * 4096);
        let row = draft.insert(&volume).row;
        let table = draft.table_mut(EntityKind::Volume);
        table.set_int(row, metric::FILESYSTEM_USAGE, moving * 4096);
        table.set_int(row, metric::FILESYSTEM_LIMIT, 1 << 34);
    }
    draft.freeze()
}

#[test]
fn a_pod_costs_at_most_a_kibibyte_for_fifteen_ticks() {
    let window = Window::new(WindowOptions::default());
    let pods = 1_024;
    let (mut frozen, mut registry) = cluster(Registry::default(), pods, 0);
    for tick in 1..=15 {
        window.append(&frozen).unwrap();
        (frozen, registry) = cluster(registry, pods, tick);
    }
    let per_pod = window.history_bytes() / pods as usize;
    assert!(per_pod <= 1024, "{per_pod} bytes");
}

#[test]
fn byte_bounds_shorten_history_and_vanished_entities_leave() {
    let bounds = |history_bytes, max_history_bytes| {
        let options =
            WindowOptions { history_bytes, max_history_bytes, ..WindowOptions::default() };
        let window = Window::new(options);
        let mut registry = Registry::default();
        let mut frozen;
        for tick in 0..30 {
            // From tick 20 on half of the pods are gone.
            (frozen, registry) = cluster(registry, if tick < 20 { 64 } else { 32 }, tick);
            window.append(&frozen).unwrap();
        }
        let (from, to) = window.history().unwrap();
        (to.since(from).as_secs() / 60 + 1, window.history_entities())
    };
    assert_eq!(bounds(usize::MAX, usize::MAX), (30, 192));
    assert_eq!(bounds(0, usize::MAX), (15, 192));
    assert_eq!(bounds(0, 0), (3, 96));
}

#[test]
fn with_an_archive_history_keeps_what_old_clients_ask() {
    let filled = |archived| {
        let window = Window::new(WindowOptions { archived, ..WindowOptions::default() });
        let (mut frozen, mut registry) = cluster(Registry::default(), 1_024, 0);
        for tick in 1..=15 {
            window.append(&frozen).unwrap();
            (frozen, registry) = cluster(registry, 1_024, tick);
        }
        window
    };
    let (alone, archived) = (filled(false), filled(true));
    let newest = alone.latest().unwrap();
    let entity = Arc::clone(&newest.table(EntityKind::Pod).entities()[0]);
    let seam = |window: &Window, metric: &str| {
        let series = SeriesRef { entity: Arc::clone(&entity), metric: metric.to_owned() };
        window.seam(&[series]).unwrap()
    };
    for metric in ["cpu/usage_rate", "memory/usage"] {
        assert_eq!(seam(&archived, metric), seam(&alone, metric), "{metric}");
    }
    let whole = archived.batches()[0].timestamp();
    assert!(seam(&alone, "network/rx_rate") < whole);
    assert_eq!(seam(&archived, "network/rx_rate"), whole);
    let (less, more) = (archived.history_bytes(), alone.history_bytes());
    assert!(less * 2 < more, "{less} of {more} bytes");
}
