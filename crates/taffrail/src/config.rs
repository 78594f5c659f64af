//! The checked configuration of a running server, whatever spoke it: flags of `taffrail serve`
//! or Heapster's own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use model::{LabelOptions, StoredLabel};

use crate::cli::rules::RulesConfig;
use crate::cli::scrape::ScrapeConfig;
use crate::cli::{LabelArgs, ServeArgs};
use crate::exit::Failure;

mod apis;
mod people;

pub(crate) use apis::{ApisConfig, SecureConfig, TrustFiles};
pub(crate) use people::{OidcConfig, PeopleConfig};

/// The shortest time between two ticks, as Heapster's.
pub(crate) const MIN_RESOLUTION: Duration = Duration::from_secs(5);
/// The time between two ticks where nobody says otherwise, as Heapster's.
pub(crate) const DEFAULT_RESOLUTION: Duration = Duration::from_mins(1);
/// How long Heapster waits after a window's end before it scrapes.
pub(crate) const HEAPSTER_SCRAPE_OFFSET: Duration = Duration::from_secs(5);

/// Whose manners the process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Our own defaults.
    Taffrail,
    /// Invoked as `heapster`: its defaults, its timing.
    Heapster,
}

/// Certificates of the main port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// PEM certificate chain.
    pub(crate) certificate: PathBuf,
    /// PEM private key.
    pub(crate) key: PathBuf,
    /// PEM CA of client certificates; asks for one when given.
    pub(crate) client_ca: Option<PathBuf>,
    /// Common names that may call; empty admits every verified client.
    pub(crate) allowed_users: Vec<String>,
}

/// History on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HistoryConfig {
    /// The folder; `None` for the default one of what is measured.
    pub(crate) dir: Option<PathBuf>,
    /// Whether the folder goes with the process.
    pub(crate) temporary: bool,
    /// How long values are kept.
    pub(crate) retention: Duration,
    /// How much disk they may take.
    pub(crate) retention_bytes: Option<u64>,
    /// How much a power cut may lose; zero for nothing.
    pub(crate) fsync: Duration,
}

/// One replica among several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReplicaConfig {
    /// Where the leases are.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
    /// Where it listens for the others.
    pub(crate) listen: SocketAddr,
    /// Where they reach it; `None` for where it listens.
    pub(crate) address: Option<String>,
    /// File with the shared secret.
    pub(crate) token: PathBuf,
    /// How long its lease lasts; `None` to follow from the resolution.
    pub(crate) lease: Option<Duration>,
    /// Mutual TLS with the others; `None` for none.
    pub(crate) tls: Option<PeerTlsFiles>,
}

/// Files of mutual TLS between replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerTlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) authority: PathBuf,
    /// DNS name of every replica's certificate.
    pub(crate) name: String,
}

/// The shortest retention: what is in memory is not thrown away.
pub(crate) const MIN_RETENTION: Duration = Duration::from_hours(2);

/// Everything that a server needs to know before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) dialect: Dialect,
    /// What the cluster is called; `None` for what its source calls it.
    pub(crate) cluster: Option<String>,
    /// Whether the end of standard input stops it.
    pub(crate) attached: bool,
    pub(crate) source: Option<String>,
    pub(crate) sinks: Vec<String>,
    /// Where events go, as `sinks`.
    pub(crate) event_sinks: Vec<String>,
    /// What the historical API reads, as a sink's text; `None` for our own history.
    pub(crate) historical_source: Option<String>,
    pub(crate) listen: SocketAddr,
    pub(crate) resolution: Option<Duration>,
    pub(crate) labels: LabelOptions,
    pub(crate) sink_timeout: Duration,
    pub(crate) disable_export: bool,
    pub(crate) disable_metric_sink: bool,
    pub(crate) tls: Option<TlsFiles>,
    /// `None` for live values only.
    pub(crate) history: Option<HistoryConfig>,
    /// `None` for the only one.
    pub(crate) replicas: Option<ReplicaConfig>,
    pub(crate) apis: ApisConfig,
    pub(crate) rules: RulesConfig,
    pub(crate) scrape: ScrapeConfig,
    pub(crate) people: PeopleConfig,
}

/// A configuration that cannot be used: every mistake at once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConfigError(pub(crate) Vec<String>);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// No sink, no history, any free port of this machine: what a command starts from.
    pub(crate) fn bare(dialect: Dialect) -> Self {
        Self {
            dialect,
            cluster: None,
            attached: false,
            source: None,
            sinks: Vec::new(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            resolution: None,
            labels: LabelOptions::default(),
            sink_timeout: Duration::from_secs(20),
            disable_export: false,
            disable_metric_sink: false,
            tls: None,
            history: None,
            replicas: None,
            historical_source: None,
            apis: ApisConfig::default(),
            people: PeopleConfig::default(),
            event_sinks: Vec::new(),
            rules: RulesConfig::default(),
            scrape: ScrapeConfig::default(),
        }
    }

    /// From the flags of `taffrail serve`.
    pub(crate) fn from_serve(args: ServeArgs) -> Result<Self, ConfigError> {
        if let Some(mistake) = apis::idle_trust(&args.apis.trust) {
            return Err(ConfigError(vec![mistake]));
        }
        Self {
            dialect: Dialect::Taffrail,
            cluster: args.cluster,
            attached: args.attached,
            source: args.source,
            sinks: args.sink,
            event_sinks: args.event_sink,
            historical_source: args.historical_source,
            listen: args.listen,
            resolution: args.metric_resolution,
            labels: label_options(args.labels),
            sink_timeout: args.sink_export_data_timeout,
            disable_export: args.disable_export,
            disable_metric_sink: false,
            tls: args.tls.files().map_err(|mistake| ConfigError(vec![mistake]))?,
            history: args.history.wanted(),
            replicas: args.replicas.wanted(),
            apis: ApisConfig::from_args(args.apis, None)
                .map_err(|mistake| ConfigError(vec![mistake]))?,
            rules: args.rules.config(),
            scrape: args.scrape.config(),
            people: PeopleConfig::from_args(args.people, args.listen)
                .map_err(|mistake| ConfigError(vec![mistake]))?,
        }
        .checked()
    }

    /// Who may push metrics to the port at `address`: whoever shows the token, without one whoever
    /// is on this machine.
    pub(crate) fn push_access(&self, address: SocketAddr) -> Result<api::PushAccess, Failure> {
        let Some(file) = &self.rules.push_token else {
            let open = crate::cli::is_loopback(address.ip());
            return Ok(if open { api::PushAccess::Open } else { api::PushAccess::Closed });
        };
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::config(format!("--push-token-file={}: {error}", file.display()))
        })?;
        match text.trim() {
            "" => Err(Failure::config(format!("--push-token-file={}: is empty", file.display()))),
            token => Ok(api::PushAccess::Token(token.into())),
        }
    }

    /// Refuses what cannot work, naming the flag and the change to make.
    pub(crate) fn checked(self) -> Result<Self, ConfigError> {
        let mut mistakes = Vec::new();
        if let Some(resolution) = self.resolution
            && resolution < MIN_RESOLUTION
        {
            mistakes.push(format!(
                "--metric-resolution={resolution:?}: kubelets do not measure that often; give at least 5s"
            ));
        }
        if self.sink_timeout.is_zero() {
            mistakes.push("--sink-export-data-timeout=0s: give a sink some time".to_owned());
        }
        if let Some(history) = &self.history
            && history.retention < MIN_RETENTION
        {
            mistakes.push(format!("--retention={:?}: give at least 2h", history.retention));
        }
        if let Some(replicas) = &self.replicas {
            mistakes.extend(replicas.mistakes());
        }
        mistakes.extend(self.scrape.mistakes());
        for stored in &self.labels.stored {
            if stored.key.is_empty() || stored.name.is_empty() {
                mistakes
                    .push("--store-label: give KEY or NEW=KEY, both parts non-empty".to_owned());
            }
        }
        if mistakes.is_empty() { Ok(self) } else { Err(ConfigError(mistakes)) }
    }
}

impl ReplicaConfig {
    /// What cannot work.
    fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let shortest = cluster::replicas::SHORTEST_LEASE;
        if let Some(lease) = self.lease
            && (lease < shortest || lease.subsec_nanos() > 0)
        {
            mistakes.push(format!("--lease-duration={lease:?}: give whole seconds, at least 2s"));
        }
        if self.address.is_none() && self.listen.ip().is_unspecified() {
            mistakes.push(format!(
                "--peer-listen={}: say with --peer-address at which address others reach it",
                self.listen
            ));
        }
        mistakes
    }
}

/// The label flags as the model wants them.
pub(crate) fn label_options(args: LabelArgs) -> LabelOptions {
    let stored = args
        .store_label
        .into_iter()
        .map(|text| match text.split_once('=') {
            Some((name, key)) => StoredLabel { key: key.to_owned(), name: name.to_owned() },
            None => StoredLabel { name: text.clone(), key: text },
        })
        .collect();
    LabelOptions { separator: args.label_separator, ignored: args.ignore_label, stored }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn serve(arguments: &[&str]) -> Result<Config, ConfigError> {
        let words = ["taffrail", "serve"].iter().chain(arguments);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Serve(args) => Config::from_serve(*args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_stored_label_may_get_another_name() {
        let config = serve(&["--store-label", "app,team=owner"]).unwrap();
        let stored: Vec<_> =
            config.labels.stored.iter().map(|label| (&*label.key, &*label.name)).collect();
        assert_eq!(stored, [("app", "app"), ("owner", "team")]);
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let ConfigError(mistakes) = serve(&[
            "--metric-resolution=1s",
            "--sink-export-data-timeout=0s",
            "--store-label==x",
            "--retention=1h",
        ])
        .unwrap_err();
        assert_eq!(mistakes.len(), 4, "{mistakes:?}");
    }
}
