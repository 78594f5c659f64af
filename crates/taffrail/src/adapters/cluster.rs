//! The cluster as the secure port asks it about people, and the quick loop's taker.

use std::collections::HashSet;
use std::sync::Arc;

use api::{Answered, Attributes, Decision, Delegate, User};
use cluster::{Access, Connection, ResourceTaker, Subject};
use model::{Batch, NodeSamples, TargetState, Timestamp};
use query::ResourceWindows;

/// Reviews over a connection.
pub(crate) struct Reviews(pub(crate) Connection);

impl Delegate for Reviews {
    fn token(&self, token: String) -> Answered<Option<User>> {
        let connection = self.0.clone();
        Box::pin(async move {
            let found = connection.review_token(&token).await;
            let found = found.map_err(|error| error.trouble().reason.clone())?;
            Ok(found.map(|Subject { name, uid, groups, extra }| User { name, uid, groups, extra }))
        })
    }

    fn access(&self, user: User, wanted: Attributes) -> Answered<Decision> {
        let connection = self.0.clone();
        Box::pin(async move {
            let User { name, uid, groups, extra } = user;
            let subject = Subject { name, uid, groups, extra };
            let access = Access {
                verb: &wanted.verb,
                group: &wanted.group,
                version: &wanted.version,
                resource: &wanted.resource,
                subresource: &wanted.subresource,
                namespace: &wanted.namespace,
                name: &wanted.name,
                path: &wanted.path,
            };
            let answer = connection.review_access(&subject, &access).await;
            let (allowed, reason) = answer.map_err(|error| error.trouble().reason.clone())?;
            Ok(Decision { allowed, reason })
        })
    }
}

/// Resource windows that the quick loop fills.
pub(crate) struct FilledWindows {
    pub(crate) windows: Arc<ResourceWindows>,
    /// Answers of a round that are shown at its end, where metrics-server's rules hold.
    pub(crate) waiting: std::sync::Mutex<Vec<NodeSamples>>,
}

impl FilledWindows {
    pub(crate) fn new(windows: &Arc<ResourceWindows>) -> Self {
        Self { windows: Arc::clone(windows), waiting: std::sync::Mutex::default() }
    }
}

impl ResourceTaker for FilledWindows {
    fn begins(&self, now: Timestamp) {
        self.windows.round_begins(now);
    }

    fn answered(&self, samples: NodeSamples, now: Timestamp) {
        if self.windows.options().old_rules {
            self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(samples);
        } else {
            self.windows.take(samples, now);
        }
    }

    fn failed(&self, node: &str) {
        self.windows.failed(node);
    }

    fn ends(&self, nodes: &HashSet<Box<str>>, now: Timestamp) {
        let waiting = std::mem::take(
            &mut *self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
        );
        self.windows.take_all(&waiting, now);
        self.windows.round_ends(|node| nodes.contains(node), now);
    }
}

/// Fills `windows` from a tick's batch.
pub(crate) fn fill_from(windows: &ResourceWindows, batch: &Batch, now: Timestamp) {
    windows.round_begins(batch.timestamp());
    for target in batch.targets() {
        if target.state != TargetState::Up {
            windows.failed(&target.node);
        }
    }
    windows.take_all(&NodeSamples::of(batch), now);
    let known: HashSet<&str> = batch.targets().iter().map(|target| &*target.node).collect();
    windows.round_ends(|node| known.contains(node), now);
}
