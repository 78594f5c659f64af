//! The checked configuration of the Kubernetes APIs.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::{ApisArgs, DashboardMemory, TrustArgs};

/// The shortest time between two rounds, as metrics-server's.
const MIN_RESOURCE_RESOLUTION: Duration = Duration::from_secs(10);

/// What Kubernetes and its dashboards are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApisConfig {
    /// The secure port; `None`: there is none.
    pub(crate) secure: Option<SecureConfig>,
    /// The sidecar's port.
    pub(crate) sidecar: Option<SocketAddr>,
    /// Zero: with the tick.
    pub(crate) resource_resolution: Duration,
    pub(crate) resource_keep: Duration,
    pub(crate) metrics_server_rules: bool,
    pub(crate) dashboard_working_set: bool,
    /// Whether `v1alpha1` is served beside `v1beta1`.
    pub(crate) old_version: bool,
}

/// The secure port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecureConfig {
    pub(crate) address: SocketAddr,
    /// Certificate and key; `None`: one is made.
    pub(crate) files: Option<(PathBuf, PathBuf)>,
    pub(crate) trust: TrustFiles,
}

/// Files that say whom the secure port believes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrustFiles {
    /// Authorities of clients; `None`: the cluster's.
    pub(crate) client_ca: Option<PathBuf>,
    /// `None`: the cluster's.
    pub(crate) front_proxy: Option<FrontProxyFile>,
    /// Whether the cluster is asked for what no file says.
    pub(crate) lookup: bool,
}

/// Front proxies by a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FrontProxyFile {
    pub(crate) ca: PathBuf,
    pub(crate) allowed_names: Vec<String>,
    pub(crate) username_headers: Vec<String>,
    pub(crate) uid_headers: Vec<String>,
    pub(crate) group_headers: Vec<String>,
    pub(crate) extra_prefixes: Vec<String>,
}

impl Default for TrustFiles {
    fn default() -> Self {
        Self { client_ca: None, front_proxy: None, lookup: true }
    }
}

impl TrustFiles {
    /// From flags; with the headers that Kubernetes' servers expect where none are named.
    fn from_args(args: TrustArgs) -> Self {
        let or = |given: Vec<String>, usual: &str| {
            if given.is_empty() { vec![usual.to_owned()] } else { given }
        };
        let given = |file: Option<PathBuf>| file.filter(|file| !file.as_os_str().is_empty());
        Self {
            client_ca: given(args.client_ca_file),
            front_proxy: given(args.requestheader_client_ca_file).map(|ca| FrontProxyFile {
                ca,
                allowed_names: args.requestheader_allowed_names,
                username_headers: or(args.requestheader_username_headers, "x-remote-user"),
                uid_headers: or(args.requestheader_uid_headers, "x-remote-uid"),
                group_headers: or(args.requestheader_group_headers, "x-remote-group"),
                extra_prefixes: or(args.requestheader_extra_headers_prefix, "x-remote-extra-"),
            }),
            lookup: !args.authentication_skip_lookup,
        }
    }
}

/// What of these flags would do nothing, as Kubernetes' servers let it.
pub(super) fn idle_trust(args: &TrustArgs) -> Option<String> {
    let names = [
        ("--requestheader-allowed-names", &args.requestheader_allowed_names),
        ("--requestheader-username-headers", &args.requestheader_username_headers),
        ("--requestheader-uid-headers", &args.requestheader_uid_headers),
        ("--requestheader-group-headers", &args.requestheader_group_headers),
        ("--requestheader-extra-headers-prefix", &args.requestheader_extra_headers_prefix),
    ];
    let (flag, _) = names.into_iter().find(|(_, given)| !given.is_empty())?;
    args.requestheader_client_ca_file
        .is_none()
        .then(|| format!("{flag} does nothing without --requestheader-client-ca-file: give both"))
}

impl Default for ApisConfig {
    fn default() -> Self {
        Self {
            secure: None,
            sidecar: None,
            resource_resolution: Duration::from_secs(15),
            resource_keep: Duration::from_mins(1),
            metrics_server_rules: false,
            dashboard_working_set: false,
            old_version: false,
        }
    }
}

impl ApisConfig {
    /// The secure port on this machine alone, fed by the tick.
    pub(crate) fn on_loopback(port: Option<u16>) -> Self {
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let trust = TrustFiles::default();
        let secure = port.map(|port| SecureConfig { address: address(port), files: None, trust });
        Self { secure, ..Self::default() }
    }

    /// From flags; `port` is the secure port where none is given, if there is to be one.
    pub(crate) fn from_args(args: ApisArgs, port: Option<u16>) -> Result<Self, String> {
        let port = args.secure_port.or(port);
        let files = match (args.tls_cert_file, args.tls_private_key_file) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err("--tls-cert-file and --tls-private-key-file: give both".to_owned()),
        };
        let resolution = args.resource_resolution;
        if !resolution.is_zero() && resolution < MIN_RESOURCE_RESOLUTION {
            return Err(format!(
                "--resource-resolution={resolution:?}: kubelets do not measure that often; give \
                 at least 10s, or 0s to measure with the tick"
            ));
        }
        let address = |port| SocketAddr::new(args.bind_address, port);
        let trust = TrustFiles::from_args(args.trust);
        Ok(Self {
            secure: port.map(|port| SecureConfig { address: address(port), files, trust }),
            sidecar: args.sidecar_listen,
            resource_resolution: resolution,
            resource_keep: args.resource_keep,
            metrics_server_rules: args.metrics_server_rules,
            dashboard_working_set: args.dashboard_memory == DashboardMemory::WorkingSet,
            old_version: false,
        })
    }
}
