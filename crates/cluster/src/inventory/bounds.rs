//! Autoscalers, quotas and persistent volumes as the inventory keeps them.

use std::collections::BTreeSet;

use model::{Autoscaler, Owner, PersistentVolume, Quota, Truth};

use crate::quantity;
use crate::wire::object::{self, Amounts};

/// A horizontal pod autoscaler.
pub fn autoscaler(object: object::HorizontalPodAutoscaler) -> Autoscaler {
    let object::HorizontalPodAutoscaler { metadata, spec, status } = object;
    let target = spec.scale_target_ref;
    let truth = |status: &str| match status {
        "True" => Truth::True,
        "False" => Truth::False,
        _ => Truth::Unknown,
    };
    let conditions = status.conditions.unwrap_or_default().into_iter();
    Autoscaler {
        namespace: metadata.namespace().into(),
        name: metadata.name().into(),
        target: Owner { kind: target.kind.into(), name: target.name.into() },
        target_api: target.api_version.into(),
        min: spec.min_replicas.unwrap_or(1),
        max: spec.max_replicas,
        // Go leaves zeros out.
        current: status.current_replicas.unwrap_or(0),
        wanted: status.desired_replicas.unwrap_or(0),
        generation: metadata.generation,
        conditions: conditions.map(|one| (one.kind.into(), truth(&one.status))).collect(),
        created: metadata.created.0,
    }
}

/// A resource quota.
pub fn quota(object: object::ResourceQuota) -> Quota {
    let object::ResourceQuota { metadata, status } = object;
    let (hard, used) = (status.hard.unwrap_or_default(), status.used.unwrap_or_default());
    let amount =
        |all: &Amounts, name: &str| all.get(name).and_then(|one| quantity::milli_value(&one.0));
    let names: BTreeSet<&String> = hard.keys().chain(used.keys()).collect();
    Quota {
        namespace: metadata.namespace().into(),
        name: metadata.name().into(),
        hard: names.iter().map(|name| (name.as_str().into(), amount(&hard, name))).collect(),
        used: names.iter().map(|name| amount(&used, name)).collect(),
        created: metadata.created.0,
    }
}

/// A persistent volume.
pub fn persistent_volume(object: object::PersistentVolume) -> PersistentVolume {
    let object::PersistentVolume { metadata, spec, status } = object;
    let storage = spec.capacity.as_ref().and_then(|amounts| amounts.get("storage"));
    PersistentVolume {
        name: metadata.name().into(),
        phase: status.phase.into(),
        capacity: storage.and_then(|amount| quantity::value(&amount.0)),
        source: source(&spec),
        claim: spec.claim_ref.map(|claim| (claim.namespace.into(), claim.name.into())),
        storage_class: spec.storage_class_name.into(),
        reclaim_policy: spec.persistent_volume_reclaim_policy.into(),
        mode: spec.volume_mode.into(),
        created: metadata.created.0,
    }
}

/// Where a volume is, under the names that kube-state-metrics has for it; what is empty is left
/// out.
fn source(spec: &object::VolumeSpec) -> super::Pairs {
    let mut pairs = Vec::new();
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            pairs.push((name.into(), value.into()));
        }
    };
    if let Some(csi) = &spec.csi {
        put("csi_driver", &csi.driver);
        put("csi_volume_handle", &csi.volume_handle);
    }
    if let Some(nfs) = &spec.nfs {
        put("nfs_server", &nfs.server);
        put("nfs_path", &nfs.path);
    }
    if let Some(local) = &spec.local {
        put("local_path", &local.path);
        put("local_fs", local.fs_type.as_deref().unwrap_or_default());
    }
    if let Some(path) = &spec.host_path {
        put("host_path", &path.path);
        put("host_path_type", path.kind.as_deref().unwrap_or_default());
    }
    if let Some(iscsi) = &spec.iscsi {
        put("iscsi_target_portal", &iscsi.target_portal);
        put("iscsi_iqn", &iscsi.iqn);
        put("iscsi_lun", &iscsi.lun.to_string());
        put("iscsi_initiator_name", iscsi.initiator_name.as_deref().unwrap_or_default());
    }
    if let Some(fc) = &spec.fc {
        put("fc_wwids", &fc.wwids.as_deref().unwrap_or_default().join(","));
        put("fc_lun", &fc.lun.map(|lun| lun.to_string()).unwrap_or_default());
        put("fc_target_wwns", &fc.target_wwns.as_deref().unwrap_or_default().join(","));
    }
    if let Some(disk) = &spec.gce_persistent_disk {
        put("gce_persistent_disk_name", &disk.pd_name);
    }
    if let Some(disk) = &spec.aws_elastic_block_store {
        put("ebs_volume_id", &disk.volume_id);
    }
    if let Some(disk) = &spec.azure_disk {
        put("azure_disk_name", &disk.disk_name);
    }
    pairs.into()
}
