//! `kube_resourcequota` and `kube_resourcequota_created`.

use model::Quota;

use super::{Family, Made, family, number, seconds};

pub(super) const FAMILIES: &[Family] = &[
    family(
        "kube_resourcequota",
        Made::Quota(|quota, put| {
            let [namespace, name] = of(quota);
            let mut amount = |resource: &str, kind: &str, thousandths: Option<i64>| {
                if let Some(thousandths) = thousandths {
                    let labels = [namespace, name, ("resource", resource), ("type", kind)];
                    put(&labels, number(thousandths) / 1000.0);
                }
            };
            for (at, (resource, hard)) in quota.hard.iter().enumerate() {
                amount(resource, "hard", *hard);
                amount(resource, "used", quota.used.get(at).copied().flatten());
            }
        }),
        false,
        "How much of a resource may be used, and is",
    ),
    family(
        "kube_resourcequota_created",
        Made::Quota(|quota, put| {
            if let Some(at) = seconds(quota.created) {
                put(&of(quota), at);
            }
        }),
        true,
        "When the quota was created",
    ),
];

fn of(quota: &Quota) -> [(&str, &str); 2] {
    [("namespace", &quota.namespace), ("resourcequota", &quota.name)]
}
