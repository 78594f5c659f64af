//! A real process is killed with -9 under ingest, again and again: what it acknowledged is there.
//!
//! `cargo xtask soak kill` runs more rounds. The child is this very test program.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use model::{Metric, Value};
use store::{Disk, Durability, Options, Store};

use crate::support::{CPU, DAY, Feed, MEMORY, Point, Random, at, content};

/// Names the folder for the child.
const FOLDER: &str = "TAFFRAIL_KILLED_FOLDER";
/// How many rounds; the gate's number without it.
const ROUNDS: &str = "TAFFRAIL_KILL_ROUNDS";
const PODS: usize = 8;
const STEP: i64 = 60;
/// Days that are kept, so that retention works too.
const KEPT: i64 = 4;

fn opened(dir: &Path, now: i64) -> Store {
    let options = Options {
        // What was written survives the process without any sync.
        durability: Durability::Within(Duration::from_hours(1)),
        window: Duration::from_mins(30),
        retention: Duration::from_hours(24 * KEPT.unsigned_abs()),
        rollup_fold: 2,
        ..Options::default()
    };
    Store::open(Arc::new(Disk), dir, options, at(now)).unwrap()
}

/// What `pod` measures at `secs`.
fn value(secs: i64, pod: usize) -> i64 {
    let pod = i64::try_from(pod).unwrap();
    (secs / STEP).wrapping_mul(pod * 7919 + 1) % 1_000_003
}

/// Appends as fast as it can and tells the time of each batch that was acknowledged.
fn ingest(dir: &Path) {
    let store = opened(dir, DAY);
    let newest = store.reach().map_or(DAY, |(_, last)| last.millis() / 1000);
    let now = AtomicI64::new(newest);
    let mut feed = Feed::default();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            loop {
                store.maintain(at(now.load(Ordering::Relaxed))).unwrap();
            }
        });
        let mut output = std::io::stdout().lock();
        loop {
            let secs = now.load(Ordering::Relaxed) + STEP;
            let names: Vec<String> = (0..PODS).map(|pod| format!("pod-{pod}")).collect();
            let points: Vec<Point<'_>> = names
                .iter()
                .enumerate()
                .flat_map(|(pod, name)| {
                    let value = value(secs, pod);
                    let one = |metric, value| (&**name, "n1", Metric::Known(metric), value);
                    [one(MEMORY, Value::Int(value)), one(CPU, Value::Int(secs * 1000))]
                })
                .collect();
            store.append(&feed.batch(secs, &points), at(secs)).unwrap();
            now.store(secs, Ordering::Relaxed);
            writeln!(output, "ack {secs}").unwrap();
        }
    });
}

/// Starts the child, kills it after about `lines` batches; the newest that it acknowledged.
fn killed_after(dir: &Path, lines: u64) -> Option<i64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::the_child", "--nocapture"])
        .env(FOLDER, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut last = None;
    let mut seen = 0;
    for line in output.lines() {
        // The kill may cut the last line.
        let Ok(line) = line else { break };
        let Some(secs) = line.split("ack ").nth(1).and_then(|secs| secs.parse::<i64>().ok()) else {
            continue;
        };
        // A cut number is smaller.
        last = last.max(Some(secs));
        seen += 1;
        if seen == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    last
}

fn check(dir: &Path, acknowledged: i64, round: u64) {
    let store = opened(dir, acknowledged);
    let (first, last) = store.reach().unwrap();
    let (first, last) = (first.millis() / 1000, last.millis() / 1000);
    assert!(last >= acknowledged, "round {round}: {acknowledged} is lost, {last} is the newest");
    assert!(first <= (DAY + STEP).max(acknowledged - (KEPT - 1) * 86_400), "round {round}");
    let content = content(&store);
    for pod in 0..PODS {
        let labels = |labels: &str| labels.contains(&format!("\"pod-{pod}\""));
        let found = content.iter().find(|((of, name), _)| labels(of) && name == "memory/usage");
        let (_, points) = found.unwrap();
        let expected = (0..=(last - first) / STEP).map(|tick| first + tick * STEP);
        assert!(points.keys().copied().eq(expected), "round {round}: pod {pod} has holes");
        for (secs, found) in points {
            let expected = f64::from(i32::try_from(value(*secs, pod)).unwrap());
            assert!((found - expected).abs() < 1e-9, "round {round}: pod {pod} at {secs}");
        }
    }
    assert_eq!(store.verify(|_, _| ()).unwrap().damage, [], "round {round}");
    assert_eq!(store.summary().damage, [], "round {round}");
}

#[test]
fn the_child() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        ingest(Path::new(&folder));
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    if std::env::var_os(FOLDER).is_some() {
        return;
    }
    let rounds = std::env::var(ROUNDS).ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(8);
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random(7);
    let mut acknowledged = DAY;
    for round in 0..rounds {
        let lines = 1 + random.below(1500);
        acknowledged = killed_after(folder.path(), lines).unwrap_or(acknowledged).max(acknowledged);
        check(folder.path(), acknowledged, round);
    }
    println!("{rounds} rounds, {} batches", (acknowledged - DAY) / STEP);
}
