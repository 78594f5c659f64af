//! Flags of the Kubernetes APIs: the secure port, the dashboards' sidecar, resource metrics.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;

/// What Kubernetes and its dashboards ask.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Kubernetes APIs")]
pub(crate) struct ApisArgs {
    /// Serve metrics.k8s.io over HTTPS on this port, in place of metrics-server (manifests use
    /// 10250). [default: off]
    #[arg(long, value_name = "PORT")]
    pub(crate) secure_port: Option<u16>,
    /// Address of the secure port; `::` is all there are, of both kinds.
    #[arg(long, value_name = "ADDRESS", default_value = "::")]
    pub(crate) bind_address: IpAddr,
    /// PEM file with the secure port's certificate, read again when it changes. Without it one is
    /// made, and given to the API server where that lets us.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert_file: Option<PathBuf>,
    /// PEM file with that certificate's key.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_private_key_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// Serve what Kubernetes Dashboard 2 to 7 asks of its metrics scraper here (`--sidecar-host`);
    /// the scraper's port is 8000. [default: off]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) sidecar_listen: Option<SocketAddr>,
    /// How often metrics.k8s.io measures, where that is more often than the tick; 0s: with the
    /// tick.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "15s")]
    pub(crate) resource_resolution: Duration,
    /// How long a node that fails keeps its last measurement in metrics.k8s.io.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "60s")]
    pub(crate) resource_keep: Duration,
    /// Withhold from metrics.k8s.io what metrics-server withholds: failed nodes at once, pods with
    /// an idle or ended container.
    #[arg(long)]
    pub(crate) metrics_server_rules: bool,
    /// What Kubernetes Dashboard 1.x gets as memory/usage.
    #[arg(long, value_enum, default_value_t = DashboardMemory::Usage)]
    pub(crate) dashboard_memory: DashboardMemory,
}

/// Whom the secure port believes without asking, as aggregated API servers take it.
#[derive(Debug, Clone, Args)]
pub(crate) struct TrustArgs {
    /// PEM file with the authorities of client certificates on the secure port, read again when it
    /// changes. [default: what the cluster says in extension-apiserver-authentication]
    #[arg(long, value_name = "FILE")]
    pub(crate) client_ca_file: Option<PathBuf>,
    /// PEM file with the authorities of front proxies, which say in headers who asks; read again
    /// when it changes. [default: what the cluster says, with its names and headers]
    #[arg(long, value_name = "FILE")]
    pub(crate) requestheader_client_ca_file: Option<PathBuf>,
    /// Common names of front proxies; without any, all that their authority vouches for. Comma
    /// list; needs --requestheader-client-ca-file, as the four below.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) requestheader_allowed_names: Vec<String>,
    /// Headers with the user's name. [default: x-remote-user]
    #[arg(long, value_name = "HEADER", value_delimiter = ',')]
    pub(crate) requestheader_username_headers: Vec<String>,
    /// Headers with the user's uid. [default: x-remote-uid]
    #[arg(long, value_name = "HEADER", value_delimiter = ',')]
    pub(crate) requestheader_uid_headers: Vec<String>,
    /// Headers with groups. [default: x-remote-group]
    #[arg(long, value_name = "HEADER", value_delimiter = ',')]
    pub(crate) requestheader_group_headers: Vec<String>,
    /// Beginnings of headers with more about the user. [default: x-remote-extra-]
    #[arg(long, value_name = "PREFIX", value_delimiter = ',')]
    pub(crate) requestheader_extra_headers_prefix: Vec<String>,
    /// Trust these files alone; do not read extension-apiserver-authentication.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value_t = false)]
    pub(crate) authentication_skip_lookup: bool,
}

/// What is called memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DashboardMemory {
    /// All of it, caches included, as Heapster.
    Usage,
    /// The working set, as `kubectl top`.
    WorkingSet,
}
