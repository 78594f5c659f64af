//! The command line: what may be typed, its defaults and its help. Decides nothing.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::TlsFiles;
use crate::remote::LOCAL;

pub(crate) use apis::{ApisArgs, DashboardMemory, TrustArgs};

mod apis;
mod history;
mod people;
mod replicas;
pub(crate) mod rules;
pub(crate) mod scrape;
mod store;
mod top;
mod why;

pub(crate) use history::{HistoryArgs, KeptArgs, age};
pub(crate) use people::{LoginChoice, PeopleArgs};
pub(crate) use store::{
    ExportArgs, ExportFormat, FolderArgs, SnapshotArgs, StoreArgs, StoreOutput, StoreVerb,
};
pub(crate) use top::{TopArgs, TopOutput, TopSort, TopSubject};
pub(crate) use why::{WhyArgs, WhyOutput, WhySubject};

/// Kubernetes cluster metrics with history, in one binary.
#[derive(Debug, Parser)]
#[command(name = "taffrail", version, about, propagate_version = true)]
#[command(after_help = "First time here? `taffrail demo` shows a simulated cluster at once.\n\
    Exit codes: 64 bad usage, 78 bad configuration, 69 something needed is not there, 1 otherwise.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Collect metrics and serve the dashboard and the APIs.
    Serve(Box<ServeArgs>),
    /// Show a simulated cluster: no cluster, no account, moving graphs.
    Demo(DemoArgs),
    /// Show what uses CPU and memory, as a table or full-screen.
    Top(TopArgs),
    /// Try every step between here and the measurements, and say what to change.
    Doctor(DoctorArgs),
    /// Ask a running server why something has no value.
    Why(WhyArgs),
    /// Look into a folder of history: what it holds, whether it is right, exports, copies.
    Store(StoreArgs),
    /// Run a simulated cluster that kubectl and other collectors believe.
    Simulate(SimulateArgs),
    /// Print what to apply to a cluster so that Taffrail runs there.
    Manifests(ManifestsArgs),
    /// Check a configuration file, or print the default one.
    Config(ConfigArgs),
    /// Check rule files, or print the built-in rules.
    Rules(rules::RulesCommand),
    /// Ask a running server a PromQL question.
    Query(QueryArgs),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// `taffrail config`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) verb: ConfigVerb,
}

/// What to do with a configuration.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Tell every mistake in a file, each with its line.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Print the default file: every key with its meaning.
    PrintDefault,
}

/// Whom a command asks.
#[derive(Debug, Clone, Args)]
pub(crate) struct AskArgs {
    /// The server to ask.
    #[arg(long, env = "TAFFRAIL_SERVER", default_value = LOCAL, value_name = "URL")]
    pub(crate) server: String,
    /// A file with the bearer token for it, where people sign in.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// A file with the CA certificates for it; without it the system's.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

/// `taffrail query`.
#[derive(Debug, Clone, Args)]
pub(crate) struct QueryArgs {
    /// The question, in PromQL: `sum by (namespace) (rate(container_cpu_usage_seconds_total[5m]))`.
    pub(crate) expression: String,
    #[command(flatten)]
    pub(crate) ask: AskArgs,
    /// Ask for the last so long (`1h`, `30m`) instead of one moment.
    #[arg(long, value_name = "DURATION")]
    pub(crate) range: Option<String>,
    /// Ask at another moment than now: RFC 3339, seconds since 1970, or `-2h`.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) at: Option<String>,
    /// Distance between the points of a range.
    #[arg(long, value_name = "DURATION")]
    pub(crate) step: Option<String>,
    /// How to print the answer.
    #[arg(short, long, value_enum, default_value_t = QueryOutput::Table)]
    pub(crate) output: QueryOutput,
}

/// How to print an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryOutput {
    /// Aligned columns.
    Table,
    /// Comma-separated values.
    Csv,
    /// The API's own JSON.
    Json,
    /// A graph in the terminal.
    Plot,
}

/// How to log.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogArgs {
    /// What to log: a level (error, warn, info, debug, trace) or a filter such as `info,cluster=debug`.
    #[arg(
        long,
        global = true,
        env = "TAFFRAIL_LOG",
        default_value = "info",
        value_name = "FILTER"
    )]
    pub(crate) log: String,
    /// How log lines look.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `taffrail serve`.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub(crate) struct ServeArgs {
    /// YAML file that says what the flags below say, and sinks key by key; flags win. See
    /// `taffrail config print-default`.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Measure this one of the clusters that the file names. Without it: all of them, a process
    /// for each.
    #[arg(long, value_name = "NAME", requires = "config")]
    pub(crate) cluster: Option<String>,
    /// Stop at the end of standard input: whoever started this is gone.
    #[arg(long, hide = true)]
    pub(crate) attached: bool,
    /// Where measurements come from: `kubernetes.summary_api:[URL][?OPTIONS]`, `kubernetes:…`
    /// (Heapster's grammar) or `host` (this machine). Without it: the cluster this pod runs in,
    /// else the current kubeconfig context.
    #[arg(long, value_name = "URI")]
    pub(crate) source: Option<String>,
    /// Where batches go besides memory, in Heapster's grammar: `log`, `influxdb:URL[?OPTIONS]`,
    /// kafka, elasticsearch and the others of docs/SINKS.md. May be given several times;
    /// `queue=/dir` among the options keeps undelivered batches on disk.
    #[arg(long, value_name = "URI")]
    pub(crate) sink: Vec<String>,
    /// Where the cluster's events go, in the same grammar: `log`, `influxdb:URL[?OPTIONS]` and
    /// others that take events. May be given several times.
    #[arg(long, value_name = "URI")]
    pub(crate) event_sink: Vec<String>,
    /// What /api/v1/historical reads: `influxdb:URL[?OPTIONS]` as for --sink. Without it, the
    /// history on disk.
    #[arg(long, value_name = "URI")]
    pub(crate) historical_source: Option<String>,
    /// Address to serve on. Anything but loopback is reachable by others, who sign in: see --login.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8082")]
    pub(crate) listen: SocketAddr,
    /// How often to measure: at least 5s. [default: 60s, and 5s for the host]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) metric_resolution: Option<Duration>,
    #[command(flatten)]
    pub(crate) labels: LabelArgs,
    /// How long one batch may take to reach a sink.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "20s")]
    pub(crate) sink_export_data_timeout: Duration,
    /// Answer `[]` on /api/v1/metric-export.
    #[arg(long)]
    pub(crate) disable_export: bool,
    #[command(flatten)]
    pub(crate) history: HistoryArgs,
    #[command(flatten)]
    pub(crate) replicas: replicas::ReplicaArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) apis: ApisArgs,
    #[command(flatten)]
    pub(crate) rules: rules::RulesArgs,
    #[command(flatten)]
    pub(crate) scrape: scrape::ScrapeArgs,
    #[command(flatten)]
    pub(crate) people: PeopleArgs,
}

/// TLS of the main port.
#[derive(Debug, Clone, Args)]
pub(crate) struct TlsArgs {
    /// PEM file with the serving certificate; turns the port into HTTPS.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's key.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// PEM file with the authority of client certificates; who shows none gets 401.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_client_ca: Option<PathBuf>,
    /// Common names of client certificates that may call. Comma list.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) allowed_users: Vec<String>,
}

impl TlsArgs {
    /// The files, or what is missing. Empty paths count as not given, as with Heapster.
    pub(crate) fn files(self) -> Result<Option<TlsFiles>, String> {
        let given = |path: Option<PathBuf>| path.filter(|path| !path.as_os_str().is_empty());
        let (certificate, key) = (given(self.tls_cert), given(self.tls_key));
        let client_ca = given(self.tls_client_ca);
        match (certificate, key) {
            (Some(certificate), Some(key)) => Ok(Some(TlsFiles {
                certificate,
                key,
                client_ca,
                allowed_users: self.allowed_users,
            })),
            (None, None) if client_ca.is_none() && self.allowed_users.is_empty() => Ok(None),
            _ => Err("--tls-cert and --tls-key: give both; --tls-client-ca and --allowed-users \
                      need them too"
                .to_owned()),
        }
    }
}

/// How Kubernetes labels become metric labels.
#[derive(Debug, Clone, Args)]
pub(crate) struct LabelArgs {
    /// Joins the pairs of the `labels` label.
    #[arg(long, default_value = ",", value_name = "TEXT")]
    pub(crate) label_separator: String,
    /// Leave this Kubernetes label out of the `labels` label. Comma list, may be repeated.
    #[arg(long, value_delimiter = ',', value_name = "KEY")]
    pub(crate) ignore_label: Vec<String>,
    /// Store this Kubernetes label as a label of its own, also under another name
    /// (`NEW=KEY`). Comma list, may be repeated.
    #[arg(long, value_delimiter = ',', value_name = "[NEW=]KEY")]
    pub(crate) store_label: Vec<String>,
}

/// The size and mood of a simulated cluster.
#[derive(Debug, Clone, Args)]
pub(crate) struct WorldArgs {
    /// Number of nodes.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub(crate) nodes: u32,
    /// Pods per node.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=250))]
    pub(crate) pods_per_node: u32,
    /// Containers per pod, at most.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) containers_per_pod: u32,
    /// Same seed and time, same cluster.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Break nodes: comma list of `NODE=FAULT` or `N%=FAULT` with down, hang, slow:2s, 401, 403,
    /// 500, garbage, truncated, oversized, skew:30s.
    #[arg(long, value_name = "NODE=FAULT,…", default_value = "")]
    pub(crate) fault: String,
}

/// `taffrail demo`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) world: WorldArgs,
    /// Address to serve the dashboard on. A taken port is replaced by a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8082")]
    pub(crate) listen: SocketAddr,
    /// How often to measure: at least 5s.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5s")]
    pub(crate) metric_resolution: Duration,
    /// Serve metrics.k8s.io on this port of 127.0.0.1, and let the simulated cluster lead there, so
    /// that `kubectl top` works; 0 takes a free one. [default: off]
    #[arg(long, value_name = "PORT")]
    pub(crate) secure_port: Option<u16>,
    /// Also write a kubeconfig for the simulated cluster.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig_out: Option<PathBuf>,
    /// Keep history in this folder. [default: a temporary folder that goes with the demo]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) kept: KeptArgs,
}

/// `taffrail doctor`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Exit codes: 0 all well, 1 something failed, 78 no usable configuration, \
    69 no connection can be prepared.")]
pub(crate) struct DoctorArgs {
    /// What would be measured, as for `taffrail serve`.
    #[arg(long, value_name = "URI")]
    pub(crate) source: Option<String>,
    /// Try every node's kubelet instead of a sample of five.
    #[arg(long)]
    pub(crate) all_nodes: bool,
    /// Sinks that would be fed, as for `taffrail serve`: each is reached, and sent nothing.
    #[arg(long, value_name = "URI")]
    pub(crate) sink: Vec<String>,
    /// Sinks of events, likewise.
    #[arg(long, value_name = "URI")]
    pub(crate) event_sink: Vec<String>,
    /// Folder that would keep history: whether it can be written, and how much room there is.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// What would be scraped, as for `taffrail serve`: whether we may watch what that needs.
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    pub(crate) scrape: Vec<scrape::ScrapeWhat>,
    /// How the result looks.
    #[arg(long, value_enum, default_value_t = DoctorOutput::Text)]
    pub(crate) output: DoctorOutput,
}

/// How a diagnosis looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DoctorOutput {
    /// For people.
    Text,
    /// As `GET /api/taffrail/v1/diagnosis` answers.
    Json,
}

/// `taffrail simulate`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SimulateArgs {
    #[command(flatten)]
    pub(crate) world: WorldArgs,
    /// Address of the API server (HTTPS, bearer token). Loopback only.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:6443")]
    pub(crate) listen: SocketAddr,
    /// Plain HTTP port on which pods serve metrics, each at its own loopback address; 0 takes a free
    /// one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) pods_http_port: u16,
    /// Address of the API server's plain port, which asks for no credentials. Loopback only.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub(crate) insecure_listen: SocketAddr,
    /// The port of every kubelet over HTTPS; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) kubelet_port: u16,
    /// The port of every kubelet over plain HTTP; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) kubelet_http_port: u16,
    /// Let metrics.k8s.io lead to the secure port of a `taffrail serve` here, as its manifests
    /// would: a service, its endpoints and the `APIService`s are there from the start.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) aggregate: Option<SocketAddr>,
    /// Write a kubeconfig for the cluster here.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig_out: Option<PathBuf>,
    /// Take tokens of this OIDC provider, too.
    #[arg(long, value_name = "URL", requires_all = ["oidc_client_id", "oidc_keys"])]
    pub(crate) oidc_issuer: Option<String>,
    /// For whom its tokens are.
    #[arg(long, value_name = "ID")]
    pub(crate) oidc_client_id: Option<String>,
    /// File with its public keys (JSON Web Key Set).
    #[arg(long, value_name = "FILE")]
    pub(crate) oidc_keys: Option<PathBuf>,
}

/// `taffrail manifests`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "For example: taffrail manifests --namespace=observe | kubectl apply -f -")]
pub(crate) struct ManifestsArgs {
    /// Which deployment.
    #[arg(long, value_enum, default_value_t = ManifestsVariant::Taffrail)]
    pub(crate) variant: ManifestsVariant,
    /// Where everything is put. [default: taffrail; kube-system for
    /// heapster, kubernetes-dashboard for dashboard]
    #[arg(long, value_name = "NAME", value_parser = namespace)]
    pub(crate) namespace: Option<String>,
    /// The image with its tag. [default: this version's]
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// Scrape annotated pods and what the Prometheus operator's monitors select, with the rights
    /// that this needs.
    #[arg(long)]
    pub(crate) scrape: bool,
    /// Take metrics that others push: remote write and OTLP over HTTP on the main port, OTLP over
    /// gRPC on 4317, from who shows the token of the secret `taffrail-push`.
    #[arg(long)]
    pub(crate) push: bool,
}

/// Which deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ManifestsVariant {
    /// One pod in a namespace of its own.
    Taffrail,
    /// The same with Heapster's service in front of it.
    Heapster,
    /// Three pods that share the nodes and each answer for all.
    Replicas,
    /// One pod that answers metrics.k8s.io, in place of metrics-server.
    MetricsServer,
    /// The same with custom.metrics.k8s.io and external.metrics.k8s.io, in place of an adapter.
    CustomMetrics,
    /// One pod beside Kubernetes Dashboard 2 to 7, in place of its metrics scraper.
    Dashboard,
}

/// Reads a namespace's name (RFC 1123 label).
fn namespace(text: &str) -> Result<String, String> {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = text.bytes().next().zip(text.bytes().last());
    let well = ends.is_some_and(|(first, last)| plain(first) && plain(last))
        && text.len() <= 63
        && text.bytes().all(|c| plain(c) || c == b'-');
    if well {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{text}` is not a namespace's name: lower case letters, digits and `-`, at most 63"
        ))
    }
}

/// Reads a duration as Go prints and reads it (`60s`, `1m30s`, `1h0m0s`, `500ms`).
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let signed: jiff::SignedDuration =
        text.parse().map_err(|_| format!("`{text}` is not a duration such as 60s or 1m30s"))?;
    Duration::try_from(signed).map_err(|_| format!("`{text}` is negative"))
}

/// Whether nobody but this machine reaches `address`.
pub(crate) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_are_gos() {
        for (text, seconds) in [("60s", 60), ("1m0s", 60), ("1m30s", 90), ("1h0m0s", 3600)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert!(duration("soon").is_err());
        assert!(duration("-5s").is_err());
    }
}
