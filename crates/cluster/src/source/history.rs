//! How a node stood over the ticks: since when, last success, and what is worth a log line.

use std::sync::Arc;
use std::time::Duration;

use model::{Hop, Target, TargetState, Timestamp, Verified};

use crate::failure::Failure;

/// One node's past.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Whether the API server's proxy was the way that worked last.
    pub(super) proxied: bool,
    /// Whether the kubelet answered by another endpoint than `/stats/container`.
    pub(super) modern: bool,
    standing: Standing,
    since: Timestamp,
    last_success: Timestamp,
}

/// What must change to be news.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Standing {
    #[default]
    New,
    Up,
    Failed(Hop),
    Skipped,
}

/// How one request ended.
pub(super) struct Outcome {
    pub(super) url: Arc<str>,
    pub(super) took: Duration,
    /// Body bytes.
    pub(super) read: Result<u64, Failure>,
    pub(super) now: Timestamp,
    pub(super) verified: Verified,
}

impl History {
    /// Notes a request; its target.
    pub(super) fn asked(&mut self, node: &Arc<str>, outcome: Outcome) -> Target {
        let Outcome { url, took, read, now, verified } = outcome;
        let standing = match &read {
            Ok(_) => Standing::Up,
            Err(failure) => Standing::Failed(failure.hop),
        };
        let before = std::mem::replace(&mut self.standing, standing);
        if before != standing {
            self.since = now;
            log(node, &url, before, &read);
        }
        let (state, body_bytes) = match read {
            Ok(bytes) => {
                self.last_success = now;
                (TargetState::Up, bytes)
            }
            Err(Failure { hop, reason, advice }) => {
                (TargetState::Failed { hop, reason, advice }, 0)
            }
        };
        Target { verified, ..self.target(node, url, state, took, body_bytes) }
    }

    /// Notes that the node was not asked; its target.
    pub(super) fn skipped(&mut self, node: &Arc<str>, reason: &str, now: Timestamp) -> Target {
        if self.standing != Standing::Skipped {
            tracing::info!(node = &**node, reason, "node is skipped");
            self.standing = Standing::Skipped;
            self.since = now;
        }
        let state = TargetState::Skipped { reason: reason.to_owned() };
        self.target(node, Arc::from(""), state, Duration::ZERO, 0)
    }

    fn target(
        &self,
        node: &Arc<str>,
        url: Arc<str>,
        state: TargetState,
        took: Duration,
        body_bytes: u64,
    ) -> Target {
        let (since, last_success) = (self.since, self.last_success);
        let verified = Verified::NotAsked;
        Target {
            node: Arc::clone(node),
            url,
            state,
            since,
            last_success,
            took,
            body_bytes,
            verified,
        }
    }
}

fn log(node: &str, url: &str, before: Standing, read: &Result<u64, Failure>) {
    match read {
        Err(Failure { hop, reason, advice }) => {
            tracing::warn!(node, url, hop = hop.name(), reason, advice, "node cannot be read");
        }
        Ok(_) if before == Standing::New => tracing::debug!(node, url, "node is read"),
        Ok(_) => tracing::info!(node, url, "node can be read again"),
    }
}
