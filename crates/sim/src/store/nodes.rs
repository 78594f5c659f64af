//! How nodes change: heartbeats, disk pressure, and being lost and found again.

use std::collections::BTreeSet;
use std::sync::Arc;

use once::Order as _;

use super::{Actor, Kind, State};
use crate::objects::Object;
use crate::plan::Sec;

/// Seconds of silence after which a node counts as lost (node-monitor-grace-period).
pub(crate) const GRACE: Sec = 40;
/// Seconds from a kubelet's return to its first report.
const RETURN: Sec = 5;

/// What the node controller knows of a node that is, or was, silent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outage {
    down: Option<Sec>,
    lost: Option<Sec>,
    back: Option<Sec>,
}

impl State {
    pub(super) fn set_down(&mut self, down: &BTreeSet<u32>, now: Sec) {
        for node in down {
            let outage = self.outages.entry(*node).or_default();
            if outage.down.is_none() {
                outage.down = Some(now);
                self.plan_next(Actor::Lost(*node), Some(now + GRACE));
            }
        }
        let mut returned: Vec<u32> = self
            .outages
            .iter()
            .filter(|(node, outage)| outage.down.is_some() && !down.contains(node))
            .map(|(node, _)| *node)
            .collect();
        returned.order();
        for node in returned {
            if let Some(outage) = self.outages.get_mut(&node) {
                outage.down = None;
            }
            self.plan_next(Actor::Back(node), Some(now + RETURN));
        }
    }

    /// A node has been silent for the grace period, unless it came back meanwhile.
    pub(super) fn lose(&mut self, node: u32, at: Sec) {
        let Some(outage) = self.outages.get_mut(&node) else { return };
        let silent = outage.down.is_some_and(|down| at - down >= GRACE);
        if !silent || outage.lost.is_some() {
            return;
        }
        outage.lost = Some(at);
        outage.back = None;
        self.put_node(node, at);
        let name = &self.cluster.plan.nodes[node as usize].name;
        let message = format!("Node {name} status is now: NodeNotReady");
        self.tell_node(node, "NodeNotReady", message, false, "node-controller", at);
    }

    /// A node's kubelet reports again, unless it went down meanwhile.
    pub(super) fn regain(&mut self, node: u32, at: Sec) {
        let Some(outage) = self.outages.get_mut(&node) else { return };
        if outage.down.is_some() || outage.lost.take().is_none() {
            return;
        }
        outage.back = Some(at);
        self.put_node(node, at);
        let name = &self.cluster.plan.nodes[node as usize].name;
        let message = format!("Node {name} status is now: NodeReady");
        self.tell_node(node, "NodeReady", message, false, "kubelet", at);
    }

    /// A node's own report: a heartbeat, or a changed condition.
    pub(super) fn report(&mut self, node: u32, at: Sec) {
        if self.outages.get(&node).is_some_and(|outage| outage.down.is_some()) {
            return;
        }
        self.put_node(node, at);
        let cluster = Arc::clone(&self.cluster);
        let (was, is) =
            (cluster.plan.disk_pressure(node, at - 1), cluster.plan.disk_pressure(node, at));
        let reason = match (was, is) {
            (None, Some(_)) => "NodeHasDiskPressure",
            (Some(_), None) => "NodeHasNoDiskPressure",
            _ => return,
        };
        let name = &cluster.plan.nodes[node as usize].name;
        let message = format!("Node {name} status is now: {reason}");
        self.tell_node(node, reason, message, false, "kubelet", at);
    }

    fn put_node(&mut self, node: u32, at: Sec) {
        let outage = self.outages.get(&node).copied().unwrap_or_default();
        let name = Arc::clone(&self.cluster.plan.nodes[node as usize].name);
        let object = Object::Node { node, lost: outage.lost, back: outage.back };
        self.put(Kind::Nodes, (0, name), object, at);
    }
}
