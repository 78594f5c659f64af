//! History on disk under a real process: it is kept, and it has one owner.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use ::store::{Disk, Options, Store};
use pipeline::Clock;

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
fn a_restart_shows_the_past_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let first = served(folder.path());
    measured(&first);
    let before = first.get("/api/taffrail/v1/status")["lastBatch"]["timestamp"].clone();
    while log_bytes(folder.path()) < 1000 {
        std::thread::yield_now();
    }
    drop(first); // kill -9
    let second = served(folder.path());
    assert_eq!(second.get("/api/taffrail/v1/status")["history"]["from"], before);
    let store = &second.get("/api/taffrail/v1/store")["store"];
    assert_eq!(store["dir"], folder.path().to_str().unwrap());
    assert_eq!((&store["from"], &store["stopped"]), (&before, &serde_json::Value::Null));
    assert_eq!(store["retentionMs"], 30 * 86_400_000_u64);
    assert!(store["bytes"].as_u64().unwrap() >= log_bytes(folder.path()) / 2, "{store:#}");
    measured(&second);
    let now = second.get("/api/taffrail/v1/status")["now"].as_i64().unwrap();
    let asked = format!(
        r#"{{"start":{},"end":{now},"points":600,
            "series":[{{"kind":"cluster","metric":"memory/working_set"}}],
            "select":[{{"kind":"node","metric":"memory/working_set","top":3}}]}}"#,
        now - 3_600_000,
    );
    let answer = second.post("/api/taffrail/v1/query", &asked);
    assert_eq!(answer["timestamps"][0], before, "{answer:#}");
    assert_eq!(answer["matched"], serde_json::json!([1]), "{answer:#}");
    for series in answer["series"].as_array().unwrap() {
        assert!(series["avg"][0].as_f64().unwrap() > 0.0, "{answer:#}");
    }
    assert_eq!(answer["series"][1]["of"]["kind"], "node", "{answer:#}");
    let events = second.get("/api/taffrail/v1/events");
    assert_eq!((&events["total"], &events["capped"]), (&0.into(), &false.into()), "{events:#}");
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
fn a_damaged_block_is_a_gap_and_the_status_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let first = served(folder.path());
    measured(&first);
    assert!(first.stop().success());
    let now = Clock::system().now();
    let store = Store::open(Arc::new(Disk), folder.path(), Options::default(), now).unwrap();
    assert_eq!(store.flush(now).unwrap(), 1);
    drop(store);
    let block = fs::read_dir(folder.path().join("blocks")).unwrap().next().unwrap().unwrap();
    let mut bytes = fs::read(block.path()).unwrap();
    // Behind the header's 16 bytes: every chunk.
    let chunks = bytes.len() / 3;
    bytes[16..chunks].iter_mut().for_each(|byte| *byte ^= 1);
    fs::write(block.path(), bytes).unwrap();
    let second = served(folder.path());
    measured(&second);
    let now = now.millis();
    let asked = format!(
        r#"{{"start":{},"end":{},"points":600,
            "select":[{{"kind":"node","metric":"memory/working_set"}},
                      {{"kind":"node","metric":"cpu/node_capacity"}}]}}"#,
        now - 3_600_000,
        now + 3_600_000,
    );
    second.post("/api/taffrail/v1/query", &asked);
    let status = second.get("/api/taffrail/v1/status");
    let problem = &status["problems"][0];
    let reason = problem["reason"].as_str().unwrap_or_default();
    assert!(reason.contains(block.path().to_str().unwrap()), "{status:#}");
    assert!(reason.contains("is damaged at byte"), "{status:#}");
    let overview = second.get("/api/taffrail/v1/overview");
    assert!(overview["memory"]["workingSet"].as_f64().unwrap() > 0.0, "{overview:#}");
}

#[test]
fn a_full_disk_stops_history_only_and_the_status_says_so() {
    let folder = tempfile::tempdir().unwrap();
    // No file may grow beyond 512 bytes or a kibibyte, as the shell counts; too little for a batch.
    // The log's disk is full too.
    let limited = "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\" 2>/dev/full";
    let dir = format!("--data-dir={}", folder.path().display());
    let words = ["serve", "--source=host", "--metric-resolution=5s", "--log=info", &dir];
    let program = Served::through(&["sh", "-c", limited], &words);
    measured(&program);
    let problem = loop {
        let status = program.get("/api/taffrail/v1/status");
        if let Some(problem) = status["problems"].as_array().unwrap().first() {
            break problem.clone();
        }
    };
    assert_eq!(problem["about"], "history on disk", "{problem:#}");
    assert!(problem["reason"].as_str().unwrap().starts_with("no space left for"), "{problem:#}");
    assert!(problem["advice"].as_str().unwrap().contains("resumes by itself"), "{problem:#}");
    let overview = program.get("/api/taffrail/v1/overview");
    assert!(overview["memory"]["workingSet"].as_f64().unwrap() > 0.0, "{overview:#}");
}

#[test]
fn the_demo_says_where_it_keeps_history_and_takes_it_along() {
    let demo = Served::start(&["demo", "--nodes=1", "--pods-per-node=1"]);
    let folder = std::env::temp_dir().join(format!("taffrail-demo-{}", demo.id()));
    assert!(folder.join("LOCK").exists());
    assert!(demo.stop().success());
    assert!(!folder.exists());
}
