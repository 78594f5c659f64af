//! The pod specification shared by pods and the templates of their controllers, and the way
//! Kubernetes prints durations.

use serde_json::{Value, json};

use crate::kubelet::container_name;
use crate::life::Pod;
use crate::plan::{Controller, Exposed, Plan, Sec, Trouble, Workload};

/// `spec` of a pod, or of the template of its controller when there is no pod yet.
pub(super) fn pod_spec(plan: &Plan, workload: &Workload, version: u32, pod: Option<&Pod>) -> Value {
    let slot = pod.map_or(workload.slots.start, |pod| pod.slot);
    let template = workload.template;
    let task = matches!(template.controller, Controller::Task { .. });
    let daemon = template.controller == Controller::DaemonSet;
    let token = pod.map(|pod| plan.token_volume(pod));
    let containers: Vec<Value> = (0..plan.containers)
        .map(|index| container(plan, workload, slot, version, index, token.as_deref()))
        .collect();
    let mut spec = json!({
        "containers": containers,
        "restartPolicy": if task { "Never" } else { "Always" },
        "terminationGracePeriodSeconds": 2,
        "dnsPolicy": if daemon { "ClusterFirstWithHostNet" } else { "ClusterFirst" },
        "securityContext": {},
        "schedulerName": "default-scheduler",
    });
    if daemon {
        spec["hostNetwork"] = true.into();
    }
    if let Some(pod) = pod {
        complete(plan, &mut spec, pod, daemon);
    }
    spec
}

/// What admission and the scheduler add.
fn complete(plan: &Plan, spec: &mut Value, pod: &Pod, daemon: bool) {
    let mut volumes = Vec::new();
    if plan.workload_of(pod.slot).template.volume > 0 {
        let claim = plan.claim_name(pod.slot);
        volumes.push(json!({ "name": "data", "persistentVolumeClaim": { "claimName": claim } }));
    }
    volumes.push(json!({
        "name": plan.token_volume(pod),
        "projected": {
            "sources": [
                { "serviceAccountToken": { "expirationSeconds": 3607, "path": "token" } },
                { "configMap": {
                    "name": "kube-root-ca.crt",
                    "items": [{ "key": "ca.crt", "path": "ca.crt" }],
                } },
                { "downwardAPI": { "items": [{
                    "path": "namespace",
                    "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.namespace" },
                }] } },
            ],
            "defaultMode": 420,
        },
    }));
    spec["volumes"] = volumes.into();
    spec["serviceAccountName"] = "default".into();
    spec["serviceAccount"] = "default".into();
    if let Some(node) = plan.slots[pod.slot as usize].node {
        spec["nodeName"] = (*plan.nodes[node as usize].name).into();
    }
    let seconds = if daemon { Value::Null } else { 300.into() };
    let toleration = |key: &str| {
        let mut one = json!({ "key": key, "operator": "Exists", "effect": "NoExecute" });
        if !seconds.is_null() {
            one["tolerationSeconds"] = seconds.clone();
        }
        one
    };
    spec["tolerations"] = json!([
        toleration("node.kubernetes.io/not-ready"),
        toleration("node.kubernetes.io/unreachable"),
    ]);
    spec["priority"] = 0.into();
    spec["enableServiceLinks"] = true.into();
    spec["preemptionPolicy"] = "PreemptLowerPriority".into();
}

fn container(
    plan: &Plan,
    workload: &Workload,
    slot: u32,
    version: u32,
    index: u32,
    token: Option<&str>,
) -> Value {
    let template = workload.template;
    let mut json = json!({
        "name": container_name(workload, index),
        "image": plan.image_of(slot, version, index),
        "resources": resources(plan, slot, index),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    });
    if index == 0 && template.port > 0 {
        json["ports"] =
            json!([{ "name": "main", "containerPort": template.port, "protocol": "TCP" }]);
        let probe = json!({
            "tcpSocket": { "port": "main" },
            "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 1,
        });
        json["readinessProbe"] = probe;
    }
    if index == 0
        && plan.exposed(workload) != Exposed::No
        && let Some(ports) = json["ports"].as_array_mut()
    {
        let port = plan.pods_port;
        ports.push(json!({ "name": "metrics", "containerPort": port, "protocol": "TCP" }));
    }
    let mut mounts = Vec::new();
    if index == 0 && template.volume > 0 {
        mounts.push(json!({ "name": "data", "mountPath": "/data" }));
    }
    if let Some(token) = token {
        let path = "/var/run/secrets/kubernetes.io/serviceaccount";
        mounts.push(json!({ "name": token, "readOnly": true, "mountPath": path }));
    }
    if !mounts.is_empty() {
        json["volumeMounts"] = mounts.into();
    }
    json
}

fn resources(plan: &Plan, slot: u32, index: u32) -> Value {
    let resources = plan.resources(slot, index);
    let pair = |cpu: u32, memory: u32| {
        let mut json = json!({});
        if cpu > 0 {
            json["cpu"] = millicores(cpu).into();
        }
        if memory > 0 {
            json["memory"] = mebibytes(memory).into();
        }
        json
    };
    let mut json = json!({});
    let limits = pair(resources.cpu_limit, resources.memory_limit);
    let requests = pair(resources.cpu_request, resources.memory_request);
    for (key, value) in [("limits", limits), ("requests", requests)] {
        if value.as_object().is_some_and(|pairs| !pairs.is_empty()) {
            json[key] = value;
        }
    }
    json
}

/// Millicores as Kubernetes writes them: `250m`, `2`.
pub(super) fn millicores(amount: u32) -> String {
    if amount.is_multiple_of(1000) { (amount / 1000).to_string() } else { format!("{amount}m") }
}

/// MiB as Kubernetes writes them: `192Mi`, `2Gi`.
pub(super) fn mebibytes(amount: u32) -> String {
    if amount.is_multiple_of(1024) { format!("{}Gi", amount / 1024) } else { format!("{amount}Mi") }
}

/// `status.qosClass` of every pod in a slot.
pub(super) fn qos_class(plan: &Plan, slot: u32) -> &'static str {
    let all = (0..plan.containers).map(|index| plan.resources(slot, index));
    let set = |one: &crate::usage::Resources| one.cpu_request + one.memory_request > 0;
    if all.clone().any(|one| set(&one)) { "Burstable" } else { "BestEffort" }
}

/// Whether anything about the workload's pods ever changes.
pub(super) fn is_still(workload: &Workload) -> bool {
    use crate::plan::Pattern::{Crashing, Leaking};
    workload.template.trouble == Trouble::None
        && !matches!(workload.template.pattern, Crashing | Leaking)
        && !matches!(workload.template.controller, Controller::Task { .. })
}

/// A duration as `kubectl get` shows it (k8s.io/apimachinery/pkg/util/duration).
pub(crate) fn duration(seconds: Sec) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let pair = |big: Sec, unit: &str, small: Sec, lesser: &str| match small {
        0 => format!("{big}{unit}"),
        _ => format!("{big}{unit}{small}{lesser}"),
    };
    match seconds {
        ..0 => "<invalid>".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => pair(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => pair(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => pair(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => pair(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_kubectl_shows_them() {
        for (seconds, text) in [
            (-1, "<invalid>"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (121, "2m1s"),
            (3599, "59m"),
            (10_800, "3h"),
            (12_000, "3h20m"),
            (90_000, "25h"),
            (180_000, "2d2h"),
            (900_000, "10d"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn quantities_take_their_largest_unit() {
        assert_eq!((millicores(250), millicores(2000)), ("250m".into(), "2".into()));
        assert_eq!((mebibytes(192), mebibytes(2048)), ("192Mi".into(), "2Gi".into()));
    }
}
