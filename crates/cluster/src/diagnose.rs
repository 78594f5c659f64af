//! Every hop between us and a cluster's measurements, tried one after the other: how far we get,
//! what was seen there, and the change that gets us further. Shows no secret and changes nothing.

mod clock;
mod credential;
mod kubelet;
mod nodes;
mod probe;
mod rights;
mod server;
mod trail;

use std::fmt;

use futures_util::{StreamExt, stream};
use pipeline::Clock;

use crate::connect::{ConnectError, Connection, Trouble};
use crate::kubelet::KubeletClient;
use trail::Trail;

pub use rights::{Needed, rights, scraping_rights};
pub(crate) use rights::{group_of, may_proxy};

/// How many nodes are tried unless all are asked for.
pub const SAMPLE_NODES: usize = 5;
/// How many kubelets are tried at once.
const CONCURRENCY: usize = 64;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It could not be tried, or needs no trying; the evidence says why.
    Skip,
    /// As it should be.
    Pass,
    /// It works, but will not for ever or not as well as it could.
    Warn,
    /// It does not work.
    Fail,
}

impl Outcome {
    /// `pass`, `warn`, `fail` or `skip`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One hop, tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The hop: `configuration`, `address`, `connect`, `tls`, `authentication`, `version`,
    /// `clock`, `rights`, `nodes`, `authorization`, `proxy`, `summary`, `endpoints`.
    pub name: &'static str,
    /// What it was tried on (`API server https://…`, `pods`, `node-3`).
    pub about: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen, in one line.
    pub evidence: String,
    /// The exact change to make, which may have lines; empty where none is needed or known.
    pub change: String,
}

/// Which nodes' kubelets are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nodes {
    /// Every node.
    All,
    /// These first, and others up to [`SAMPLE_NODES`].
    Sample(Vec<String>),
}

/// Tries every hop from `connection` to the kubelets of `nodes`. Never fails: what fails is in
/// the checks. Each check has a deadline of its own.
pub async fn diagnose(connection: &Connection, nodes: &Nodes, clock: Clock) -> Vec<Check> {
    let mut trail = Trail::new(format!("API server {}", connection.url()));
    trail.pass("configuration", format!("{} names {}", connection.origin(), connection.url()));
    let user = server::walk(connection, clock, &mut trail).await;
    let reached = trail.is_open();
    let mut checks = trail.checks();
    if !reached {
        checks.push(skipped("rights", "RBAC", "the API server was not reached"));
        checks.push(skipped("nodes", "nodes", "the API server was not reached"));
        checks.push(skipped("connect", "kubelets", "no nodes are known"));
        return checks;
    }
    checks.extend(rights::walk(connection, user.as_deref()).await);
    let (listed, sample) = nodes::walk(connection, nodes).await;
    checks.push(listed);
    match KubeletClient::new(connection) {
        Ok(kubelets) if !sample.is_empty() => {
            let walk = kubelet::Walk::new(connection, &kubelets, clock).await;
            let walks = sample.into_iter().map(|node| walk.node(node));
            let walked: Vec<Vec<Check>> = stream::iter(walks).buffered(CONCURRENCY).collect().await;
            checks.extend(walked.into_iter().flatten());
        }
        Ok(_) => checks.push(skipped("connect", "kubelets", "no nodes are known")),
        Err(error) => checks.push(failed("configuration", "kubelets", error.trouble())),
    }
    checks
}

/// Whether we may watch what scraping by monitors needs.
pub async fn scraping(connection: &Connection) -> Vec<Check> {
    rights::walk_scraping(connection).await
}

/// The checks when there is no connection to begin with.
pub fn without_connection(error: &ConnectError) -> Vec<Check> {
    let name = match error {
        ConnectError::Configuration(_) => "configuration",
        error => error.hop().name(),
    };
    let reason = format!("after {name} failed");
    vec![
        failed(name, "API server", error.trouble()),
        skipped("rights", "RBAC", &reason),
        skipped("nodes", "nodes", &reason),
        skipped("connect", "kubelets", &reason),
    ]
}

/// The worst outcome among `checks`.
pub fn outcome(checks: &[Check]) -> Outcome {
    checks.iter().map(|check| check.outcome).max().unwrap_or(Outcome::Skip)
}

fn skipped(name: &'static str, about: &str, reason: &str) -> Check {
    let (about, evidence) = (about.to_owned(), reason.to_owned());
    Check { name, about, outcome: Outcome::Skip, evidence, change: String::new() }
}

fn failed(name: &'static str, about: &str, trouble: &Trouble) -> Check {
    let Trouble { reason, advice } = trouble.clone();
    let about = about.to_owned();
    Check { name, about, outcome: Outcome::Fail, evidence: reason, change: advice }
}
