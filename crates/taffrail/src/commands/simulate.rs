//! `taffrail simulate`: a cluster without machines, until a signal ends it.

use pipeline::Clock;

use crate::cli::SimulateArgs;
use crate::exit::Failure;
use crate::{say, shutdown, simulation};

/// Simulates until a signal ends it.
pub(crate) async fn run(args: SimulateArgs) -> Result<(), Failure> {
    let stop = shutdown::on_signal()?;
    let config = simulation::config(&args.world, Clock::system())?;
    let sim = simulation::start(simulation::with_addresses(config, &args)?).await?;
    if let Some(address) = args.aggregate {
        sim.control().lead(address, &api::API_SERVICES);
    }
    let world = &args.world;
    if let Some(path) = &args.kubeconfig_out {
        simulation::write_kubeconfig(path, &sim.kubeconfig())?;
    }
    say(&format!(
        "Simulating {} nodes with {} pods each; API server {} (plain: {})\n\
         Kubelets on every node's address: https port {}, http port {}; programs on their pods' \
         addresses: http port {}",
        world.nodes,
        world.pods_per_node,
        sim.api_url(),
        sim.insecure_api_url(),
        sim.kubelet_https_port(),
        sim.kubelet_http_port(),
        sim.pods_http_port(),
    ))?;
    say(&match &args.kubeconfig_out {
        Some(path) => format!("Try: KUBECONFIG={} kubectl get nodes,pods -A", path.display()),
        None => format!(
            "Try: kubectl --server {} get nodes,pods -A (or --kubeconfig-out FILE for TLS)",
            sim.insecure_api_url()
        ),
    })?;
    sim.run(stop.cancelled_owned())
        .await
        .map_err(|error| anyhow::anyhow!("the simulated cluster: {error}").into())
}
