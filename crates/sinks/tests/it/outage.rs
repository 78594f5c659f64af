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
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant, UNIX_EPOCH};

use model::{
    Batch, Draft, EntityKind, Event, EventBatch, LabelOptions, Node, Registry, Timestamp, metric,
};
use sinks::{EventSink, Setup, Sink, StatusHandle};

#[path = "outage/programs.rs"]
mod programs;
#[path = "outage/protocols.rs"]
mod protocols;

/// Holds kind, address and settings of a child's sink, a line each.
const CHILD: &str = "TAFFRAIL_TEST_ENGINE";
/// Before what a child says, which the test harness writes between.
const SAYS: &str = "engine: ";
/// Longest wait for what must happen.
const SOON: Duration = Duration::from_mins(1);
const STEP: Duration = Duration::from_millis(50);

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
    let mut out = Out::new(kind, address, &settings);
    for line in io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["export", minute, value] => {
                out.export(minute.parse().unwrap(), value.parse().unwrap());
                say("exported");
            }
            ["drain"] => {
                let status = out.status();
                let begun = Instant::now();
                while status.status().waiting_chunks > 0 && begun.elapsed() < SOON {
                    sleep(STEP);
                }
                match status.status() {
                    status if status.waiting_chunks == 0 => say("drained"),
                    status => say(&format!("{status:?}")),
                }
            }
            ["fail"] => {
                let status = out.status();
                let begun = Instant::now();
                while status.status().failure.is_none() && begun.elapsed() < SOON {
                    sleep(STEP);
                }
                say(&format!("{:?}", status.status().failure));
            }
            _ => panic!("{line}"),
        }
    }
}

/// What is tested: a sink of metrics, or of events where the kind takes only those.
enum Out {
    Metrics(Sink),
    Events(Box<EventSink>),
}

impl Out {
    fn new(kind: &str, address: &str, settings: &[(&str, &str)]) -> Self {
        let address = (!address.is_empty()).then_some(("address", address));
        let settings = address.iter().chain(settings);
        // Signed is by the time that it is: the servers compare.
        let clock = || Timestamp::from_millis(jiff::Timestamp::now().as_millisecond());
        let setup = Setup {
            settings: settings.map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            labels: LabelOptions::default(),
            output: Box::new(io::sink()),
            clock: sinks::Clock::new(clock),
        };
        let kind = sinks::find(kind).unwrap();
        if kind.takes_metrics() {
            Self::Metrics(kind.build(setup).unwrap())
        } else {
            Self::Events(Box::new(kind.build_events(setup).unwrap()))
        }
    }

    fn export(&mut self, minute: i64, value: i64) {
        match self {
            Self::Metrics(sink) => sink.export(&node_batch(minute, value)).unwrap(),
            Self::Events(sink) => sink.export(&event_batch(minute, value)).unwrap(),
        }
    }

    fn status(&self) -> StatusHandle {
        match self {
            Self::Metrics(sink) => sink.status().unwrap(),
            Self::Events(sink) => sink.status().unwrap(),
        }
    }
}

/// One point: the CPU of a node, which every store has a name for.
fn node_batch(minute: i64, value: i64) -> Batch {
    let mut draft = Draft::new(Timestamp::from_secs(60 * minute), Registry::default());
    let entity = draft.registry.node("n1");
    let row = draft.insert(&entity).row;
    let table = draft.table_mut(EntityKind::Node);
    let node = Node { name: "n1".into(), hostname: "n1".into(), ..Node::default() };
    table.context_mut(row).node = Some(Arc::new(node));
    table.set_started(row, Timestamp::from_secs(60 * (minute - 100)));
    table.set_int(row, metric::CPU_USAGE_RATE, value);
    Arc::into_inner(draft.freeze().0).unwrap()
}

/// One event that happened `count` times.
fn event_batch(minute: i64, count: i64) -> EventBatch {
    let timestamp = Timestamp::from_secs(60 * minute);
    let event = Event {
        uid: format!("event-{minute}").into(),
        namespace: "shop".into(),
        object_kind: "Pod".into(),
        object_name: "web-0".into(),
        reason: "BackOff".into(),
        event_type: "Warning".into(),
        message: "back-off".into(),
        count: count.try_into().unwrap(),
        first_seen: timestamp,
        last_seen: timestamp,
        ..Event::default()
    };
    EventBatch { timestamp, events: vec![event] }
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

/// An address that nobody listens on now.
fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
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
