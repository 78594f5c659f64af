//! Every byte of a small database flipped and cut once: the answer is right, or damage names
//! the file; opening never fails and never panics.

use std::path::{Path, PathBuf};

use model::{Metric, Value};
use store::{Simulated, Store};

use crate::support::{
    CPU, Content, DAY, Feed, MEMORY, Random, append_minutes, at, content, custom, open, options,
};

/// A compacted day, a window's block and a log, with a few values each.
fn database() -> (Simulated, Content) {
    let disk = Simulated::new(9);
    let store = open(&disk, options(), DAY).unwrap();
    let mut feed = Feed::default();
    for (batch, now) in [0, 40_000, 90_000, 90_060, 100_000, 100_060].into_iter().enumerate() {
        let value = i64::try_from(batch).unwrap() * 1_234_567;
        let points = [
            ("web-0", "n1", Metric::Known(MEMORY), Value::Int(value)),
            ("web-0", "n1", Metric::Known(CPU), Value::Int(value * 1000)),
            ("db-0", "n1", custom("custom/qps"), Value::Float(0.25)),
        ];
        store.append(&feed.batch(DAY + now, &points), at(DAY + now)).unwrap();
        store.maintain(at(DAY + now)).unwrap();
    }
    let summary = store.summary();
    assert!(summary.blocks.iter().any(|block| block.compacted), "{summary:?}");
    assert!(summary.blocks.iter().any(|block| !block.compacted), "{summary:?}");
    assert!(summary.head_samples > 0);
    let content = content(&store);
    (disk, content)
}

fn copy(files: &[(PathBuf, Vec<u8>)], path: &Path, bytes: Vec<u8>) -> Simulated {
    let disk = Simulated::new(0);
    for (other, content) in files {
        if other != path {
            disk.put(other, content.clone());
        }
    }
    disk.put(path, bytes);
    disk
}

/// Whether everything in `found` is right, and whether something is missing.
fn compare(found: &Content, expected: &Content, what: &str) -> bool {
    for (series, points) in found {
        let right = &expected[series];
        for (time, value) in points {
            assert_eq!(right.get(time), Some(value), "{what}: {series:?} at {time}");
        }
    }
    found != expected
}

fn check(
    files: &[(PathBuf, Vec<u8>)],
    path: &Path,
    bytes: Vec<u8>,
    expected: &Content,
    what: &str,
) -> bool {
    let disk = copy(files, path, bytes);
    let open = |disk: &Simulated| -> Store { open(disk, options(), DAY + 100_100).unwrap() };
    let store = open(&disk);
    let missing = compare(&content(&store), expected, what);
    let damage = store.summary().damage;
    let named = damage.iter().any(|damage| damage.file == path);
    // Serving and writing go on, and what was set aside stays so.
    let batch = Feed::default().memory(DAY + 100_120, 1);
    store.append(&batch, at(DAY + 100_120)).unwrap();
    store.maintain(at(DAY + 100_130)).unwrap();
    drop(store);
    let again = content(&open(&disk));
    assert!(again.len() + 1 >= expected.len().min(1), "{what}");
    assert!(
        !missing || named || path.extension().is_some_and(|end| end == "wal"),
        "{what}: {damage:?}"
    );
    missing
}

#[test]
fn every_byte_flipped() {
    let (disk, expected) = database();
    let files = disk.files();
    let mut random = Random(3);
    let mut missing = 0;
    for (path, whole) in &files {
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << random.below(8);
            let what = format!("{} byte {at}", path.display());
            missing += usize::from(check(&files, path, bytes, &expected, &what));
        }
    }
    assert!(missing > 100, "the test would notice");
}

#[test]
fn every_length_cut() {
    let (disk, expected) = database();
    let files = disk.files();
    for (path, whole) in &files {
        for len in 0..whole.len() {
            let what = format!("{} cut to {len}", path.display());
            check(&files, path, whole[..len].to_vec(), &expected, &what);
        }
    }
}

#[test]
fn damage_in_the_middle_of_a_log_loses_little_and_is_set_aside() {
    let disk = Simulated::new(10);
    let store = open(&disk, options(), DAY).unwrap();
    append_minutes(&store, 100);
    drop(store);
    let path = Path::new("/data/wal/0000000001.wal");
    let mut bytes = disk.files().into_iter().find(|(found, _)| found == path).unwrap().1;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xFF;
    disk.put(path, bytes);
    let store = open(&disk, options(), DAY + 6000).unwrap();
    let kept: usize = content(&store).values().map(std::collections::BTreeMap::len).sum();
    assert!((84..100).contains(&kept), "{kept}: at most the frames up to the next key frame");
    assert_eq!(store.summary().damage.len(), 1);
    store.maintain(at(DAY + 6000)).unwrap();
    assert!(disk.files().iter().any(|(path, _)| path.starts_with("/data/quarantine")));
    drop(store);
    let store = open(&disk, options(), DAY + 6000).unwrap();
    assert_eq!(content(&store).values().map(std::collections::BTreeMap::len).sum::<usize>(), kept);
    assert_eq!(store.summary().damage, []);
}

#[test]
fn readers_take_any_bytes() {
    let (disk, _) = database();
    let seeds: Vec<Vec<u8>> = disk.files().into_iter().map(|(_, bytes)| bytes).collect();
    let mut random = Random(11);
    for round in 0..10_000 {
        let seed = &seeds[round % seeds.len()];
        let start = usize::try_from(random.below(seed.len() as u64 + 1)).unwrap();
        let mut bytes = seed[start.min(seed.len() - seed.len() / 4)..].to_vec();
        for _ in 0..random.below(8) {
            let len = bytes.len().max(1) as u64;
            let at = usize::try_from(random.below(len)).unwrap();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = u8::try_from(random.below(256)).unwrap();
            }
        }
        for (_, run) in store::fuzz::TARGETS {
            run(&bytes);
        }
    }
}
