//! Why there is no usable connection to an API server.

use model::Hop;

use crate::failure::Failure;

/// What happened and what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; {advice}")]
pub struct Trouble {
    /// What happened, in one line.
    pub reason: String,
    /// What to change, in one line.
    pub advice: String,
}

/// Why there is no usable connection, by the hop that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The settings themselves: no kubeconfig, an unreadable file, no server named.
    #[error("configuration: {0}")]
    Configuration(Trouble),
    /// The server's name does not resolve.
    #[error("dns: {0}")]
    Dns(Trouble),
    /// No TCP connection.
    #[error("connect: {0}")]
    Connect(Trouble),
    /// The TLS handshake failed.
    #[error("tls: {0}")]
    Tls(Trouble),
    /// The server does not know us (401), or our credentials cannot be had.
    #[error("authentication: {0}")]
    Authentication(Trouble),
    /// The server knows us and says no (403).
    #[error("authorization: {0}")]
    Authorization(Trouble),
    /// No answer in time.
    #[error("timeout: {0}")]
    Timeout(Trouble),
    /// An answer that is not a Kubernetes API server's, or an error of its own.
    #[error("answer: {0}")]
    Answer(Trouble),
}

impl ConnectError {
    /// What happened and what to change.
    pub fn trouble(&self) -> &Trouble {
        match self {
            Self::Configuration(trouble)
            | Self::Dns(trouble)
            | Self::Connect(trouble)
            | Self::Tls(trouble)
            | Self::Authentication(trouble)
            | Self::Authorization(trouble)
            | Self::Timeout(trouble)
            | Self::Answer(trouble) => trouble,
        }
    }

    /// The hop, as targets name it.
    pub fn hop(&self) -> Hop {
        match self {
            Self::Configuration(_) => Hop::Local,
            Self::Dns(_) => Hop::Address,
            Self::Connect(_) => Hop::Connect,
            Self::Tls(_) => Hop::Tls,
            Self::Authentication(_) => Hop::Authentication,
            Self::Authorization(_) => Hop::Authorization,
            Self::Timeout(_) => Hop::Timeout,
            Self::Answer(_) => Hop::Http,
        }
    }

    /// Whether it stops every request to the API server alike: whoever checks the connection
    /// tells it once, so that nobody else needs to.
    pub fn concerns_everything(&self) -> bool {
        !matches!(self, Self::Authorization(_) | Self::Answer(_))
    }

    pub(crate) fn to_failure(&self) -> Failure {
        let Trouble { reason, advice } = self.trouble().clone();
        Failure { hop: self.hop(), reason, advice }
    }
}
