//! `taffrail store` as a process, on folders that nobody and somebody owns.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use ::store::{Disk, Options, Store};
use model::{Draft, EntityKind, Event, Registry, Timestamp, metric};
use serde_json::Value;

/// 2026-11-23T00:00:00Z
const DAY: i64 = 1_795_392_000;
const TICKS: i64 = 20;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(DAY + secs)
}

/// Three pods over twenty minutes, the first ten in a block.
fn filled(dir: &Path) -> Store {
    let store = Store::open(Arc::new(Disk), dir, Options::default(), at(0)).unwrap();
    let mut registry = Registry::default();
    for tick in 0..TICKS {
        let mut draft = Draft::new(at(tick * 60), registry);
        for pod in ["web-1", "web-2", "d\"b,\\"] {
            let entity = draft.registry.pod("shop", pod, "");
            let row = draft.insert(&entity).row;
            let table = draft.table_mut(EntityKind::Pod);
            table.set_int(row, metric::MEMORY_USAGE, tick * 1000);
            table.set_int(row, metric::CPU_USAGE, tick * 5_000_000);
        }
        let (batch, kept) = draft.freeze();
        registry = kept;
        store.append(&batch, at(tick * 60)).unwrap();
        if tick == 9 {
            store.flush(at(tick * 60)).unwrap();
        }
    }
    store.sync(at(TICKS * 60)).unwrap();
    store
}

fn run(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_taffrail")).arg("store").args(words).output().unwrap()
}

/// Runs it and expects a good end; what it said.
fn said(words: &[&str]) -> String {
    let output = run(words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_folder_is_described_checked_and_copied() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    let info = said(&["info", text(folder.path())]);
    assert!(info.contains("2026-11-23T00:00:00Z to 2026-11-23T00:19:00Z"), "{info}");
    let info: Value =
        serde_json::from_str(&said(&["info", text(folder.path()), "--output=json"])).unwrap();
    assert_eq!(
        (&info["blocks"][0]["samples"], &info["memory"]["samples"]),
        (&60.into(), &60.into())
    );
    let verified: Value =
        serde_json::from_str(&said(&["verify", text(folder.path()), "--output=json"])).unwrap();
    assert_eq!(verified["samples"], 120, "{verified}");

    let copy = folder.path().join("copy");
    said(&["snapshot", text(folder.path()), text(&copy)]);
    let columns = ["--format=csv", "--match=metric=memory/usage"];
    let csv = said(&["export", text(&copy), columns[0], columns[1]]);
    assert_eq!(csv.lines().count(), 61, "{csv}");
    let again = run(&["snapshot", text(folder.path()), text(&copy)]);
    assert_eq!(again.status.code(), Some(64));
}

#[test]
fn damage_is_named_and_ends_with_1() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    let block = fs::read_dir(folder.path().join("blocks")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&block).unwrap();
    bytes[30] ^= 1;
    fs::write(&block, bytes).unwrap();
    let output = run(&["verify", text(folder.path())]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(text(&block)), "{said}");
}

#[test]
fn what_a_server_owns_is_read_from_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let owner = filled(folder.path());
    let words = ["export", text(folder.path()), "--format=ndjson", "--match=pod=web-1"];
    let lines = said(&words);
    assert_eq!(lines.lines().count(), 2, "{lines}");
    let line: Value = serde_json::from_str(lines.lines().nth(1).unwrap()).unwrap();
    assert_eq!(line["metric"]["__name__"], "memory/usage", "{line}");
    assert_eq!(line["timestamps"].as_array().unwrap().len(), 20, "{line}");
    let copy = folder.path().join("snapshot");
    said(&["snapshot", text(folder.path()), text(&copy)]);
    assert_eq!(said(&["verify", text(&copy)]).lines().nth(1), Some("all as written"));
    let left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("copy-")), "{left:?}");
    drop(owner);
}

#[test]
fn what_is_no_folder_of_history_is_69() {
    let folder = tempfile::tempdir().unwrap();
    for verb in ["info", "verify"] {
        let output = run(&[verb, text(folder.path())]);
        assert_eq!(output.status.code(), Some(69));
        assert!(String::from_utf8_lossy(&output.stderr).contains("holds no history"));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is created");
    let output = run(&["export", text(folder.path()), "--format=csv", "--match=x"]);
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn openmetrics_has_families_in_a_row_and_an_end() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    let window = ["--from=2026-11-23T00:05:00Z", "--to=2026-11-23T00:06:00Z"];
    let all = said(&["export", text(folder.path()), "--format=openmetrics", window[0], window[1]]);
    assert!(all.starts_with("# TYPE cpu_usage counter\ncpu_usage_total{kind=\"pod\""), "{all}");
    assert!(all.contains("pod=\"d\\\"b,\\\\\"} 25000000 1795392300.000\n"), "{all}");
    assert!(all.ends_with("# EOF\n"), "{all}");
    assert_eq!(all.lines().count(), 2 + 3 * 2 * 2 + 1, "{all}");
}

/// Reads the file in three ways and prints what they agree on.
const READ: &str = "
import sys, duckdb, pandas
parquet, csv = sys.argv[1:3]
rows, total, first = duckdb.connect().execute(
    f\"select count(*), sum(value), epoch_ms(min(time)) from '{parquet}' where metric = 'memory/usage'\"
).fetchone()
print(rows, int(total), first)
frame = pandas.read_parquet(parquet)
plain = pandas.read_csv(csv)
assert frame['time'].dt.tz is not None
assert sorted(frame['pod'].unique()) == sorted(plain['pod'].unique())
assert frame['node'].isna().all()
assert (frame['value'].to_numpy() == plain['value'].to_numpy()).all()
print(len(frame), len(plain))
";

fn python() -> PathBuf {
    let python =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/python/bin/python");
    assert!(python.exists(), "Python's packages are missing: run `cargo xtask tools`");
    python
}

#[test]
fn parquet_opens_in_duckdb_and_pandas() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    let out = tempfile::tempdir().unwrap();
    let (parquet, csv) = (out.path().join("all.parquet"), out.path().join("all.csv"));
    for (format, file) in [("--format=parquet", &parquet), ("--format=csv", &csv)] {
        let told = said(&["export", text(folder.path()), format, "--out", text(file)]);
        assert!(told.starts_with("120 samples of 6 series"), "{told}");
    }
    let output =
        Command::new(python()).args(["-c", READ, text(&parquet), text(&csv)]).output().unwrap();
    let read = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        read,
        format!("60 {} {}\n120 120\n", 3 * 190 * 1000, DAY * 1000),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Three events, one of them seen again.
fn with_events(dir: &Path) {
    let event = |uid: &str, object: &str, reason: &str, secs: i64| Event {
        uid: uid.into(),
        namespace: "shop".into(),
        object_kind: "Pod".into(),
        object_name: object.into(),
        reason: reason.into(),
        event_type: if reason == "BackOff" { "Warning" } else { "Normal" }.into(),
        message: "back-off, \"again\"".into(),
        source: "kubelet, n1".into(),
        count: 1,
        first_seen: at(secs),
        last_seen: at(secs),
        ..Event::default()
    };
    let store = filled(dir);
    let first = [
        event("a", "web-1", "BackOff", 60),
        event("b", "web-2", "Pulled", 120),
        event("c", "db-0", "BackOff", 4000),
    ];
    store.append_events(&first, at(4000)).unwrap();
    let again = Event { count: 7, last_seen: at(300), ..first[0].clone() };
    store.append_events(&[again], at(4000)).unwrap();
    store.sync(at(4000)).unwrap();
}

#[test]
fn events_are_exported_by_time_and_labels() {
    let folder = tempfile::tempdir().unwrap();
    with_events(folder.path());
    let export =
        |more: &[&str]| said(&[&["export", text(folder.path()), "--events"], more].concat());
    let csv = export(&["--format=csv", "--match=reason=BackOff"]);
    let rows: Vec<&str> = csv.lines().collect();
    let head = "first_seen,last_seen,count,namespace,kind,object,object_uid,type,reason,message,source,uid";
    let a = format!(
        "{},{},7,shop,Pod,web-1,,Warning,BackOff,\"back-off, \"\"again\"\"\",\"kubelet, n1\",a",
        at(60).millis(),
        at(300).millis()
    );
    assert_eq!((rows[0], rows[1], rows.len()), (head, &*a, 3), "{csv}");
    let uids = |more: &[&str]| -> Vec<String> {
        let lines = export(&[&["--format=ndjson"], more].concat());
        let uid = |line: &str| serde_json::from_str::<Value>(line).unwrap()["uid"].clone();
        lines.lines().map(|line| uid(line).as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(uids(&[]), ["b", "a", "c"], "by the time last seen");
    assert_eq!(uids(&["--match=object=~web-.*", "--match=type!=Normal"]), ["a"]);
    assert_eq!(uids(&["--match=namespace=shop", "--match=kind=Pod"]).len(), 3);
    assert_eq!(uids(&["--match=namespace=other"]).len(), 0);
    assert_eq!(uids(&["--from=2026-11-23T00:04:00Z", "--to=2026-11-23T00:30:00Z"]), ["a"]);
    let refused = |more: &[&str], sentence: &str| {
        let output = run(&[&["export", text(folder.path()), "--events"], more].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.contains(sentence)), (Some(64), true), "{said}");
    };
    refused(&["--format=openmetrics"], "OpenMetrics has no events");
    refused(&["--format=csv", "--match=pod=web-1"], "of events there are namespace, kind, object");
}

/// Reads the events' file in two ways and prints what they agree on.
const READ_EVENTS: &str = "
import sys, duckdb, pandas
rows = duckdb.connect().execute(
    f\"select count(*), sum(count), epoch_ms(max(last_seen)) from '{sys.argv[1]}' where type = 'Warning'\"
).fetchone()
print(*map(int, rows))
print(*pandas.read_parquet(sys.argv[1])['object'])
";

#[test]
fn events_open_in_duckdb_and_pandas() {
    let folder = tempfile::tempdir().unwrap();
    with_events(folder.path());
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("events.parquet");
    let words = ["export", text(folder.path()), "--events", "--format=parquet", "--out"];
    let told = said(&[&words[..], &[text(&file)]].concat());
    assert_eq!(told, format!("3 events written to {}\n", file.display()));
    let output = Command::new(python()).args(["-c", READ_EVENTS, text(&file)]).output().unwrap();
    let read = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        read,
        format!("2 8 {}\nweb-2 web-1 db-0\n", at(4000).millis()),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
