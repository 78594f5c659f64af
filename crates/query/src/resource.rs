//! Two samples of every node and container: what the resource metrics API answers from.
//!
//! Rules: metrics-server's, and three of ours that [`ResourceOptions::old_rules`] switches off
//! (docs/decisions/0140). Pure: time is an argument; knows neither kubelets nor HTTP.

mod rates;
mod seats;
mod sheet;
mod window;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use metrics::gauge;
use model::{NodeSamples, Pod, PodSamples, SharedInventory, Timestamp};

use crate::telemetry;

pub use rates::Usage;
use seats::{Found, Nodes};
use sheet::{PodAnswer, PodKey};
pub use window::{ContainerUsage, NodeWindow, PodUsage};

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

/// The windows of a cluster, shared between rounds (writers) and readers.
#[derive(Debug)]
pub struct ResourceWindows {
    options: ResourceOptions,
    nodes: RwLock<Nodes>,
    /// Whose pods are told where they are found.
    inventory: SharedInventory,
    /// When the last round began, in nanoseconds since the epoch; 0 before the first.
    round: AtomicI64,
}

impl ResourceWindows {
    /// Windows that hold nothing yet.
    pub fn new(options: ResourceOptions) -> Self {
        let (nodes, inventory) = (RwLock::default(), SharedInventory::default());
        Self { options, nodes, inventory, round: AtomicI64::new(0) }
    }

    /// Leaves on the pods of `inventory` where they are found, so that who lists them first need
    /// not look for each.
    #[must_use]
    pub fn with_inventory(self, inventory: SharedInventory) -> Self {
        Self { inventory, ..self }
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
        self.take_all(&[samples], now);
    }

    /// Takes what many nodes answered at once: readers see all or nothing.
    pub fn take_all(&self, all: &[NodeSamples], now: Timestamp) {
        let made = |samples: &NodeSamples| {
            let before = self.node_window(&samples.node);
            Arc::new(NodeWindow::new(samples, before.as_deref(), now, &self.options))
        };
        let windows: Vec<_> = all.iter().map(made).collect();
        let mut nodes = self.write();
        let put = |(samples, window): (&NodeSamples, &Arc<NodeWindow>)| {
            nodes.put(&samples.node, Arc::clone(window))
        };
        let seated: Vec<_> = all.iter().zip(&windows).map(put).collect();
        drop(nodes);
        for ((samples, window), (seat, _)) in all.iter().zip(&windows).zip(&seated) {
            self.mark(samples, window, *seat);
        }
        // What was there before is freed when nobody waits for it.
        drop(seated);
    }

    /// Leaves on a node's pods where they are.
    fn mark(&self, samples: &NodeSamples, window: &NodeWindow, seat: usize) {
        let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
        for PodSamples { namespace, name, .. } in &samples.pods {
            let pod = inventory.pod(namespace, name).filter(|pod| *pod.node == *samples.node);
            let place = window.sheet.find(PodKey::of(namespace, name));
            if let (Some(pod), Some(place)) = (pod, place) {
                Found { seat, place }.leave(pod);
            }
        }
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
        let kept: Vec<_> = nodes.windows().map(Arc::clone).collect();
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
        nodes.windows().any(|window| window.has_node())
            && nodes.windows().any(|window| window.has_container())
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
        self.fresh(self.nodes.seat(node)?)
    }

    /// The usages of `pods`, `None` where nothing, or not everything that counts, is known; step by
    /// step for all of them: each step waits for memory, and one pod's does not wait for another's.
    /// Each is looked for first where it was found last.
    pub fn pods<'g>(&'g self, pods: &[&Pod], into: &mut Vec<Option<PodUsage<'g>>>) {
        let keys: Vec<_> = pods.iter().map(|pod| PodKey::of(&pod.namespace, &pod.name)).collect();
        let marks: Vec<_> = pods.iter().map(|pod| Found::on(pod)).collect();
        let nodes: Vec<_> = marks.iter().map(|mark| self.fresh((*mark)?.seat)).collect();
        let at = |((node, mark), key): ((Option<&'g NodeWindow>, &Option<Found>), &PodKey)| {
            let node = node?;
            Some((node, node.sheet.at((*mark)?.place, *key)?))
        };
        let answers: Vec<_> = nodes.into_iter().zip(&marks).zip(&keys).map(at).collect();
        into.clear();
        into.extend(pods.iter().zip(answers).zip(keys).map(|((pod, answer), key)| {
            let (node, answer) = answer.or_else(|| self.find(pod, key))?;
            node.usage_of(answer, pod)
        }));
    }

    /// The window of a pod's node and the answer there, wherever that is; left on the pod for who
    /// looks next.
    fn find(&self, pod: &Pod, key: PodKey) -> Option<(&NodeWindow, PodAnswer)> {
        let seat = self.nodes.seat(&pod.node)?;
        let node = self.fresh(seat)?;
        let place = node.sheet.find(key)?;
        Found { seat, place }.leave(pod);
        Some((node, node.sheet.at(place, key)?))
    }

    fn fresh(&self, seat: usize) -> Option<&NodeWindow> {
        let window = self.nodes.window(seat)?;
        (self.now.since(window.taken()) <= self.kept_for).then_some(&**window)
    }
}

#[cfg(test)]
mod tests;
