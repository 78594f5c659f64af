//! Simulated clusters: in this process, and as `taffrail simulate` in another.

use std::path::Path;

use pipeline::Clock;
use sim::{Config, Sim, WorldConfig};
use tokio::task::JoinHandle;

use crate::served::Served;

/// A cluster of that many nodes with so many pods on each, by this machine's clock.
pub(crate) fn sized(nodes: u32, pods_per_node: u32) -> Config {
    let clock = Clock::system();
    let world = WorldConfig { nodes, pods_per_node, start: clock.now(), ..WorldConfig::default() };
    Config::new(world, move || clock.now())
}

/// A cluster that is served until the test drops it, and a kubeconfig for it.
pub(crate) struct Cluster {
    kubeconfig: tempfile::NamedTempFile,
    /// The kubeconfig as it was at first.
    pub(crate) text: String,
    /// A bearer token.
    pub(crate) token: String,
    /// Certificates that it is verified by.
    pub(crate) ca: String,
    /// Its API server.
    pub(crate) url: String,
    /// Its API server without TLS, which asks nobody who they are.
    pub(crate) plain_url: String,
    /// Where its kubelets listen.
    pub(crate) kubelet_port: u16,
    task: JoinHandle<()>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Cluster {
    pub(crate) async fn of(config: Config) -> Self {
        let sim = Sim::start(config).await.unwrap();
        let kubeconfig = tempfile::NamedTempFile::new().unwrap();
        let text = sim.kubeconfig();
        std::fs::write(kubeconfig.path(), &text).unwrap();
        Self {
            kubeconfig,
            text,
            token: sim.token().to_owned(),
            ca: sim.ca_pem().to_owned(),
            url: sim.api_url(),
            plain_url: sim.insecure_api_url(),
            kubelet_port: sim.kubelet_https_port(),
            task: tokio::spawn(async move { sim.run(std::future::pending()).await.unwrap() }),
        }
    }

    /// Its kubeconfig.
    pub(crate) fn path(&self) -> &Path {
        self.kubeconfig.path()
    }

    /// What measures it, as a flag.
    pub(crate) fn source(&self) -> String {
        format!("--source=kubernetes.summary_api:?auth={}", self.path().display())
    }
}

/// `taffrail simulate` with that many nodes and so many pods on each, and the source that reads it.
pub(crate) fn simulate(kubeconfig: &Path, nodes: u32, pods: u32) -> (Served, String) {
    let kubeconfig = kubeconfig.display();
    let (nodes, pods) = (format!("--nodes={nodes}"), format!("--pods-per-node={pods}"));
    let out = format!("--kubeconfig-out={kubeconfig}");
    let mut simulated = Served::start(&["simulate", &nodes, &pods, &out]);
    let line = simulated.line();
    let port = line.split("https port ").nth(1).unwrap().split(',').next().unwrap();
    let source = format!(
        "kubernetes.summary_api:?inClusterConfig=false&auth={kubeconfig}&kubeletHttps=true\
         &kubeletPort={port}"
    );
    (simulated, source)
}
