//! How the watches stand, for the API to show and for the start to wait on.

use std::sync::{Arc, PoisonError, RwLock};

use model::Timestamp;
use tokio::sync::watch;

use crate::Failure;

/// How one watch stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchStatus {
    /// The kind's name in URLs (`replicasets`).
    pub kind: &'static str,
    /// Whether a list has been complete once.
    pub synced: bool,
    /// How many objects are held; of events, which are not held, how many were read.
    pub objects: usize,
    /// What is wrong now; `None` while all is well.
    pub failure: Option<Failure>,
    /// Since when it stands so.
    pub since: Timestamp,
}

impl WatchStatus {
    fn new(kind: &'static str, now: Timestamp) -> Self {
        Self { kind, synced: false, objects: 0, failure: None, since: now }
    }
}

/// How all watches stand; shared and cheap to clone.
#[derive(Debug, Clone)]
pub struct WatchBoard {
    statuses: Arc<RwLock<Vec<WatchStatus>>>,
    changed: Arc<watch::Sender<()>>,
}

/// How many of the first kinds a start waits for.
const ESSENTIAL: usize = 3;

impl WatchBoard {
    pub(super) fn new<const KINDS: usize>(kinds: [&'static str; KINDS], now: Timestamp) -> Self {
        let statuses = kinds.into_iter().map(|kind| WatchStatus::new(kind, now)).collect();
        Self {
            statuses: Arc::new(RwLock::new(statuses)),
            changed: Arc::new(watch::Sender::new(())),
        }
    }

    /// Adds a watch behind the others.
    pub(super) fn add(&self, kind: &'static str, now: Timestamp) {
        let mut statuses = self.statuses.write().unwrap_or_else(PoisonError::into_inner);
        statuses.push(WatchStatus::new(kind, now));
    }

    /// Every watch, nodes, namespaces and pods first.
    pub fn statuses(&self) -> Vec<WatchStatus> {
        self.statuses.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends when nodes, namespaces and pods have each been listed, or have failed to be.
    pub async fn settled(&self) {
        self.first_settled(ESSENTIAL).await;
    }

    /// Ends when nodes have been listed, or have failed to be: a large cluster lists its pods long
    /// after.
    pub async fn nodes_settled(&self) {
        self.first_settled(1).await;
    }

    async fn first_settled(&self, count: usize) {
        let settled = |status: &WatchStatus| status.synced || status.failure.is_some();
        self.until(|statuses| statuses.iter().take(count).all(settled)).await;
    }

    /// Ends when `condition` holds; it is asked again after every change that a watch brings.
    pub async fn until(&self, mut condition: impl FnMut(&[WatchStatus]) -> bool) {
        let mut changes = self.changed.subscribe();
        while !condition(&self.statuses()) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Notes that a watch works; says whether that is news.
    pub(crate) fn well(&self, kind: &str, synced: bool, objects: usize, now: Timestamp) -> bool {
        self.update(kind, |status| {
            let news = status.failure.is_some() || (synced && !status.synced);
            if news {
                status.since = now;
            }
            status.synced |= synced;
            status.objects = objects;
            status.failure = None;
            news
        })
    }

    /// Notes what is wrong with a watch; says whether that is news.
    pub(crate) fn failed(&self, kind: &str, failure: Failure, now: Timestamp) -> bool {
        self.update(kind, |status| {
            let news = status.failure.as_ref().is_none_or(|known| known.hop != failure.hop);
            if news {
                status.since = now;
            }
            status.failure = Some(failure);
            news
        })
    }

    fn update(&self, kind: &str, change: impl FnOnce(&mut WatchStatus) -> bool) -> bool {
        let mut statuses = self.statuses.write().unwrap_or_else(PoisonError::into_inner);
        let news = statuses.iter_mut().find(|status| status.kind == kind).is_some_and(change);
        drop(statuses);
        self.changed.send_replace(());
        news
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn nodes_do_not_wait_for_pods() {
        let now = Timestamp::from_secs(1);
        let board = WatchBoard::new(["nodes", "namespaces", "pods"], now);
        assert!(board.nodes_settled().now_or_never().is_none());
        board.well("nodes", true, 1, now);
        assert!(board.nodes_settled().now_or_never().is_some());
        assert!(board.settled().now_or_never().is_none());
    }
}
