//! The kubelet's view of one node at one time, and its endpoints. Knows nothing of sockets,
//! TLS or faults.

pub(crate) mod cadvisor;
pub(crate) mod legacy;
pub(crate) mod resource;
pub(crate) mod server;
pub(crate) mod summary;

use crate::life::{Container, Pod};
use crate::plan::{Node, Plan, SIDECARS, Sec, Workload};
use crate::usage::{Cpu, Memory};

/// A node at a time, as its kubelet measures it.
pub(crate) struct View<'a> {
    pub plan: &'a Plan,
    pub index: u32,
    pub node: &'a Node,
    /// The time of every sample.
    pub t: Sec,
    /// How much the node's clock is ahead, seconds; added to every time it tells.
    skew: Sec,
}

/// A pod with at least one running container.
pub(crate) struct RunningPod<'a> {
    pub pod: Pod,
    pub workload: &'a Workload,
    pub name: String,
    pub uid: String,
    pub started: Sec,
    pub containers: Vec<RunningContainer>,
}

/// A running container and what it uses.
pub(crate) struct RunningContainer {
    pub index: u32,
    pub name: String,
    pub since: Sec,
    pub cpu: Cpu,
    pub memory: Memory,
    pub life: Container,
}

impl<'a> View<'a> {
    pub(crate) fn new(plan: &'a Plan, index: u32, now: Sec, skew: Sec) -> Self {
        Self { plan, index, node: &plan.nodes[index as usize], t: now.max(plan.start), skew }
    }

    /// A time as the node's clock tells it: RFC 3339 with whole seconds.
    pub(crate) fn time(&self, t: Sec) -> String {
        crate::objects::time(t + self.skew)
    }

    /// A time as the node's clock tells it, milliseconds since the epoch.
    pub(crate) fn millis(&self, t: Sec) -> i64 {
        (t + self.skew) * 1000
    }

    /// Pods whose sandbox is up, in slot order.
    pub(crate) fn pods(&self) -> Vec<RunningPod<'a>> {
        let slots = &self.plan.by_node[self.index as usize];
        let pods = slots.iter().flat_map(|slot| self.plan.pods(*slot, self.t));
        pods.filter(|pod| pod.lives(self.t)).map(|pod| self.running(pod)).collect()
    }

    fn running(&self, pod: Pod) -> RunningPod<'a> {
        let workload = self.plan.workload_of(pod.slot);
        let containers = (0..self.plan.containers)
            .filter_map(|index| {
                let life = self.plan.container(&pod, index, self.t);
                let since = life.running_since()?;
                Some(RunningContainer {
                    index,
                    name: container_name(workload, index),
                    since,
                    cpu: self.plan.container_cpu(&pod, index, &life, self.t)?,
                    memory: self.plan.container_memory(&pod, index, since, self.t),
                    life,
                })
            })
            .collect();
        RunningPod {
            name: self.plan.pod_name(&pod),
            uid: self.plan.pod_uid(&pod),
            started: pod.created,
            pod,
            workload,
            containers,
        }
    }
}

/// The name of a workload's `index`-th container.
pub(crate) fn container_name(workload: &Workload, index: u32) -> String {
    let Some(beside) = (index as usize).checked_sub(1) else {
        return workload.template.name.to_owned();
    };
    let sidecar = SIDECARS[beside % SIDECARS.len()].name;
    match beside / SIDECARS.len() {
        0 => sidecar.to_owned(),
        again => format!("{sidecar}-{}", again + 1),
    }
}
