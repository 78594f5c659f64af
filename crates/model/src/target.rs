//! A target's outcome: how one scraped endpoint answered, as data.

use std::sync::Arc;
use std::time::Duration;

use crate::Timestamp;

/// Where on the way to a target something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hop {
    /// No address, or the name did not resolve.
    Address,
    /// No TCP connection.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// 401: who we are was not accepted.
    Authentication,
    /// 403: what we asked for is not allowed.
    Authorization,
    /// Any other HTTP status.
    Http,
    /// No whole answer before the deadline.
    Timeout,
    /// The answer was larger than the limit, or ended early.
    Body,
    /// The answer could not be read.
    Decode,
    /// The source's own machine (files under /proc or the cgroup tree).
    Local,
}

impl Hop {
    /// The name shown to people and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::Http => "http",
            Self::Timeout => "timeout",
            Self::Body => "body",
            Self::Decode => "decode",
            Self::Local => "local",
        }
    }
}

/// How a target stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetState {
    /// It answered and was read.
    Up,
    /// It was asked and failed.
    Failed {
        /// Where.
        hop: Hop,
        /// What happened, in one line.
        reason: String,
        /// What to change, in one line; empty when nothing is known to help.
        advice: String,
    },
    /// It was not asked, for this reason (not ready, no address).
    Skipped {
        /// Why.
        reason: String,
    },
}

impl TargetState {
    /// `up`, `failed` or `skipped`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Failed { .. } => "failed",
            Self::Skipped { .. } => "skipped",
        }
    }
}

/// How we know that who answered is who was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Verified {
    /// Nothing was encrypted, or nothing was asked.
    #[default]
    NotAsked,
    /// A trusted authority signed its certificate, which names the address.
    Address,
    /// A trusted authority signed its certificate, which names the node.
    NodeName,
    /// Its certificate or key is pinned.
    Pinned,
    /// Encrypted, but nothing was checked.
    Nothing,
    /// The API server asked it for us.
    ByApiServer,
}

impl Verified {
    /// Every one, in the order of their numbers on the wire.
    pub const ALL: [Self; 6] = [
        Self::NotAsked,
        Self::Address,
        Self::NodeName,
        Self::Pinned,
        Self::Nothing,
        Self::ByApiServer,
    ];

    /// The name shown in the API: `address`, `node-name`, `pinned`, `nothing`, `api-server`.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::NotAsked => None,
            Self::Address => Some("address"),
            Self::NodeName => Some("node-name"),
            Self::Pinned => Some("pinned"),
            Self::Nothing => Some("nothing"),
            Self::ByApiServer => Some("api-server"),
        }
    }
}

/// How one endpoint answered in one tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The node it belongs to.
    pub node: Arc<str>,
    /// What was asked (`https://10.0.0.7:10250/stats/summary`); empty when nothing was.
    pub url: Arc<str>,
    /// How it stands.
    pub state: TargetState,
    /// Since when it stands so.
    pub since: Timestamp,
    /// When it last answered well; [`Timestamp::NEVER`] if it never did.
    pub last_success: Timestamp,
    /// How long the answer took.
    pub took: Duration,
    /// Size of the answer.
    pub body_bytes: u64,
    /// How its certificate was verified.
    pub verified: Verified,
}
