//! What scraping costs by the number of targets: how long until they are known, memory of each,
//! CPU of each scrape with its samples kept on disk as a server keeps them.
//!
//! `cargo xtask bench scrape`, or `cargo bench -p taffrail --bench scrape -- [TARGETS…]`. The
//! programs are a process of their own; each number of targets has a process too, so that memory
//! and CPU are those of scraping alone.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark that prints a table of rounded numbers, or stops"
)]

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use model::{ContainerSpec, Inventory, Pod, ScrapeHint, SharedInventory};
use pipeline::Clock;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use scrape::{Described, Keep, Sample, Scraper, Settings};
use store::{Disk, Incoming, SampleOptions, Samples};

#[path = "scrape/programs.rs"]
mod programs;

use programs::Programs;

/// Targets of a row.
const ROWS: [usize; 3] = [100, 1_000, 10_000];
/// How often each is asked.
const EVERY: Duration = Duration::from_secs(15);
/// Intervals that are measured, after two (connections, first samples).
const MEASURED: u32 = 3;
/// The most time for the first answers.
const PATIENCE: Duration = Duration::from_mins(2);
/// The kernel's unit of CPU time in /proc/PID/stat: 1/100 s on every Linux we build for.
const CLOCK_TICKS_PER_SECOND: f64 = 100.0;
/// Tells a child its number of targets and the programs' port.
const CHILD: &str = "TAFFRAIL_BENCH_SCRAPE";

fn main() {
    if programs::is_wanted() {
        return programs::serve();
    }
    if let Ok(told) = std::env::var(CHILD) {
        let (targets, port) = told.split_once(' ').unwrap();
        return row(targets.parse().unwrap(), port.parse().unwrap());
    }
    // Every target has a connection, in both of the processes that are begun here.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let asked: Vec<usize> =
        std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let rows = if asked.is_empty() { ROWS.to_vec() } else { asked };
    println!(
        "{:>8} {:>8} {:>12} {:>10} {:>12} {:>14} {:>14} {:>8}",
        "targets",
        "series",
        "discovery ms",
        "all up s",
        "KiB/target",
        "CPU µs/scrape",
        "CPU ns/sample",
        "cores"
    );
    for targets in rows {
        let programs = Programs::start();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.env(CHILD, format!("{targets} {}", programs.port));
        assert!(child.status().unwrap().success(), "{targets} targets");
    }
}

/// What a server does with samples.
struct Kept {
    samples: Arc<Samples>,
    clock: Clock,
    scrapes: AtomicUsize,
    stored: AtomicUsize,
}

impl Keep for Kept {
    fn keep(
        &self,
        samples: &[Sample],
        _: &[Described],
    ) -> Result<BTreeMap<&'static str, usize>, String> {
        let incoming: Vec<Incoming<'_>> = samples.iter().map(Incoming::from).collect();
        let taken = self.samples.append(&incoming, self.clock.now());
        let taken = taken.map_err(|error| error.to_string())?;
        self.scrapes.fetch_add(1, Ordering::Relaxed);
        self.stored.fetch_add(taken.stored, Ordering::Relaxed);
        Ok(taken.refused.into_iter().map(|(reason, count)| (reason.name(), count)).collect())
    }
}

/// One annotated pod for each program.
fn inventory(targets: usize, port: u16) -> SharedInventory {
    let mut inventory = Inventory::default();
    for number in 0..targets {
        let hint = ScrapeHint {
            scrape: "true".into(),
            port: port.to_string().into(),
            path: "".into(),
            scheme: "".into(),
        };
        let app = format!("app-{}", number / 10);
        inventory.put_pod(Arc::new(Pod {
            namespace: format!("team-{}", number / 100).into(),
            name: format!("{app}-{number}").into(),
            phase: "Running".into(),
            node: format!("node-{}", number / 30).into(),
            ip: programs::address(number).to_string().into(),
            labels: [("app".into(), app.into())].into_iter().collect::<Box<[_]>>().into(),
            containers: [ContainerSpec {
                name: "main".into(),
                ports: [("metrics".into(), port)].into(),
                ..ContainerSpec::default()
            }]
            .into(),
            scrape: Some(hint.into()),
            ..Pod::default()
        }));
    }
    Arc::new(RwLock::new(inventory))
}

fn row(targets: usize, port: u16) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measured(targets, port));
}

async fn measured(targets: usize, port: u16) {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::system());
    let dir = folder.path().join("samples");
    let samples = Samples::open(Arc::new(Disk), dir, SampleOptions::default(), clock.now());
    let samples = Arc::new(samples.unwrap());
    let inventory = inventory(targets, port);
    let kept = Arc::new(Kept {
        samples: Arc::clone(&samples),
        clock,
        scrapes: AtomicUsize::default(),
        stored: AtomicUsize::default(),
    });
    let settings = Settings { annotations: true, interval: EVERY, ..Settings::default() };
    let before = resident_bytes();
    let begin = Instant::now();
    let scraper = Scraper::new(settings, inventory, Arc::<Kept>::clone(&kept), clock);
    tokio::spawn(scraper.clone().run());
    let known = |scraper: &Scraper| {
        let summary = scraper.summary();
        (summary.up, summary.up + summary.down + summary.unknown)
    };
    while known(&scraper).1 < targets {
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    let discovery = begin.elapsed();
    tokio::spawn(maintain(Arc::clone(&samples), clock));
    while known(&scraper).0 < targets {
        let errors = scraper.summary().errors;
        assert!(begin.elapsed() < PATIENCE, "not all targets are up: {errors:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let all_up = begin.elapsed();
    tokio::time::sleep(2 * EVERY).await;
    let counted = || {
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed) as f64;
        (cpu_seconds(), count(&kept.scrapes), count(&kept.stored), Instant::now())
    };
    let from = counted();
    tokio::time::sleep(MEASURED * EVERY).await;
    let to = counted();
    let after = resident_bytes();
    let summary = scraper.summary();
    assert_eq!((summary.up, summary.down), (targets, 0), "{:?}", summary.errors);
    assert!(summary.refused.is_empty(), "{:?}", summary.refused);
    let (cpu, asked, stored) = (to.0 - from.0, to.1 - from.1, to.2 - from.2);
    println!(
        "{targets:>8} {:>8.0} {:>12.1} {:>10.1} {:>12.1} {:>14.0} {:>14.0} {:>8.3}",
        stored / asked * targets as f64,
        discovery.as_secs_f64() * 1000.0,
        all_up.as_secs_f64(),
        (after - before) / 1024.0 / targets as f64,
        cpu / asked * 1e6,
        cpu / stored * 1e9,
        cpu / to.3.duration_since(from.3).as_secs_f64(),
    );
}

/// Makes samples safe each second, as a server does.
async fn maintain(samples: Arc<Samples>, clock: Clock) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let samples = Arc::clone(&samples);
        let step = tokio::task::spawn_blocking(move || samples.maintain(clock.now()));
        step.await.unwrap().unwrap();
    }
}

fn resident_bytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size() as f64
}

/// The CPU time of this process so far, user and system.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks as f64 / CLOCK_TICKS_PER_SECOND
}
