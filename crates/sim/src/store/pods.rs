//! How pods change from one second to the next, and the events that tell of it.

use std::sync::Arc;

use super::{Key, Kind, State};
use crate::kubelet::container_name;
use crate::life::{Container, Phase, Pod, State as ContainerState};
use crate::objects::{Object, quota, unschedulable};
use crate::plan::{Controller, Plan, Sec, Trouble};

/// What of a pod the API shows.
#[derive(PartialEq, Eq)]
struct Face {
    phase: Phase,
    ready: bool,
    leaving: bool,
    containers: Vec<Container>,
}

fn face(plan: &Plan, pod: &Pod, t: Sec) -> Face {
    Face {
        phase: plan.phase(pod, t),
        ready: plan.is_ready(pod, t),
        leaving: pod.deleted.is_some_and(|deleted| deleted <= t),
        containers: (0..plan.containers).map(|index| plan.container(pod, index, t)).collect(),
    }
}

impl State {
    /// Applies what happens to a slot's pods at `at`.
    pub(super) fn change_slot(&mut self, slot: u32, at: Sec) {
        let cluster = Arc::clone(&self.cluster);
        let plan = &cluster.plan;
        let (before, after) = (plan.pods(slot, at - 1), plan.pods(slot, at));
        if quota::counted(plan, &before, at - 1) != quota::counted(plan, &after, at) {
            self.recounted.insert(plan.workload_of(slot).namespace);
        }
        for pod in before.iter().filter(|pod| !after.contains(pod)) {
            self.delete(Kind::Pods, &key(plan, pod), at);
        }
        for pod in &after {
            let object = Object::Pod { slot, generation: pod.generation };
            if !before.contains(pod) {
                self.put(Kind::Pods, key(plan, pod), object, at);
                self.tell_created(pod, at);
                continue;
            }
            let (was, is) = (face(plan, pod, at - 1), face(plan, pod, at));
            if was != is {
                self.put(Kind::Pods, key(plan, pod), object, at);
                self.tell_change(pod, &was, &is, at);
            }
            self.tell_trouble(pod, at);
        }
    }

    fn tell_created(&mut self, pod: &Pod, at: Sec) {
        let cluster = Arc::clone(&self.cluster);
        let plan = &cluster.plan;
        let workload = plan.workload_of(pod.slot);
        let name = plan.pod_name(pod);
        let part = match workload.template.controller {
            Controller::Deployment | Controller::Task { .. } => Some(pod.generation),
            _ => None,
        };
        let created = format!("Created pod: {name}");
        self.tell_workload(workload, part, "SuccessfulCreate", created, false, at);
        let Some(node) = plan.slots[pod.slot as usize].node else { return };
        let message = format!(
            "Successfully assigned {}/{name} to {}",
            plan.namespace(workload.namespace),
            plan.nodes[node as usize].name
        );
        self.tell_pod(pod, None, "Scheduled", message, false, at);
    }

    fn tell_change(&mut self, pod: &Pod, was: &Face, is: &Face, at: Sec) {
        let cluster = Arc::clone(&self.cluster);
        let plan = &cluster.plan;
        let workload = plan.workload_of(pod.slot);
        if is.leaving && !was.leaving {
            let deleted = format!("Deleted pod: {}", plan.pod_name(pod));
            self.tell_workload(
                workload,
                Some(pod.generation),
                "SuccessfulDelete",
                deleted,
                false,
                at,
            );
        }
        for (index, (was_one, is_one)) in (0..).zip(was.containers.iter().zip(&is.containers)) {
            let name = container_name(workload, index);
            if is.leaving && !was.leaving {
                let message = format!("Stopping container {name}");
                self.tell_pod(pod, Some(&name), "Killing", message, false, at);
            }
            if was_one.state != is_one.state {
                self.tell_container(pod, index, &name, is_one, at);
            }
        }
    }

    fn tell_container(&mut self, pod: &Pod, index: u32, name: &str, is: &Container, at: Sec) {
        let cluster = Arc::clone(&self.cluster);
        let plan = &cluster.plan;
        match is.state {
            ContainerState::Running { .. } => {
                let image = plan.image(pod, index);
                let pulled = format!("Container image \"{image}\" already present on machine");
                self.tell_pod(pod, Some(name), "Pulled", pulled, false, at);
                let created = format!("Created container: {name}");
                self.tell_pod(pod, Some(name), "Created", created, false, at);
                self.tell_pod(
                    pod,
                    Some(name),
                    "Started",
                    format!("Started container {name}"),
                    false,
                    at,
                );
            }
            ContainerState::Terminated(ended) if ended.reason == "OOMKilled" => {
                let Some(node) = plan.slots[pod.slot as usize].node else { return };
                let process = 1000 + ended.started.rem_euclid(30_000);
                let limit = u64::from(plan.resources(pod.slot, index).memory_limit) * 1024;
                let message = format!(
                    "Memory cgroup out of memory: Killed process {process} ({name}) \
                     total-vm:{}kB, anon-rss:{limit}kB, file-rss:0kB, shmem-rss:0kB",
                    limit * 3
                );
                self.tell_node(node, "OOMKilling", message, true, "kernel-monitor", at);
            }
            ContainerState::Waiting { reason: "CrashLoopBackOff", .. } => {
                let message = format!(
                    "Back-off restarting failed container {name} in pod {}_{}({})",
                    plan.pod_name(pod),
                    plan.namespace(plan.workload_of(pod.slot).namespace),
                    plan.pod_uid(pod)
                );
                self.tell_pod(pod, Some(name), "BackOff", message, true, at);
            }
            _ => {}
        }
    }

    /// Probes that fail and scheduling that is tried again, which change nothing but the events.
    fn tell_trouble(&mut self, pod: &Pod, at: Sec) {
        let cluster = Arc::clone(&self.cluster);
        let plan = &cluster.plan;
        let template = plan.workload_of(pod.slot).template;
        if template.trouble == Trouble::Unschedulable && (at - pod.created).rem_euclid(60) == 0 {
            self.tell_pod(pod, None, "FailedScheduling", unschedulable(plan), true, at);
        }
        let Some(since) = plan.flap(pod, at).filter(|since| (at - since) % 10 == 0) else { return };
        debug_assert!(at >= since);
        let address = plan.pod_address(pod).map_or_else(String::new, |ip| ip.to_string());
        let message = format!(
            "Readiness probe failed: dial tcp {address}:{}: connect: connection refused",
            template.port
        );
        self.tell_pod(pod, Some(template.name), "Unhealthy", message, true, at);
    }
}

fn key(plan: &Plan, pod: &Pod) -> Key {
    (plan.workload_of(pod.slot).namespace, plan.pod_name(pod).into())
}
