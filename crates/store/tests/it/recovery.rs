//! What is left after a crash, a full disk, a failed sync; and who may own a store.

use model::{Metric, Value};
use store::{Durability, Error, Fault, Options, Simulated};

use crate::support::{
    DAY, Feed, MEMORY, Point, Random, at, content, memory_of, minutes, open, options,
};

#[test]
fn an_append_survives_a_power_cut() {
    let disk = Simulated::new(1);
    let mut feed = Feed::default();
    let store = open(&disk, options(), DAY).unwrap();
    for tick in 0..40 {
        store.append(&feed.memory(DAY + tick * 60, tick * 4096), at(DAY + tick * 60)).unwrap();
    }
    drop(store);
    disk.power_cycle();
    let store = open(&disk, options(), DAY + 3000).unwrap();
    let expected: Vec<(i64, f64)> =
        (0..40_i32).map(|tick| (DAY + i64::from(tick) * 60, f64::from(tick) * 4096.0)).collect();
    assert_eq!(memory_of(&store), expected);
    assert_eq!(store.summary().damage, []);
    // And goes on.
    store.append(&feed.memory(DAY + 3000, 7), at(DAY + 3000)).unwrap();
    store.append(&feed.memory(DAY + 3060, 8), at(DAY + 3060)).unwrap();
    drop(store);
    disk.power_cycle();
    let store = open(&disk, options(), DAY + 3060).unwrap();
    assert_eq!(memory_of(&store)[40..], [(DAY + 3000, 7.0), (DAY + 3060, 8.0)]);
}

#[test]
fn appends_within_an_interval_share_a_sync() {
    let disk = Simulated::new(2);
    let within = Durability::Within(minutes(5));
    let options = Options { durability: within, ..Options::default() };
    let store = open(&disk, options, DAY).unwrap();
    let mut feed = Feed::default();
    store.append(&feed.memory(DAY, 1), at(DAY)).unwrap();
    let before = disk.operations();
    for tick in 1..5 {
        store.append(&feed.memory(DAY + tick * 60, 1), at(DAY + tick * 60)).unwrap();
    }
    assert_eq!(disk.operations() - before, 4, "one write each");
    store.append(&feed.memory(DAY + 300, 1), at(DAY + 300)).unwrap();
    assert_eq!(disk.operations() - before, 6, "a write and a sync");
}

#[test]
fn a_full_disk_stops_writing_until_there_is_room() {
    let disk = Simulated::new(3);
    let store = open(&disk, options(), DAY).unwrap();
    let mut feed = Feed::default();
    store.append(&feed.memory(DAY, 1), at(DAY)).unwrap();
    disk.inject(1, Fault::Full);
    let full = store.append(&feed.memory(DAY + 60, 2), at(DAY + 60));
    assert!(matches!(full, Err(Error::Full { .. })), "{full:?}");
    let refused = store.append(&feed.memory(DAY + 120, 3), at(DAY + 120));
    assert!(matches!(refused, Err(Error::Poisoned { .. })), "{refused:?}");
    assert!(store.summary().poisoned.is_some());
    assert_eq!(memory_of(&store), [(DAY, 1.0)], "reads go on");
    assert!(matches!(store.resume(), Err(Error::Full { .. })));
    disk.heal();
    store.resume().unwrap();
    store.append(&feed.memory(DAY + 180, 4), at(DAY + 180)).unwrap();
    drop(store);
    disk.power_cycle();
    let store = open(&disk, options(), DAY + 200).unwrap();
    assert_eq!(memory_of(&store), [(DAY, 1.0), (DAY + 180, 4.0)]);
    assert_eq!(store.summary().damage, []);
}

#[test]
fn a_failed_sync_is_never_trusted_again() {
    let disk = Simulated::new(4);
    let store = open(&disk, options(), DAY).unwrap();
    let mut feed = Feed::default();
    store.append(&feed.memory(DAY, 1), at(DAY)).unwrap();
    disk.inject(1, Fault::SyncError);
    let failed = store.append(&feed.memory(DAY + 60, 2), at(DAY + 60));
    assert!(matches!(failed, Err(Error::Io { operation: "sync", .. })), "{failed:?}");
    assert!(matches!(store.sync(at(DAY + 61)), Err(Error::Poisoned { .. })));
    // Maintenance tries by itself; what was in memory becomes a block.
    store.maintain(at(DAY + 100)).unwrap();
    store.append(&feed.memory(DAY + 120, 3), at(DAY + 120)).unwrap();
    drop(store);
    disk.power_cycle();
    let store = open(&disk, options(), DAY + 200).unwrap();
    assert_eq!(memory_of(&store), [(DAY, 1.0), (DAY + 60, 2.0), (DAY + 120, 3.0)]);
}

#[test]
fn a_store_has_one_owner() {
    let disk = Simulated::new(5);
    let store = open(&disk, options(), DAY).unwrap();
    match open(&disk, options(), DAY).map(drop) {
        Err(Error::Locked { holder, .. }) => assert!(holder.contains("process"), "{holder}"),
        other => panic!("{other:?}"),
    }
    drop(store);
    open(&disk, options(), DAY).unwrap();
}

#[test]
fn a_batch_must_be_newer() {
    let disk = Simulated::new(6);
    let store = open(&disk, options(), DAY).unwrap();
    let mut feed = Feed::default();
    store.append(&feed.memory(DAY + 60, 1), at(DAY)).unwrap();
    let late = store.append(&feed.memory(DAY + 60, 1), at(DAY));
    assert!(matches!(late, Err(Error::OutOfOrder { .. })), "{late:?}");
    drop(store);
    let store = open(&disk, options(), DAY).unwrap();
    let late = store.append(&feed.memory(DAY, 1), at(DAY));
    assert!(matches!(late, Err(Error::OutOfOrder { .. })), "{late:?}");
}

#[test]
fn a_snapshot_opens_as_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let disk = || std::sync::Arc::new(store::Disk);
    let at_root = |name: &str| folder.path().join(name);
    let store = store::Store::open(disk(), at_root("a"), options(), at(DAY)).unwrap();
    let locked = store::Store::open(disk(), at_root("a"), options(), at(DAY)).map(drop);
    assert!(matches!(locked, Err(Error::Locked { .. })), "{locked:?}");
    let mut feed = Feed::default();
    for tick in 0..200 {
        let now = DAY + tick * 60;
        store.append(&feed.memory(now, tick), at(now)).unwrap();
        store.maintain(at(now)).unwrap();
    }
    assert_eq!(store.summary().blocks.len(), 1);
    store.snapshot(&at_root("b"), at(DAY)).unwrap();
    let copy = store::Store::open(disk(), at_root("b"), options(), at(DAY)).unwrap();
    assert_eq!(memory_of(&copy).len(), 200);
    assert_eq!(memory_of(&copy), memory_of(&store));
    assert_eq!(copy.verify(|_, _| {}).unwrap().damage, []);
    assert_eq!(copy.verify(|_, _| {}).unwrap().samples, 200);
}

/// Definitions of many entities are written in pieces before their frame.
#[test]
fn an_append_of_several_writes_counts_whole_or_not_at_all() {
    let mut random = Random(11);
    let mut name = || format!("{:016x}{}", random.next(), "x".repeat(224));
    let pods: Vec<String> = (0..10_000).map(|_| name()).collect();
    let points: Vec<Point<'_>> =
        pods.iter().map(|pod| (&**pod, "n1", Metric::Known(MEMORY), Value::Int(7))).collect();
    for (cut, fault) in [(2, Fault::PowerCut), (3, Fault::PowerCut), (3, Fault::Full)] {
        let disk = Simulated::new(cut);
        let store = open(&disk, options(), DAY).unwrap();
        let mut feed = Feed::default();
        store.append(&feed.memory(DAY, 1), at(DAY)).unwrap();
        disk.inject(cut, fault);
        let many = feed.batch(DAY + 60, &points);
        let before = disk.bytes_written();
        let failed = store.append(&many, at(DAY + 60));
        assert!(failed.is_err(), "{failed:?}");
        assert!(disk.bytes_written() - before >= (cut - 1) << 20, "a piece went before");
        assert_eq!(content(&store).len(), 1, "a failed write leaves what was");
        let store = if fault == Fault::Full {
            disk.heal();
            store.resume().unwrap();
            store
        } else {
            drop(store);
            disk.power_cycle();
            open(&disk, options(), DAY + 60).unwrap()
        };
        assert_eq!(memory_of(&store), [(DAY, 1.0)]);
        assert_eq!(store.summary().damage, []);
        let (written, appended) =
            (disk.bytes_written(), store.append(&many, at(DAY + 60)).unwrap());
        assert_eq!(appended.samples, 10_000);
        assert!(appended.bytes <= disk.bytes_written() - written);
        let whole = content(&store);
        assert_eq!(whole.len(), 10_001);
        drop(store);
        disk.power_cycle();
        let store = open(&disk, options(), DAY + 120).unwrap();
        assert!(content(&store) == whole, "a replay ends in the same state");
    }
}
