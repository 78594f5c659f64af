//! Flags of replicas that share a cluster's nodes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{duration, namespace};
use crate::config::{PeerTlsFiles, ReplicaConfig};

/// How replicas know and ask each other; without --lease-namespace there is one.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReplicaArgs {
    /// Share the nodes with other replicas, by leases in this namespace of the cluster.
    #[arg(long, value_name = "NAME", value_parser = namespace,
        requires_all = ["peer_name", "peer_listen", "peer_token_file"])]
    pub(crate) lease_namespace: Option<String>,
    /// This replica's name, unlike any other's: in a cluster, the pod's.
    #[arg(long, value_name = "NAME", value_parser = replica, requires = "lease_namespace")]
    pub(crate) peer_name: Option<String>,
    /// Address on which other replicas ask this one.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "lease_namespace")]
    pub(crate) peer_listen: Option<SocketAddr>,
    /// Address at which they reach it: HOST:PORT, or HOST with the port that it listens on.
    /// [default: the one it listens on]
    #[arg(long, value_name = "HOST[:PORT]", requires = "lease_namespace")]
    pub(crate) peer_address: Option<String>,
    /// File with the secret that all replicas share, at least 16 bytes. It is never sent.
    #[arg(long, value_name = "FILE", requires = "lease_namespace")]
    pub(crate) peer_token_file: Option<PathBuf>,
    /// PEM file with this replica's certificate: replicas then ask each other over mutual TLS, with
    /// the token besides. Read again when it changes.
    #[arg(long, value_name = "FILE", requires_all = ["lease_namespace", "peer_key_file", "peer_ca_file"])]
    pub(crate) peer_cert_file: Option<PathBuf>,
    /// PEM file with that certificate's key.
    #[arg(long, value_name = "FILE", requires = "peer_cert_file")]
    pub(crate) peer_key_file: Option<PathBuf>,
    /// PEM file with the authority of all replicas' certificates.
    #[arg(long, value_name = "FILE", requires = "peer_cert_file")]
    pub(crate) peer_ca_file: Option<PathBuf>,
    /// DNS name that every replica's certificate has.
    #[arg(long, value_name = "NAME", default_value = "taffrail-peers")]
    pub(crate) peer_tls_name: String,
    /// How long a replica is waited for before its nodes are taken over: at least 2s, whole
    /// seconds. [default: half a tick, at most 15s]
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "lease_namespace")]
    pub(crate) lease_duration: Option<Duration>,
}

impl ReplicaArgs {
    /// What is asked for, if anything; the parser has seen that it is complete.
    pub(crate) fn wanted(self) -> Option<ReplicaConfig> {
        Some(ReplicaConfig {
            namespace: self.lease_namespace?,
            name: self.peer_name?,
            listen: self.peer_listen?,
            address: self.peer_address,
            token: self.peer_token_file?,
            lease: self.lease_duration,
            tls: tls_files(self.peer_cert_file, self.peer_key_file, self.peer_ca_file).map(
                |[certificate, key, authority]| PeerTlsFiles {
                    certificate,
                    key,
                    authority,
                    name: self.peer_tls_name,
                },
            ),
        })
    }
}

fn tls_files(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    authority: Option<PathBuf>,
) -> Option<[PathBuf; 3]> {
    Some([certificate?, key?, authority?])
}

/// Reads a replica's name: part of its lease's name (RFC 1123 subdomain).
fn replica(text: &str) -> Result<String, String> {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = text.bytes().next().zip(text.bytes().last());
    let well = ends.is_some_and(|(first, last)| plain(first) && plain(last))
        && text.len() <= 200
        && text.bytes().all(|c| plain(c) || matches!(c, b'-' | b'.'));
    let mistake = || {
        format!(
            "`{text}` is not a replica's name: lower case letters, digits, `-` and `.`, at most 200"
        )
    };
    if well { Ok(text.to_owned()) } else { Err(mistake()) }
}
