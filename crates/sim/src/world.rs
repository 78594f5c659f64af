//! The simulated cluster as a function of time: ask it anything about any moment.
//!
//! It never ticks. Lives are schedules and counters are integrals, so five thousand nodes cost
//! nothing until somebody looks at one.

use std::net::IpAddr;

use model::Timestamp;

use crate::config::WorldConfig;
use crate::kubelet;
use crate::plan::Plan;

/// A cluster drawn from a seed. Same configuration and time, same bytes.
#[derive(Debug)]
pub struct World {
    pub(crate) plan: Plan,
}

impl World {
    /// Draws the cluster.
    pub fn new(config: &WorldConfig) -> Self {
        Self { plan: Plan::draw(config) }
    }

    /// Names and addresses of the nodes.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, IpAddr)> {
        self.plan.nodes.iter().map(|node| (&*node.name, node.address))
    }

    /// The kubelet's `/stats/summary` of the `node`-th node: JSON. `None` past the last node.
    pub fn summary(&self, node: u32, now: Timestamp, only_cpu_and_memory: bool) -> Option<Vec<u8>> {
        let view = self.view(node, now)?;
        Some(kubelet::summary::render(&view, only_cpu_and_memory))
    }

    /// The kubelet's `/metrics/resource` of the `node`-th node: Prometheus text.
    pub fn resource_metrics(&self, node: u32, now: Timestamp) -> Option<String> {
        Some(kubelet::resource::render(&self.view(node, now)?))
    }

    /// The kubelet's `/metrics/cadvisor` of the `node`-th node: Prometheus text.
    pub fn cadvisor_metrics(&self, node: u32, now: Timestamp) -> Option<String> {
        Some(kubelet::cadvisor::render(&self.view(node, now)?))
    }

    fn view(&self, node: u32, now: Timestamp) -> Option<kubelet::View<'_>> {
        let exists = (node as usize) < self.plan.nodes.len();
        exists.then(|| kubelet::View::new(&self.plan, node, now.secs(), 0))
    }
}
