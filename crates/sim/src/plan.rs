//! The static half of the world: which nodes, namespaces, workloads and pod slots exist, drawn
//! from a seed. Knows nothing of time passing.

mod applications;
mod template;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::Arc;

use once::Order as _;

use crate::config::WorldConfig;
use crate::seed::{below, mix, text};

pub(crate) use applications::APPLICATIONS;
pub(crate) use template::{
    Answer, Controller, DAEMONS, Exposed, Pattern, SIDECARS, Scaled, Template, Trouble,
};

/// Whole seconds since the Unix epoch; every change of the world falls on one.
pub(crate) type Sec = i64;

/// How long before the start the world's counters begin.
const HISTORY: Sec = 40 * 86_400;
/// Replicas grow with the cluster up to this factor; beyond it, more applications appear.
const GROWTH: f64 = 4.0;
/// Every so many nodes one is cordoned, in clusters of at least that many.
const CORDONED_EVERY: usize = 8;

/// A machine.
#[derive(Debug)]
pub(crate) struct Node {
    pub name: Arc<str>,
    pub address: IpAddr,
    pub cores: u32,
    pub memory_bytes: u64,
    pub zone: &'static str,
    pub cordoned: bool,
    pub booted: Sec,
    pub seed: u64,
}

/// A controller and its pods.
#[derive(Debug)]
pub(crate) struct Workload {
    pub namespace: u32,
    pub name: Arc<str>,
    pub template: &'static Template,
    pub slots: Range<u32>,
    pub created: Sec,
    pub seed: u64,
}

/// The place of one pod: its replicas over time follow each other on the same node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub workload: u32,
    pub ordinal: u32,
    /// `None` is a pod that fits nowhere.
    pub node: Option<u32>,
}

/// The whole cluster's layout.
#[derive(Debug)]
pub(crate) struct Plan {
    pub seed: u64,
    pub start: Sec,
    /// Zero of every usage curve.
    pub origin: Sec,
    pub containers: u32,
    /// Where pods serve metrics; 0: they do not.
    pub pods_port: u16,
    pub namespaces: Vec<Arc<str>>,
    pub nodes: Vec<Node>,
    pub workloads: Vec<Workload>,
    pub slots: Vec<Slot>,
    /// Slots of each node.
    pub by_node: Vec<Vec<u32>>,
    addresses: Addresses,
}

#[derive(Debug)]
struct Addresses {
    by_name: std::collections::HashMap<Arc<str>, u32>,
}

/// Nodes per second octet of the address block, see [`address`].
const NODES_PER_OCTET: usize = 62_500;

/// The address of the `index`-th node: 127.1.0.1 upwards, 250 to a /24.
pub(crate) fn address(index: usize) -> Ipv4Addr {
    let octet = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
    Ipv4Addr::new(
        127,
        octet(1 + index / NODES_PER_OCTET),
        octet(index % NODES_PER_OCTET / 250),
        octet(1 + index % 250),
    )
}

impl Plan {
    pub(crate) fn draw(config: &WorldConfig) -> Self {
        let start = config.start.secs();
        let mut plan = Self {
            seed: mix(config.seed, text("taffrail")),
            start,
            origin: (start - HISTORY).div_euclid(86_400) * 86_400,
            containers: config.containers_per_pod.max(1),
            pods_port: 0,
            namespaces: Vec::new(),
            nodes: Vec::new(),
            workloads: Vec::new(),
            slots: Vec::new(),
            by_node: vec![Vec::new(); config.nodes as usize],
            addresses: Addresses { by_name: std::collections::HashMap::new() },
        };
        plan.draw_nodes(config);
        let daemons = DAEMONS.len().min(config.pods_per_node as usize / 4);
        let mut namespaces = BTreeMap::new();
        for namespace in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            namespaces.insert(Arc::<str>::from(namespace), 0);
        }
        let mut drafts = Self::choose(config, daemons);
        for draft in &drafts {
            namespaces.insert(Arc::clone(&draft.namespace), 0);
        }
        for (index, (name, place)) in (0_u32..).zip(namespaces.iter_mut()) {
            *place = index;
            plan.namespaces.push(Arc::clone(name));
        }
        drafts.order_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        let mut spread = 0;
        for draft in drafts {
            let namespace = namespaces.get(&draft.namespace).copied().unwrap_or(0);
            plan.settle(&draft, namespace, &mut spread);
        }
        plan
    }

    /// The node with this name.
    pub(crate) fn node_named(&self, name: &str) -> Option<u32> {
        self.addresses.by_name.get(name).copied()
    }

    /// The node with this address.
    pub(crate) fn node_at(&self, address: IpAddr) -> Option<u32> {
        let address = match address {
            IpAddr::V4(address) => address,
            // Only the first may have one.
            IpAddr::V6(_) => {
                return self.nodes.first().filter(|one| one.address == address).map(|_| 0);
            }
        };
        let [first, second, third, fourth] = address.octets().map(usize::from);
        if first != 127 || second == 0 || fourth == 0 || fourth > 250 {
            return None;
        }
        let index = (second - 1) * NODES_PER_OCTET + third * 250 + (fourth - 1);
        (index < self.nodes.len()).then(|| u32::try_from(index).unwrap_or(u32::MAX))
    }

    pub(crate) fn workload_of(&self, slot: u32) -> &Workload {
        &self.workloads[self.slots[slot as usize].workload as usize]
    }

    /// The workloads of a namespace; all are sorted by it.
    pub(crate) fn workloads_in(&self, namespace: u32) -> &[Workload] {
        let first = self.workloads.partition_point(|one| one.namespace < namespace);
        let after = self.workloads.partition_point(|one| one.namespace <= namespace);
        &self.workloads[first..after]
    }

    pub(crate) fn namespace(&self, index: u32) -> &Arc<str> {
        &self.namespaces[index as usize]
    }

    /// How the pods of a workload serve metrics.
    pub(crate) fn exposed(&self, workload: &Workload) -> Exposed {
        if self.pods_port == 0 { Exposed::No } else { workload.template.exposed }
    }

    fn draw_nodes(&mut self, config: &WorldConfig) {
        const CORES: [u32; 8] = [2, 4, 8, 16, 32, 64, 96, 128];
        const ZONES: [&str; 3] = ["zone-a", "zone-b", "zone-c"];
        let wanted = (config.pods_per_node * 11 * (1 + config.containers_per_pod / 4)).div_ceil(50);
        let size = CORES.iter().position(|cores| *cores >= wanted).unwrap_or(CORES.len() - 1);
        for index in 0..config.nodes {
            let seed = mix(self.seed, mix(text("node"), u64::from(index)));
            let larger = usize::from(index % 3 == 2);
            let cores = CORES[(size + larger).min(CORES.len() - 1)];
            let name: Arc<str> = format!("node-{}", index + 1).into();
            self.addresses.by_name.insert(Arc::clone(&name), index);
            self.nodes.push(Node {
                name,
                address: if config.ipv6 {
                    Ipv6Addr::LOCALHOST.into()
                } else {
                    address(index as usize).into()
                },
                cores,
                // What a machine of so many GiB has left after its firmware and kernel.
                memory_bytes: u64::from(cores) * 2 * 1_000_100 * 1024,
                zone: ZONES[index as usize % ZONES.len()],
                cordoned: config.nodes as usize >= CORDONED_EVERY
                    && index as usize % CORDONED_EVERY == CORDONED_EVERY - 3,
                booted: self.start - 21 * 86_400 - below(mix(seed, 1), 9 * 86_400),
                seed,
            });
        }
    }

    /// Chooses applications until every slot outside the daemons is taken.
    fn choose(config: &WorldConfig, daemons: usize) -> Vec<Draft> {
        let mut drafts: Vec<Draft> = DAEMONS[..daemons]
            .iter()
            .map(|template| Draft::new(template, 0, config.nodes))
            .collect();
        let mut free = config.nodes * (config.pods_per_node - count(daemons));
        let usual: u32 = APPLICATIONS.iter().map(|template| template.replicas).sum();
        let scale = (f64::from(free) / f64::from(usual)).clamp(0.02, GROWTH);
        for round in 0_u32.. {
            for template in APPLICATIONS {
                if template.trouble == Trouble::Unschedulable {
                    if round == 0 {
                        drafts.push(Draft::new(template, round, 1));
                    }
                    continue;
                }
                if free == 0 {
                    return drafts;
                }
                let replicas = grown(template, scale).min(free);
                free -= replicas;
                drafts.push(Draft::new(template, round, replicas));
            }
            if scale < GROWTH {
                // What rounding left over: one more for each of the first few.
                share_out(&mut drafts[daemons..], free);
                return drafts;
            }
        }
        drafts
    }

    fn settle(&mut self, draft: &Draft, namespace: u32, spread: &mut u32) {
        let index = count(self.workloads.len());
        let first = count(self.slots.len());
        let seed = mix(mix(self.seed, text(&draft.namespace)), text(&draft.name));
        for ordinal in 0..draft.replicas {
            let node = self.place(draft.template, ordinal, spread);
            let slot = count(self.slots.len());
            if let Some(node) = node {
                self.by_node[node as usize].push(slot);
            }
            self.slots.push(Slot { workload: index, ordinal, node });
        }
        let created = match (draft.template.pattern, draft.template.trouble) {
            (Pattern::Crashing, _) => self.start - 40 - below(mix(seed, 2), 40),
            (Pattern::Leaking, _) => self.start - 900 - below(mix(seed, 2), 2400),
            (_, Trouble::Unschedulable) => self.start - 1500,
            _ => self.start - 3 * 86_400 - below(mix(seed, 2), 15 * 86_400),
        };
        self.workloads.push(Workload {
            namespace,
            name: Arc::clone(&draft.name),
            template: draft.template,
            slots: first..count(self.slots.len()),
            created,
            seed,
        });
    }

    /// Daemons go to their node, everything else round and round over all nodes, so that replicas
    /// spread and every node ends with the same number of slots.
    fn place(&self, template: &Template, ordinal: u32, spread: &mut u32) -> Option<u32> {
        if template.trouble == Trouble::Unschedulable {
            return None;
        }
        if template.controller == Controller::DaemonSet {
            return Some(ordinal);
        }
        let node = *spread % count(self.nodes.len()).max(1);
        *spread += 1;
        Some(node)
    }
}

struct Draft {
    namespace: Arc<str>,
    name: Arc<str>,
    template: &'static Template,
    replicas: u32,
}

impl Draft {
    fn new(template: &'static Template, round: u32, replicas: u32) -> Self {
        let namespace = if round == 0 {
            template.namespace.to_owned()
        } else {
            format!("{}-{:03}", template.namespace, round)
        };
        Self { namespace: namespace.into(), name: template.name.into(), template, replicas }
    }
}

/// Gives `free` more replicas to the workloads that have several, round and round.
fn share_out(drafts: &mut [Draft], mut free: u32) {
    let several = |draft: &&mut Draft| draft.replicas > 1;
    while free > 0 {
        let before = free;
        for draft in drafts.iter_mut().filter(several) {
            if free > 0 {
                draft.replicas += 1;
                free -= 1;
            }
        }
        if free == before {
            if let Some(first) = drafts.first_mut() {
                first.replicas += free;
            }
            return;
        }
    }
}

/// Replicas of an application in a cluster `scale` times the usual size.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small positive number"
)]
fn grown(template: &Template, scale: f64) -> u32 {
    // A single crashing or recurring pod is believable at any size; a hundred is not.
    let scale = if template.replicas == 1 { scale.min(1.0) } else { scale };
    ((f64::from(template.replicas) * scale).round() as u32).max(1)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(nodes: u32, pods_per_node: u32) -> Plan {
        let plan = Plan::draw(&WorldConfig { nodes, pods_per_node, ..WorldConfig::default() });
        assert_eq!(plan.nodes.len(), nodes as usize);
        for slots in &plan.by_node {
            assert_eq!(slots.len(), pods_per_node as usize);
        }
        plan
    }

    #[test]
    fn every_node_has_its_slots() {
        for (nodes, pods) in [(1, 1), (1, 7), (3, 10), (10, 30), (100, 110)] {
            check(nodes, pods);
        }
    }

    #[test]
    fn the_demo_size_has_one_of_each() {
        let plan = check(10, 30);
        assert_eq!(plan.workloads.len(), DAEMONS.len() + APPLICATIONS.len());
    }

    #[test]
    fn requests_fit_the_nodes() {
        let plan = check(10, 30);
        for (node, slots) in plan.nodes.iter().zip(&plan.by_node) {
            let cpu: u32 = slots.iter().map(|slot| plan.workload_of(*slot).template.cpu).sum();
            assert!(cpu < node.cores * 950, "{}: {cpu} of {}", node.name, node.cores);
            let memory: u64 =
                slots.iter().map(|slot| u64::from(plan.workload_of(*slot).template.memory)).sum();
            assert!(memory << 20 < node.memory_bytes / 10 * 9, "{}: {memory} MiB", node.name);
        }
    }

    #[test]
    fn addresses_lead_back_to_nodes() {
        let plan = check(600, 2);
        for (index, node) in plan.nodes.iter().enumerate() {
            assert_eq!(plan.node_at(node.address), Some(count(index)));
            assert_eq!(plan.node_named(&node.name), Some(count(index)));
        }
        assert_eq!(plan.node_at(Ipv4Addr::LOCALHOST.into()), None);
        assert_eq!(address(62_500), Ipv4Addr::new(127, 2, 0, 1));
    }
}
