//! What questions cost over HTTP: every dashboard's query, asked of `taffrail serve`, Prometheus
//! and `VictoriaMetrics` on the same samples; then long ranges of our own API.
//!
//! `cargo xtask bench query`. The samples are a simulated cluster's of six hours, as our own
//! server answers them; the others get them through remote write.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a benchmark that prints a table of rounded numbers"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, IsTerminal as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Batch, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pipeline::Clock;
use query::StateHistory;
use serde_json::Value;
use store::{Disk, Options, Store};

#[path = "query/client.rs"]
mod client;
#[path = "store/kubelet.rs"]
#[expect(dead_code, reason = "the store's benchmark replays recorded payloads too")]
mod kubelet;
#[path = "../examples/history/measured.rs"]
mod measured;
#[path = "query/panels.rs"]
mod panels;
#[path = "store/rivals.rs"]
#[expect(dead_code, reason = "the store's benchmark sends whole batches and measures files")]
mod rivals;

use client::{Answer, Client};
use measured::Measured;
use panels::Panel;
use rivals::Rival;

const STEP: i64 = 60;
const HOUR: i64 = 3600;
/// How far the queries' samples reach back.
const REACH: i64 = 6 * HOUR;
/// How much of it a request to the others carries.
const SLICE: i64 = HOUR / 2;
/// Points of a range query, as Grafana asks for.
const POINTS: i64 = 720;
/// How often all questions are asked in turn: these machines are slow for seconds or minutes.
const ROUNDS: u32 = 2;
/// How often a question is asked in a round at least; the fastest of all counts.
const TIMES: usize = 3;
/// For so long it is asked again in a round: of answers of a tenth of a millisecond, which take two
/// or three times as long where a core has to wake up, three tell little.
const ASKED_FOR: Duration = Duration::from_millis(100);
/// For so long at a time, then another server is asked.
const TURN: Duration = Duration::from_millis(10);
/// A question that has taken so long in all is not asked again.
const LONG_ENOUGH: Duration = Duration::from_secs(2);

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (nodes, pods) =
        if arguments.iter().any(|word| word == "quick") { (3, 10) } else { (20, 30) };
    dashboards(nodes, pods);
    long_ranges();
}

/// A running `taffrail serve`.
struct Served {
    child: Child,
    address: String,
    _stdout: BufReader<std::process::ChildStdout>,
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Served {
    fn start(source: &str, dir: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_taffrail"))
            .args(["serve", source, "--listen=127.0.0.1:0", "--log=off"])
            .arg(format!("--data-dir={}", dir.display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut greeting = String::new();
        stdout.read_line(&mut greeting).unwrap();
        let address = greeting.split("http://").nth(1).unwrap().split('/').next().unwrap();
        let served = Self { child, address: address.to_owned(), _stdout: stdout };
        let begun = Instant::now();
        let mut client = served.client();
        while client.get("/api/taffrail/v1/status")["lastBatch"].is_null() {
            assert!(begun.elapsed() < Duration::from_mins(3), "nothing was measured");
            std::thread::sleep(Duration::from_millis(200));
        }
        served
    }

    fn client(&self) -> Client {
        Client::new(&self.address)
    }

    fn resident(&self) -> f64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap();
        statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0.0) * 4096.0
    }
}

/// As browsers encode a parameter.
fn encoded(text: &str) -> String {
    const ESCAPED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// Attempts at one server, in milliseconds.
#[derive(Default)]
struct Attempts {
    times: Vec<f64>,
    spent: Duration,
    /// The last answer of a round.
    last: String,
    /// How many the answer has.
    series: usize,
}

/// What came of them, in milliseconds.
#[derive(Clone, Copy)]
struct Timing {
    fastest: f64,
    median: f64,
    /// How many the answer has.
    series: usize,
}

impl Attempts {
    /// Whether asking again would tell more, in a round of which there were so many.
    fn goes_on(&self, rounds: u32) -> bool {
        let times = TIMES * rounds as usize;
        self.spent <= if self.times.len() < times { LONG_ENOUGH } else { ASKED_FOR * rounds }
    }

    /// Asks, until a turn's time is over.
    fn turn(&mut self, rounds: u32, client: &mut Client, path: &str) {
        let question = client.question("GET", path, "");
        let first = Instant::now();
        while self.goes_on(rounds) && first.elapsed() < TURN {
            let Answer { status, body, took } = client.ask(&question);
            assert!(status == 200, "{path}: {status} {body}");
            (self.spent, self.last) = (self.spent + took, body);
            self.times.push(took.as_secs_f64() * 1e3);
        }
    }

    /// Ends a round: the answers of all questions would be gigabytes.
    fn count(&mut self) {
        let last = std::mem::take(&mut self.last);
        if !last.is_empty() {
            let answer: Value = serde_json::from_str(&last).unwrap();
            self.series = answer["data"]["result"].as_array().map_or(0, Vec::len);
        }
    }

    fn timing(mut self) -> Timing {
        self.times.sort_by(f64::total_cmp);
        let (fastest, median) = (self.times[0], self.times[self.times.len() / 2]);
        Timing { fastest, median, series: self.series }
    }
}

fn dashboards(nodes: u32, pods: u32) {
    let panels = panels::all();
    let end = (Clock::system().now().secs() / STEP - 1) * STEP;
    let begin = end - REACH;
    let mut cluster = Measured::new(nodes, pods, at(begin));
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(Arc::new(Disk), folder.path(), Options::default(), at(begin)).unwrap();
    let states = StateHistory::default();
    for now in (begin..=end).step_by(STEP as usize) {
        store.append(&cluster.tick(at(now)), at(now)).unwrap();
        store.maintain(at(now)).unwrap();
        cluster.observe(&states, at(now));
    }
    store.sync(at(end)).unwrap();
    drop(store);
    // As a server that stops leaves it.
    std::fs::write(folder.path().join("states.bin"), states.to_bytes()).unwrap();
    let source = format!(
        "--source=kubernetes.summary_api:{}?inClusterConfig=false&kubeletHttps=false&kubeletPort={}",
        cluster.url, cluster.kubelet_port
    );
    let taffrail = Served::start(&source, folder.path());
    let mut others = [rivals::prometheus(), rivals::victoria_metrics()];
    let (series, samples) = copy(&taffrail, &mut others, &panels, end);
    println!(
        "\n{nodes} nodes x {pods} pods, {} h at {STEP} s: {series} series, {:.1} M samples that \
         the dashboards ask for\n",
        REACH / HOUR,
        samples as f64 / 1e6
    );
    let ranges = [0, HOUR, REACH];
    let questions = panels.iter().flat_map(|panel| ranges.map(|range| (panel, range)));
    let mut questions: Vec<Question> =
        questions.map(|(panel, range)| Question::new(panel, range, end)).collect();
    let mut clients = vec![taffrail.client()];
    clients.extend(others.iter().map(|one| Client::new(&one.address)));
    let all = questions.len();
    for round in 1..=ROUNDS {
        for (at, question) in questions.iter_mut().enumerate() {
            question.ask(round, &mut clients);
            if std::io::stderr().is_terminal() {
                eprint!("\rround {round} of {ROUNDS}: {} of {all} questions", at + 1);
            }
        }
    }
    let rows: Vec<Row> = questions.into_iter().map(Question::row).collect();
    report(&rows);
    println!("\n| | RSS MiB after all queries |\n|---|---|");
    println!("| Taffrail | {:.0} |", taffrail.resident() / 1_048_576.0);
    for other in &others {
        println!("| {} | {:.0} |", other.name, other.resident() / 1_048_576.0);
    }
}

/// Sends every sample that the panels may ask for to the others. How many series and samples.
fn copy(taffrail: &Served, others: &mut [Rival], panels: &[Panel], end: i64) -> (usize, usize) {
    let words: BTreeSet<&str> = panels
        .iter()
        .flat_map(|panel| {
            panel.expression.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        })
        .collect();
    let mut client = taffrail.client();
    let names = client.get("/api/v1/label/__name__/values");
    let mut series = Vec::new();
    for name in names["data"].as_array().unwrap().iter().filter_map(Value::as_str) {
        if !words.contains(name) {
            continue;
        }
        let query = encoded(&format!("{{__name__=\"{name}\"}}[{REACH}s]"));
        let answer = client.get(&format!("/api/v1/query?time={end}&query={query}"));
        for one in answer["data"]["result"].as_array().unwrap() {
            let labels: BTreeMap<String, String> =
                serde_json::from_value(one["metric"].clone()).unwrap();
            let values: Vec<(i64, f64)> =
                one["values"].as_array().unwrap().iter().map(sample).collect();
            series.push((labels, values));
        }
    }
    // Prometheus takes nothing that is an hour older than what it has.
    for until in (end - REACH..=end).step_by(SLICE as usize) {
        let slice = (until - SLICE) * 1000 + 1..=until * 1000;
        for some in series.chunks(2_000) {
            let mut requests = rivals::Requests::default();
            for (labels, values) in some {
                let of = values.iter().filter(|(time, _)| slice.contains(time)).copied();
                requests.add(labels, of.collect());
            }
            let body = requests.request();
            for other in others.iter_mut() {
                other.write(&body);
            }
        }
    }
    let (series, samples) =
        (series.len(), series.iter().map(|(_, values)| values.len()).sum::<usize>());
    others.iter().for_each(Rival::flush);
    (series, samples)
}

fn sample(pair: &Value) -> (i64, f64) {
    let value = pair[1].as_str().unwrap().parse().unwrap();
    ((pair[0].as_f64().unwrap() * 1000.0).round() as i64, value)
}

/// One query, and its attempts at each server: ours first.
struct Question {
    place: String,
    range: i64,
    path: String,
    attempts: Vec<Attempts>,
}

impl Question {
    fn new(panel: &Panel, range: i64, end: i64) -> Self {
        let query = encoded(&panel.expression);
        let path = if range == 0 {
            format!("/api/v1/query?time={end}&nocache=1&query={query}")
        } else {
            let (start, step) = (end - range, (range / POINTS).max(15));
            format!(
                "/api/v1/query_range?start={start}&end={end}&step={step}&nocache=1&query={query}"
            )
        };
        Self { place: panel.place.clone(), range, path, attempts: Vec::new() }
    }

    /// Asks all servers in turns, for a round.
    fn ask(&mut self, round: u32, clients: &mut [Client]) {
        self.attempts.resize_with(clients.len(), Attempts::default);
        while self.attempts.iter().any(|attempts| attempts.goes_on(round)) {
            for (attempts, client) in self.attempts.iter_mut().zip(&mut *clients) {
                attempts.turn(round, client, &self.path);
            }
        }
        self.attempts.iter_mut().for_each(Attempts::count);
    }

    fn row(self) -> Row {
        let mut timings = self.attempts.into_iter().map(Attempts::timing);
        let ours = timings.next().unwrap();
        Row { place: self.place, range: self.range, ours, theirs: timings.collect() }
    }
}

/// One query's times.
struct Row {
    place: String,
    range: i64,
    ours: Timing,
    theirs: Vec<Timing>,
}

impl Row {
    /// How much faster we are than the faster of those that answer: who shows nothing where another
    /// and we have series does not.
    fn ratio(&self, of: impl Fn(&Timing) -> f64) -> f64 {
        let has_series = |timing: &&Timing| timing.series > 0;
        let some = self.ours.series > 0 && self.theirs.iter().any(|one| has_series(&one));
        let answered = self.theirs.iter().filter(|one| !some || has_series(one));
        answered.map(&of).fold(f64::INFINITY, f64::min) / of(&self.ours)
    }

    /// By the fastest attempts.
    fn fastest(&self) -> f64 {
        self.ratio(|timing| timing.fastest)
    }

    /// Whether anybody has a series to show.
    fn shows(&self) -> bool {
        std::iter::once(&self.ours).chain(&self.theirs).any(|timing| timing.series > 0)
    }
}

fn report(rows: &[Row]) {
    // What a cluster does not have (swap, limits of network) takes a request's time and no more.
    let empty = rows.iter().filter(|row| !row.shows()).count();
    println!("{empty} of {} questions have no series in any; the others:\n", rows.len());
    println!(
        "| range | queries | at least 2x faster | by medians | slower | median ratio | worst ratio | ms, sum: Taffrail | Prometheus | VictoriaMetrics |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for range in [0, HOUR, REACH] {
        let of = rows.iter().filter(|row| row.range == range && row.shows());
        let of: Vec<&Row> = of.collect();
        if of.is_empty() {
            continue;
        }
        let mut ratios: Vec<f64> = of.iter().map(|row| row.fastest()).collect();
        ratios.sort_by(f64::total_cmp);
        let by_medians = of.iter().filter(|row| row.ratio(|timing| timing.median) >= 2.0).count();
        let sum = |at: usize| -> f64 { of.iter().map(|row| row.theirs[at].fastest).sum() };
        println!(
            "| {} | {} | {} | {by_medians} | {} | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} |",
            if range == 0 { "instant".to_owned() } else { format!("{} h", range / HOUR) },
            of.len(),
            ratios.iter().filter(|ratio| **ratio >= 2.0).count(),
            ratios.iter().filter(|ratio| **ratio < 1.0).count(),
            ratios[ratios.len() / 2],
            ratios[0],
            of.iter().map(|row| row.ours.fastest).sum::<f64>(),
            sum(0),
            sum(1)
        );
    }
    println!(
        "\n| panel | range | series | Taffrail ms | Prometheus | VictoriaMetrics | ratio | by medians |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.sort_by(|left, right| left.fastest().total_cmp(&right.fastest()));
    for row in rows {
        let (ours, theirs) = (row.ours, &row.theirs);
        let series = if theirs.iter().any(|one| one.series != ours.series) {
            format!("{} ({}, {})", ours.series, theirs[0].series, theirs[1].series)
        } else {
            ours.series.to_string()
        };
        println!(
            "| {} | {} | {series} | {:.3} | {:.3} | {:.3} | {:.2} | {:.2} |",
            row.place,
            if row.range == 0 { "instant".to_owned() } else { format!("{} h", row.range / HOUR) },
            ours.fastest,
            theirs[0].fastest,
            theirs[1].fastest,
            row.fastest(),
            row.ratio(|timing| timing.median)
        );
    }
}

/// `POST /query` over thirty days of sixty made-up containers, a sample a minute.
fn long_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let end = Clock::system().now().secs() / STEP * STEP;
    let first = end - 30 * 86_400;
    let mut cluster = kubelet::Cluster::synthetic(60);
    let store = Store::open(Arc::new(Disk), folder.path(), Options::default(), at(first)).unwrap();
    for now in (first..end).step_by(STEP as usize) {
        let batch: Arc<Batch> = cluster.tick(at(now));
        store.append(&batch, at(now)).unwrap();
        store.maintain(at(now)).unwrap();
    }
    store.sync(at(end)).unwrap();
    drop(store);
    let taffrail = Served::start("--source=host", folder.path());
    let named = |count: usize| -> String {
        let one = |at: usize| {
            format!(
                r#"{{"kind":"container","namespace":"namespace-{}","pod":"pod-{at}","name":"main","metric":"memory/working_set"}}"#,
                at % 20
            )
        };
        format!(r#""series":[{}]"#, (0..count).map(one).collect::<Vec<_>>().join(","))
    };
    let top =
        |metric: &str| format!(r#""select":[{{"kind":"container","metric":"{metric}","top":10}}]"#);
    println!(
        "\n| POST /query, 30 d of a sample a minute, 1,000 points | series | ms, first | ms, best of {TIMES} |"
    );
    println!("|---|---|---|---|");
    let mut client = taffrail.client();
    for (what, asked) in [
        ("one container's memory".to_owned(), named(1)),
        ("20 containers' memory".to_owned(), named(20)),
        ("60 containers' memory".to_owned(), named(60)),
        ("the ten of 60 with most memory".to_owned(), top("memory/working_set")),
        ("the ten of 60 with most CPU".to_owned(), top("cpu/usage_rate")),
    ] {
        let body = format!(r#"{{"start":{first}000,"end":{end}000,"points":1000,{asked}}}"#);
        let mut times = Vec::new();
        let mut series = 0;
        let question = client.question("POST", "/api/taffrail/v1/query", &body);
        for _ in 0..TIMES {
            let Answer { status, body: answer, took } = client.ask(&question);
            times.push(took.as_secs_f64() * 1e3);
            assert!(status == 200, "{status} {answer}");
            let answer: Value = serde_json::from_str(&answer).unwrap();
            let found = answer["series"].as_array().unwrap();
            assert!(found.iter().all(|one| !one["avg"][500].is_null()), "{what}: a hole");
            series = found.len();
        }
        let best = times.iter().copied().fold(f64::INFINITY, f64::min);
        println!("| {what} | {series} | {:.1} | {best:.1} |", times[0]);
    }
}
