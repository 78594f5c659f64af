//! The objects that exist when the store begins, and the first planned change of each actor.

use std::cmp::Reverse;
use std::sync::Arc;

use super::{Actor, Key, Kind, State, workloads};
use crate::objects::{API_SERVICE, Object, Version, quota, scaler, slice, versions, volume_name};
use crate::plan::{Controller, Workload};
use crate::seed::below;

impl State {
    /// Puts everything that exists now into the maps, without history.
    pub(super) fn fill(&mut self) {
        let cluster = Arc::clone(&self.cluster);
        let plan = &cluster.plan;
        let now = self.now;
        for (index, name) in (0..).zip(&plan.namespaces) {
            self.insert(Kind::Namespaces, (0, Arc::clone(name)), Object::Namespace(index));
            if let Some(name) = quota::name(plan, index) {
                self.insert(Kind::Quotas, (index, name.into()), Object::Quota(index));
            }
        }
        let leases = plan.namespaces.iter().position(|name| &**name == "kube-node-lease");
        let leases = u32::try_from(leases.unwrap_or(0)).unwrap_or(0);
        for (node, machine) in (0..).zip(&plan.nodes) {
            let object = Object::Node { node, lost: None, back: None };
            self.insert(Kind::Nodes, (0, Arc::clone(&machine.name)), object);
            self.insert(Kind::Leases, (leases, Arc::clone(&machine.name)), Object::Lease(node));
            self.due.push(Reverse((plan.next_node_change(node, now), Actor::Node(node))));
        }
        let default = plan.namespaces.iter().position(|name| &**name == "default").unwrap_or(0);
        let key = (u32::try_from(default).unwrap_or(0), Arc::from("kubernetes"));
        self.insert(Kind::Services, key, Object::Service(API_SERVICE));
        for index in 0..u32::try_from(plan.workloads.len()).unwrap_or(u32::MAX) {
            self.fill_workload(index);
        }
    }

    fn fill_workload(&mut self, index: u32) {
        let cluster = Arc::clone(&self.cluster);
        let plan = &cluster.plan;
        let now = self.now;
        let workload = &plan.workloads[index as usize];
        if workload.created > now {
            // It is created later, with its pods.
            self.due.push(Reverse((workload.created, Actor::Workload(index))));
        } else {
            self.insert_controllers(index);
            if let Some(at) = plan.next_workload_change(workload, now) {
                self.due.push(Reverse((at, Actor::Workload(index))));
            }
        }
        if scaler::is_scaled(workload) {
            let first = now + 1 + below(workload.seed, workloads::SYNC);
            self.due.push(Reverse((first.max(workload.created), Actor::Scaler(index))));
        }
        for slot in workload.slots.clone() {
            if workload.template.volume > 0 {
                let key = (workload.namespace, plan.claim_name(slot).into());
                self.insert(Kind::Claims, key, Object::Claim(slot));
                let key = (0, volume_name(plan, slot).into());
                self.insert(Kind::Volumes, key, Object::Volume(slot));
            }
            for pod in plan.pods(slot, now) {
                let key = (workload.namespace, plan.pod_name(&pod).into());
                self.insert(Kind::Pods, key, Object::Pod { slot, generation: pod.generation });
            }
            if let Some(at) = plan.next_change(slot, now) {
                self.due.push(Reverse((at, Actor::Slot(slot))));
            }
        }
    }

    fn insert_controllers(&mut self, index: u32) {
        let cluster = Arc::clone(&self.cluster);
        for (kind, key, object) in controllers(&cluster.plan, index, self.now) {
            self.insert(kind, key, object);
        }
    }

    fn insert(&mut self, kind: Kind, key: Key, object: Object) {
        self.version += 1;
        let version = Version { resource_version: self.version, at: self.now, object };
        self.maps[kind as usize].insert(key, version);
    }
}

/// The objects that stand for a workload beside its pods.
pub(super) fn controllers(
    plan: &crate::plan::Plan,
    index: u32,
    now: crate::plan::Sec,
) -> Vec<(Kind, Key, Object)> {
    let workload = &plan.workloads[index as usize];
    let own = (workload.namespace, Arc::clone(&workload.name));
    let mut all = Vec::new();
    if workload.template.port > 0 {
        all.push((Kind::Services, own.clone(), Object::Service(index)));
        let name = slice::name(workload).into();
        all.push((Kind::EndpointSlices, (workload.namespace, name), Object::Slice(index)));
    }
    match workload.template.controller {
        Controller::Deployment => {
            if scaler::is_scaled(workload) {
                all.push((Kind::Scalers, own.clone(), Object::Scaler(index)));
            }
            all.push((Kind::Deployments, own, Object::Deployment(index)));
            for version in versions(plan, workload, now) {
                let name = format!("{}-{}", workload.name, workload.template_hash(version));
                let object = Object::ReplicaSet { workload: index, version };
                all.push((Kind::ReplicaSets, (workload.namespace, name.into()), object));
            }
        }
        Controller::StatefulSet => {
            all.push((Kind::StatefulSets, own, Object::StatefulSet(index)));
            all.push(first_revision(workload, index));
        }
        Controller::DaemonSet => {
            all.push((Kind::DaemonSets, own, Object::DaemonSet(index)));
            all.push(first_revision(workload, index));
        }
        Controller::Task { owned, .. } => {
            if owned {
                all.push((Kind::CronJobs, own, Object::CronJob(index)));
            }
            for run in workload.runs(now) {
                let key = (workload.namespace, workload.job_name(run).into());
                all.push((Kind::Jobs, key, Object::Job { workload: index, run }));
            }
        }
    }
    all
}

/// What a stateful set or daemon set was from its beginning.
fn first_revision(workload: &Workload, index: u32) -> (Kind, Key, Object) {
    let name = format!("{}-{}", workload.name, workload.template_hash(0));
    (Kind::ControllerRevisions, (workload.namespace, name.into()), Object::Revision(index))
}
