//! `kube_pod_*`: pods, their containers, and what the kubernetes-mixin records of them.

use model::{ContainerSpec, ContainerState, ContainerStatus, Pod, Ready, Resources};

use super::{Family, Made, Put, State, family, flag, number, rule, seconds, with_labels};

const PHASES: [&str; 5] = ["Pending", "Succeeded", "Failed", "Unknown", "Running"];
const REASONS: [&str; 5] =
    ["Evicted", "NodeAffinity", "NodeLost", "Shutdown", "UnexpectedAdmissionError"];
pub(super) const FAMILIES: &[Family] = &[
    family("kube_pod_info", Made::Pod(info), true, "Information about a pod"),
    family("kube_pod_owner", Made::Pod(owner), true, "The pod's controller"),
    family(
        "kube_pod_labels",
        Made::Pod(|pod, _, put| with_labels(&of(pod), &pod.labels, put)),
        true,
        "The pod's labels",
    ),
    family(
        "kube_pod_created",
        Made::Pod(|pod, _, put| {
            if let Some(at) = seconds(pod.created) {
                put(&of(pod), at);
            }
        }),
        true,
        "When the pod was created",
    ),
    family(
        "kube_pod_start_time",
        Made::Pod(|pod, _, put| {
            if let Some(at) = seconds(pod.started) {
                put(&of(pod), at);
            }
        }),
        true,
        "When the kubelet took the pod on",
    ),
    family(
        "kube_pod_deletion_timestamp",
        Made::Pod(|pod, _, put| {
            if let Some(at) = seconds(pod.deleted) {
                put(&of(pod), at);
            }
        }),
        false,
        "When the pod's deletion was asked for",
    ),
    family(
        "kube_pod_completion_time",
        Made::Pod(|pod, _, put| {
            let ends = pod.statuses.iter().filter_map(|status| match &status.state {
                ContainerState::Terminated(end) => seconds(end.finished),
                _ => None,
            });
            if let Some(last) = ends.reduce(f64::max).filter(|_| has_ended(pod)) {
                put(&of(pod), last);
            }
        }),
        false,
        "When the pod's last container ended",
    ),
    family("kube_pod_status_phase", Made::Pod(phase), false, "The pod's phase"),
    family(
        "kube_pod_status_ready",
        Made::Pod(|pod, _, put| {
            ready(
                pod,
                match pod.ready {
                    Ready::Yes => "true",
                    Ready::No => "false",
                    Ready::Unstated => "unknown",
                },
                put,
            );
        }),
        false,
        "Whether the pod is ready",
    ),
    family(
        "kube_pod_status_scheduled",
        Made::Pod(|pod, _, put| {
            ready(pod, if pod.node.is_empty() { "false" } else { "true" }, put);
        }),
        false,
        "Whether the pod has a node",
    ),
    family("kube_pod_status_reason", Made::Pod(reason), false, "Why the pod ended"),
    family(
        "kube_pod_status_qos_class",
        Made::Pod(|pod, _, put| {
            for class in ["BestEffort", "Burstable", "Guaranteed"] {
                put(&with(pod, &[("qos_class", class)]), flag(*pod.qos_class == *class));
            }
        }),
        true,
        "The pod's quality of service",
    ),
    family(
        "kube_pod_spec_volumes_persistentvolumeclaims_info",
        Made::Pod(|pod, _, put| {
            for (volume, claim) in &pod.claims {
                put(&with(pod, &[("volume", volume), ("persistentvolumeclaim", claim)]), 1.0);
            }
        }),
        true,
        "Volumes of the pod that come from a claim",
    ),
    family(
        "kube_pod_container_info",
        Made::Pod(|pod, _, put| {
            for spec in &pod.containers {
                put(
                    &with(
                        pod,
                        &[
                            ("container", &spec.name),
                            ("image", &spec.image),
                            ("image_spec", &spec.image),
                        ],
                    ),
                    1.0,
                );
            }
        }),
        true,
        "Information about a container",
    ),
    family(
        "kube_pod_container_resource_requests",
        Made::Pod(|pod, _, put| {
            resources(pod, |spec| &spec.requests, put);
            extended(pod, put);
        }),
        true,
        "What the container requests",
    ),
    family(
        "kube_pod_container_resource_limits",
        Made::Pod(|pod, _, put| {
            resources(pod, |spec| &spec.limits, put);
        }),
        true,
        "What the container may use",
    ),
    family(
        "kube_pod_container_status_restarts_total",
        Made::Pod(|pod, _, put| {
            each(pod, put, |status| Some(f64::from(status.restart_count)));
        }),
        false,
        "How often the container restarted",
    ),
    family(
        "kube_pod_container_status_ready",
        Made::Pod(|pod, _, put| {
            each(pod, put, |status| Some(flag(status.ready)));
        }),
        false,
        "Whether the container is ready",
    ),
    family(
        "kube_pod_container_status_running",
        Made::Pod(|pod, _, put| {
            each(pod, put, |status| Some(flag(matches!(status.state, ContainerState::Running(_)))));
        }),
        false,
        "Whether the container runs",
    ),
    family(
        "kube_pod_container_status_waiting",
        Made::Pod(|pod, _, put| {
            each(pod, put, |status| Some(flag(matches!(status.state, ContainerState::Waiting(_)))));
        }),
        false,
        "Whether the container waits",
    ),
    family(
        "kube_pod_container_status_terminated",
        Made::Pod(|pod, _, put| {
            each(pod, put, |status| {
                Some(flag(matches!(status.state, ContainerState::Terminated(_))))
            });
        }),
        false,
        "Whether the container ended",
    ),
    family(
        "kube_pod_container_state_started",
        Made::Pod(|pod, _, put| {
            each(pod, put, |status| match status.state {
                ContainerState::Running(since) => seconds(since),
                _ => None,
            });
        }),
        false,
        "When the container started",
    ),
    family(
        "kube_pod_container_status_waiting_reason",
        Made::Pod(waiting),
        false,
        "Why the container waits",
    ),
    family(
        "kube_pod_container_status_terminated_reason",
        Made::Pod(|pod, _, put| {
            for status in &pod.statuses {
                if let ContainerState::Terminated(end) = &status.state {
                    put(&with(pod, &[("container", &status.name), ("reason", &end.reason)]), 1.0);
                }
            }
        }),
        false,
        "Why the container ended",
    ),
    family(
        "kube_pod_container_status_last_terminated_reason",
        Made::Pod(|pod, _, put| {
            for status in &pod.statuses {
                if let Some(end) = &status.last_termination {
                    put(&with(pod, &[("container", &status.name), ("reason", &end.reason)]), 1.0);
                }
            }
        }),
        false,
        "Why the container's previous run ended",
    ),
    family(
        "kube_pod_container_status_last_terminated_exitcode",
        Made::Pod(|pod, _, put| {
            each(pod, put, |status| Some(f64::from(status.last_termination.as_ref()?.exit_code)));
        }),
        false,
        "The exit code of the container's previous run",
    ),
    rule(
        "namespace_workload_pod:kube_pod_owner:relabel",
        Made::Pod(workload),
        true,
        "The workload that a pod belongs to",
    ),
    rule(
        "node_namespace_pod:kube_pod_info:",
        Made::Pod(|pod, _, put| {
            if !pod.node.is_empty() {
                put(&[("namespace", &pod.namespace), ("pod", &pod.name), ("node", &pod.node)], 1.0);
            }
        }),
        true,
        "The node that a pod runs on",
    ),
    rule(
        "cluster:namespace:pod_memory:active:kube_pod_container_resource_requests",
        Made::Pod(|pod, _, put| active(pod, "memory", |spec| &spec.requests, put)),
        false,
        "Memory that containers of pods that have not ended request",
    ),
    rule(
        "cluster:namespace:pod_cpu:active:kube_pod_container_resource_requests",
        Made::Pod(|pod, _, put| active(pod, "cpu", |spec| &spec.requests, put)),
        false,
        "CPU that containers of pods that have not ended request",
    ),
    rule(
        "cluster:namespace:pod_memory:active:kube_pod_container_resource_limits",
        Made::Pod(|pod, _, put| active(pod, "memory", |spec| &spec.limits, put)),
        false,
        "Memory that containers of pods that have not ended may use",
    ),
    rule(
        "cluster:namespace:pod_cpu:active:kube_pod_container_resource_limits",
        Made::Pod(|pod, _, put| active(pod, "cpu", |spec| &spec.limits, put)),
        false,
        "CPU that containers of pods that have not ended may use",
    ),
];

fn has_ended(pod: &Pod) -> bool {
    matches!(&*pod.phase, "Succeeded" | "Failed")
}

fn of(pod: &Pod) -> [(&str, &str); 3] {
    [("namespace", &pod.namespace), ("pod", &pod.name), ("uid", &pod.uid)]
}

fn with<'a>(pod: &'a Pod, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&of(pod), more].concat()
}

fn info(pod: &Pod, _: &State, put: &mut Put<'_>) {
    let (kind, name) =
        pod.owner.as_ref().map_or(("<none>", "<none>"), |owner| (&*owner.kind, &*owner.name));
    let more = [
        ("host_ip", &*pod.host_ip),
        ("pod_ip", &pod.ip),
        ("node", &pod.node),
        ("created_by_kind", kind),
        ("created_by_name", name),
        ("priority_class", &pod.priority_class),
        ("host_network", if pod.host_network { "true" } else { "false" }),
    ];
    put(&with(pod, &more), 1.0);
}

fn owner(pod: &Pod, _: &State, put: &mut Put<'_>) {
    let (kind, name, controls) = match &pod.owner {
        Some(owner) => (&*owner.kind, &*owner.name, "true"),
        None => ("<none>", "<none>", "<none>"),
    };
    let more = [("owner_kind", kind), ("owner_name", name), ("owner_is_controller", controls)];
    put(&with(pod, &more), 1.0);
}

/// The mixin's rule: a replica set's pod belongs to its deployment, a static pod to itself.
fn workload(pod: &Pod, state: &State, put: &mut Put<'_>) {
    let (kind, name) = match &pod.owner {
        None => ("barepod", &*pod.name),
        Some(owner) if &*owner.kind == "Node" => ("staticpod", &*pod.name),
        Some(owner) => {
            let set = state.workload(&pod.namespace, &owner.kind, &owner.name);
            let above = set.filter(|_| &*owner.kind == "ReplicaSet").and_then(|s| s.owner.as_ref());
            above.map_or((&*owner.kind, &*owner.name), |above| (&*above.kind, &*above.name))
        }
    };
    let kind = kind.to_ascii_lowercase();
    let labels = [
        ("namespace", &*pod.namespace),
        ("workload", name),
        ("pod", &pod.name),
        ("workload_type", &kind),
    ];
    put(&labels, 1.0);
}

fn phase(pod: &Pod, _: &State, put: &mut Put<'_>) {
    for phase in PHASES {
        put(&with(pod, &[("phase", phase)]), flag(*pod.phase == *phase));
    }
}

fn reason(pod: &Pod, _: &State, put: &mut Put<'_>) {
    for reason in REASONS {
        put(&with(pod, &[("reason", reason)]), flag(*pod.reason == *reason));
    }
}

fn ready(pod: &Pod, found: &str, put: &mut Put<'_>) {
    for condition in ["true", "false", "unknown"] {
        put(&with(pod, &[("condition", condition)]), flag(condition == found));
    }
}

fn waiting(pod: &Pod, _: &State, put: &mut Put<'_>) {
    for status in &pod.statuses {
        if let ContainerState::Waiting(why) = &status.state {
            put(&with(pod, &[("container", &status.name), ("reason", why)]), 1.0);
        }
    }
}

fn each(pod: &Pod, put: &mut Put<'_>, value: impl Fn(&ContainerStatus) -> Option<f64>) {
    for status in &pod.statuses {
        if let Some(value) = value(status) {
            put(&with(pod, &[("container", &status.name)]), value);
        }
    }
}

/// (resource, unit, value) of the standard resources.
fn amounts(resources: &Resources) -> impl Iterator<Item = (&'static str, &'static str, f64)> {
    let cpu = resources.cpu_millicores.map(|milli| ("cpu", "core", number(milli) / 1000.0));
    let memory = resources.memory_bytes.map(|bytes| ("memory", "byte", number(bytes)));
    let storage =
        resources.ephemeral_storage_bytes.map(|bytes| ("ephemeral_storage", "byte", number(bytes)));
    [cpu, memory, storage].into_iter().flatten()
}

fn resources(pod: &Pod, which: fn(&ContainerSpec) -> &Resources, put: &mut Put<'_>) {
    for spec in &pod.containers {
        for (resource, unit, value) in amounts(which(spec)) {
            put(&requested(pod, spec, resource, unit), value);
        }
    }
}

fn extended(pod: &Pod, put: &mut Put<'_>) {
    for spec in &pod.containers {
        for (name, value) in &spec.extended_requests {
            let clean = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
            let resource: String = name.chars().map(clean).collect();
            put(&requested(pod, spec, &resource, "integer"), number(*value));
        }
    }
}

fn requested<'a>(
    pod: &'a Pod,
    spec: &'a ContainerSpec,
    resource: &'a str,
    unit: &'a str,
) -> Vec<(&'a str, &'a str)> {
    let more =
        [("container", &*spec.name), ("node", &pod.node), ("resource", resource), ("unit", unit)];
    with(pod, &more)
}

fn active(pod: &Pod, wanted: &str, which: fn(&ContainerSpec) -> &Resources, put: &mut Put<'_>) {
    if !matches!(&*pod.phase, "Pending" | "Running") {
        return;
    }
    for spec in &pod.containers {
        for (resource, unit, value) in amounts(which(spec)).filter(|(name, ..)| *name == wanted) {
            let mut labels = requested(pod, spec, resource, unit);
            labels.push(("job", "kube-state-metrics"));
            put(&labels, value);
        }
    }
}
