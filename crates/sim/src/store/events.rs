//! Events: told once, counted when they happen again, forgotten after an hour.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::{Key, Kind, State};
use crate::life::Pod;
use crate::objects::{Event, Involved, Object, SCHEDULER};
use crate::plan::{Controller, Sec, Workload};
use crate::seed::{mix, text};
use crate::telemetry;

/// Seconds an event is kept after it last happened (--event-ttl of kube-apiserver).
const KEPT: Sec = 3600;
/// Events kept at most; the oldest go first.
const MOST: usize = 20_000;

/// Which events are stored, and in what order they are forgotten.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// From object and reason to the stored event.
    known: HashMap<u64, Key>,
    /// Time last queued, identity.
    order: VecDeque<(Sec, u64)>,
}

impl Told {
    pub(super) fn expired(&self, now: Sec) -> bool {
        self.order.front().is_some_and(|(at, _)| at + KEPT <= now)
    }
}

/// What is told, before it has a name.
struct Telling {
    involved: Involved,
    namespace: u32,
    reason: &'static str,
    message: String,
    warning: bool,
    component: &'static str,
    host: Option<Arc<str>>,
}

impl State {
    /// Tells of a pod, or of one of its containers.
    pub(super) fn tell_pod(
        &mut self,
        pod: &Pod,
        container: Option<&str>,
        reason: &'static str,
        message: String,
        warning: bool,
        at: Sec,
    ) {
        let cluster = Arc::clone(&self.cluster);
        let plan = &cluster.plan;
        let workload = plan.workload_of(pod.slot);
        let scheduler = matches!(reason, "Scheduled" | "FailedScheduling");
        let node = plan.slots[pod.slot as usize].node;
        let host =
            node.filter(|_| !scheduler).map(|node| Arc::clone(&plan.nodes[node as usize].name));
        let involved = Involved {
            api_version: "v1",
            kind: "Pod",
            namespace: Some(Arc::clone(plan.namespace(workload.namespace))),
            name: plan.pod_name(pod),
            uid: plan.pod_uid(pod),
            field_path: container.map(|name| format!("spec.containers{{{name}}}")),
        };
        let component = if scheduler { SCHEDULER } else { "kubelet" };
        let namespace = workload.namespace;
        self.tell(Telling { involved, namespace, reason, message, warning, component, host }, at);
    }

    /// Tells of a controller, or of one of its versions or runs.
    pub(super) fn tell_workload(
        &mut self,
        workload: &Workload,
        part: Option<u32>,
        reason: &'static str,
        message: String,
        warning: bool,
        at: Sec,
    ) {
        let cluster = Arc::clone(&self.cluster);
        let plan = &cluster.plan;
        let name = workload.name.to_string();
        let (api_version, kind, name, component) = match (workload.template.controller, part) {
            (Controller::Deployment, None) => {
                ("apps/v1", "Deployment", name, "deployment-controller")
            }
            (Controller::Deployment, Some(version)) => {
                let name = format!("{name}-{}", workload.template_hash(version));
                ("apps/v1", "ReplicaSet", name, "replicaset-controller")
            }
            (Controller::StatefulSet, _) => {
                ("apps/v1", "StatefulSet", name, "statefulset-controller")
            }
            (Controller::DaemonSet, _) => ("apps/v1", "DaemonSet", name, "daemonset-controller"),
            (Controller::Task { .. }, Some(run)) => {
                ("batch/v1", "Job", workload.job_name(run), "job-controller")
            }
            (Controller::Task { .. }, None) => ("batch/v1", "CronJob", name, "cronjob-controller"),
        };
        let involved = Involved {
            api_version,
            kind,
            namespace: Some(Arc::clone(plan.namespace(workload.namespace))),
            name,
            uid: workload.controller_uid(part),
            field_path: None,
        };
        let namespace = workload.namespace;
        let host = None;
        self.tell(Telling { involved, namespace, reason, message, warning, component, host }, at);
    }

    /// Tells of a node. As the kubelet does, the node's name stands for its uid.
    pub(super) fn tell_node(
        &mut self,
        node: u32,
        reason: &'static str,
        message: String,
        warning: bool,
        component: &'static str,
        at: Sec,
    ) {
        let name = Arc::clone(&self.cluster.plan.nodes[node as usize].name);
        let involved = Involved {
            api_version: "v1",
            kind: "Node",
            namespace: None,
            name: name.to_string(),
            uid: name.to_string(),
            field_path: None,
        };
        let default = self.cluster.plan.namespaces.iter().position(|name| &**name == "default");
        let namespace = u32::try_from(default.unwrap_or(0)).unwrap_or(0);
        let host = (component != "node-controller").then_some(name);
        self.tell(Telling { involved, namespace, reason, message, warning, component, host }, at);
    }

    fn tell(&mut self, telling: Telling, at: Sec) {
        let subject = mix(text(&telling.involved.uid), text(telling.reason));
        let identity = mix(subject, text(&telling.message));
        let known = self.told.known.get(&identity).cloned();
        let stored = known.and_then(|key| {
            let version = self.maps[Kind::Events as usize].get(&key)?;
            match &version.object {
                Object::Event(event) => Some((key, Event::clone(event))),
                _ => None,
            }
        });
        if let Some((key, mut event)) = stored {
            event.count += 1;
            event.last = at;
            self.put(Kind::Events, key, Object::Event(Arc::new(event)), at);
            return;
        }
        let name = format!("{}.{:016x}", telling.involved.name, mix(identity, at.unsigned_abs()));
        let key: Key = (telling.namespace, name.as_str().into());
        let event = Event {
            name,
            namespace: telling.namespace,
            involved: telling.involved,
            reason: telling.reason,
            message: telling.message,
            warning: telling.warning,
            component: telling.component,
            host: telling.host,
            first: at,
            last: at,
            count: 1,
        };
        self.told.known.insert(identity, key.clone());
        self.told.order.push_back((at, identity));
        self.put(Kind::Events, key, Object::Event(Arc::new(event)), at);
        if self.told.order.len() > MOST {
            metrics::counter!(telemetry::EVENTS_DROPPED).increment(1);
            self.forget_oldest(at);
        }
    }

    /// Deletes events that last happened an hour ago.
    pub(super) fn forget_events(&mut self, now: Sec) {
        while let Some((queued, identity)) = self.told.order.front().copied() {
            let forgotten = queued + KEPT;
            if forgotten > now {
                return;
            }
            let last = self.told.known.get(&identity).and_then(|key| {
                match &self.maps[Kind::Events as usize].get(key)?.object {
                    Object::Event(event) => Some(event.last),
                    _ => None,
                }
            });
            match last {
                Some(last) if last > queued => {
                    self.told.order.pop_front();
                    // Kept in order of time, though later ones may already stand behind it.
                    let place = self.told.order.partition_point(|(at, _)| *at <= last);
                    self.told.order.insert(place, (last, identity));
                }
                _ => self.forget_oldest(forgotten),
            }
        }
    }

    fn forget_oldest(&mut self, at: Sec) {
        let Some((_, identity)) = self.told.order.pop_front() else { return };
        if let Some(key) = self.told.known.remove(&identity) {
            self.delete(Kind::Events, &key, at);
        }
    }
}
