//! A simulated cluster from flags, for `demo` and `simulate`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use pipeline::Clock;
use sim::{Config, Faults, Sim, WorldConfig};

use crate::cli::{SimulateArgs, WorldArgs, is_loopback};
use crate::exit::Failure;

/// What a simulation is made from; the ports are free ones.
pub(crate) fn config(args: &WorldArgs, clock: Clock) -> Result<Config, Failure> {
    let world = WorldConfig {
        nodes: args.nodes,
        pods_per_node: args.pods_per_node,
        containers_per_pod: args.containers_per_pod,
        seed: args.seed,
        start: clock.now(),
        ..WorldConfig::default()
    };
    let mut config = Config::new(world, move || clock.now());
    config.faults = Faults::parse(&args.fault)
        .map_err(|error| Failure::usage(format!("--fault={}: {error}", args.fault)))?;
    Ok(config)
}

/// The same with the addresses and ports that `simulate` names.
pub(crate) fn with_addresses(mut config: Config, args: &SimulateArgs) -> Result<Config, Failure> {
    for (flag, address) in [("--listen", args.listen), ("--insecure-listen", args.insecure_listen)]
    {
        if !is_loopback(address.ip()) {
            return Err(Failure::usage(format!(
                "{flag}={address}: a simulated cluster listens on loopback only, such as 127.0.0.1:{}",
                address.port()
            )));
        }
    }
    config.api_listen = args.listen;
    config.insecure_listen = args.insecure_listen;
    config.kubelet_https_port = args.kubelet_port;
    config.kubelet_http_port = args.kubelet_http_port;
    config.pods_http_port = args.pods_http_port;
    if let (Some(url), Some(client), Some(path)) =
        (&args.oidc_issuer, &args.oidc_client_id, &args.oidc_keys)
    {
        let wrong = |why: String| Failure::config(format!("--oidc-keys={}: {why}", path.display()));
        let keys = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let issuer = sim::Issuer::new(url, client, &keys);
        config.issuer = Some(issuer.ok_or_else(|| wrong("no RSA key in it".to_owned()))?);
    }
    Ok(config)
}

/// Starts it: every port is bound when this returns.
pub(crate) async fn start(config: Config) -> Result<Sim, Failure> {
    Sim::start(config)
        .await
        .map_err(|error| Failure::unavailable(format!("start the simulated cluster: {error}")))
}

/// Writes the kubeconfig for its owner alone: it holds a token.
pub(crate) fn write_kubeconfig(path: &Path, text: &str) -> Result<(), Failure> {
    let file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::unavailable(format!("write {}: {error}", path.display())))
}
