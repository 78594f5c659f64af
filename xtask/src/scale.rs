//! `bench scale`: what a whole `taffrail serve` costs as the cluster grows, with the resource loop,
//! the secure port, history on disk, a dashboard and an HPA controller asking all the time.

mod load;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::bench::{cpu_seconds, field, get, next_batch, number, rss_mib};
use crate::child::Running;
use crate::process::{Outcome, cargo, root};

use load::{Asked, Load, Place};

const PODS_PER_NODE: u64 = 30;
/// Seconds between two ticks, which read summaries.
const TICK: u64 = 60;
/// Seconds between two rounds of the resource loop, and between two turns of the clients.
const ROUND: Duration = Duration::from_secs(15);
/// Ticks before anything is measured: connections, caches, the first files.
const WARM_TICKS: u64 = 2;
/// How long after a batch nobody asks for the next: what the benchmark itself asks is no load.
const QUIET: Duration = Duration::from_secs(45);
/// How long after the last tick memory is still read.
const AFTER: Duration = Duration::from_secs(4);
/// How long the first answer may take before the step is given up.
const PATIENCE: Duration = Duration::from_mins(5);

/// What one size of cluster cost.
struct Step {
    nodes: u64,
    first_answer: Duration,
    /// CPU time of the server, in seconds per second.
    cpu: f64,
    rss_mib: f64,
    tick_ms: Vec<f64>,
    asked: Asked,
    bytes_per_sample: f64,
}

/// Runs all sizes and prints the table. `--nodes N` runs one; `--ticks N` measures so many ticks.
pub(crate) fn scale(options: &[&str]) -> Outcome {
    if !Path::new("/usr/bin/curl").exists() {
        return Err("/usr/bin/curl is missing: apt-get install curl".to_owned());
    }
    if !options.contains(&"--no-build") {
        cargo(&["build", "--release", "--package", "taffrail", "--locked"])?;
    }
    let one = number(options, "--nodes", 0)?;
    let ticks = number(options, "--ticks", 2)?;
    let sizes = if one > 0 { vec![one] } else { vec![100, 1_000, 5_000] };
    let mut steps = Vec::new();
    for nodes in sizes {
        println!("── {nodes} nodes");
        steps.push(step(nodes, ticks)?);
        print_table(&steps);
    }
    Ok(())
}

fn step(nodes: u64, ticks: u64) -> Result<Step, String> {
    let binary = root().join("target/release/taffrail");
    let folder = std::env::temp_dir().join(format!("taffrail-scale-{}", std::process::id()));
    // What an aborted run left.
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let outcome = measured(&binary, &folder, nodes, ticks);
    fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    outcome
}

fn measured(binary: &Path, folder: &Path, nodes: u64, ticks: u64) -> Result<Step, String> {
    let (kubelets, secure) = (free_port()?, free_port()?);
    let kubeconfig = folder.join("config");
    let log = |name: &str| fs::File::create(folder.join(name)).map_err(|error| error.to_string());
    // The cluster's own share is not measured: it takes what the server leaves.
    let _simulated = Running::start(
        Command::new("nice")
            .args(["-n", "19"])
            .arg(binary)
            .args(["simulate", "--containers-per-pod=2", "--seed=1", "--listen=127.0.0.1:0"])
            .arg(format!("--nodes={nodes}"))
            .arg(format!("--pods-per-node={PODS_PER_NODE}"))
            .arg(format!("--kubelet-port={kubelets}"))
            .arg(format!("--aggregate=127.0.0.1:{secure}"))
            .arg(format!("--kubeconfig-out={}", kubeconfig.display()))
            .stderr(log("simulate.log")?),
        "https://",
    )?;
    let begun = Instant::now();
    let server = Running::start(
        Command::new(binary)
            .arg("serve")
            .arg(format!(
                "--source=kubernetes.summary_api:?inClusterConfig=false&auth={}&kubeletPort={kubelets}",
                kubeconfig.display()
            ))
            .args(["--listen=127.0.0.1:0", "--bind-address=127.0.0.1"])
            .arg(format!("--metric-resolution={TICK}s"))
            .arg(format!("--secure-port={secure}"))
            .arg(format!("--data-dir={}", folder.join("data").display()))
            .stderr(log("serve.log")?),
        "http://",
    )?;
    let words = server.said().split_whitespace();
    let address = words.into_iter().find_map(|word| word.strip_prefix("http://"));
    let address = address.ok_or("the server printed no address")?.trim_end_matches('/').to_owned();
    let place = Place::new(secure, &kubeconfig, &address)?;
    let first_answer = place.first_answer(begun, PATIENCE)?;
    println!("   first answer after {:.1} s", first_answer.as_secs_f64());
    let mut status = String::new();
    for _ in 0..WARM_TICKS {
        status = next_batch(&address, &status)?;
    }
    println!("   warm after {:.0} s", begun.elapsed().as_secs_f64());
    let load = Load::start(place, ROUND);
    let (before, from) = (cpu_seconds(server.id())?, Instant::now());
    let (mut tick_ms, mut rss) = (Vec::new(), 0.0_f64);
    for _ in 0..ticks {
        rss = rss.max(most_rss(server.id(), QUIET)?);
        status = next_batch(&address, &status)?;
        tick_ms.push(field(&status, "tookMs").parse().unwrap_or(0.0));
    }
    // What follows the last tick: history takes its batch.
    rss = rss.max(most_rss(server.id(), AFTER)?);
    let took = from.elapsed().as_secs_f64();
    let cpu = (cpu_seconds(server.id())? - before) / took;
    let asked = load.end()?;
    let bytes_per_sample = bytes_per_sample(&address, &folder.join("data"))?;
    Ok(Step { nodes, first_answer, cpu, rss_mib: rss, tick_ms, asked, bytes_per_sample })
}

/// The most memory that a process has, read for so long; MiB.
fn most_rss(process: u32, time: Duration) -> Result<f64, String> {
    let (begun, mut most) = (Instant::now(), 0.0_f64);
    while begun.elapsed() < time {
        most = most.max(rss_mib(process)?);
        thread::sleep(Duration::from_millis(250));
    }
    Ok(most)
}

/// A port that nobody listens on just now.
fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|error| error.to_string())
}

/// Everything on disk, the log included, by all samples that were taken.
#[expect(clippy::cast_precision_loss, reason = "a ratio with three digits")]
fn bytes_per_sample(address: &str, folder: &Path) -> Result<f64, String> {
    let page = get(address, "/metrics")?;
    let samples = page
        .lines()
        .find_map(|line| line.strip_prefix("taffrail_store_samples_total "))
        .and_then(|value| value.trim().parse::<f64>().ok())
        .ok_or("the server counts no samples")?;
    Ok(size(folder) as f64 / samples)
}

fn size(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => size(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[expect(clippy::cast_precision_loss, reason = "counts of nodes and pods are small")]
fn print_table(steps: &[Step]) {
    println!(
        "\n| nodes | CPU mCPU/node | RSS MiB | RSS KiB/pod | tick ms | freshness p50/p99 s | \
         HPA list p50/p99 ms | all pods p50/p99 ms (MiB) | dashboard p50/p99 ms | \
         first answer s | disk B/sample |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for step in steps {
        let nodes = step.nodes as f64;
        let ms = |values: &[f64]| {
            format!("{:.0}/{:.0}", 1e3 * quantile(values, 0.5), 1e3 * quantile(values, 0.99))
        };
        let asked = &step.asked;
        println!(
            "| {} | {:.3} | {:.0} | {:.1} | {:.0} | {:.1}/{:.1} | {} | {} ({:.0}) | {} | {:.1} | {:.2} |",
            step.nodes,
            step.cpu * 1e3 / nodes,
            step.rss_mib,
            step.rss_mib * 1024.0 / (nodes * PODS_PER_NODE as f64),
            quantile(&step.tick_ms, 1.0),
            quantile(&asked.freshness, 0.5),
            quantile(&asked.freshness, 0.99),
            ms(&asked.lists),
            ms(&asked.all_pods),
            asked.all_pods_mib,
            ms(&asked.dashboard),
            step.first_answer.as_secs_f64(),
            step.bytes_per_sample,
        );
    }
    if let [first, .., last] = steps {
        let (small, large) = (first.cpu / first.nodes as f64, last.cpu / last.nodes as f64);
        println!(
            "\nCPU per node from {} to {} nodes: {:+.0} %",
            first.nodes,
            last.nodes,
            (large / small - 1.0) * 100.0
        );
    }
}

/// The value below which `share` of all are; 0 where there is none.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index of a short list"
    )]
    let at = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
    sorted.get(at).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_sorted_values() {
        let values = [5.0, 1.0, 3.0, 2.0, 4.0];
        for (share, expected) in [(0.5, 3.0), (0.99, 5.0), (1.0, 5.0), (0.2, 1.0)] {
            assert!((quantile(&values, share) - expected).abs() < 1e-9, "{share}");
        }
        assert!(quantile(&[], 0.5).abs() < 1e-9);
    }
}
