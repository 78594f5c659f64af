//! Two samples of every node and container: what the resource metrics API answers from.
//!
//! Rules: metrics-server's, and three of ours that [`ResourceOptions::old_rules`] switches off
//! (docs/decisions/0140). Pure: time is an argument; knows neither kubelets nor HTTP.

mod window;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use metrics::gauge;
use model::{NodeSamples, Pod, Timestamp};

use crate::telemetry;

pub use window::{ContainerUsage, NodeWindow, PodUsage, Usage};

/// A window is never longer: a rate over more says nothing about now.
const MAX_WINDOW: Duration = Duration::from_mins(5);
/// A node that fails keeps its last window for at least so many rounds.
const LEAST_KEPT_ROUNDS: f64 = 2.5;

/// How samples become windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceOptions {
    /// Time between two rounds.
    pub resolution: Duration,
    /// How long a node that fails keeps its last window; at least 2.5 rounds.
    pub keep: Duration,
    /// metrics-server's rules throughout: a failed node is gone at once, a container without CPU
    /// or memory hides its pod, as does one that was measured once only.
    pub old_rules: bool,
}

impl Default for ResourceOptions {
    fn default() -> Self {
        let (resolution, keep) = (Duration::from_secs(15), Duration::from_mins(1));
        Self { resolution, keep, old_rules: false }
    }
}

type Nodes = HashMap<Arc<str>, Arc<NodeWindow>, foldhash::fast::RandomState>;

/// The windows of a cluster, shared between rounds (writers) and readers.
#[derive(Debug)]
pub struct ResourceWindows {
    options: ResourceOptions,
    nodes: RwLock<Nodes>,
    /// When the last round began, in nanoseconds since the epoch; 0 before the first.
    round: AtomicI64,
}

impl ResourceWindows {
    /// Windows that hold nothing yet.
    pub fn new(options: ResourceOptions) -> Self {
        Self { options, nodes: RwLock::default(), round: AtomicI64::new(0) }
    }

    /// How samples become windows here.
    pub fn options(&self) -> &ResourceOptions {
        &self.options
    }

    /// Notes that a round begins.
    pub fn round_begins(&self, now: Timestamp) {
        self.round.store(now.nanos(), Ordering::Relaxed);
    }

    /// When the last round began; [`Timestamp::NEVER`] before the first.
    pub fn last_round(&self) -> Timestamp {
        Timestamp::from_nanos(self.round.load(Ordering::Relaxed))
    }

    /// Takes what a node answered at `now`.
    pub fn take(&self, samples: NodeSamples, now: Timestamp) {
        self.take_all(vec![samples], now);
    }

    /// Takes what many nodes answered at once: readers see all or nothing.
    pub fn take_all(&self, all: Vec<NodeSamples>, now: Timestamp) {
        let mut windows = Vec::with_capacity(all.len());
        for samples in all {
            let before = self.node_window(&samples.node);
            let node = Arc::clone(&samples.node);
            let window = NodeWindow::new(samples, before.as_deref(), now, &self.options);
            windows.push((node, Arc::new(window)));
        }
        let mut nodes = self.write();
        let old: Vec<_> =
            windows.into_iter().filter_map(|(node, window)| nodes.insert(node, window)).collect();
        drop(nodes);
        // Freed when nobody waits for it.
        drop(old);
    }

    /// Notes that a node was asked and failed.
    pub fn failed(&self, node: &str) {
        if self.options.old_rules {
            self.write().remove(node);
        }
    }

    /// Ends a round: forgets nodes that `keep` does not accept and windows that are too old.
    pub fn round_ends(&self, keep: impl Fn(&str) -> bool, now: Timestamp) {
        let kept_for = self.kept_for();
        let mut nodes = self.write();
        nodes.retain(|name, window| {
            // What is older than any window may be is of no use as its beginning either.
            keep(name) && now.since(window.taken()) <= kept_for.max(MAX_WINDOW)
        });
        let kept: Vec<_> = nodes.values().map(Arc::clone).collect();
        drop(nodes);
        // Counting takes long, and whoever lists pods waits for who writes.
        let (mut own, mut containers) = (0_u32, 0_u32);
        for window in kept {
            let (node_points, container_points) = window.points();
            own = own.saturating_add(node_points);
            containers = containers.saturating_add(container_points);
        }
        gauge!(telemetry::STORAGE_POINTS, "type" => "node").set(own);
        gauge!(telemetry::STORAGE_POINTS, "type" => "container").set(containers);
    }

    /// Whether some node and some container can be told: what metrics-server calls ready.
    pub fn is_ready(&self) -> bool {
        let nodes = self.read();
        nodes.values().any(|window| window.has_node())
            && nodes.values().any(|window| window.has_container())
    }

    /// The window of `node`, if it answered lately.
    pub fn node(&self, node: &str, now: Timestamp) -> Option<Arc<NodeWindow>> {
        self.node_window(node).filter(|window| now.since(window.taken()) <= self.kept_for())
    }

    /// All windows as they are at `now`, for many questions at once; rounds wait while it lives.
    pub fn glance(&self, now: Timestamp) -> Glance<'_> {
        Glance { nodes: self.read(), now, kept_for: self.kept_for() }
    }

    fn kept_for(&self) -> Duration {
        let least = self.options.resolution.mul_f64(LEAST_KEPT_ROUNDS);
        // By the old rules a failed node is removed at once; this only bounds a loop that hangs.
        self.options.keep.max(least)
    }

    fn node_window(&self, node: &str) -> Option<Arc<NodeWindow>> {
        self.read().get(node).map(Arc::clone)
    }

    fn read(&self) -> RwLockReadGuard<'_, Nodes> {
        self.nodes.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Nodes> {
        self.nodes.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The windows of a moment. Hold it briefly.
#[derive(Debug)]
pub struct Glance<'a> {
    nodes: RwLockReadGuard<'a, Nodes>,
    now: Timestamp,
    kept_for: Duration,
}

impl Glance<'_> {
    /// The window of `node`, if it answered lately.
    pub fn node(&self, node: &str) -> Option<&NodeWindow> {
        let window = self.nodes.get(node)?;
        (self.now.since(window.taken()) <= self.kept_for).then_some(&**window)
    }

    /// The usage of `pod`; `None` when nothing, or not everything that counts, is known of it.
    pub fn pod(&self, pod: &Pod) -> Option<PodUsage<'_>> {
        self.node(&pod.node)?.pod(pod)
    }

    /// The same of many pods, step by step for all of them: each step waits for memory, and one
    /// pod's does not wait for another's.
    pub fn pods<'g>(&'g self, pods: &[&Pod], into: &mut Vec<Option<PodUsage<'g>>>) {
        let tags: Vec<u16> = pods.iter().map(|pod| NodeWindow::tag(pod)).collect();
        let nodes: Vec<_> = pods.iter().map(|pod| self.node(&pod.node)).collect();
        let places = nodes.iter().zip(&tags).map(|(node, tag)| node.and_then(|at| at.first(*tag)));
        let places: Vec<Option<usize>> = places.collect();
        let windows = nodes.iter().zip(&places).map(|(node, place)| node.zip(*place));
        let likely: Vec<bool> = windows
            .zip(pods)
            .map(|(window, pod)| window.is_some_and(|(node, place)| node.is_at(place, pod)))
            .collect();
        into.clear();
        for (at, pod) in pods.iter().enumerate() {
            into.push(nodes[at].and_then(|node| match places[at] {
                Some(place) if likely[at] => node.usage_at(place, pod),
                // Names whose tags are equal.
                Some(_) => node.pod(pod),
                None => None,
            }));
        }
    }
}

#[cfg(test)]
mod tests;
