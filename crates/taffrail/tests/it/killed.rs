//! `taffrail serve` is killed with -9 while it measures a simulated cluster, again and again: what
//! it answered longer ago than its fsync interval is there after the next start.
//!
//! `cargo xtask soak kill` runs more rounds.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::served::Served;
use crate::simulated::simulate;

/// How many rounds; the gate's number without it.
const ROUNDS: &str = "TAFFRAIL_SERVE_KILL_ROUNDS";
/// How many servers run beside each other, each with a folder of its own.
const LANES: &str = "TAFFRAIL_SERVE_KILL_LANES";
/// The default of `--fsync-interval`.
const FSYNC: Duration = Duration::from_secs(1);
/// Questions that one round asks at most after its last batch, a few milliseconds each.
const MOST_QUESTIONS: u64 = 200;

/// (series, time) → value.
type Answered = BTreeMap<(String, i64), f64>;

/// One server's folder and what it has answered so far.
struct Lane {
    dir: tempfile::TempDir,
    source: String,
    from: i64,
    random: u64,
    /// What must be there whatever happens.
    safe: Answered,
}

impl Lane {
    fn new(source: &str, number: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, source: source.to_owned(), from: 0, random: number, safe: Answered::new() }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// Starts it, checks what the rounds before were answered, and kills it at a random moment.
    /// How many values were checked.
    fn round(&mut self) -> usize {
        let dir = format!("--data-dir={}", self.dir.path().display());
        let server = Served::start(&["serve", &self.source, "--metric-resolution=5s", &dir]);
        if self.from == 0 {
            self.from = now(&server) - 60_000;
        }
        let found = ask(&server, self.from);
        for (key, value) in &self.safe {
            let kept = found.get(key);
            assert_eq!(kept, Some(value), "{key:?} of {} was answered and is lost", self.source);
        }
        let mut stream = Stream::open(&server);
        let mut answers = Vec::new();
        for _ in 0..=self.below(2) {
            stream.batch();
            answers.push((Instant::now(), ask(&server, self.from)));
        }
        for _ in 0..self.below(MOST_QUESTIONS) {
            answers.push((Instant::now(), ask(&server, self.from)));
        }
        let killed = Instant::now();
        drop(server); // kill -9
        for (asked, answer) in answers {
            // A value that was answered so long ago had been appended before.
            if killed.duration_since(asked) > FSYNC {
                self.safe.extend(answer);
            }
        }
        self.safe.len()
    }
}

pub(crate) fn now(server: &Served) -> i64 {
    server.get("/api/taffrail/v1/status")["now"].as_i64().unwrap()
}

/// Every value of the cluster and its nodes from `from` on.
fn ask(server: &Served, from: i64) -> Answered {
    let until = now(server) + 60_000;
    let body = format!(
        r#"{{"start":{from},"end":{until},"points":4000,
            "select":[{{"kind":"cluster","metric":"memory/working_set"}},
                      {{"kind":"node","metric":"memory/working_set"}}]}}"#
    );
    let answer = server.post("/api/taffrail/v1/query", &body);
    let mut found = Answered::new();
    for series in answer["series"].as_array().unwrap() {
        let times = answer["timestamps"].as_array().unwrap();
        for (time, value) in times.iter().zip(series["avg"].as_array().unwrap()) {
            if let (Some(time), Some(value)) = (time.as_i64(), value.as_f64()) {
                found.insert((series["of"].to_string(), time), value);
            }
        }
    }
    found
}

/// The server's stream of events.
pub(crate) struct Stream(BufReader<TcpStream>);

impl Stream {
    pub(crate) fn open(server: &Served) -> Self {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let head =
            format!("GET /api/taffrail/v1/stream HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
        stream.write_all(head.as_bytes()).unwrap();
        Self(BufReader::new(stream))
    }

    /// Waits for the next batch.
    pub(crate) fn batch(&mut self) {
        let mut line = String::new();
        while !line.contains("\"timestamp\"") {
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ended");
        }
    }
}

/// A simulated cluster of three nodes, and the flag that measures it.
pub(crate) fn simulated(dir: &Path) -> (Served, String) {
    let (simulated, source) = simulate(&dir.join("kubeconfig"), 3, 5);
    (simulated, format!("--source={source}"))
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn what_a_server_answered_survives_kill_9() {
    let (rounds, lanes) = (number(ROUNDS, 6), number(LANES, 3));
    let folder = tempfile::tempdir().unwrap();
    let (_simulated, source) = simulated(folder.path());
    let (next, checked) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|threads| {
        for lane in 0..lanes {
            let (source, next, checked) = (&source, &next, &checked);
            threads.spawn(move || {
                let mut lane = Lane::new(source, lane);
                let mut safe = 0;
                while next.fetch_add(1, Ordering::Relaxed) < rounds {
                    safe = lane.round();
                }
                // The last round's answers are checked by one more start.
                lane.round();
                checked.fetch_add(safe as u64, Ordering::Relaxed);
            });
        }
    });
    let checked = checked.into_inner();
    println!("{rounds} kills of {lanes} servers, {checked} values looked up");
    assert!(checked > 0, "nothing was ever old enough to be looked up");
}

#[test]
fn an_answer_that_is_gone_would_be_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (_simulated, source) = simulated(folder.path());
    let mut lane = Lane::new(&source, 1);
    lane.round();
    lane.safe.insert(("never measured".to_owned(), 1), 1.0);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lane.round()));
    assert!(outcome.is_err());
}
