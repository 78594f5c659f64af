//! Heapster's command line, for those who run their old one.
//!
//! Source of names, defaults and parsing: Heapster's pflag set, where `_` and `-` are the same in
//! every flag's name and a boolean may stand alone or be given as `=true`.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::cli::{ApisArgs, KeptArgs, LabelArgs, TlsArgs, duration};
use crate::config::{ApisConfig, Config, ConfigError, Dialect, SecureConfig, label_options};

/// The secure port where `--api-server` names none.
const SECURE_PORT: u16 = 443;

/// Heapster's flags.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "heapster",
    disable_version_flag = true,
    about = "Heapster's command line, served by Taffrail"
)]
#[expect(clippy::struct_excessive_bools, reason = "they are Heapster's flags")]
pub(crate) struct HeapsterArgs {
    /// Source(s) to watch; exactly one.
    #[arg(long, value_name = "PREFIX:CONFIG[?OPTIONS]")]
    source: Vec<String>,
    /// External sink(s) that receive data.
    #[arg(long, value_name = "PREFIX:CONFIG[?OPTIONS]")]
    sink: Vec<String>,
    /// How often to measure.
    #[arg(long, default_value = "1m0s", value_parser = duration)]
    metric_resolution: Duration,
    /// Port used by the Heapster-specific APIs.
    #[arg(long, default_value_t = 8082)]
    heapster_port: u16,
    /// IP to listen on, defaults to all IPs.
    #[arg(long, default_value = "")]
    listen_ip: String,
    /// Max number of CPUs that can be used simultaneously; less than 1 for all cores.
    #[arg(long, default_value_t = 0)]
    pub(crate) max_procs: i64,
    #[command(flatten)]
    tls: TlsArgs,
    /// The influxdb:… sink that the historical API reads; our own history without it.
    #[arg(long, default_value = "")]
    historical_source: String,
    #[command(flatten)]
    labels: LabelArgs,
    /// Disable exporting metrics in api/v1/metric-export.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    disable_export: bool,
    /// How long one batch may take to reach a sink.
    #[arg(long, default_value = "20s", value_parser = duration)]
    sink_export_data_timeout: Duration,
    /// Disable the in-memory metric sink.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    disable_metric_sink: bool,
    /// Enable the API server of the Metrics API.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    api_server: bool,
    /// Print version info and exit.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub(crate) version: bool,
    /// Log level for V logs.
    #[arg(short, long, default_value_t = 0)]
    pub(crate) v: u8,
    /// Folder that keeps history on disk; without it there is none. Not Heapster's.
    #[arg(long, value_name = "DIR", env = "TAFFRAIL_DATA_DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    kept: KeptArgs,
    #[command(flatten)]
    apis: ApisArgs,
    #[command(flatten)]
    unused: UnusedArgs,
}

/// Flags that Heapster parses and that change nothing here: its API server's, glog's.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Accepted, without effect")]
struct UnusedArgs {
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    alsologtostderr: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    logtostderr: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    contention_profiling: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    enable_swagger_ui: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    profiling: Option<String>,
    #[arg(long)]
    authentication_kubeconfig: Option<String>,
    #[arg(long)]
    authentication_token_webhook_cache_ttl: Option<String>,
    #[arg(long)]
    authorization_kubeconfig: Option<String>,
    #[arg(long)]
    authorization_webhook_cache_authorized_ttl: Option<String>,
    #[arg(long)]
    authorization_webhook_cache_unauthorized_ttl: Option<String>,
    #[arg(long)]
    cert_dir: Option<String>,
    #[arg(long)]
    log_backtrace_at: Option<String>,
    #[arg(long)]
    log_dir: Option<String>,
    #[arg(long)]
    log_flush_frequency: Option<String>,
    #[arg(long)]
    stderrthreshold: Option<String>,
    #[arg(long)]
    tls_ca_file: Option<String>,
    #[arg(long)]
    tls_sni_cert_key: Vec<String>,
    #[arg(long)]
    vmodule: Option<String>,
}

impl HeapsterArgs {
    /// Reads Heapster's command line (program name first).
    pub(crate) fn parse_words(words: impl Iterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(words.map(normalised))
    }

    /// The configuration that these flags mean.
    pub(crate) fn config(self) -> Result<Config, ConfigError> {
        let mut mistakes = Vec::new();
        if self.source.len() != 1 {
            mistakes.push(format!(
                "--source: wrong number of sources specified: {}; give exactly one, such as --source=kubernetes.summary_api:''",
                self.source.len()
            ));
        }
        let address = match self.listen_ip.as_str() {
            // All addresses of both kinds, as Go.
            "" => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
            text => text.parse().ok(),
        };
        if address.is_none() {
            mistakes.push(format!("--listen-ip={}: not an IP address", self.listen_ip));
        }
        let tls = match self.tls.files() {
            Ok(tls) => tls,
            Err(mistake) => {
                mistakes.push(mistake);
                None
            }
        };
        let mut apis = match ApisConfig::from_args(self.apis, Some(SECURE_PORT)) {
            Ok(apis) => apis,
            Err(mistake) => {
                mistakes.push(mistake);
                ApisConfig::default()
            }
        };
        apis.old_version = self.api_server;
        // As Heapster: 0 is off, and so is no --api-server.
        let wanted = |secure: &SecureConfig| self.api_server && secure.address.port() != 0;
        apis.secure = apis.secure.filter(wanted);
        let (Some(address), true) = (address, mistakes.is_empty()) else {
            return Err(ConfigError(mistakes));
        };
        Config {
            dialect: Dialect::Heapster,
            cluster: None,
            attached: false,
            source: self.source.into_iter().next(),
            sinks: self.sink,
            event_sinks: Vec::new(),
            rules: crate::cli::rules::RulesConfig::default(),
            scrape: crate::cli::scrape::ScrapeConfig::default(),
            historical_source: Some(self.historical_source).filter(|text| !text.is_empty()),
            listen: SocketAddr::new(address, self.heapster_port),
            resolution: Some(self.metric_resolution),
            labels: label_options(self.labels),
            sink_timeout: self.sink_export_data_timeout,
            disable_export: self.disable_export,
            disable_metric_sink: self.disable_metric_sink,
            tls,
            history: self.data_dir.map(|dir| self.kept.in_folder(Some(dir))),
            replicas: None,
            apis,
            people: crate::config::PeopleConfig::default(),
        }
        .checked()
    }

    /// What was asked for and is not there, one line each.
    pub(crate) fn unmet(&self) -> Vec<String> {
        if self.apis.secure_port.is_some_and(|port| port != 0) && !self.api_server {
            return vec!["--secure-port without --api-server: there is no such port".to_owned()];
        }
        Vec::new()
    }
}

/// `--metric_resolution=5s` → `--metric-resolution=5s`; values stay as they are.
fn normalised(word: OsString) -> OsString {
    let Some(text) = word.to_str() else { return word };
    let Some(flag) = text.strip_prefix("--") else { return word };
    let (name, value) = match flag.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (flag, None),
    };
    let name = name.replace('_', "-");
    match value {
        Some(value) => format!("--{name}={value}").into(),
        None => format!("--{name}").into(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<HeapsterArgs, clap::Error> {
        let words = std::iter::once("heapster").chain(line.split_whitespace());
        HeapsterArgs::parse_words(words.map(OsString::from))
    }

    #[test]
    fn underscores_and_dashes_are_the_same_in_names_only() {
        let line = "--source=kubernetes:http://a_b --metric_resolution=30s --heapster_port 9 --disable_export=true";
        let config = parse(line).unwrap().config().unwrap();
        assert_eq!(config.source.as_deref(), Some("kubernetes:http://a_b"));
        assert_eq!(config.resolution, Some(Duration::from_secs(30)));
        assert_eq!(config.listen.to_string(), "[::]:9");
        assert!(config.disable_export);
    }

    #[test]
    fn every_flag_of_the_old_help_is_taken() {
        let recorded = include_str!("../tests/fixtures/heapster-flags.txt");
        for line in recorded.lines() {
            let Some(flag) = line.split_whitespace().find(|word| word.starts_with("--")) else {
                continue;
            };
            let name = flag.trim_end_matches(',');
            let takes_none = HeapsterArgs::command().get_arguments().any(|argument| {
                argument.get_long().is_some_and(|long| format!("--{long}") == name)
            });
            assert!(takes_none, "{name} is unknown");
        }
    }

    #[test]
    fn unknown_flags_and_wrong_counts_are_refused() {
        assert!(parse("--source=kubernetes --poll_duration=10s").is_err());
        assert!(parse("").unwrap().config().is_err());
        assert!(parse("--source=kubernetes --source=kubernetes").unwrap().config().is_err());
        assert!(parse("--source=kubernetes --tls_cert=x").unwrap().config().is_err());
        assert!(parse("--source=kubernetes --metric_resolution=1s").unwrap().config().is_err());
    }
}
