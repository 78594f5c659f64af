//! What the store costs: one table of samples per second, bytes per sample, query times, memory.
//!
//! Data are made up, recorded and replayed with variation, and the simulated cluster's. `cargo
//! bench -p taffrail --bench store` runs everything but `-- rivals`, which compares with others;
//! `-- quick` a tenth of it, `-- simulated` (or another part's name) that part alone. One thread,
//! the real disk. `cargo xtask bench store` runs all and the rivals.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a benchmark that prints a table of rounded numbers"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Batch, EntityKind, Timestamp};
use store::{Matcher, Options, Query, Store};

#[path = "store/counting.rs"]
mod counting;
#[path = "store/kubelet.rs"]
mod kubelet;
#[path = "../examples/history/measured.rs"]
#[expect(dead_code, reason = "the queries' benchmark asks the simulated cluster itself too")]
mod measured;
#[path = "store/rivals.rs"]
#[expect(dead_code, reason = "the queries' benchmark sends single series")]
mod rivals;

use counting::Counting;
use kubelet::Cluster;
use measured::Measured;

/// What answers with the batch of a time.
type Feeder<'a> = &'a mut dyn FnMut(Timestamp) -> Arc<Batch>;

/// 2026-11-23T00:00:00Z
const BEGIN: i64 = 1_795_392_000;
const STEP: i64 = 60;
const DAY: i64 = 86_400;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn row(what: &str, value: impl std::fmt::Display, target: &str) {
    println!("{what:<80} {:>18}   {target}", value.to_string());
}

fn resident_bytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0.0);
    pages * 4096.0
}

struct Run {
    store: Store,
    disk: Counting,
    samples: f64,
    /// Time within `append` and, apart, within `maintain`.
    appending: Duration,
    maintaining: Duration,
}

fn open(disk: &Counting, dir: &Path, now: i64) -> Store {
    Store::open(Arc::new(disk.clone()), dir, Options::default(), at(now)).unwrap()
}

/// Feeds `ticks` batches, with maintenance after each.
fn feed(dir: &Path, feeder: Feeder<'_>, ticks: i64) -> Run {
    let disk = Counting::default();
    let store = open(&disk, dir, BEGIN);
    let zero = Duration::ZERO;
    let mut run = Run { store, disk, samples: 0.0, appending: zero, maintaining: zero };
    for tick in 0..ticks {
        let now = BEGIN + tick * STEP;
        let batch = feeder(at(now));
        let begun = Instant::now();
        let appended = run.store.append(&batch, at(now)).unwrap();
        run.appending += begun.elapsed();
        run.samples += appended.samples as f64;
        let begun = Instant::now();
        run.store.maintain(at(now)).unwrap();
        run.maintaining += begun.elapsed();
    }
    run
}

/// The best of five, in milliseconds, and how many values one run read.
fn time(store: &Store, query: &Query<'_>) -> (f64, usize) {
    let mut best = f64::INFINITY;
    let mut values = 0;
    for _ in 0..5 {
        let begun = Instant::now();
        values = 0;
        for slice in store.select(query).unwrap() {
            for column in &slice.columns {
                values += match column {
                    store::Values::Raw(values) => values.len(),
                    store::Values::Buckets(buckets) => buckets.count.len(),
                };
            }
        }
        best = best.min(begun.elapsed().as_secs_f64() * 1e3);
    }
    (best, values)
}

fn hour<'a>(columns: &'a [&'a str], end: i64) -> Query<'a> {
    Query {
        kind: EntityKind::Container,
        matchers: &[],
        columns,
        from: at(end - 3600),
        to: at(end),
        step: None,
    }
}

fn report_disk(run: &Run, what: &str) {
    let summary = run.store.summary();
    let kept: u64 = summary.blocks.iter().map(|block| block.bytes).sum();
    let raw: u64 = summary
        .blocks
        .iter()
        .filter(|block| block.resolution.is_none())
        .map(|block| block.bytes)
        .sum();
    let written = run.disk.written() as f64;
    row(
        &format!("{what}: bytes per sample, index and rollups included"),
        format!("{:.3}", kept as f64 / run.samples),
        "<= 0.8",
    );
    row(
        &format!("{what}: of these, rollups"),
        format!("{:.3}", (kept - raw) as f64 / run.samples),
        "",
    );
    row(
        &format!("{what}: bytes written per sample (log, windows, days)"),
        format!("{:.2}", written / run.samples),
        "",
    );
    row(&format!("{what}: write amplification"), format!("{:.2}", written / kept as f64), "<= 5");
}

/// 1,000 containers over a day and a bit.
fn wide(scale: i64) {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::synthetic(1000);
    let day = DAY / STEP / scale;
    let run = feed(folder.path(), &mut |now| cluster.tick(now), day + 90);
    row(
        "ingest through log and window, million samples/s, 1 core",
        format!("{:.2}", run.samples / run.appending.as_secs_f64() / 1e6),
        ">= 1",
    );
    row(
        "  the same with blocks and compaction counted in",
        format!("{:.2}", run.samples / (run.appending + run.maintaining).as_secs_f64() / 1e6),
        "",
    );
    let now = BEGIN + (day + 90) * STEP;
    let memory = ["memory/working_set"];
    let (ms, values) = time(&run.store, &hour(&memory, now));
    row("1,000 entities x 1 h from memory, ms", format!("{ms:.2} ({values})"), "<= 10");
    run.store.flush(at(now)).unwrap();
    let (ms, values) = time(&run.store, &hour(&memory, now));
    row("1,000 entities x 1 h from a window's block, ms", format!("{ms:.2} ({values})"), "<= 10");
    run.store.compact(at(now + DAY)).unwrap();
    for columns in [&["memory/working_set"][..], &["cpu/usage"]] {
        let (ms, values) = time(&run.store, &hour(columns, BEGIN + day * STEP / 2));
        let what = format!("1,000 entities x 1 h of {} from a day, ms", columns[0]);
        row(&what, format!("{ms:.2} ({values})"), "<= 10");
    }
    report_disk(&run, "synthetic, 1,000 containers x 1 day");
}

/// Recorded values with variation over two days.
fn recorded(scale: i64) {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::recorded(40);
    let ticks = 2 * DAY / STEP / scale;
    let run = feed(folder.path(), &mut |now| cluster.tick(now), ticks);
    let now = BEGIN + ticks * STEP + DAY;
    run.store.flush(at(now)).unwrap();
    run.store.compact(at(now)).unwrap();
    report_disk(&run, "recorded, 40 nodes x 2 days");
}

/// What the simulated cluster's kubelets tell, through decoder and processors.
fn simulated(scale: i64) {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Measured::new(20, 30, at(BEGIN));
    let ticks = DAY / STEP / scale;
    let run = feed(folder.path(), &mut |now| cluster.tick(now), ticks);
    row(
        "simulated, 20 nodes: ingest through log and window, million samples/s, 1 core",
        format!("{:.2}", run.samples / run.appending.as_secs_f64() / 1e6),
        ">= 1",
    );
    let now = BEGIN + ticks * STEP;
    run.store.flush(at(now)).unwrap();
    run.store.compact(at(now + DAY)).unwrap();
    let query = hour(&["memory/working_set"], BEGIN + ticks * STEP / 2);
    let entities = run.store.select(&query).unwrap().count();
    let (ms, values) = time(&run.store, &query);
    row(
        &format!("simulated, {entities} containers that came and went x 1 h from a day, ms"),
        format!("{ms:.2} ({values})"),
        &format!("<= {:.0}", entities as f64 / 100.0),
    );
    report_disk(&run, "simulated, 20 nodes x 1 day");
}

/// A month of a few containers.
fn month(scale: i64) {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::synthetic(60);
    let ticks = 30 * DAY / STEP / scale;
    let run = feed(folder.path(), &mut |now| cluster.tick(now), ticks);
    let end = BEGIN + ticks * STEP;
    let matcher = [Matcher::equal("pod", "pod-7")];
    let query = |columns, step| Query {
        kind: EntityKind::Container,
        matchers: &matcher,
        columns,
        from: at(BEGIN),
        to: at(end),
        step,
    };
    let cold = open(&Counting::default(), &copy(folder.path()), end);
    let begun = Instant::now();
    let values: usize = cold.select(&query(&["cpu/usage"], None)).unwrap().count();
    let first = begun.elapsed().as_secs_f64() * 1e3;
    row(
        "one entity x 30 d, cpu/usage, just opened, ms",
        format!("{first:.2} ({values})"),
        "<= 100",
    );
    for (what, columns) in [("cpu/usage", &["cpu/usage"][..]), ("all metrics", &[])] {
        let (ms, values) = time(&run.store, &query(columns, None));
        row(&format!("one entity x 30 d, {what}, ms"), format!("{ms:.2} ({values})"), "<= 20");
    }
    let (ms, values) = time(&run.store, &query(&[], Some(Duration::from_hours(1))));
    row("one entity x 30 d, all metrics, hourly rollup, ms", format!("{ms:.2} ({values})"), "");
    report_disk(&run, "synthetic, 60 containers x 30 days");
}

/// A copy that can be opened beside the original.
fn copy(dir: &Path) -> std::path::PathBuf {
    let to = dir.join("copy");
    for part in ["wal", "blocks", "events"] {
        std::fs::create_dir_all(to.join(part)).unwrap();
        for entry in std::fs::read_dir(dir.join(part)).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, to.join(part).join(path.file_name().unwrap())).unwrap();
        }
    }
    to
}

/// A million series: memory, and the time to be back after a kill with -9 under ingest.
fn million(scale: i64) {
    let folder = tempfile::tempdir().unwrap();
    let mut child = again(&["fill", &scale.to_string()], folder.path()).spawn().unwrap();
    let mut steady = None;
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        let Some(told) = line.strip_prefix("filled ") else {
            println!("{line}");
            continue;
        };
        steady = Some(told.to_owned());
        // Neither flushed nor closed nor synced.
        child.kill().unwrap();
    }
    child.wait().unwrap();
    let words = format!("reopen {}", steady.unwrap());
    let words: Vec<&str> = words.split(' ').collect();
    let output = again(&words, folder.path()).output().unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// This program in a process of its own.
fn again(words: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(words).arg(dir).stdout(Stdio::piped());
    command
}

/// In a process of its own: fills a window with a million series, says so, and is killed.
fn fill(scale: i64, dir: &Path) {
    let containers = 1_000_000 / kubelet::SYNTHETIC_METRICS / usize::try_from(scale).unwrap();
    let mut cluster = Cluster::synthetic(containers);
    let disk = Counting::default();
    let store = open(&disk, dir, BEGIN);
    // The cluster itself is known before memory is measured.
    drop(cluster.tick(at(BEGIN - STEP)));
    let before = resident_bytes();
    let mut peak = 0.0_f64;
    let mut tick = 0;
    // As much as a window holds, less one batch.
    let most = Options::default().window_samples - 1_100_000;
    let mut appending = Duration::ZERO;
    let mut samples = 0;
    while samples < most && tick < 119 {
        let now = BEGIN + tick * STEP;
        let batch = cluster.tick(at(now));
        let begun = Instant::now();
        samples += store.append(&batch, at(now)).unwrap().samples;
        appending += begun.elapsed();
        drop(batch);
        peak = peak.max(resident_bytes() - before);
        tick += 1;
    }
    let summary = store.summary();
    let series = summary.head_series as f64;
    row(
        "series in memory, samples of each",
        format!("{series} x {:.0}", summary.head_samples as f64 / series),
        "",
    );
    row(
        "  million samples/s through log and window",
        format!("{:.2}", summary.head_samples as f64 / appending.as_secs_f64() / 1e6),
        ">= 1",
    );
    row(
        "  bytes of memory per series, by RSS (peak)",
        format!("{:.0} ({:.0})", (resident_bytes() - before) / series, peak / series),
        "<= 1024",
    );
    row(
        "  bytes of memory per series, counted, labels not",
        format!("{:.0}", summary.head_bytes as f64 / series),
        "",
    );
    row(
        "  log bytes per sample",
        format!("{:.2}", summary.wal_bytes as f64 / summary.head_samples as f64),
        "",
    );
    let steady = resident_bytes() - before;
    let now = BEGIN + tick * STEP;
    println!("filled {now} {steady} {samples}");
    // Goes on until it is killed.
    loop {
        std::thread::park();
    }
}

/// The same samples for the store, Prometheus and `VictoriaMetrics`, side by side.
fn side_by_side(what: &str, feeder: Feeder<'_>, ticks: i64) {
    let folder = tempfile::tempdir().unwrap();
    let batches: Vec<Arc<Batch>> = (0..ticks).map(|tick| feeder(at(BEGIN + tick * STEP))).collect();
    let mut next = batches.iter();
    let run = feed(folder.path(), &mut |_| Arc::clone(next.next().unwrap()), ticks);
    let end = BEGIN + ticks * STEP + DAY;
    run.store.flush(at(end)).unwrap();
    run.store.compact(at(end)).unwrap();
    let ours: u64 = run.store.summary().blocks.iter().map(|block| block.bytes).sum();
    let ours = ours as f64 / run.samples;
    let took = run.appending + run.maintaining;
    println!("\n{what}: {:.1} million samples, every minute\n", run.samples / 1e6);
    println!("| | bytes per sample | Taffrail's share | samples/s, whole path | RSS MiB |");
    println!("|---|---|---|---|---|");
    println!("| Taffrail | {ours:.3} | | {:.2} M | |", run.samples / took.as_secs_f64() / 1e6);
    for mut rival in [rivals::prometheus(), rivals::victoria_metrics()] {
        let mut requests = rivals::Requests::default();
        for batch in &batches {
            if let Some(body) = requests.take(batch) {
                rival.write(&body);
            }
        }
        rival.write(&requests.request());
        let resident = rival.resident();
        let (bytes, samples) = rival.settled(run.samples);
        let theirs = bytes / samples;
        println!(
            "| {} | {theirs:.3} | {:.2} | {:.2} M | {:.0} |",
            rival.name,
            ours / theirs,
            run.samples / rival.writing.as_secs_f64() / 1e6,
            resident / 1_048_576.0
        );
    }
}

/// In a process of its own: opens what [`million`] left, and turns it into a block.
fn reopen(now: i64, steady: f64, samples: u64, dir: &Path) {
    let before = resident_bytes();
    let begun = Instant::now();
    let store = open(&Counting::default(), dir, now);
    let took = begun.elapsed().as_secs_f64();
    assert_eq!(store.summary().head_samples, samples, "samples were lost");
    row("restart after kill -9, s", format!("{took:.2}"), "<= 2");
    let ratio = (resident_bytes() - before) / steady;
    row("  memory after it, of memory before", format!("{ratio:.2}"), "<= 1.2");
    let begun = Instant::now();
    store.flush(at(now)).unwrap();
    let flushed = begun.elapsed().as_secs_f64();
    row("turning that window into a block, s", format!("{flushed:.2}"), "");
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match words[..] {
        ["fill", scale, dir] => return fill(scale.parse().unwrap(), Path::new(dir)),
        ["reopen", now, steady, samples, dir] => {
            let (now, samples) = (now.parse().unwrap(), samples.parse().unwrap());
            return reopen(now, steady.parse().unwrap(), samples, Path::new(dir));
        }
        _ => {}
    }
    if words.contains(&"rivals") {
        let ticks = DAY / STEP + 6 * 60;
        let mut made_up = Cluster::synthetic(300);
        side_by_side("made-up kubelets, 300 containers", &mut |now| made_up.tick(now), ticks);
        let mut recorded = Cluster::recorded(20);
        side_by_side("recorded kubelet, 20 nodes", &mut |now| recorded.tick(now), ticks);
        let mut simulated = Measured::new(5, 30, at(BEGIN));
        side_by_side("simulated cluster, 5 nodes", &mut |now| simulated.tick(now), ticks);
        return;
    }
    let quick = words.contains(&"quick");
    let scale = if quick { 10 } else { 1 };
    let parts: [(&str, &dyn Fn()); 5] = [
        ("wide", &|| wide(if quick { 2 } else { 1 })),
        ("recorded", &|| recorded(if quick { 4 } else { 1 })),
        ("simulated", &|| simulated(scale)),
        ("month", &|| month(scale)),
        ("million", &|| million(scale)),
    ];
    let named = parts.iter().any(|(name, _)| words.contains(name));
    row("what", "measured", "target");
    for (_, run) in parts.iter().filter(|(name, _)| !named || words.contains(name)) {
        run();
    }
}
