//! Resource quotas: what their namespaces may use, and use at a time.

use std::sync::Arc;

use serde_json::{Value, json};

use super::plain::oldest;
use super::spec::{is_still, mebibytes, millicores};
use super::{Metadata, object};
use crate::life::{Phase, Pod};
use crate::plan::{Controller, Plan, Sec};

/// What a quota counts, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    Deployments,
    MemoryLimits,
    Claims,
    Pods,
    Cpu,
    Memory,
    Storage,
}

/// How many things are counted.
const KINDS: usize = Counted::Storage as usize + 1;

impl Counted {
    const fn name(self) -> &'static str {
        match self {
            Self::Deployments => "count/deployments.apps",
            Self::MemoryLimits => "limits.memory",
            Self::Claims => "persistentvolumeclaims",
            Self::Pods => "pods",
            Self::Cpu => "requests.cpu",
            Self::Memory => "requests.memory",
            Self::Storage => "requests.storage",
        }
    }

    /// So many millicores, MiB, GiB or pieces as Kubernetes writes them.
    fn written(self, amount: u32) -> String {
        match self {
            Self::Cpu => millicores(amount),
            Self::Memory | Self::MemoryLimits => mebibytes(amount),
            Self::Storage if amount > 0 => format!("{amount}Gi"),
            _ => amount.to_string(),
        }
    }
}

/// A quota: the namespace that has one, as those named after it have; its name; what it counts.
type Quota = (&'static str, &'static str, &'static [Counted]);

const COMPUTE: &[Counted] = &[Counted::MemoryLimits, Counted::Pods, Counted::Cpu, Counted::Memory];
const QUOTAS: [Quota; 4] = [
    ("data", "storage", &[Counted::Claims, Counted::Storage]),
    ("sandbox", "objects", &[Counted::Deployments, Counted::Pods]),
    ("shop", "compute", COMPUTE),
    ("web", "compute", COMPUTE),
];

fn of(plan: &Plan, namespace: u32) -> Option<&'static Quota> {
    let name = plan.namespace(namespace);
    QUOTAS.iter().find(|(base, ..)| {
        name.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}

/// The name of a namespace's quota.
pub(crate) fn name(plan: &Plan, namespace: u32) -> Option<&'static str> {
    of(plan, namespace).map(|(_, name, _)| *name)
}

/// How many of `pods` a quota counts: those that have not ended.
pub(crate) fn counted(plan: &Plan, pods: &[Pod], at: Sec) -> usize {
    let ended = |pod: &Pod| matches!(plan.phase(pod, at), Phase::Succeeded | Phase::Failed);
    pods.iter().filter(|pod| !ended(pod)).count()
}

/// How much of each is used: millicores, MiB, GiB, pieces.
pub(crate) type Used = [u32; KINDS];

/// What a namespace uses at a time; without one, what is planned for it.
pub(crate) fn used(plan: &Plan, namespace: u32, at: Option<Sec>) -> Used {
    let mut used = [0; KINDS];
    for workload in plan.workloads_in(namespace) {
        let slots = workload.slots.end - workload.slots.start;
        let pods = match at {
            Some(at) if !is_still(workload) => {
                let pods = |slot| counted(plan, &plan.pods(slot, at), at);
                u32::try_from(workload.slots.clone().map(pods).sum::<usize>()).unwrap_or(u32::MAX)
            }
            _ => slots,
        };
        let mut add = |what: Counted, amount: u32| used[what as usize] += amount;
        add(Counted::Pods, pods);
        for index in 0..plan.containers {
            let each = plan.resources(workload.slots.start, index);
            add(Counted::Cpu, each.cpu_request * pods);
            add(Counted::Memory, each.memory_request * pods);
            add(Counted::MemoryLimits, each.memory_limit * pods);
        }
        if workload.template.volume > 0 {
            add(Counted::Claims, slots);
            add(Counted::Storage, workload.template.volume * slots);
        }
        let there = at.is_none_or(|at| workload.created <= at);
        if workload.template.controller == Controller::Deployment && there {
            add(Counted::Deployments, 1);
        }
    }
    used
}

pub(super) fn metadata(plan: &Plan, namespace: u32) -> Metadata {
    let (name, within) = (name(plan, namespace).unwrap_or_default(), plan.namespace(namespace));
    Metadata {
        name: name.to_owned(),
        uid: plan.uid("ResourceQuota", &format!("{within}/{name}")),
        namespace: Some(Arc::clone(within)),
        created: oldest(plan),
        ..Metadata::default()
    }
}

pub(super) fn body(plan: &Plan, namespace: u32, at: Sec) -> Value {
    let Some((_, _, counted)) = of(plan, namespace) else { return json!({}) };
    let amounts = |used: &Used, room: fn(u32) -> u32| -> Value {
        let amount = |one: &Counted| {
            let written = one.written(room(used[*one as usize]));
            (one.name().to_owned(), written.into())
        };
        object(&mut counted.iter().map(amount))
    };
    // Half as much again, for pods that go while others come.
    let hard = amounts(&used(plan, namespace, None), |planned| planned + planned.div_ceil(2));
    let used = amounts(&used(plan, namespace, Some(at)), |used| used);
    json!({ "spec": { "hard": hard }, "status": { "hard": hard, "used": used } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WorldConfig;

    #[test]
    fn no_namespace_uses_more_than_it_may() {
        let plan = Plan::draw(&WorldConfig { nodes: 40, ..WorldConfig::default() });
        let mut quotas = 0;
        for namespace in 0..u32::try_from(plan.namespaces.len()).unwrap() {
            let Some((_, _, counted)) = of(&plan, namespace) else { continue };
            quotas += 1;
            let planned = used(&plan, namespace, None);
            for minute in 0..30 {
                let now = used(&plan, namespace, Some(plan.start + minute * 60));
                for one in *counted {
                    let (now, planned) = (now[*one as usize], planned[*one as usize]);
                    assert!(now > 0 && now <= planned + planned.div_ceil(2), "{one:?}: {now}");
                }
            }
        }
        assert!(quotas >= 4, "{quotas}");
    }
}
