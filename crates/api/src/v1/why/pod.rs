//! Why a pod or a container is not among what was measured.

use std::time::Duration;

use model::{ContainerState, ContainerStatus, Pod, Timestamp};

use super::reason::{Known, Question, Reason, no_such, target_reason};

/// How long kubelets take to measure a new container twice.
const SETTLED_AFTER: Duration = Duration::from_secs(45);

/// The pod has no row in the newest batch.
pub(super) fn missing(question: &Question, known: &Known<'_>) -> Reason {
    let Some(pod) = known.inventory.pod(&question.namespace, &question.name) else {
        return unknown(question, known);
    };
    if let Some(reason) = unmeasured(pod, known) {
        return reason;
    }
    let thing = question.thing();
    if let Some(reason) = just_started(&thing, pod.started, known) {
        return reason;
    }
    not_reported(&thing, &pod.node)
}

/// The container has no row in the newest batch.
pub(super) fn container_missing(question: &Question, known: &Known<'_>) -> Reason {
    let Some(pod) = known.inventory.pod(&question.namespace, &question.pod) else {
        return unknown(question, known);
    };
    if let Some(reason) = unmeasured(pod, known) {
        return reason;
    }
    let thing = question.thing();
    let names: Vec<&str> = pod.containers.iter().map(|container| &*container.name).collect();
    if !names.contains(&&*question.name) {
        let sentence = format!("there is no {thing}");
        let advice = "check the name; init and ephemeral containers are not measured by name";
        return Reason::new("unknown", sentence, advice)
            .seen(format!("containers of the pod: {}", names.join(", ")));
    }
    let status = pod.statuses.iter().find(|status| *status.name == *question.name);
    match status.map(|status| &status.state) {
        Some(ContainerState::Running(since)) => {
            just_started(&thing, *since, known).unwrap_or_else(|| not_reported(&thing, &pod.node))
        }
        Some(state @ (ContainerState::Waiting(_) | ContainerState::Terminated(_))) => {
            let sentence = format!("{thing} does not run: {}", shown(state));
            Reason::new("container_not_running", sentence, &logs(pod, &question.name))
        }
        _ => not_reported(&thing, &pod.node),
    }
}

fn unknown(question: &Question, known: &Known<'_>) -> Reason {
    let namespace = &question.namespace;
    let inventory = known.inventory;
    if inventory.namespaces().len() > 0 && inventory.namespace(namespace).is_none() {
        let sentence = format!("there is no namespace {namespace}");
        let advice = "check the name: `kubectl get namespaces`";
        return Reason::new("unknown", sentence, advice);
    }
    let all = inventory.pod_count();
    let reason = no_such(question, known, all, "pods");
    if all == 0 {
        reason
    } else {
        reason.seen(format!("{} of them in {namespace}", inventory.pods_in(namespace).count()))
    }
}

/// Why nobody could have measured `pod`: its own state, or its node's.
pub(super) fn unmeasured(pod: &Pod, known: &Known<'_>) -> Option<Reason> {
    let thing = format!("pod {}/{}", pod.namespace, pod.name);
    let describe = format!("`kubectl describe pod -n {} {}` says why", pod.namespace, pod.name);
    if matches!(&*pod.phase, "Succeeded" | "Failed") {
        let why = if pod.reason.is_empty() { String::new() } else { format!(" ({})", pod.reason) };
        let sentence = format!("{thing} has ended: its phase is {}{why}", pod.phase);
        return Some(Reason::new("ended", sentence, "nothing runs that could be measured"));
    }
    if pod.node.is_empty() {
        let sentence = format!("{thing} is on no node yet: its phase is {}", pod.phase);
        return Some(Reason::new("not_scheduled", sentence, &describe));
    }
    if let Some(reason) = target_reason(&pod.node, known) {
        return Some(reason);
    }
    if known.target(&pod.node).is_none() {
        let sentence = format!("{thing} is on node {}, which is not asked", pod.node);
        let advice = "the node was removed, or is too new: wait for the next batch";
        return Some(Reason::new("node_unknown", sentence, advice));
    }
    if !pod.deleted.is_never() {
        return Some(Reason::new("deleting", format!("{thing} is being deleted"), ""));
    }
    if !pod.statuses.is_empty() && !pod.statuses.iter().any(runs) {
        let first = pod.statuses.iter().find(|status| !runs(status))?;
        let sentence = format!("no container of {thing} runs: {}", shown(&first.state));
        let restarts: u32 = pod.statuses.iter().map(|status| status.restart_count).sum();
        let advice =
            if pod.phase.as_ref() == "Pending" { describe } else { logs(pod, &first.name) };
        return Some(
            Reason::new("no_container_runs", sentence, &advice)
                .seen(format!("{restarts} restarts")),
        );
    }
    if pod.phase.as_ref() == "Pending" {
        let sentence = format!("{thing} has not started: its phase is Pending");
        return Some(Reason::new("pending", sentence, &describe));
    }
    None
}

fn runs(status: &ContainerStatus) -> bool {
    matches!(status.state, ContainerState::Running(_) | ContainerState::Unknown)
}

fn shown(state: &ContainerState) -> String {
    match state {
        ContainerState::Waiting(reason) if reason.is_empty() => "it waits".to_owned(),
        ContainerState::Waiting(reason) => reason.to_string(),
        ContainerState::Terminated(end) => {
            format!("{} (exit code {})", end.reason, end.exit_code)
        }
        ContainerState::Running(_) | ContainerState::Unknown => "its state is unknown".to_owned(),
    }
}

fn logs(pod: &Pod, container: &str) -> String {
    format!(
        "`kubectl logs -n {} {} -c {container} --previous` says why it ended",
        pod.namespace, pod.name
    )
}

fn just_started(thing: &str, started: Timestamp, known: &Known<'_>) -> Option<Reason> {
    let settled = started.plus(SETTLED_AFTER.max(known.resolution));
    if started.is_never() || settled <= known.now {
        return None;
    }
    let ago = known.now.since(started).as_secs();
    let sentence = format!("{thing} started {ago} s ago and its kubelet has not measured it yet");
    Some(Reason::new("just_started", sentence, "wait for the next batch or the one after it"))
}

fn not_reported(thing: &str, node: &str) -> Reason {
    let sentence = format!("the kubelet of node {node} answered, but did not report {thing}");
    let advice = format!(
        "see whether the container runtime on {node} knows it (`crictl stats`), and restart the \
         kubelet if it does"
    );
    Reason::new("not_reported", sentence, &advice)
}
