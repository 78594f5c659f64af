//! Tables: the columns of `kubectl get`, after kube-apiserver's printers
//! (pkg/printers/internalversion).

mod bounds;
mod written;

use serde_json::{Value, json};

use super::list::Renderer;
use super::parameters::Include;
use super::resource::Resource;
use super::selector::container_names;
use crate::objects::{
    Counts, Event, Object, Version, cluster_address, counts, duration, metadata, outcome, schedule,
    slice, status_word, volume_name,
};
use crate::plan::{Controller, Plan, Sec, Workload};
use crate::store::Kind;

/// Name, type, priority (1 is shown by `-o wide` only).
type Column = (&'static str, &'static str, u8);

const NAME: Column = ("Name", "string", 0);
const AGE: Column = ("Age", "string", 0);
const CONTAINERS: Column = ("Containers", "string", 1);
const IMAGES: Column = ("Images", "string", 1);
const SELECTOR: Column = ("Selector", "string", 1);

const NAMESPACES: &[Column] = &[NAME, ("Status", "string", 0), AGE];
const NODES: &[Column] = &[
    NAME,
    ("Status", "string", 0),
    ("Roles", "string", 0),
    AGE,
    ("Version", "string", 0),
    ("Internal-IP", "string", 1),
    ("External-IP", "string", 1),
    ("OS-Image", "string", 1),
    ("Kernel-Version", "string", 1),
    ("Container-Runtime", "string", 1),
];
const PODS: &[Column] = &[
    NAME,
    ("Ready", "string", 0),
    ("Status", "string", 0),
    ("Restarts", "string", 0),
    AGE,
    ("IP", "string", 1),
    ("Node", "string", 1),
    ("Nominated Node", "string", 1),
    ("Readiness Gates", "string", 1),
];
const EVENTS: &[Column] = &[
    ("Last Seen", "string", 0),
    ("Type", "string", 0),
    ("Reason", "string", 0),
    ("Object", "string", 0),
    ("Subobject", "string", 1),
    ("Source", "string", 1),
    ("Message", "string", 0),
    ("First Seen", "string", 1),
    ("Count", "string", 1),
    ("Name", "string", 1),
];
const DEPLOYMENTS: &[Column] = &[
    NAME,
    ("Ready", "string", 0),
    ("Up-to-date", "string", 0),
    ("Available", "string", 0),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
const REPLICA_SETS: &[Column] = &[
    NAME,
    ("Desired", "integer", 0),
    ("Current", "integer", 0),
    ("Ready", "integer", 0),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
const STATEFUL_SETS: &[Column] = &[NAME, ("Ready", "string", 0), AGE, CONTAINERS, IMAGES];
const DAEMON_SETS: &[Column] = &[
    NAME,
    ("Desired", "integer", 0),
    ("Current", "integer", 0),
    ("Ready", "integer", 0),
    ("Up-to-date", "integer", 0),
    ("Available", "integer", 0),
    ("Node Selector", "string", 0),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
const JOBS: &[Column] = &[
    NAME,
    ("Status", "string", 0),
    ("Completions", "string", 0),
    ("Duration", "string", 0),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
const CRON_JOBS: &[Column] = &[
    NAME,
    ("Schedule", "string", 0),
    ("Timezone", "string", 0),
    ("Suspend", "boolean", 0),
    ("Active", "integer", 0),
    ("Last Schedule", "string", 0),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
const SERVICES: &[Column] = &[
    NAME,
    ("Type", "string", 0),
    ("Cluster-IP", "string", 0),
    ("External-IP", "string", 0),
    ("Port(s)", "string", 0),
    AGE,
    SELECTOR,
];
const CLAIMS: &[Column] = &[
    NAME,
    ("Status", "string", 0),
    ("Volume", "string", 0),
    ("Capacity", "string", 0),
    ("Access Modes", "string", 0),
    ("StorageClass", "string", 0),
    ("VolumeAttributesClass", "string", 0),
    AGE,
    ("VolumeMode", "string", 1),
];
const SCALERS: &[Column] = &[
    NAME,
    ("Reference", "string", 0),
    ("Targets", "string", 0),
    ("MinPods", "string", 0),
    ("MaxPods", "string", 0),
    ("Replicas", "string", 0),
    AGE,
];
const VOLUMES: &[Column] = &[
    NAME,
    ("Capacity", "string", 0),
    ("Access Modes", "string", 0),
    ("Reclaim Policy", "string", 0),
    ("Status", "string", 0),
    ("Claim", "string", 0),
    ("StorageClass", "string", 0),
    ("VolumeAttributesClass", "string", 0),
    ("Reason", "string", 0),
    AGE,
    ("VolumeMode", "string", 1),
];
const ENDPOINT_SLICES: &[Column] =
    &[NAME, ("AddressType", "string", 0), ("Ports", "string", 0), ("Endpoints", "string", 0), AGE];
const LEASES: &[Column] = &[NAME, ("Holder", "string", 0), AGE];

fn columns(resource: &Resource) -> &'static [Column] {
    match resource.stored {
        Some(Kind::Namespaces) => NAMESPACES,
        Some(Kind::Nodes) => NODES,
        Some(Kind::Pods) => PODS,
        Some(Kind::Events) => EVENTS,
        Some(Kind::Deployments) => DEPLOYMENTS,
        Some(Kind::ReplicaSets) => REPLICA_SETS,
        Some(Kind::StatefulSets) => STATEFUL_SETS,
        Some(Kind::DaemonSets) => DAEMON_SETS,
        Some(Kind::Jobs) => JOBS,
        Some(Kind::CronJobs) => CRON_JOBS,
        Some(Kind::Services) => SERVICES,
        Some(Kind::Claims) => CLAIMS,
        Some(Kind::Leases) => LEASES,
        Some(Kind::ConfigMaps) => &[NAME, ("Data", "string", 0), AGE],
        Some(Kind::Endpoints) => &[NAME, ("Endpoints", "string", 0), AGE],
        Some(Kind::ApiServices) => {
            &[NAME, ("Service", "string", 0), ("Available", "string", 0), AGE]
        }
        Some(Kind::RoleBindings | Kind::ClusterRoleBindings) => &[NAME, ("Role", "string", 0), AGE],
        Some(Kind::Secrets) => &[NAME, ("Type", "string", 0), ("Data", "integer", 0), AGE],
        Some(Kind::Budgets) => &[NAME, ("Min Available", "string", 0), AGE],
        Some(Kind::ControllerRevisions) => {
            &[NAME, ("Controller", "string", 0), ("Revision", "integer", 0), AGE]
        }
        Some(Kind::Scalers) => SCALERS,
        Some(Kind::Volumes) => VOLUMES,
        Some(Kind::Quotas) => &[NAME, AGE, ("Request", "string", 0), ("Limit", "string", 0)],
        Some(Kind::Ships) => &[NAME, ("Masts", "integer", 0), AGE],
        Some(Kind::EndpointSlices) => ENDPOINT_SLICES,
        Some(
            Kind::ServiceAccounts
            | Kind::Roles
            | Kind::ClusterRoles
            | Kind::ServiceMonitors
            | Kind::PodMonitors,
        )
        | None => &[NAME, AGE],
    }
}

/// A table without rows.
pub(super) fn frame(resource: &Resource, headers: bool, metadata: &Value) -> Value {
    let mut table = json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
    });
    let define = |(name, kind, priority): &Column| {
        let format = if *name == "Name" && *priority == 0 { "name" } else { "" };
        json!({ "name": name, "type": kind, "format": format, "description": "", "priority": priority })
    };
    let columns: Vec<Value> =
        if headers { columns(resource).iter().map(define).collect() } else { Vec::new() };
    table["columnDefinitions"] = columns.into();
    table
}

/// One object's row.
pub(super) fn row(renderer: &Renderer, version: &Version) -> Value {
    let mut row = json!({ "cells": cells(renderer, version) });
    match renderer.parameters.include {
        Include::None => {}
        Include::Metadata => row["object"] = Value::Object(renderer.partial(version)),
        Include::Object => {
            let mut object = renderer.whole(version);
            object.insert("kind".to_owned(), renderer.resource.kind.into());
            object.insert("apiVersion".to_owned(), renderer.resource.api_version().into());
            row["object"] = Value::Object(object);
        }
    }
    row
}

fn cells(renderer: &Renderer, version: &Version) -> Value {
    let (plan, now, at) = (&renderer.cluster.plan, renderer.now, version.at);
    let metadata = metadata(&renderer.cluster, version);
    let age = duration(now - metadata.created);
    let name = metadata.name;
    // All that is shown of these is in their JSON.
    let read_off = |name: &str, age: &str| {
        written::cells(renderer.resource, &Value::Object(renderer.whole(version)), name, age)
    };
    match &version.object {
        Object::Namespace(_) => json!([name, "Active", age]),
        Object::Node { node, lost, .. } => node_cells(plan, *node, lost.is_some(), &age),
        Object::Pod { slot, generation } => pod_cells(plan, *slot, *generation, &age, at, now),
        Object::Event(event) => event_cells(event, now),
        Object::Lease(_) => json!([name, name, age]),
        Object::Revision(_) => {
            let owner = metadata.owner;
            let owner = owner.map(|one| format!("{}.apps/{}", one.kind.to_lowercase(), one.name));
            json!([name, owner, 1, age])
        }
        Object::Scaler(_) | Object::Quota(_) | Object::Volume(_) => read_off(&name, &age),
        Object::Changed { base, .. }
            if matches!(**base, Object::Scaler(_) | Object::Quota(_) | Object::Volume(_)) =>
        {
            read_off(&name, &age)
        }
        Object::Changed { base, patch } => {
            let cells = cells(renderer, &version.of(base));
            written::changed(base, patch, cells)
        }
        Object::Written(written) => written::cells(renderer.resource, &written.body, &name, &age),
        Object::Claim(slot) => {
            let size = format!("{}Gi", plan.workload_of(*slot).template.volume);
            let volume = volume_name(plan, *slot);
            json!([name, "Bound", volume, size, "RWO", "fast", "<unset>", age, "Filesystem"])
        }
        Object::Service(index) => service_cells(plan, *index, &name, &age),
        Object::Slice(index) => {
            let (kind, ports, endpoints) = slice::cells(plan, *index, at);
            json!([name, kind, ports, endpoints, age])
        }
        Object::Deployment(index)
        | Object::StatefulSet(index)
        | Object::DaemonSet(index)
        | Object::CronJob(index)
        | Object::ReplicaSet { workload: index, .. }
        | Object::Job { workload: index, .. } => {
            let workload = &plan.workloads[*index as usize];
            let owner = Owner { renderer, index: *index, workload, name: &name, age: &age };
            owner.cells(version, now)
        }
    }
}

fn node_cells(plan: &Plan, node: u32, lost: bool, age: &str) -> Value {
    let machine = &plan.nodes[node as usize];
    let ready = if lost { "NotReady" } else { "Ready" };
    let status =
        if machine.cordoned { format!("{ready},SchedulingDisabled") } else { ready.to_owned() };
    json!([
        *machine.name,
        status,
        "worker",
        age,
        "v1.32.4",
        machine.address.to_string(),
        "<none>",
        "Debian GNU/Linux 13 (trixie)",
        "6.12.48",
        "containerd://2.0.5",
    ])
}

fn pod_cells(plan: &Plan, slot: u32, generation: u32, age: &str, at: Sec, now: Sec) -> Value {
    let Some(pod) = plan.pod(slot, generation) else { return json!([]) };
    let (word, ready, restarts, restarted) = status_word(plan, &pod, at);
    let restarts = match restarted {
        Some(ago) if restarts > 0 => format!("{restarts} ({} ago)", duration(ago + now - at)),
        _ => restarts.to_string(),
    };
    let up = pod.started.is_some_and(|started| started <= at);
    let address = plan.pod_address(&pod).filter(|_| up);
    let node = plan.slots[slot as usize].node;
    json!([
        plan.pod_name(&pod),
        format!("{ready}/{}", plan.containers),
        word,
        restarts,
        age,
        address.map_or("<none>".to_owned(), |ip| ip.to_string()),
        node.map_or("<none>", |node| &plan.nodes[node as usize].name),
        "<none>",
        "<none>",
    ])
}

fn event_cells(event: &Event, now: Sec) -> Value {
    let involved = &event.involved;
    let object = format!("{}/{}", involved.kind.to_lowercase(), involved.name);
    let source = match &event.host {
        Some(host) => format!("{}, {host}", event.component),
        None => event.component.to_owned(),
    };
    json!([
        duration(now - event.last),
        event.kind(),
        event.reason,
        object,
        involved.field_path.as_deref().unwrap_or(""),
        source,
        event.message,
        duration(now - event.first),
        event.count.to_string(),
        event.name,
    ])
}

fn service_cells(plan: &Plan, index: u32, name: &str, age: &str) -> Value {
    let address = cluster_address(plan, index).map_or("None".to_owned(), |ip| ip.to_string());
    let workload = plan.workloads.get(index as usize);
    let (port, selector) = match workload {
        Some(workload) => (workload.template.port, format!("app={}", workload.template.name)),
        None => (443, "<none>".to_owned()),
    };
    json!([name, "ClusterIP", address, "<none>", format!("{port}/TCP"), age, selector])
}

/// A controller's row.
struct Owner<'a> {
    renderer: &'a Renderer,
    index: u32,
    workload: &'a Workload,
    name: &'a str,
    age: &'a str,
}

impl Owner<'_> {
    fn cells(&self, version: &Version, now: Sec) -> Value {
        let (plan, at) = (&self.renderer.cluster.plan, version.at);
        let (name, age, workload) = (self.name, self.age, self.workload);
        let containers = container_names(&self.renderer.cluster, self.index);
        let selector = format!("app={}", workload.template.name);
        let all = |part: Option<u32>| counts(plan, workload, part, at);
        let images = |generation| {
            let slot = workload.slots.start;
            let one = |index| plan.image_of(slot, generation, index);
            (0..plan.containers).map(one).collect::<Vec<_>>().join(",")
        };
        match &version.object {
            Object::Deployment(_) => {
                let Counts { wanted, ready, updated, .. } = all(None);
                let image = images(plan.version(workload, at));
                json!([
                    name,
                    format!("{ready}/{wanted}"),
                    updated.to_string(),
                    ready.to_string(),
                    age,
                    containers,
                    image,
                    selector
                ])
            }
            Object::ReplicaSet { version, .. } => {
                let Counts { replicas, ready, .. } = all(Some(*version));
                let selector =
                    format!("{selector},pod-template-hash={}", workload.template_hash(*version));
                json!([
                    name,
                    replicas,
                    replicas,
                    ready,
                    age,
                    containers,
                    images(*version),
                    selector
                ])
            }
            Object::StatefulSet(_) => {
                let Counts { wanted, ready, .. } = all(None);
                json!([name, format!("{ready}/{wanted}"), age, containers, images(0)])
            }
            Object::DaemonSet(_) => {
                let Counts { wanted, ready, .. } = all(None);
                json!([
                    name,
                    wanted,
                    wanted,
                    ready,
                    wanted,
                    ready,
                    "<none>",
                    age,
                    containers,
                    images(0),
                    selector
                ])
            }
            Object::Job { run, .. } => self.job(*run, at, now, &containers, &images(0)),
            _ => self.cron_job(at, now, &containers, &images(0)),
        }
    }

    fn job(&self, run: u32, at: Sec, now: Sec, containers: &str, images: &str) -> Value {
        let (plan, workload) = (&self.renderer.cluster.plan, self.workload);
        let outcome = outcome(plan, workload, run, at);
        let status = match outcome.finished {
            None => "Running",
            Some(_) if outcome.failed > 0 => "Failed",
            Some(_) => "Complete",
        };
        let took = duration(outcome.finished.unwrap_or(now) - plan.run_at(workload, run));
        let wanted = workload.slots.end - workload.slots.start;
        let done = format!("{}/{wanted}", outcome.succeeded);
        let uid = workload.controller_uid(Some(run));
        let selector = format!("batch.kubernetes.io/controller-uid={uid}");
        json!([self.name, status, done, took, self.age, containers, images, selector])
    }

    fn cron_job(&self, at: Sec, now: Sec, containers: &str, images: &str) -> Value {
        let plan = &self.renderer.cluster.plan;
        let Controller::Task { period, .. } = self.workload.template.controller else {
            return json!([]);
        };
        let runs = self.workload.runs(at);
        let last = duration(now - plan.run_at(self.workload, *runs.end()));
        let active =
            runs.filter(|run| outcome(plan, self.workload, *run, at).finished.is_none()).count();
        json!([
            self.name,
            schedule(period),
            "<none>",
            false,
            active,
            last,
            self.age,
            containers,
            images,
            "<none>"
        ])
    }
}
