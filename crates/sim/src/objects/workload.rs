//! Deployments, `ReplicaSets`, `StatefulSets` and `DaemonSets` at a time.

use std::sync::Arc;

use serde_json::{Value, json};

use super::spec::{is_still, pod_spec};
use super::{Metadata, Owner, time};
use crate::life::KEPT;
use crate::plan::{Controller, Plan, Sec, Trouble, Workload};

/// Pods of a workload by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// What the specification asks for.
    pub wanted: u32,
    /// Pods that exist and are not being deleted.
    pub replicas: u32,
    pub ready: u32,
    /// Those of the newest version.
    pub updated: u32,
}

/// Counts the pods of a workload, of one version only if asked.
pub(crate) fn counts(plan: &Plan, workload: &Workload, version: Option<u32>, t: Sec) -> Counts {
    let all = workload.slots.end - workload.slots.start;
    if is_still(workload) {
        let here = if version.is_none_or(|version| version == 0) { all } else { 0 };
        return Counts { wanted: here, replicas: here, ready: here, updated: here };
    }
    let newest = plan.version(workload, t);
    let mut counts = Counts { wanted: all, ..Counts::default() };
    for slot in workload.slots.clone() {
        for pod in plan.pods(slot, t) {
            let leaving = pod.deleted.is_some_and(|deleted| deleted <= t);
            if leaving || version.is_some_and(|version| version != pod.generation) {
                continue;
            }
            counts.replicas += 1;
            counts.ready += u32::from(plan.is_ready(&pod, t));
            counts.updated += u32::from(pod.generation == newest);
        }
    }
    if version.is_some() {
        counts.wanted = counts.replicas;
    }
    counts
}

/// Versions of a Deployment that still have a `ReplicaSet` at `t`, oldest first.
pub(crate) fn versions(plan: &Plan, workload: &Workload, t: Sec) -> std::ops::RangeInclusive<u32> {
    let newest = plan.version(workload, t);
    newest.saturating_sub(KEPT - 1)..=newest
}

pub(super) fn labels(workload: &Workload) -> Vec<(&'static str, std::borrow::Cow<'static, str>)> {
    let template = workload.template;
    vec![
        ("app", template.name.into()),
        ("app.kubernetes.io/name", template.name.into()),
        ("tier", template.tier.into()),
    ]
}

fn template_json(plan: &Plan, workload: &Workload, version: u32, hash: Option<&str>) -> Value {
    let mut labels = super::labels_json(&labels(workload));
    if let Some(hash) = hash {
        labels["pod-template-hash"] = hash.into();
    }
    json!({
        "metadata": { "creationTimestamp": null, "labels": labels },
        "spec": pod_spec(plan, workload, version, None),
    })
}

fn selector(workload: &Workload) -> Value {
    json!({ "matchLabels": { "app": workload.template.name } })
}

/// `metadata` of a Deployment, `StatefulSet`, `DaemonSet` or `CronJob`.
pub(super) fn metadata(plan: &Plan, index: u32, at: Sec) -> Metadata {
    let workload = &plan.workloads[index as usize];
    let revision = plan.version(workload, at) + 1;
    let annotations = match workload.template.controller {
        Controller::Deployment => {
            vec![("deployment.kubernetes.io/revision", revision.to_string())]
        }
        Controller::DaemonSet => {
            vec![("deprecated.daemonset.template.generation", "1".to_owned())]
        }
        _ => Vec::new(),
    };
    Metadata {
        name: workload.name.to_string(),
        namespace: Some(Arc::clone(plan.namespace(workload.namespace))),
        uid: workload.controller_uid(None),
        created: workload.created,
        generation: Some(revision),
        labels: labels(workload),
        annotations,
        ..Metadata::default()
    }
}

pub(super) fn deployment(plan: &Plan, index: u32, at: Sec) -> Value {
    let workload = &plan.workloads[index as usize];
    let version = plan.version(workload, at);
    let counts = counts(plan, workload, None, at);
    let asked = plan.version_asked_at(workload, version);
    let complete = counts.updated == counts.wanted && counts.ready == counts.wanted;
    let least = counts.wanted - counts.wanted / 4;
    let available = counts.ready >= least.max(1);
    let set = format!("{}-{}", workload.name, workload.template_hash(version));
    let (word, says) = if complete {
        ("NewReplicaSetAvailable", format!("ReplicaSet \"{set}\" has successfully progressed."))
    } else {
        ("ReplicaSetUpdated", format!("ReplicaSet \"{set}\" is progressing."))
    };
    let (status, reason, message) = if available {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    let mut json = json!({
        "spec": {
            "replicas": counts.wanted,
            "selector": selector(workload),
            "template": template_json(plan, workload, version, None),
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": { "maxUnavailable": "25%", "maxSurge": 0 },
            },
            "revisionHistoryLimit": KEPT - 1,
            "progressDeadlineSeconds": 600,
        },
        "status": {
            "observedGeneration": version + 1,
            "replicas": counts.replicas,
            "updatedReplicas": counts.updated,
            "conditions": [
                {
                    "type": "Available", "status": status,
                    "lastUpdateTime": time(workload.created + 15),
                    "lastTransitionTime": time(workload.created + 15),
                    "reason": reason, "message": message,
                },
                {
                    "type": "Progressing", "status": "True",
                    "lastUpdateTime": time(asked + 1), "lastTransitionTime": time(workload.created),
                    "reason": word, "message": says,
                },
            ],
        },
    });
    // Go leaves zeros out.
    for (key, value) in [
        ("readyReplicas", counts.ready),
        ("availableReplicas", counts.ready),
        ("unavailableReplicas", counts.wanted.saturating_sub(counts.ready)),
    ] {
        if value > 0 {
            json["status"][key] = value.into();
        }
    }
    json
}

pub(super) fn replica_set_metadata(plan: &Plan, index: u32, version: u32) -> Metadata {
    let workload = &plan.workloads[index as usize];
    let hash = workload.template_hash(version);
    let mut labels = labels(workload);
    labels.push(("pod-template-hash", hash.clone().into()));
    let wanted = workload.slots.end - workload.slots.start;
    Metadata {
        name: format!("{}-{hash}", workload.name),
        namespace: Some(Arc::clone(plan.namespace(workload.namespace))),
        uid: workload.controller_uid(Some(version)),
        created: plan.version_asked_at(workload, version),
        generation: Some(1),
        labels,
        annotations: vec![
            ("deployment.kubernetes.io/desired-replicas", wanted.to_string()),
            ("deployment.kubernetes.io/revision", (version + 1).to_string()),
        ],
        owner: Some(Owner {
            api_version: "apps/v1",
            kind: "Deployment",
            name: workload.name.to_string(),
            uid: workload.controller_uid(None),
        }),
        ..Metadata::default()
    }
}

pub(super) fn replica_set(plan: &Plan, index: u32, version: u32, at: Sec) -> Value {
    let workload = &plan.workloads[index as usize];
    let hash = workload.template_hash(version);
    let counts = counts(plan, workload, Some(version), at);
    let mut json = json!({
        "spec": {
            "replicas": counts.replicas,
            "selector": { "matchLabels": { "app": workload.template.name, "pod-template-hash": hash } },
            "template": template_json(plan, workload, version, Some(&hash)),
        },
        "status": { "replicas": counts.replicas, "observedGeneration": 1 },
    });
    if counts.replicas > 0 {
        json["status"]["fullyLabeledReplicas"] = counts.replicas.into();
    }
    if counts.ready > 0 {
        json["status"]["readyReplicas"] = counts.ready.into();
        json["status"]["availableReplicas"] = counts.ready.into();
    }
    json
}

/// `metadata` of the first `ControllerRevision`.
pub(super) fn revision_metadata(plan: &Plan, index: u32) -> Metadata {
    let workload = &plan.workloads[index as usize];
    let hash = workload.template_hash(0);
    let name = format!("{}-{hash}", workload.name);
    let mut labels = labels(workload);
    labels.push(("controller.kubernetes.io/hash", hash.into()));
    let kind = match workload.template.controller {
        Controller::DaemonSet => "DaemonSet",
        _ => "StatefulSet",
    };
    Metadata {
        uid: plan.uid("ControllerRevision", &name),
        name,
        namespace: Some(Arc::clone(plan.namespace(workload.namespace))),
        created: workload.created,
        labels,
        owner: Some(Owner {
            api_version: "apps/v1",
            kind,
            name: workload.name.to_string(),
            uid: workload.controller_uid(None),
        }),
        ..Metadata::default()
    }
}

/// The first `ControllerRevision`: the template as a strategic patch.
pub(super) fn revision(plan: &Plan, index: u32) -> Value {
    let workload = &plan.workloads[index as usize];
    let mut template = template_json(plan, workload, 0, None);
    if let Some(metadata) = template["metadata"].as_object_mut() {
        metadata.remove("creationTimestamp");
    }
    template["$patch"] = "replace".into();
    json!({ "data": { "spec": { "template": template } }, "revision": 1 })
}

pub(super) fn stateful_set(plan: &Plan, index: u32, at: Sec) -> Value {
    let workload = &plan.workloads[index as usize];
    let counts = counts(plan, workload, None, at);
    let revision = format!("{}-{}", workload.name, workload.template_hash(0));
    json!({
        "spec": {
            "replicas": counts.wanted,
            "selector": selector(workload),
            "template": template_json(plan, workload, 0, None),
            "volumeClaimTemplates": [{
                "kind": "PersistentVolumeClaim", "apiVersion": "v1",
                "metadata": { "name": "data", "creationTimestamp": null },
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": { "requests": { "storage": format!("{}Gi", workload.template.volume) } },
                    "volumeMode": "Filesystem",
                },
                "status": { "phase": "Pending" },
            }],
            "serviceName": workload.template.name,
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "partition": 0 } },
            "revisionHistoryLimit": 10,
        },
        "status": {
            "observedGeneration": 1,
            "replicas": counts.replicas, "readyReplicas": counts.ready,
            "currentReplicas": counts.replicas, "updatedReplicas": counts.replicas,
            "availableReplicas": counts.ready,
            "currentRevision": revision, "updateRevision": revision, "collisionCount": 0,
        },
    })
}

pub(super) fn daemon_set(plan: &Plan, index: u32) -> Value {
    let workload = &plan.workloads[index as usize];
    let all = workload.slots.end - workload.slots.start;
    debug_assert_eq!(workload.template.trouble, Trouble::None);
    json!({
        "spec": {
            "selector": selector(workload),
            "template": template_json(plan, workload, 0, None),
            "updateStrategy": {
                "type": "RollingUpdate",
                "rollingUpdate": { "maxUnavailable": 1, "maxSurge": 0 },
            },
            "revisionHistoryLimit": 10,
        },
        "status": {
            "currentNumberScheduled": all, "numberMisscheduled": 0,
            "desiredNumberScheduled": all, "numberReady": all,
            "observedGeneration": 1, "updatedNumberScheduled": all, "numberAvailable": all,
        },
    })
}
