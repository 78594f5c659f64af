//! Databases written by earlier versions open and answer what was written.

use std::path::{Path, PathBuf};

use model::{Event, Metric, Value};
use store::{EventQuery, Simulated, Store};

use crate::support::{CPU, DAY, Feed, MEMORY, at, content, custom, open, options};

/// A compacted day, a block of a window, a log, an event.
fn write(store: &Store) {
    let mut feed = Feed::default();
    for tick in 0..400 {
        let now = DAY + 80_000 + tick * 60;
        let points = [
            ("web-0", "n1", Metric::Known(MEMORY), Value::Int(tick % 17 * 4096)),
            ("web-0", "n1", Metric::Known(CPU), Value::Int(tick * 1_000_000 + tick % 5 * 1000)),
            ("db-0", "n2", custom("custom/qps"), Value::Float(Value::Int(tick % 9).as_f64() / 8.0)),
        ];
        let points = if tick % 7 == 0 { &points[..2] } else { &points };
        store.append(&feed.batch(now, points), at(now)).unwrap();
        store.maintain(at(now)).unwrap();
    }
    let event = Event {
        uid: "e1".into(),
        namespace: "shop".into(),
        reason: "BackOff".into(),
        message: "Back-off restarting failed container".into(),
        count: 3,
        first_seen: at(DAY),
        last_seen: at(DAY + 60),
        ..Event::default()
    };
    store.append_events(&[event], at(DAY + 60)).unwrap();
}

fn fixture(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/v{version}"))
}

fn load(folder: &Path) -> Simulated {
    let disk = Simulated::new(0);
    for part in ["wal", "blocks", "events"] {
        for entry in std::fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            let name = Path::new("/data").join(part).join(path.file_name().unwrap());
            disk.put(&name, std::fs::read(&path).unwrap());
        }
    }
    disk
}

#[test]
fn databases_of_every_version_open() {
    let fresh = Simulated::new(0);
    let expected = {
        let store = open(&fresh, options(), DAY).unwrap();
        write(&store);
        content(&store)
    };
    if std::env::var_os("UPDATE").is_some() {
        let folder = fixture(store::FORMAT);
        drop(std::fs::remove_dir_all(&folder));
        for (path, bytes) in fresh.files() {
            let to = folder.join(path.strip_prefix("/data").unwrap());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::write(to, bytes).unwrap();
        }
    }
    for version in 1..=store::FORMAT {
        let disk = load(&fixture(version));
        let store = open(&disk, options(), DAY + 120_000).unwrap();
        assert_eq!(content(&store), expected, "version {version}");
        let summary = store.summary();
        assert_eq!(summary.damage, []);
        assert!(summary.blocks.iter().any(|block| block.compacted), "{summary:?}");
        assert!(summary.head_samples > 0);
        let all = EventQuery::all(at(0), at(DAY * 2));
        let any = EventQuery { reason: Some("BackOff"), limit: 9, ..all };
        assert_eq!(store.search_events(&any).unwrap()[0].count, 3);
    }
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let disk = load(&fixture(1));
    let (path, mut bytes) =
        disk.files().into_iter().find(|(path, _)| path.extension().unwrap() == "blk").unwrap();
    bytes[8] = 9;
    let sum = crc32c(&bytes[..12]);
    bytes[12..16].copy_from_slice(&sum.to_le_bytes());
    disk.put(&path, bytes);
    match open(&disk, options(), DAY).map(drop) {
        Err(store::Error::Version { file, found: 9, known: 1 }) => assert_eq!(file, path),
        other => panic!("{other:?}"),
    }
}

/// CRC-32C, bit by bit: a second opinion on the checksum that FORMAT.md names.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ if sum & 1 == 1 { 0x82F6_3B78 } else { 0 }
        })
    })
}
