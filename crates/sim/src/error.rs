//! Why a simulation could not start or keep running.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

use crate::faults::FaultError;

/// Why a simulation could not start or keep running.
#[derive(Debug, Error)]
pub enum Error {
    /// A listener could not be opened.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// TLS could not be set up.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// Client certificates cannot be checked.
    #[error("cannot check client certificates")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    /// The faults make no sense for this cluster.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// The world has no nodes.
    #[error("a cluster needs at least one node, one pod per node and one container per pod")]
    Empty,
    /// Loopback has one IPv6 address, and more machines were wanted.
    #[error("a cluster on IPv6 has one node: loopback has no other address")]
    OneAddress,
    /// A task ended before shutdown.
    #[error("the task `{0}` ended")]
    Ended(&'static str),
}
