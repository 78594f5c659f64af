//! Benchmarks that need whole processes: what one tick costs a running `taffrail serve`.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::child::Running;
use crate::process::{Outcome, cargo, root};

/// Ticks that are measured, after the first two (connections, caches).
const TICKS: usize = 5;
/// The kernel's unit of CPU time in /proc/PID/stat: 1/100 s on every Linux we build for.
const CLOCK_TICKS_PER_SECOND: f64 = 100.0;

/// `bench tick`: scrapes a simulated cluster over TLS with a real server process and prints CPU
/// and memory of that process alone.
pub(crate) fn tick(options: &[&str]) -> Outcome {
    let nodes = number(options, "--nodes", 1000)?;
    let pods_per_node = number(options, "--pods-per-node", 30)?;
    cargo(&["build", "--release", "--package", "taffrail", "--locked"])?;
    let binary = root().join("target/release/taffrail");
    let kubeconfig = std::env::temp_dir().join(format!("taffrail-bench-{}", std::process::id()));
    let _simulated = simulated(&binary, &kubeconfig, nodes, pods_per_node)?;
    let source = format!(
        "--source=kubernetes.summary_api:?inClusterConfig=false&auth={}&kubeletHttps=true&kubeletPort={}",
        kubeconfig.display(),
        KUBELET_PORT,
    );
    let server = Running::start(
        Command::new(&binary)
            .args(["serve", &source, "--listen", "127.0.0.1:0", "--metric-resolution", "15s"])
            .arg("--no-history")
            .stderr(fs::File::create("/tmp/taffrail-bench.log").map_err(|e| e.to_string())?),
        "http://",
    )?;
    let address = server
        .said()
        .split_whitespace()
        .find_map(|word| word.strip_prefix("http://"))
        .map(|word| word.trim_end_matches('/').to_owned())
        .ok_or("the server printed no address")?;
    let rows = measure(&server, &address)?;
    fs::remove_file(&kubeconfig).map_err(|error| error.to_string())?;
    print_table(&rows, nodes, pods_per_node);
    Ok(())
}

/// `bench sinks`: a large batch to each sink, or to those of `kinds`.
pub(crate) fn sinks(kinds: &[&str]) -> Outcome {
    let bench = ["bench", "--package", "sinks", "--bench", "deliver", "--locked", "--"];
    cargo(&[&bench[..], kinds].concat())
}

/// `bench lists`: lists of metrics.k8s.io, all kinds or those with one of the words.
pub(crate) fn lists(words: &[&str]) -> Outcome {
    let bench = ["bench", "--package", "api", "--bench", "lists", "--locked", "--"];
    cargo(&[&bench[..], words].concat())
}

/// `bench scrape`: what a scraped program costs, by their number.
pub(crate) fn scrape() -> Outcome {
    cargo(&["bench", "--package", "taffrail", "--bench", "scrape", "--locked"])
}

/// `bench store`: what the store costs, then the same samples in Prometheus and
/// `VictoriaMetrics`.
pub(crate) fn store() -> Outcome {
    rivals()?;
    let bench = ["bench", "--package", "taffrail", "--bench", "store", "--locked"];
    cargo(&bench)?;
    cargo(&[&bench[..], &["--", "rivals"]].concat())
}

/// `bench query`: dashboards' queries, Prometheus and `VictoriaMetrics` beside on the same
/// samples; then long ranges of our own API.
pub(crate) fn query() -> Outcome {
    rivals()?;
    cargo(&["bench", "--package", "taffrail", "--bench", "query", "--locked"])
}

/// Fails when the programs to compare with are missing.
fn rivals() -> Outcome {
    for program in ["/usr/bin/prometheus", "/usr/bin/victoria-metrics"] {
        if !Path::new(program).exists() {
            return Err(format!(
                "{program} is missing: apt-get install prometheus victoria-metrics"
            ));
        }
    }
    Ok(())
}

/// The port that every simulated kubelet listens on, over TLS.
const KUBELET_PORT: u16 = 20250;

fn simulated(
    binary: &Path,
    kubeconfig: &Path,
    nodes: u64,
    pods_per_node: u64,
) -> Result<Running, String> {
    Running::start(
        Command::new(binary)
            .args(["simulate", "--containers-per-pod", "1", "--seed", "1"])
            .args(["--nodes", &nodes.to_string(), "--pods-per-node", &pods_per_node.to_string()])
            .args(["--listen", "127.0.0.1:0", "--kubelet-port", &KUBELET_PORT.to_string()])
            .arg("--kubeconfig-out")
            .arg(kubeconfig),
        "https://",
    )
}

/// What one tick cost.
struct Tick {
    took: String,
    cpu_seconds: f64,
    rss_mib: f64,
    rows: String,
}

fn measure(server: &Running, address: &str) -> Result<Vec<Tick>, String> {
    let mut ticks = Vec::new();
    let mut last = next_batch(address, "")?;
    let mut cpu = cpu_seconds(server.id())?;
    for number in 0..TICKS + 2 {
        let status = next_batch(address, &last)?;
        let now = cpu_seconds(server.id())?;
        if number >= 2 {
            ticks.push(Tick {
                took: field(&status, "tookMs"),
                cpu_seconds: now - cpu,
                rss_mib: rss_mib(server.id())?,
                rows: field(&status, "rows"),
            });
        }
        cpu = now;
        last = status;
    }
    Ok(ticks)
}

/// Waits for a batch newer than the one in the status text `last`.
pub(crate) fn next_batch(address: &str, last: &str) -> Result<String, String> {
    let begun = Instant::now();
    let before = batch_time(last);
    while begun.elapsed() < Duration::from_mins(2) {
        let status = get(address, "/api/taffrail/v1/status")?;
        let time = batch_time(&status);
        // How long the tick took is told a moment after its batch can be seen.
        if !time.is_empty() && time != before && !field(&status, "tookMs").is_empty() {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(250));
    }
    Err("no new batch within two minutes; see /tmp/taffrail-bench.log".to_owned())
}

fn batch_time(status: &str) -> String {
    status
        .split_once("\"lastBatch\":{")
        .map_or_else(String::new, |(_, rest)| field(rest, "timestamp"))
}

/// The digits behind `"name":` in a JSON text.
pub(crate) fn field(text: &str, name: &str) -> String {
    let marker = format!("\"{name}\":");
    text.split_once(&marker).map_or_else(String::new, |(_, rest)| {
        rest.chars().take_while(char::is_ascii_digit).collect()
    })
}

pub(crate) fn get(address: &str, path: &str) -> Result<String, String> {
    let mut stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
    Ok(answer)
}

/// User and system time of the process so far.
pub(crate) fn cpu_seconds(id: u32) -> Result<f64, String> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).map_err(|error| error.to_string())?;
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|word| word.parse::<f64>().ok())
        .sum();
    Ok(ticks / CLOCK_TICKS_PER_SECOND)
}

pub(crate) fn rss_mib(id: u32) -> Result<f64, String> {
    let text =
        fs::read_to_string(format!("/proc/{id}/status")).map_err(|error| error.to_string())?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok())
        .ok_or("no VmRSS")?;
    Ok(kib / 1024.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts of nodes and pods are small")]
fn print_table(ticks: &[Tick], nodes: u64, pods_per_node: u64) {
    let pods = (nodes * pods_per_node) as f64;
    println!("\n{nodes} nodes × {pods_per_node} pods, /stats/summary over TLS, one process\n");
    println!("| tick | took ms | rows | CPU s | CPU ms/node | RSS MiB | RSS KiB/pod |");
    println!("|---|---|---|---|---|---|---|");
    for (number, tick) in ticks.iter().enumerate() {
        println!(
            "| {} | {} | {} | {:.2} | {:.3} | {:.0} | {:.1} |",
            number + 1,
            tick.took,
            tick.rows,
            tick.cpu_seconds,
            tick.cpu_seconds * 1000.0 / nodes as f64,
            tick.rss_mib,
            tick.rss_mib * 1024.0 / pods,
        );
    }
}

pub(crate) fn number(options: &[&str], name: &str, default: u64) -> Result<u64, String> {
    let Some(at) = options.iter().position(|option| *option == name) else { return Ok(default) };
    options
        .get(at + 1)
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| format!("{name} takes a whole number"))
}
