//! Pods: labels, owner, specification, conditions and container statuses at a time.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::spec::{pod_spec, qos_class};
use super::{Metadata, Owner, time};
use crate::kubelet::container_name;
use crate::life::{Container, Ended, Phase, Pod, State};
use crate::plan::{Controller, Exposed, Plan, Sec, Workload};
use crate::seed::{digest, text};

pub(super) fn metadata(plan: &Plan, slot: u32, generation: u32, at: Sec) -> Metadata {
    let Some(pod) = plan.pod(slot, generation) else { return Metadata::default() };
    let workload = plan.workload_of(slot);
    let name = plan.pod_name(&pod);
    let mut labels: Vec<(&'static str, Cow<'static, str>)> = vec![
        ("app", workload.template.name.into()),
        ("app.kubernetes.io/name", workload.template.name.into()),
        ("tier", workload.template.tier.into()),
    ];
    let hash = workload.template_hash(generation);
    match workload.template.controller {
        Controller::Deployment => labels.push(("pod-template-hash", hash.into())),
        Controller::StatefulSet => {
            labels.push(("controller-revision-hash", format!("{}-{hash}", workload.name).into()));
            labels.push(("statefulset.kubernetes.io/pod-name", name.clone().into()));
        }
        Controller::DaemonSet => {
            labels.push(("controller-revision-hash", hash.into()));
            labels.push(("pod-template-generation", "1".into()));
        }
        Controller::Task { .. } => {
            let job = workload.job_name(generation);
            labels.push(("batch.kubernetes.io/job-name", job.clone().into()));
            labels.push(("job-name", job.into()));
        }
    }
    let owner = owner(plan, &pod);
    let generate_name = (workload.template.controller != Controller::StatefulSet)
        .then(|| format!("{}-", owner.name));
    Metadata {
        name,
        generate_name,
        namespace: Some(Arc::clone(plan.namespace(workload.namespace))),
        uid: plan.pod_uid(&pod),
        created: pod.created,
        deleted: pod.deleted.filter(|deleted| *deleted <= at),
        labels,
        annotations: annotations(plan, workload),
        owner: Some(owner),
        ..Metadata::default()
    }
}

/// The customary annotations of pods that serve metrics.
fn annotations(plan: &Plan, workload: &Workload) -> Vec<(&'static str, String)> {
    if !matches!(plan.exposed(workload), Exposed::Annotated(_)) {
        return Vec::new();
    }
    let port = plan.pods_port.to_string();
    vec![("prometheus.io/port", port), ("prometheus.io/scrape", "true".to_owned())]
}

fn owner(plan: &Plan, pod: &Pod) -> Owner {
    let workload = plan.workload_of(pod.slot);
    let name = workload.name.to_string();
    let own = |api_version, kind, name, part| Owner {
        api_version,
        kind,
        name,
        uid: workload.controller_uid(part),
    };
    match workload.template.controller {
        Controller::Deployment => {
            let name = format!("{name}-{}", workload.template_hash(pod.generation));
            own("apps/v1", "ReplicaSet", name, Some(pod.generation))
        }
        Controller::StatefulSet => own("apps/v1", "StatefulSet", name, None),
        Controller::DaemonSet => own("apps/v1", "DaemonSet", name, None),
        Controller::Task { .. } => {
            own("batch/v1", "Job", workload.job_name(pod.generation), Some(pod.generation))
        }
    }
}

pub(super) fn body(plan: &Plan, slot: u32, generation: u32, at: Sec) -> Value {
    let Some(pod) = plan.pod(slot, generation) else { return json!({}) };
    let workload = plan.workload_of(slot);
    json!({
        "spec": pod_spec(plan, workload, generation, Some(&pod)),
        "status": status(plan, &pod, at),
    })
}

fn status(plan: &Plan, pod: &Pod, at: Sec) -> Value {
    let phase = plan.phase(pod, at);
    let mut status = json!({
        "phase": phase.name(),
        "conditions": conditions(plan, pod, phase, at),
        "qosClass": qos_class(plan, pod.slot),
    });
    let Some(node) = plan.slots[pod.slot as usize].node else { return status };
    let host = plan.nodes[node as usize].address.to_string();
    status["hostIP"] = host.clone().into();
    status["hostIPs"] = json!([{ "ip": host }]);
    status["startTime"] = time(pod.created).into();
    if let Some(address) = plan.pod_address(pod).filter(|_| pod.started.is_some_and(|s| s <= at)) {
        status["podIP"] = address.to_string().into();
        status["podIPs"] = json!([{ "ip": address.to_string() }]);
    }
    let statuses: Vec<Value> =
        (0..plan.containers).map(|index| container_status(plan, pod, index, at)).collect();
    status["containerStatuses"] = statuses.into();
    status
}

fn conditions(plan: &Plan, pod: &Pod, phase: Phase, at: Sec) -> Value {
    let condition = |kind: &str, holds: bool, since: Sec, why: Option<(&str, String)>| {
        let mut json = json!({
            "type": kind, "status": if holds { "True" } else { "False" },
            "lastProbeTime": null, "lastTransitionTime": time(since),
        });
        if let Some((reason, message)) = why {
            json["reason"] = reason.into();
            json["message"] = message.into();
        }
        json
    };
    let Some(started) = pod.started else {
        let why = Some(("Unschedulable", unschedulable(plan)));
        return json!([condition("PodScheduled", false, pod.created, why)]);
    };
    let ready = plan.is_ready(pod, at);
    let since = plan.ready_since(pod, at);
    let unready = || match phase {
        _ if ready => None,
        Phase::Succeeded => Some(("PodCompleted", String::new())),
        Phase::Failed => Some(("PodFailed", String::new())),
        _ => {
            let names: Vec<String> = (0..plan.containers)
                .filter(|index| !plan.container(pod, *index, at).ready)
                .map(|index| container_name(plan.workload_of(pod.slot), index))
                .collect();
            Some((
                "ContainersNotReady",
                format!("containers with unready status: [{}]", names.join(" ")),
            ))
        }
    };
    json!([
        condition("PodReadyToStartContainers", at >= started, started.min(at), None),
        condition("Initialized", true, pod.created, None),
        condition("Ready", ready, since, unready()),
        condition("ContainersReady", ready, since, unready()),
        condition("PodScheduled", true, pod.created, None),
    ])
}

/// What the scheduler says about a pod that fits nowhere.
pub(crate) fn unschedulable(plan: &Plan) -> String {
    let all = plan.nodes.len();
    let cordoned = plan.nodes.iter().filter(|node| node.cordoned).count();
    let small = all - cordoned;
    let mut parts = format!("{small} Insufficient cpu, {small} Insufficient memory");
    if cordoned > 0 {
        parts = format!("{cordoned} node(s) were unschedulable, {parts}");
    }
    format!(
        "0/{all} nodes are available: {parts}. preemption: 0/{all} nodes are available: \
         {all} Preemption is not helpful for scheduling."
    )
}

fn container_status(plan: &Plan, pod: &Pod, index: u32, at: Sec) -> Value {
    let workload = plan.workload_of(pod.slot);
    let life = plan.container(pod, index, at);
    let id = |restarts| format!("containerd://{}", plan.container_id(pod, index, restarts));
    let ended = |ended: &Ended, restarts| {
        json!({ "terminated": {
            "exitCode": ended.exit_code, "reason": ended.reason,
            "startedAt": time(ended.started), "finishedAt": time(ended.finished),
            "containerID": id(restarts),
        } })
    };
    let name = container_name(workload, index);
    let state = match &life.state {
        State::Waiting { reason: "CrashLoopBackOff", .. } => {
            let message = back_off_message(plan, pod, &name, life.restarts);
            json!({ "waiting": { "reason": "CrashLoopBackOff", "message": message } })
        }
        State::Waiting { reason, .. } => json!({ "waiting": { "reason": reason } }),
        State::Running { since } => json!({ "running": { "startedAt": time(*since) } }),
        State::Terminated(end) => ended(end, life.restarts),
    };
    let earlier = match life.state {
        State::Waiting { .. } => life.restarts,
        _ => life.restarts.saturating_sub(1),
    };
    let last = life.last.as_ref().map_or_else(|| json!({}), |last| ended(last, earlier));
    let image = plan.image(pod, index);
    let running = life.running_since().is_some();
    let mut json = Map::new();
    let hash = digest(text(&image));
    let unpulled = matches!(life.state, State::Waiting { .. }) && life.last.is_none();
    json.insert("name".into(), name.into());
    json.insert("state".into(), state);
    json.insert("lastState".into(), last);
    json.insert("ready".into(), life.ready.into());
    json.insert("restartCount".into(), life.restarts.into());
    json.insert(
        "imageID".into(),
        if unpulled { String::new() } else { format!("{image}@sha256:{hash}") }.into(),
    );
    json.insert("image".into(), image.into());
    if !unpulled {
        json.insert("containerID".into(), id(life.restarts).into());
    }
    json.insert("started".into(), running.into());
    Value::Object(json)
}

/// What the kubelet says of a container that keeps crashing.
pub(crate) fn back_off_message(plan: &Plan, pod: &Pod, container: &str, restarts: u32) -> String {
    let delay = match 10_u32.checked_shl(restarts).filter(|delay| *delay < 300 && restarts < 6) {
        Some(delay) => duration_words(delay),
        None => "5m0s".to_owned(),
    };
    let namespace = plan.namespace(plan.workload_of(pod.slot).namespace);
    format!(
        "back-off {delay} restarting failed container={container} pod={}_{namespace}({})",
        plan.pod_name(pod),
        plan.pod_uid(pod)
    )
}

/// A duration as Go prints it.
fn duration_words(seconds: u32) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        _ => format!("{}m{}s", seconds / 60, seconds % 60),
    }
}

/// The STATUS column, ready containers, restarts, and seconds since the last restart
/// (printers/internalversion of Kubernetes).
pub(crate) fn status_word(plan: &Plan, pod: &Pod, at: Sec) -> (String, u32, u32, Option<Sec>) {
    let containers: Vec<Container> =
        (0..plan.containers).map(|index| plan.container(pod, index, at)).collect();
    let ready = containers.iter().filter(|one| one.ready).count();
    let restarts = containers.iter().map(|one| one.restarts).sum();
    let restarted =
        containers.iter().filter_map(|one| one.last).map(|last| at - last.finished).min();
    let mut word = plan.phase(pod, at).name().to_owned();
    for one in containers.iter().rev() {
        match one.state {
            State::Waiting { reason, .. } if !reason.is_empty() => reason.clone_into(&mut word),
            State::Terminated(ended) => ended.reason.clone_into(&mut word),
            _ => {}
        }
    }
    if pod.deleted.is_some_and(|deleted| deleted <= at) {
        "Terminating".clone_into(&mut word);
    }
    let ready = u32::try_from(ready).unwrap_or(u32::MAX);
    (word, ready, restarts, restarted)
}
