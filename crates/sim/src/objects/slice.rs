//! Endpoint slices: where the pods behind a service are.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Metadata;
use super::plain::service_metadata;
use crate::life::Pod;
use crate::plan::{Exposed, Plan, Sec, Workload};
use crate::seed::{mix, suffix};

/// The name of a workload's slice.
pub(crate) fn name(workload: &Workload) -> String {
    format!("{}-{}", workload.name, suffix(mix(workload.seed, 0x51_1ce), 5))
}

pub(super) fn metadata(plan: &Plan, index: u32) -> Metadata {
    let service = service_metadata(plan, index);
    let name = name(&plan.workloads[index as usize]);
    let namespace = service.namespace.clone().unwrap_or_else(|| Arc::from(""));
    let mut labels = service.labels;
    labels.push(("kubernetes.io/service-name", service.name.into()));
    labels
        .push(("endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io".into()));
    Metadata {
        uid: plan.uid("EndpointSlice", &format!("{namespace}/{name}")),
        name,
        namespace: service.namespace,
        created: service.created,
        labels,
        ..Metadata::default()
    }
}

/// Pods that a slice lists at a time, and whether each is ready.
pub(crate) fn endpoints(plan: &Plan, workload: &Workload, at: Sec) -> Vec<(Pod, bool)> {
    workload
        .slots
        .clone()
        .flat_map(|slot| plan.pods(slot, at))
        .filter(|pod| pod.started.is_some_and(|started| started <= at) && pod.lives(at))
        .map(|pod| {
            let ready = plan.is_ready(&pod, at);
            (pod, ready)
        })
        .collect()
}

/// The columns of `kubectl get` between name and age: address type, ports, endpoints.
pub(crate) fn cells(plan: &Plan, index: u32, at: Sec) -> (&'static str, String, String) {
    let workload = &plan.workloads[index as usize];
    let mut ports = vec![workload.template.port.to_string()];
    if plan.exposed(workload) == Exposed::ByService {
        ports.push(plan.pods_port.to_string());
    }
    let addresses: Vec<String> = endpoints(plan, workload, at)
        .iter()
        .filter_map(|(pod, _)| plan.pod_address(pod).map(|address| address.to_string()))
        .collect();
    let shown = match addresses.as_slice() {
        [] => "<unset>".to_owned(),
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first},{second},{third} + {} more...", rest.len())
        }
        few => few.join(","),
    };
    ("IPv4", ports.join(","), shown)
}

pub(super) fn body(plan: &Plan, index: u32, at: Sec) -> Value {
    let workload = &plan.workloads[index as usize];
    let namespace = plan.namespace(workload.namespace);
    let mut ports = vec![json!({
        "name": "main", "protocol": "TCP", "port": workload.template.port,
    })];
    if plan.exposed(workload) == Exposed::ByService {
        ports.push(json!({ "name": "metrics", "protocol": "TCP", "port": plan.pods_port }));
    }
    let listed = endpoints(plan, workload, at).into_iter().filter_map(|(pod, ready)| {
        let node = plan.slots[pod.slot as usize].node?;
        Some(json!({
            "addresses": [plan.pod_address(&pod)?.to_string()],
            "conditions": { "ready": ready, "serving": ready, "terminating": false },
            "nodeName": *plan.nodes[node as usize].name,
            "targetRef": {
                "kind": "Pod", "namespace": **namespace, "name": plan.pod_name(&pod),
                "uid": plan.pod_uid(&pod),
            },
        }))
    });
    json!({
        "addressType": "IPv4", "ports": ports, "endpoints": listed.collect::<Vec<_>>(),
    })
}
