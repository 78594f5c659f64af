//! Flags of rules and alerts, and `taffrail rules`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::duration;

/// Recording and alerting rules.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Rules, alerts and pushed metrics")]
pub(crate) struct RulesArgs {
    /// Prometheus rule file; its name may have `*`, `?` and `[…]`. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) rule_file: Vec<String>,
    /// Leave out the built-in alerts.
    #[arg(long)]
    pub(crate) no_builtin_rules: bool,
    /// How often groups without an interval of their own are evaluated. [default: with every
    /// measurement, at least every 60s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) rule_interval: Option<Duration>,
    /// Send alerts to this Alertmanager (API v2). May be given several times.
    #[arg(long, value_name = "URL")]
    pub(crate) alertmanager: Vec<String>,
    /// Tell of alerts that begin and end, in the grammar of --sink: `webhook:URL`, `email:…` and
    /// others of docs/SINKS.md that take alerts. May be given several times.
    #[arg(long, value_name = "URI")]
    pub(crate) alert_sink: Vec<String>,
    /// File with the bearer token that senders of metrics show (remote write at /api/v1/write,
    /// OTLP at /v1/metrics). Without it, metrics are taken on loopback only.
    #[arg(long, value_name = "FILE")]
    pub(crate) push_token_file: Option<PathBuf>,
    /// Take OTLP metrics over gRPC here too (OpenTelemetry's port is 4317), with the main port's
    /// TLS where it has any. [default: off]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) otlp_grpc_listen: Option<SocketAddr>,
    /// Where people reach this server; links in alerts begin with it.
    #[arg(long, value_name = "URL", default_value = "")]
    pub(crate) external_url: String,
}

/// What a server does with rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RulesConfig {
    /// Rule files, patterns among them.
    pub(crate) files: Vec<String>,
    /// Whether the built-in rules are left out.
    pub(crate) no_builtin: bool,
    /// How often; `None` to follow from the resolution.
    pub(crate) interval: Option<Duration>,
    /// Where alerts go, as sinks' texts.
    pub(crate) sinks: Vec<String>,
    /// File with the token of senders.
    pub(crate) push_token: Option<PathBuf>,
    /// Where OTLP over gRPC is taken.
    pub(crate) otlp_grpc: Option<SocketAddr>,
    /// Where people reach the server.
    pub(crate) external_url: String,
}

impl RulesArgs {
    pub(crate) fn config(self) -> RulesConfig {
        let managers = self.alertmanager.iter().map(|url| format!("alertmanager:{url}"));
        RulesConfig {
            files: self.rule_file,
            no_builtin: self.no_builtin_rules,
            interval: self.rule_interval.filter(|interval| !interval.is_zero()),
            sinks: managers.chain(self.alert_sink).collect(),
            push_token: self.push_token_file,
            otlp_grpc: self.otlp_grpc_listen,
            external_url: self.external_url,
        }
    }
}

/// `taffrail rules`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RulesCommand {
    #[command(subcommand)]
    pub(crate) verb: RulesVerb,
}

/// What to do with rules.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum RulesVerb {
    /// Tell every mistake in rule files, each with file and line.
    Check {
        /// The files; names may have `*`, `?` and `[…]`.
        #[arg(required = true)]
        files: Vec<String>,
    },
    /// Print the built-in rules as a rule file.
    PrintBuiltin,
}
