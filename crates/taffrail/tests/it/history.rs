//! History on disk under a real process: it is kept, and it has one owner.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::served::Served;

/// A server of this machine that keeps history in `dir`.
fn served(dir: &Path) -> Served {
    let dir = format!("--data-dir={}", dir.display());
    Served::start(&["serve", "--source=host", "--metric-resolution=5s", &dir])
}

fn log_bytes(dir: &Path) -> u64 {
    let logs = fs::read_dir(dir.join("wal")).unwrap();
    logs.map(|log| log.unwrap().metadata().unwrap().len()).sum()
}

/// Waits for the first batch.
fn measured(served: &Served) {
    while served.get("/api/taffrail/v1/status")["lastBatch"].is_null() {
        std::thread::yield_now();
    }
}

#[test]
fn a_clean_end_keeps_what_was_measured() {
    let folder = tempfile::tempdir().unwrap();
    let first = served(folder.path());
    let said = format!("history of 30 d in {}", folder.path().display());
    assert!(first.greeting.contains(&said), "{}", first.greeting);
    measured(&first);
    assert!(first.stop().success());
    assert!(log_bytes(folder.path()) > 1000, "the log is empty");
}

#[test]
fn a_second_owner_is_refused_and_told_why() {
    let folder = tempfile::tempdir().unwrap();
    let owner = served(folder.path());
    let second = Command::new(env!("CARGO_BIN_EXE_taffrail"))
        .args(["serve", "--source=host", "--listen=127.0.0.1:0"])
        .env_clear()
        .env("TAFFRAIL_DATA_DIR", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(69), "{said}");
    assert!(said.contains(&format!("in use by process {} since ", owner.id())), "{said}");
    assert!(said.contains("--data-dir=DIR"), "{said}");
}

#[test]
fn the_demo_says_where_it_keeps_history_and_takes_it_along() {
    let demo = Served::start(&["demo", "--nodes=1", "--pods-per-node=1"]);
    let folder = std::env::temp_dir().join(format!("taffrail-demo-{}", demo.id()));
    assert!(folder.join("LOCK").exists());
    assert!(demo.stop().success());
    assert!(!folder.exists());
}
