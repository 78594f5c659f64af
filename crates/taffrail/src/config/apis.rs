//! The checked configuration of the Kubernetes APIs.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::{ApisArgs, DashboardMemory};

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
        let secure = port.map(|port| SecureConfig { address: address(port), files: None });
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
        Ok(Self {
            secure: port.map(|port| SecureConfig { address: address(port), files }),
            sidecar: args.sidecar_listen,
            resource_resolution: resolution,
            resource_keep: args.resource_keep,
            metrics_server_rules: args.metrics_server_rules,
            dashboard_working_set: args.dashboard_memory == DashboardMemory::WorkingSet,
            old_version: false,
        })
    }
}
