//! Objects that never change: namespaces, services, persistent volumes and claims; and node leases,
//! which only tell the time.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Metadata, time};
use crate::plan::{Controller, Exposed, Plan, Sec, Workload};

/// What made the volumes.
const DRIVER: &str = "csi.example.com";
/// Seconds between two renewals of a lease.
const RENEWAL: Sec = 10;

/// The service of the API server has no workload; its index is this.
pub(crate) const API_SERVICE: u32 = u32::MAX;

/// When the cluster was made.
pub(super) fn oldest(plan: &Plan) -> Sec {
    plan.nodes.iter().map(|node| node.booted).min().unwrap_or(plan.start)
}

pub(super) fn namespace_metadata(plan: &Plan, index: u32) -> Metadata {
    let name = plan.namespace(index).to_string();
    Metadata {
        uid: plan.uid("Namespace", &name),
        created: oldest(plan),
        labels: vec![("kubernetes.io/metadata.name", name.clone().into())],
        name,
        ..Metadata::default()
    }
}

pub(super) fn namespace() -> Value {
    json!({ "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" } })
}

pub(super) fn service_metadata(plan: &Plan, index: u32) -> Metadata {
    if index == API_SERVICE {
        return Metadata {
            name: "kubernetes".to_owned(),
            namespace: Some("default".into()),
            uid: plan.uid("Service", "default/kubernetes"),
            created: oldest(plan),
            labels: vec![("component", "apiserver".into()), ("provider", "kubernetes".into())],
            ..Metadata::default()
        };
    }
    let workload = &plan.workloads[index as usize];
    let namespace = Arc::clone(plan.namespace(workload.namespace));
    Metadata {
        name: workload.name.to_string(),
        uid: plan.uid("Service", &format!("{namespace}/{}", workload.name)),
        namespace: Some(namespace),
        created: workload.created,
        labels: vec![("app", workload.template.name.into())],
        ..Metadata::default()
    }
}

/// `spec.clusterIP`; services in front of stateful sets have none.
pub(crate) fn cluster_address(plan: &Plan, index: u32) -> Option<Ipv4Addr> {
    if index == API_SERVICE {
        return Some(Ipv4Addr::new(10, 43, 0, 1));
    }
    let workload: &Workload = &plan.workloads[index as usize];
    if workload.template.controller == Controller::StatefulSet {
        return None;
    }
    let place = index + 10;
    let octet = |n: u32| u8::try_from(n % 250 + 1).unwrap_or(1);
    Some(Ipv4Addr::new(10, 43, octet(place / 250), octet(place)))
}

pub(super) fn service(plan: &Plan, index: u32) -> Value {
    let address = cluster_address(plan, index).map_or("None".to_owned(), |ip| ip.to_string());
    let mut spec = json!({
        "clusterIP": address, "clusterIPs": [address], "type": "ClusterIP",
        "sessionAffinity": "None", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster",
    });
    if index == API_SERVICE {
        spec["ports"] =
            json!([{ "name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443 }]);
    } else {
        let template = plan.workloads[index as usize].template;
        spec["ports"] = json!([{
            "name": "main", "protocol": "TCP", "port": template.port, "targetPort": "main",
        }]);
        if plan.exposed(&plan.workloads[index as usize]) == Exposed::ByService
            && let Some(ports) = spec["ports"].as_array_mut()
        {
            ports.push(json!({
                "name": "metrics", "protocol": "TCP", "port": plan.pods_port,
                "targetPort": "metrics",
            }));
        }
        spec["selector"] = json!({ "app": template.name });
    }
    json!({ "spec": spec, "status": { "loadBalancer": {} } })
}

pub(super) fn claim_metadata(plan: &Plan, slot: u32) -> Metadata {
    let workload = plan.workload_of(slot);
    let name = plan.claim_name(slot);
    let namespace = Arc::clone(plan.namespace(workload.namespace));
    Metadata {
        uid: plan.uid("PersistentVolumeClaim", &format!("{namespace}/{name}")),
        name,
        namespace: Some(namespace),
        created: workload.created,
        labels: vec![("app", workload.template.name.into())],
        ..Metadata::default()
    }
}

/// The name of the volume that a slot's claim is bound to.
pub(crate) fn volume_name(plan: &Plan, slot: u32) -> String {
    format!("pvc-{}", claim_metadata(plan, slot).uid)
}

pub(super) fn claim(plan: &Plan, slot: u32) -> Value {
    let size = size(plan, slot);
    json!({
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": size } },
            "volumeName": volume_name(plan, slot),
            "storageClassName": "fast",
            "volumeMode": "Filesystem",
        },
        "status": {
            "phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": { "storage": size },
        },
    })
}

fn size(plan: &Plan, slot: u32) -> String {
    format!("{}Gi", plan.workload_of(slot).template.volume)
}

pub(super) fn volume_metadata(plan: &Plan, slot: u32) -> Metadata {
    let name = volume_name(plan, slot);
    Metadata {
        uid: plan.uid("PersistentVolume", &name),
        name,
        created: plan.workload_of(slot).created,
        annotations: vec![("pv.kubernetes.io/provisioned-by", DRIVER.to_owned())],
        ..Metadata::default()
    }
}

pub(super) fn volume(plan: &Plan, slot: u32) -> Value {
    let claim = claim_metadata(plan, slot);
    let uid = volume_metadata(plan, slot).uid;
    json!({
        "spec": {
            "capacity": { "storage": size(plan, slot) },
            "accessModes": ["ReadWriteOnce"],
            "claimRef": {
                "kind": "PersistentVolumeClaim", "apiVersion": "v1", "uid": claim.uid,
                "namespace": claim.namespace.as_deref(), "name": claim.name,
            },
            "csi": { "driver": DRIVER, "volumeHandle": format!("vol-{uid}"), "fsType": "ext4" },
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": "fast",
            "volumeMode": "Filesystem",
        },
        "status": { "phase": "Bound", "lastPhaseTransitionTime": time(claim.created) },
    })
}

pub(super) fn lease_metadata(plan: &Plan, node: u32) -> Metadata {
    let machine = &plan.nodes[node as usize];
    Metadata {
        name: machine.name.to_string(),
        namespace: Some("kube-node-lease".into()),
        uid: plan.uid("Lease", &machine.name),
        created: machine.booted + 40,
        ..Metadata::default()
    }
}

pub(super) fn lease(plan: &Plan, node: u32, now: Sec) -> Value {
    let renewed = model::Timestamp::from_secs(now / RENEWAL * RENEWAL);
    let renewed = format!("{}.000000Z", time(renewed.secs()).trim_end_matches('Z'));
    json!({ "spec": {
        "holderIdentity": *plan.nodes[node as usize].name,
        "leaseDurationSeconds": 40, "renewTime": renewed,
    } })
}
