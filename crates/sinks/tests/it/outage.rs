//! Outages of real servers: ten minutes without one, the process of the sink killed twice
//! meanwhile; then every batch is there, in order, once.
//!
//! The minutes are those of the batches: their times are what the engine goes by.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Instant, UNIX_EPOCH};

use sinks::SinkStatus;

use crate::any::Any;
use crate::real::{SOON, STEP};

#[path = "outage/programs.rs"]
mod programs;
#[path = "outage/protocols.rs"]
mod protocols;
#[path = "outage/vendors.rs"]
mod vendors;

/// Holds kind, address and settings of a child's sink, a line each.
const CHILD: &str = "TAFFRAIL_TEST_ENGINE";
/// Before what a child says, which the test harness writes between.
const SAYS: &str = "engine: ";

/// One sink's engine in a process of its own.
struct Engine {
    process: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Engine {
    fn start(kind: &str, address: &str, settings: &[(&str, &str)]) -> Self {
        let mut told = format!("{kind}\n{address}");
        for (name, value) in settings {
            write!(told, "\n{name}={value}").unwrap();
        }
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "outage::an_engine_is_a_process", "--nocapture"])
            .env(CHILD, told)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, input, lines }
    }

    fn ask(&mut self, command: &str) -> String {
        writeln!(self.input, "{command}").unwrap();
        loop {
            let line = self.lines.next().expect("the engine's answer").unwrap();
            if let Some((_, said)) = line.split_once(SAYS) {
                return said.to_owned();
            }
        }
    }

    /// Exports the batch of `minute`.
    fn export(&mut self, minute: i64, value: i64) {
        assert_eq!(self.ask(&format!("export {minute} {value}")), "exported");
    }

    /// Waits until nothing waits any more.
    fn drain(&mut self) {
        assert_eq!(self.ask("drain"), "drained");
    }

    /// `kill -9`.
    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// What the child process does: obeys its standard input.
fn serve(told: &str) {
    let mut lines = told.lines();
    let (kind, address) = (lines.next().unwrap(), lines.next().unwrap());
    let settings: Vec<_> = lines.map(|line| line.split_once('=').unwrap()).collect();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    let _inside = runtime.enter();
    let address = (!address.is_empty()).then_some(("address", address));
    let settings = address.iter().chain(&settings);
    let settings = settings.map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let mut out = Any::new(sinks::find(kind).unwrap(), settings);
    for line in io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["export", minute, value] => {
                out.export(minute.parse().unwrap(), value.parse().unwrap());
                say("exported");
            }
            ["drain"] => match awaited(&out, |status| status.waiting_chunks == 0) {
                status if status.waiting_chunks == 0 => say("drained"),
                status => say(&format!("{status:?}")),
            },
            ["fail"] => {
                let status = awaited(&out, |status| status.failure.is_some());
                say(&format!("{:?}", status.failure));
            }
            _ => panic!("{line}"),
        }
    }
}

/// How the sink stands once it is `done`, or after too long.
fn awaited(out: &Any, done: impl Fn(&SinkStatus) -> bool) -> SinkStatus {
    let begun = Instant::now();
    loop {
        let status = out.status().unwrap();
        if done(&status) || begun.elapsed() > SOON {
            return status;
        }
        sleep(STEP);
    }
}

fn say(answer: &str) {
    let mut output = io::stdout().lock();
    writeln!(output, "\n{SAYS}{answer}").unwrap();
}

/// As a child: is the engine. Otherwise: one is started, and what it exports arrives.
#[test]
fn an_engine_is_a_process() {
    if let Ok(told) = std::env::var(CHILD) {
        return serve(&told);
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let mut engine = Engine::start("graphite", &address, &[]);
    engine.export(1, 5);
    let (mut stream, _) = listener.accept().unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "kubernetes.nodes.n1.cpu.usage_rate 5 60\n");
    drop(stream);
    engine.drain();
    engine.kill();
}

/// The minute that it is, as the file system's clock has it.
fn this_minute(folder: &Path) -> i64 {
    let modified = fs::metadata(folder).unwrap().modified().unwrap();
    i64::try_from(modified.duration_since(UNIX_EPOCH).unwrap().as_secs() / 60).unwrap()
}

/// What a server has: (minute, value in thousandths), in its own order.
type Points = Vec<(i64, i64)>;

/// Ten minutes without the server, then everything is there. `read` may find that the server
/// needs more time.
fn outage<S>(
    kind: &str,
    address: &str,
    settings: &[(&str, &str)],
    start: impl FnOnce() -> S,
    mut read: impl FnMut(&mut S) -> Points,
) {
    let folder = tempfile::tempdir().unwrap();
    let queue = folder.path().join("queue");
    let mut settings = settings.to_vec();
    settings.push(("queue", queue.to_str().unwrap()));
    let first = this_minute(folder.path()) - 11;
    let mut expected = Points::new();
    let mut server = None;
    let mut start = Some(start);
    for minutes in [0..4, 4..8, 8..12] {
        let last = minutes.end == 12;
        let mut engine = Engine::start(kind, address, &settings);
        for number in minutes {
            if number == 10 {
                server = start.take().map(|start| start());
            }
            let (minute, value) = (first + number, (number + 1) * 1000);
            engine.export(minute, value);
            expected.push((minute, value));
        }
        if last {
            engine.drain();
        }
        engine.kill();
    }
    let mut server = server.unwrap();
    let begun = Instant::now();
    while read(&mut server).len() < expected.len() && begun.elapsed() < SOON {
        sleep(STEP);
    }
    assert_eq!(read(&mut server), expected, "{kind}: all of it, in order, once");
}

/// Log prints: nobody can be away. Every other kind is the first argument of an outage.
#[test]
fn every_kind_has_an_outage() {
    let tests = concat!(
        include_str!("outage/programs.rs"),
        include_str!("outage/protocols.rs"),
        include_str!("outage/vendors.rs"),
    );
    for kind in sinks::ALL.iter().filter(|kind| kind.key != "log") {
        let begins = ["outage(", "store(", "google(", "victoria(", "repeated("];
        let tested = begins.iter().any(|begin| tests.contains(&format!("{begin}\"{}\"", kind.key)));
        assert!(tested, "{} has no outage: write one in tests/it/outage", kind.key);
    }
}
