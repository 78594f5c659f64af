//! `kube_resourcequota` and `kube_resourcequota_created`.

use model::Quota;

use super::{Family, Made, Put, family, number, seconds};

pub(super) const FAMILIES: &[Family] = &[
    // What is used changes with every pod: who asks for what may be used reads none of it.
    amounts("hard", hard, |one, other| one.hard == other.hard),
    amounts("used", used, |one, other| one.used == other.used && one.hard == other.hard),
    family(
        "kube_resourcequota_created",
        Made::Quota(created, |one, other| one.created == other.created),
        true,
        "When the quota was created",
    ),
];

const fn amounts(
    kind: &'static str,
    made: fn(&Quota, &mut Put<'_>),
    same: fn(&Quota, &Quota) -> bool,
) -> Family {
    let help = "How much of a resource may be used, and is";
    let family = family("kube_resourcequota", Made::Quota(made, same), false, help);
    Family { part: ("type", kind), ..family }
}

fn hard(quota: &Quota, put: &mut Put<'_>) {
    put_each(quota, quota.hard.iter().map(|(resource, hard)| (&**resource, *hard)), put);
}

fn used(quota: &Quota, put: &mut Put<'_>) {
    let used = quota.used.iter().copied().zip(&quota.hard);
    put_each(quota, used.map(|(used, (resource, _))| (&**resource, used)), put);
}

fn created(quota: &Quota, put: &mut Put<'_>) {
    if let Some(at) = seconds(quota.created) {
        put(&of(quota), at);
    }
}

/// Thousandths by resource.
fn put_each<'q>(
    quota: &Quota,
    amounts: impl Iterator<Item = (&'q str, Option<i64>)>,
    put: &mut Put<'_>,
) {
    let [namespace, name] = of(quota);
    for (resource, thousandths) in amounts {
        if let Some(thousandths) = thousandths {
            put(&[namespace, name, ("resource", resource)], number(thousandths) / 1000.0);
        }
    }
}

fn of(quota: &Quota) -> [(&str, &str); 2] {
    [("namespace", &quota.namespace), ("resourcequota", &quota.name)]
}
