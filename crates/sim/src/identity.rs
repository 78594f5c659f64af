//! Names, ids, addresses and images of things in the plan. Knows nothing of JSON.

use std::net::{IpAddr, Ipv4Addr};

use crate::life::Pod;
use crate::plan::{Controller, Exposed, Plan, SIDECARS, Sec, Trouble, Workload};
use crate::seed::{digest, mix, suffix, text, uuid};

impl Plan {
    /// `metadata.name` of a pod.
    pub(crate) fn pod_name(&self, pod: &Pod) -> String {
        let workload = self.workload_of(pod.slot);
        let name = &workload.name;
        let random = || suffix(mix(self.pod_seed(pod.slot, pod.generation), 50), 5);
        match workload.template.controller {
            Controller::Deployment => {
                format!("{name}-{}-{}", workload.template_hash(pod.generation), random())
            }
            Controller::StatefulSet => format!("{name}-{}", self.slots[pod.slot as usize].ordinal),
            Controller::DaemonSet => format!("{name}-{}", random()),
            Controller::Task { .. } => {
                format!("{}-{}", workload.job_name(pod.generation), random())
            }
        }
    }

    /// `metadata.uid` of a pod.
    pub(crate) fn pod_uid(&self, pod: &Pod) -> String {
        uuid(mix(self.pod_seed(pod.slot, pod.generation), 51))
    }

    /// `metadata.uid` of anything else, by kind and name.
    pub(crate) fn uid(&self, kind: &str, name: &str) -> String {
        uuid(mix(mix(self.seed, text(kind)), text(name)))
    }

    /// `status.podIP`; the node's own for daemons, which live in its network.
    pub(crate) fn pod_address(&self, pod: &Pod) -> Option<IpAddr> {
        let node = self.slots[pod.slot as usize].node?;
        if self.workload_of(pod.slot).template.controller == Controller::DaemonSet {
            return Some(self.nodes[node as usize].address);
        }
        let place = self.by_node[node as usize].binary_search(&pod.slot).unwrap_or(0);
        let host = 2 + (place * 2 + (pod.generation & 1) as usize) % 250;
        let [a, b, c, _] = pod_network_of(node).octets();
        // Whoever serves metrics is reached on this machine.
        let serves = self.exposed(self.workload_of(pod.slot)) != Exposed::No;
        let a = if serves { 127 } else { a };
        Some(Ipv4Addr::new(a, b, c, u8::try_from(host).unwrap_or(u8::MAX)).into())
    }

    /// The pod that serves metrics at this address.
    pub(crate) fn exposed_at(&self, address: Ipv4Addr, t: Sec) -> Option<Pod> {
        let [first, second, third, _] = address.octets();
        let of_pods = u32::from(second).checked_sub(64).map(|high| high * 256 + u32::from(third));
        let of_nodes = || self.node_at(address.into());
        let node = of_pods.or_else(of_nodes).filter(|_| first == 127)?;
        let slots = self.by_node.get(node as usize)?.iter();
        let serve = slots.filter(|slot| self.exposed(self.workload_of(**slot)) != Exposed::No);
        serve
            .flat_map(|slot| self.pods(*slot, t))
            .find(|pod| pod.lives(t) && self.pod_address(pod) == Some(address.into()))
    }

    /// The image of a pod's container; rolled-out versions show in the tag.
    pub(crate) fn image(&self, pod: &Pod, index: u32) -> String {
        self.image_of(pod.slot, pod.generation, index)
    }

    pub(crate) fn image_of(&self, slot: u32, generation: u32, index: u32) -> String {
        let base = self.base_image(slot, index);
        let rolled = matches!(self.workload_of(slot).template.trouble, Trouble::Rollouts(_));
        if index == 0 && rolled { format!("{base}.{generation}") } else { base.to_owned() }
    }

    /// The image without the part of the tag that rollouts change.
    pub(crate) fn base_image(&self, slot: u32, index: u32) -> &'static str {
        match (index as usize).checked_sub(1) {
            None => self.workload_of(slot).template.image,
            Some(beside) => SIDECARS[beside % SIDECARS.len()].image,
        }
    }

    /// The runtime's id of a container's instance.
    pub(crate) fn container_id(&self, pod: &Pod, index: u32, restarts: u32) -> String {
        let seed = self.pod_seed(pod.slot, pod.generation);
        digest(mix(seed, (u64::from(index) << 32) | u64::from(restarts)))
    }

    /// The projected volume with the pod's service account token.
    pub(crate) fn token_volume(&self, pod: &Pod) -> String {
        format!("kube-api-access-{}", suffix(mix(self.pod_seed(pod.slot, pod.generation), 53), 5))
    }

    /// The persistent volume claim of a stateful set's pod.
    pub(crate) fn claim_name(&self, slot: u32) -> String {
        format!("data-{}-{}", self.workload_of(slot).name, self.slots[slot as usize].ordinal)
    }
}

impl Workload {
    /// The hash in a replica set's name.
    pub(crate) fn template_hash(&self, version: u32) -> String {
        suffix(mix(self.seed, 0x4a54 + u64::from(version)), 10)
    }

    /// The name of a task's run: owned ones tell their minute since the epoch.
    pub(crate) fn job_name(&self, run: u32) -> String {
        match self.template.controller {
            Controller::Task { period, owned: true, .. } => {
                format!("{}-{}", self.name, i64::from(run) * period / 60)
            }
            _ => format!("{}-{}", self.name, suffix(mix(self.seed, u64::from(run)), 5)),
        }
    }

    /// `metadata.uid` of a controller or of one of its versions or runs.
    pub(crate) fn controller_uid(&self, part: Option<u32>) -> String {
        let part = part.map_or(0, |part| u64::from(part) + 1);
        uuid(mix(mix(self.seed, 52), part))
    }
}

/// The /24 of a node's pods.
pub(crate) fn pod_network_of(node: u32) -> Ipv4Addr {
    let octet = |n: u32| u8::try_from(n & 0xff).unwrap_or(0);
    Ipv4Addr::new(10, octet(64 + node / 256), octet(node % 256), 0)
}
