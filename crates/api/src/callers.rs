//! Who asked last by the ways in that other programs were built for: Kubernetes Dashboards.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, header};
use model::Timestamp;

/// The longest user agent that is kept.
const MAX_AGENT_CHARS: usize = 200;

/// The callers of each way in.
#[derive(Debug, Default)]
pub(crate) struct Callers {
    /// Heapster's model API: Dashboard 1.x with `--heapster-host`.
    pub(crate) model: Way,
    /// The metrics scraper's port: Dashboard 2 to 7 with `--sidecar-host`.
    pub(crate) sidecar: Way,
}

/// One way in.
#[derive(Debug, Default)]
pub(crate) struct Way(Mutex<Seen>);

/// How often it was used, and by whom last.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    pub(crate) user_agent: Arc<str>,
    pub(crate) at: Timestamp,
}

impl Way {
    /// Notes a request.
    pub(crate) fn used(&self, headers: &HeaderMap, now: Timestamp) {
        let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let agent = agent.unwrap_or("");
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.requests = seen.requests.saturating_add(1);
        seen.at = now;
        if *seen.user_agent != *agent {
            let kept: String = agent.chars().take(MAX_AGENT_CHARS).collect();
            seen.user_agent = kept.into();
        }
    }

    /// What was noted; `None` when nobody ever asked.
    pub(crate) fn seen(&self) -> Option<Seen> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (seen.requests > 0).then_some(seen)
    }
}
