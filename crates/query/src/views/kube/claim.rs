//! `kube_persistentvolumeclaim_*`.

use model::Claim;

use super::{Family, Made, family, flag, number, seconds};

const PHASES: [&str; 3] = ["Lost", "Bound", "Pending"];

pub(super) const FAMILIES: &[Family] = &[
    family(
        "kube_persistentvolumeclaim_info",
        Made::Claim(|claim, put| {
            let [namespace, name] = of(claim);
            let class = ("storageclass", &*claim.storage_class);
            put(&[namespace, name, class, ("volumename", &claim.volume)], 1.0);
        }),
        false,
        "Information about a claim",
    ),
    family(
        "kube_persistentvolumeclaim_status_phase",
        Made::Claim(|claim, put| {
            let [namespace, name] = of(claim);
            for phase in PHASES {
                put(&[namespace, name, ("phase", phase)], flag(*claim.phase == *phase));
            }
        }),
        false,
        "The claim's phase",
    ),
    family(
        "kube_persistentvolumeclaim_resource_requests_storage_bytes",
        Made::Claim(|claim, put| {
            if let Some(bytes) = claim.requested {
                put(&of(claim), number(bytes));
            }
        }),
        false,
        "Bytes that the claim asks for",
    ),
    family(
        "kube_persistentvolumeclaim_created",
        Made::Claim(|claim, put| {
            if let Some(at) = seconds(claim.created) {
                put(&of(claim), at);
            }
        }),
        true,
        "When the claim was created",
    ),
];

fn of(claim: &Claim) -> [(&str, &str); 2] {
    [("namespace", &claim.namespace), ("persistentvolumeclaim", &claim.name)]
}
