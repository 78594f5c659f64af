//! Whether the API server's node proxy may stand in for kubelets that are not reached: only outside
//! the cluster, and only where the API server says that our own rights allow it.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::connect::{Connection, Origin};
use crate::diagnose::may_proxy;
use crate::options::Via;

/// How long an answer holds: rights change.
const HOLDS: Duration = Duration::from_mins(5);
/// How long it holds that the question was not answered.
const AGAIN: Duration = Duration::from_secs(30);
/// How long the answer is waited for: what failed before is to be told within the tick.
const PATIENCE: Duration = Duration::from_secs(3);

/// The proxy of one cluster.
pub(super) struct Proxy {
    /// `None` where it is not ours to decide: always or never.
    ask: Option<Connection>,
    always: bool,
    /// What was answered, and until when it holds.
    known: Mutex<Option<(bool, Instant)>>,
}

impl Proxy {
    pub(super) fn new(connection: &Connection) -> Self {
        let outside = !matches!(connection.origin(), Origin::InCluster);
        let via = connection.options().via;
        Self {
            ask: (via == Via::Auto && outside).then(|| connection.clone()),
            always: via == Via::Proxy,
            known: Mutex::new(None),
        }
    }

    /// Whether it may be used, so far as that is known.
    pub(super) fn known(&self) -> Option<bool> {
        if self.ask.is_none() {
            return Some(self.always);
        }
        self.known.try_lock().ok()?.map(|(allowed, _)| allowed)
    }

    /// Whether it may be used now. The first one who needs it asks the API server.
    pub(super) async fn allowed(&self) -> bool {
        let Some(connection) = &self.ask else { return self.always };
        let mut known = self.known.lock().await;
        if let Some((allowed, until)) = *known
            && Instant::now() < until
        {
            return allowed;
        }
        let (allowed, holds) = match timeout(PATIENCE, may_proxy(connection)).await {
            Ok(Ok(allowed)) => (allowed, HOLDS),
            Ok(Err(reason)) => {
                tracing::debug!(reason, "whether we may use the node proxy cannot be asked");
                (false, AGAIN)
            }
            Err(_) => (false, AGAIN),
        };
        if known.is_none_or(|(before, _)| before != allowed) {
            let way = if allowed { "the API server's node proxy" } else { "no other way" };
            tracing::info!(way, "kubelets that are not reached directly are asked by");
        }
        *known = Some((allowed, Instant::now() + holds));
        allowed
    }
}
