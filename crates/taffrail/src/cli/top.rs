//! `taffrail top`: what may be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;

/// `taffrail top`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[derive(Debug, Clone, Args)]
#[command(after_help = "On a terminal, `taffrail top` alone opens the full-screen view; with a \
    kind of thing it prints a table like `kubectl top`.\n\
    Without --server and --source: the server at http://127.0.0.1:8082 if one answers there, \
    else the current cluster, measured for as long as it takes to know rates.")]
pub(crate) struct TopArgs {
    /// What to list.
    #[arg(value_enum)]
    pub(crate) subject: Option<TopSubject>,
    /// Only names that hold this text.
    pub(crate) name: Option<String>,
    /// Only things of this namespace; may be repeated. Without it: all namespaces.
    #[arg(short, long, value_name = "NAMESPACE", conflicts_with = "all_namespaces")]
    pub(crate) namespace: Vec<String>,
    /// All namespaces, which is the default.
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// Only pods and containers on this node.
    #[arg(long, value_name = "NODE")]
    pub(crate) node: Option<String>,
    /// Only pods with this label (`app=web`).
    #[arg(short = 'l', long, value_name = "KEY=VALUE")]
    pub(crate) selector: Option<String>,
    /// What the largest of comes first; names ascend.
    #[arg(long, value_enum, default_value_t = TopSort::Name)]
    pub(crate) sort_by: TopSort,
    /// The other way round.
    #[arg(long)]
    pub(crate) reverse: bool,
    /// With `pods`: a line for each container, as `kubectl top pods --containers`.
    #[arg(long)]
    pub(crate) containers: bool,
    /// A last line with the sums.
    #[arg(long)]
    pub(crate) sum: bool,
    /// Without the line of names.
    #[arg(long)]
    pub(crate) no_headers: bool,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t = TopOutput::Table)]
    pub(crate) output: TopOutput,
    /// Print again and again, every `--interval`.
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// Time between two readings; without it as often as the server measures.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) interval: Option<Duration>,
    /// The full-screen view, beginning with this list.
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// A running Taffrail to ask (`http://127.0.0.1:8082`, also below a path).
    #[arg(long, value_name = "URL", env = "TAFFRAIL_SERVER", conflicts_with = "source")]
    pub(crate) server: Option<String>,
    /// A file with the bearer token for `--server`.
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(crate) token_file: Option<PathBuf>,
    /// A file with the CA certificates for `--server`; without it the system's.
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Measure this source instead of asking a server, as for `taffrail serve`.
    #[arg(long, value_name = "URI")]
    pub(crate) source: Option<String>,
}

/// What to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TopSubject {
    /// Nodes.
    #[value(alias = "node", alias = "no")]
    Nodes,
    /// Pods.
    #[value(alias = "pod", alias = "po")]
    Pods,
    /// Containers of pods.
    #[value(alias = "container")]
    Containers,
    /// Namespaces.
    #[value(alias = "namespace", alias = "ns")]
    Namespaces,
    /// Deployments, `StatefulSets`, `CronJobs`, …
    #[value(alias = "workload")]
    Workloads,
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TopSort {
    /// By name.
    Name,
    /// By CPU usage.
    Cpu,
    /// By working set.
    Memory,
    /// By network traffic.
    Network,
    /// By restarts.
    Restarts,
    /// By the number of pods.
    Pods,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TopOutput {
    /// `kubectl top`'s columns.
    Table,
    /// Requests, limits, network and state as well.
    Wide,
    /// One JSON document.
    Json,
}
