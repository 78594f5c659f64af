//! Resource metrics: whether the tick feeds them or a loop of their own, and that loop.

use std::sync::Arc;
use std::time::Duration;

use cluster::{KubernetesSource, WatchBoard};
use query::{ResourceOptions, ResourceWindows};
use tokio::task::JoinSet;

use super::measure::Measured;
use crate::adapters::FilledWindows;
use crate::config::Config;

/// The windows, and how they are fed.
pub(super) struct Resources {
    windows: Arc<ResourceWindows>,
    feed: Feed,
}

enum Feed {
    /// Nobody can ask.
    Nothing,
    Tick,
    Loop(Arc<KubernetesSource>, Duration),
}

impl Resources {
    /// Decides by the configuration: a loop only where it is quicker than the tick.
    pub(super) fn plan(config: &Config, tick: Duration, measured: &Measured) -> Self {
        let apis = &config.apis;
        let quick = !apis.resource_resolution.is_zero() && apis.resource_resolution < tick;
        let feed = match &measured.kubelets {
            _ if apis.secure.is_none() => Feed::Nothing,
            Some(kubelets) if quick => Feed::Loop(Arc::clone(kubelets), apis.resource_resolution),
            _ => Feed::Tick,
        };
        let resolution = if quick { apis.resource_resolution } else { tick };
        let (keep, old_rules) = (apis.resource_keep, apis.metrics_server_rules);
        let options = ResourceOptions { resolution, keep, old_rules };
        let windows = ResourceWindows::new(options).with_inventory(Arc::clone(&measured.inventory));
        Self { windows: Arc::new(windows), feed }
    }

    pub(super) fn windows(&self) -> &Arc<ResourceWindows> {
        &self.windows
    }

    /// The windows, where the tick feeds them.
    pub(super) fn ticked(&self) -> Option<&Arc<ResourceWindows>> {
        matches!(self.feed, Feed::Tick).then_some(&self.windows)
    }

    /// Starts the loop, where there is one, once nodes are known; pods may still be listed.
    pub(super) fn spawn(self, tasks: &mut JoinSet<&'static str>, board: Option<&WatchBoard>) {
        let Feed::Loop(kubelets, every) = self.feed else { return };
        let board = board.cloned();
        let taker = FilledWindows::new(&self.windows);
        tasks.spawn(async move {
            if let Some(board) = board {
                board.nodes_settled().await;
            }
            kubelets.follow_resources(every, &taker).await;
            "resources"
        });
    }
}
