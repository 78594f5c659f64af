//! From a `--source` text to something that can be measured.

use std::time::Duration;

use cluster::{ConnectError, Connection, Defaults, SourceOptions};

use crate::config::{Config, DEFAULT_RESOLUTION, Dialect, MIN_RESOLUTION};
use crate::exit::Failure;
use crate::facts::cluster_facts;

/// The key of the source that needs no cluster.
pub(crate) const HOST: &str = "host";

/// What is measured.
#[derive(Debug)]
pub(crate) enum Input {
    /// A cluster, through its API server and kubelets.
    Cluster(Box<Connection>),
    /// This machine.
    Host,
}

/// Why there is nothing to measure.
#[derive(Debug)]
pub(crate) enum Unresolved {
    /// The text of `--source`.
    Source(Failure),
    /// What it leads to.
    Connection(ConnectError),
}

impl Input {
    /// Decides by the configuration. Must run inside a runtime.
    pub(crate) async fn resolve(config: &Config) -> Result<Self, Failure> {
        let source = config.source.as_deref();
        let found = Self::find(config.dialect, source).await;
        found.map_err(|unresolved| explained(unresolved, source.is_none()))
    }

    /// Decides by `--source`'s text. Must run inside a runtime.
    pub(crate) async fn find(dialect: Dialect, source: Option<&str>) -> Result<Self, Unresolved> {
        let options = Self::options(dialect, source).map_err(Unresolved::Source)?;
        let Some(options) = options else { return Ok(Self::Host) };
        let connection = Connection::resolve(&options, &environment).await;
        Ok(Self::Cluster(Box::new(connection.map_err(Unresolved::Connection)?)))
    }

    /// The cluster's options; `None` for this machine.
    fn options(dialect: Dialect, source: Option<&str>) -> Result<Option<SourceOptions>, Failure> {
        let defaults = match dialect {
            Dialect::Taffrail => Defaults::taffrail(),
            Dialect::Heapster => Defaults::heapster(),
        };
        let options = match source {
            None => SourceOptions::new(defaults),
            Some(text) => match cluster::parse_key(text) {
                Ok(HOST) => return host(text).map(|()| None),
                _ => SourceOptions::parse(text, &environment, defaults).map_err(|error| {
                    let also = match error {
                        cluster::uri::UriError::UnknownKey { .. } => ", and host (this machine)",
                        _ => "",
                    };
                    Failure::config(format!("--source={text}: {error}{also}"))
                })?,
            },
        };
        Ok(Some(options))
    }

    /// What it is called, to tell its history from others'.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Cluster(connection) => cluster_facts(connection).name,
            Self::Host => HOST.to_owned(),
        }
    }

    /// Time between ticks where nobody says otherwise.
    pub(crate) fn default_resolution(&self) -> Duration {
        match self {
            Self::Cluster(_) => DEFAULT_RESOLUTION,
            Self::Host => MIN_RESOLUTION,
        }
    }
}

fn host(text: &str) -> Result<(), Failure> {
    match text.strip_prefix(HOST) {
        Some("" | ":") => Ok(()),
        _ => Err(Failure::config(format!("--source={text}: the source host has no options"))),
    }
}

/// Why there is nothing to measure, with the exit code for it.
pub(crate) fn explained(unresolved: Unresolved, nothing_was_asked_for: bool) -> Failure {
    match unresolved {
        Unresolved::Source(failure) => failure,
        Unresolved::Connection(error) => no_connection(&error, nothing_was_asked_for),
    }
}

/// Why nothing can begin, with the exit code for it.
pub(crate) fn no_connection(error: &ConnectError, nothing_was_asked_for: bool) -> Failure {
    let choice = if nothing_was_asked_for {
        "\nWithout a cluster: `taffrail demo` shows a simulated one, \
         `taffrail serve --source=host` measures this machine."
    } else {
        ""
    };
    match error {
        ConnectError::Configuration(_) => Failure::config(format!("{error}{choice}")),
        _ => Failure::unavailable(format!("{error}{choice}")),
    }
}

/// Looks up an environment variable.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
