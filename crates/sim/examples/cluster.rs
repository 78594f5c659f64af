//! Runs a simulated cluster until interrupted: `cargo run -p sim --example cluster -- 10 30 2 1`
//! (nodes, pods per node, containers per pod, seed). Writes `sim.kubeconfig` and prints where it
//! listens, how long it took to start and what it holds in memory.
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]
#![expect(clippy::disallowed_methods, reason = "outside the product, the example is its own clock")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use model::Timestamp;
use sim::{Config, Faults, Sim, WorldConfig};

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(0))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let numbers: Vec<u32> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let number = |place: usize, usual| numbers.get(place).copied().unwrap_or(usual);
    let world = WorldConfig {
        nodes: number(0, 10),
        pods_per_node: number(1, 30),
        containers_per_pod: number(2, 2),
        seed: u64::from(number(3, 1)),
        start: now(),
        ..WorldConfig::default()
    };
    let mut config = Config::new(world, now);
    config.faults = Faults::parse(&std::env::var("SIM_FAULTS").unwrap_or_default())?;
    let began = Instant::now();
    let sim = Sim::start(config).await?;
    println!("started in {:?}, {}", began.elapsed(), memory());
    println!("api      {}", sim.api_url());
    println!("insecure {}", sim.insecure_api_url());
    println!("kubelets https {} http {}", sim.kubelet_https_port(), sim.kubelet_http_port());
    println!("token    {}", sim.token());
    std::fs::write("sim.kubeconfig", sim.kubeconfig())?;
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    sim.run(interrupted).await?;
    println!("stopped, {}", memory());
    Ok(())
}

/// Resident memory as the kernel tells it.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("VmRSS: unknown");
    line.to_owned()
}
