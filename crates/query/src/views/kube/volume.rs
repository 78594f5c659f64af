//! `kube_persistentvolume_*`.

use model::PersistentVolume;

use super::{Family, Made, family, flag, number, seconds};

const PHASES: [&str; 5] = ["Pending", "Available", "Bound", "Released", "Failed"];

pub(super) const FAMILIES: &[Family] = &[
    family(
        "kube_persistentvolume_info",
        Made::Volume(|volume, put| {
            let mut labels = vec![
                of(volume),
                ("storageclass", &*volume.storage_class),
                ("reclaim_policy", &volume.reclaim_policy),
            ];
            labels.extend(volume.source.iter().map(|(name, value)| (&**name, &**value)));
            put(&labels, 1.0);
        }),
        false,
        "Information about a volume",
    ),
    family(
        "kube_persistentvolume_volume_mode",
        Made::Volume(|volume, put| put(&[of(volume), ("volumemode", &volume.mode)], 1.0)),
        false,
        "Whether it is a filesystem or a block device",
    ),
    family(
        "kube_persistentvolume_capacity_bytes",
        Made::Volume(|volume, put| {
            if let Some(bytes) = volume.capacity {
                put(&[of(volume)], number(bytes));
            }
        }),
        false,
        "Bytes that the volume has",
    ),
    family(
        "kube_persistentvolume_status_phase",
        Made::Volume(|volume, put| {
            for phase in PHASES {
                put(&[of(volume), ("phase", phase)], flag(*volume.phase == *phase));
            }
        }),
        false,
        "The volume's phase",
    ),
    family(
        "kube_persistentvolume_claim_ref",
        Made::Volume(|volume, put| {
            if let Some((namespace, name)) = &volume.claim {
                put(&[of(volume), ("claim_namespace", namespace), ("name", name)], 1.0);
            }
        }),
        false,
        "The claim that the volume is bound to",
    ),
    family(
        "kube_persistentvolume_created",
        Made::Volume(|volume, put| {
            if let Some(at) = seconds(volume.created) {
                put(&[of(volume)], at);
            }
        }),
        true,
        "When the volume was created",
    ),
];

fn of(volume: &PersistentVolume) -> (&'static str, &str) {
    ("persistentvolume", &volume.name)
}
