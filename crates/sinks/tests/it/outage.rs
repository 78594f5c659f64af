//! Outages of real servers: ten minutes without one, the process of the sink killed twice
//! meanwhile; then every batch is there, in order, once.
//!
//! The minutes are those of the batches: their times are what the engine goes by.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, UNIX_EPOCH};

use tempfile::TempDir;

use crate::servers::{batch, sink};

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
    let mut out = sink(kind, address, &settings);
    for line in io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["export", minute, value] => {
                out.export(&batch(minute.parse().unwrap(), value.parse().unwrap())).unwrap();
                say("exported");
            }
            ["drain"] => {
                let status = out.status().unwrap();
                let begun = Instant::now();
                while status.status().waiting_chunks > 0 && begun.elapsed() < SOON {
                    sleep(STEP);
                }
                match status.status() {
                    status if status.waiting_chunks == 0 => say("drained"),
                    status => say(&format!("{status:?}")),
                }
            }
            _ => panic!("{line}"),
        }
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
    assert_eq!(text, "kubernetes.cluster.cpu.usage_rate 5 60\n");
    drop(stream);
    engine.drain();
    engine.kill();
}

/// A real server with a folder of its own; both end with it.
struct Program {
    process: Child,
    folder: TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Program {
    /// Starts `binary` and waits until it listens on `address`.
    fn start(binary: &str, folder: TempDir, arguments: &[String], address: &str) -> Self {
        assert!(Path::new(binary).exists(), "{binary} is missing: run cargo xtask tools");
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new(binary)
            .args(arguments)
            .current_dir(folder.path())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut program = Self { process, folder };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = program.process.try_wait().unwrap();
            let log = || fs::read_to_string(program.folder.path().join("log")).unwrap();
            assert!(ended.is_none() && begun.elapsed() < SOON, "{binary}: {}", log());
            sleep(STEP);
        }
        program
    }
}

/// An address that nobody listens on now.
fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// The answer's body.
fn get(address: &str, target: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {target} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
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
fn outage(
    kind: &str,
    address: &str,
    settings: &[(&str, &str)],
    start: impl FnOnce() -> Program,
    read: impl Fn() -> Points,
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
    let begun = Instant::now();
    while read().len() < expected.len() && begun.elapsed() < SOON {
        sleep(STEP);
    }
    assert_eq!(read(), expected, "{kind}: all of it, in order, once");
    drop(server);
}

/// `[[time, value], …]` behind `marker`: times in seconds times `unit`, values times `scale`.
fn pairs(text: &str, marker: &str, unit: f64, scale: f64) -> Points {
    let Some((_, rest)) = text.split_once(marker) else { return Points::new() };
    let json: Vec<(f64, serde_json::Value)> =
        serde_json::Deserializer::from_str(rest).into_iter().next().unwrap().unwrap();
    json.into_iter()
        .map(|(time, value)| (whole(time / unit / 60.0), whole(number(&value) * scale)))
        .collect()
}

fn number(value: &serde_json::Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

#[expect(clippy::cast_possible_truncation, reason = "small whole numbers")]
fn whole(number: f64) -> i64 {
    number.round() as i64
}

#[test]
fn influxdb_1() {
    let address = free();
    let start = || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let config = format!(
            "reporting-enabled = false\nbind-address = \"127.0.0.1:0\"\n[meta]\ndir = \"{path}/m\"\n\
             [data]\ndir = \"{path}/d\"\nwal-dir = \"{path}/w\"\n[monitor]\nstore-enabled = false\n\
             [http]\nbind-address = \"{address}\"\n"
        );
        fs::write(folder.path().join("conf"), config).unwrap();
        Program::start("/usr/bin/influxd", folder, &["-config".into(), "conf".into()], &address)
    };
    let query = "/query?db=k8s&epoch=s&q=SELECT%20value%20FROM%20%22cpu/usage_rate%22";
    let read = || pairs(&get(&address, query), "\"values\":", 1.0, 1.0);
    outage("influxdb", &format!("http://{address}"), &[], start, read);
}

#[test]
fn prometheus_by_remote_write() {
    let address = free();
    let start = || {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("conf.yml"), "global: {}\n").unwrap();
        let arguments = [
            "--config.file=conf.yml".to_owned(),
            "--storage.tsdb.path=data".to_owned(),
            format!("--web.listen-address={address}"),
            "--web.enable-remote-write-receiver".to_owned(),
        ];
        Program::start("/usr/bin/prometheus", folder, &arguments, &address)
    };
    let query = "/api/v1/query?query=taffrail_cluster_cpu_usage_rate_cores%5B1h%5D";
    let read = || pairs(&get(&address, query), "\"values\":", 1.0, 1000.0);
    outage("remotewrite", &format!("http://{address}"), &[], start, read);
}

/// A server and how to read the series that matches.
fn victoria_metrics(http: &str, graphite: &str, opentsdb: &str) -> Program {
    let arguments = [
        "-storageDataPath=data".to_owned(),
        format!("-httpListenAddr={http}"),
        format!("-graphiteListenAddr={graphite}"),
        format!("-opentsdbHTTPListenAddr={opentsdb}"),
        "-dedup.minScrapeInterval=1ms".to_owned(),
        "-memory.allowedBytes=128MB".to_owned(),
    ];
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start("/usr/bin/victoria-metrics", folder, &arguments, http);
    for address in [graphite, opentsdb] {
        while TcpStream::connect(address).is_err() {
            sleep(STEP);
        }
    }
    program
}

/// An outage of VictoriaMetrics; `scale` makes thousandths of what it holds.
fn victoria(kind: &str, address: impl Fn([&str; 3]) -> String, name: &str, scale: f64) {
    let [http, graphite, opentsdb] = [free(), free(), free()];
    let address = address([&http, &graphite, &opentsdb]);
    let settings: &[(&str, &str)] = if kind == "influxdb2" { &[("org", "o")] } else { &[] };
    let read = || {
        get(&http, "/internal/force_flush");
        let text = get(&http, &format!("/api/v1/export?reduce_mem_usage=1&match[]={name}"));
        let mut points = Points::new();
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let list = |name: &str| line[name].as_array().unwrap().clone();
            for (time, value) in list("timestamps").iter().zip(list("values")) {
                points.push((whole(number(time) / 60_000.0), whole(number(&value) * scale)));
            }
        }
        points.sort_unstable();
        // What was sent twice is there twice until a query or a merge drops it.
        points.dedup();
        points
    };
    let start = || victoria_metrics(&http, &graphite, &opentsdb);
    outage(kind, &address, settings, start, read);
}

#[test]
fn victoria_metrics_by_remote_write() {
    let name = "taffrail_cluster_cpu_usage_rate_cores";
    victoria("remotewrite", |[http, ..]| format!("http://{http}"), name, 1000.0);
}

#[test]
fn victoria_metrics_by_import() {
    let name = "taffrail_cluster_cpu_usage_rate_cores";
    victoria("victoriametrics", |[http, ..]| format!("http://{http}"), name, 1000.0);
}

#[test]
fn victoria_metrics_by_influxdb_2() {
    let name = "%7B__name__=%22cpu/usage_rate_value%22%7D";
    victoria("influxdb2", |[http, ..]| format!("http://{http}"), name, 1.0);
}

#[test]
fn victoria_metrics_by_graphite() {
    let name = "%7B__name__=%22kubernetes.cluster.cpu.usage_rate%22%7D";
    victoria("graphite", |[_, graphite, _]| format!("tcp://{graphite}"), name, 1.0);
}

#[test]
fn victoria_metrics_by_opentsdb() {
    let name = "cpu_usage_rate_gauge";
    victoria("opentsdb", |[.., opentsdb]| format!("http://{opentsdb}"), name, 1.0);
}
