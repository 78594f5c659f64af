//! Why a workload or a pod's volume has no value.

use model::{Claim, Owner, Pod};

use super::pod;
use super::reason::{Known, Question, Reason, no_such, target_reason};

/// How many pods are named.
const SHOWN: usize = 5;

/// A workload is the sum of its pods.
pub(super) fn workload_missing(question: &Question, known: &Known<'_>) -> Reason {
    let thing = question.thing();
    let inventory = known.inventory;
    let owner =
        Owner { kind: question.workload.as_str().into(), name: question.name.as_str().into() };
    let pods: Vec<&Pod> = inventory
        .pods_in(&question.namespace)
        .filter(|pod| inventory.top_owner(pod).is_some_and(|top| *top == owner))
        .map(AsRef::as_ref)
        .collect();
    let stated = inventory.workload(&question.namespace, &owner);
    if pods.is_empty() {
        return match stated {
            None => no_such(question, known, inventory.workloads().count(), "workloads"),
            Some(stated) if stated.desired == Some(0) => {
                Reason::new("no_pods", format!("{thing} wants no pods: it is scaled to zero"), "")
            }
            Some(stated) => {
                let advice = format!(
                    "`kubectl -n {} describe {} {}` says why it makes none",
                    question.namespace,
                    question.workload.to_lowercase(),
                    question.name
                );
                let wanted = stated.desired.map_or_else(String::new, |n| format!(" of {n} wanted"));
                Reason::new("no_pods", format!("{thing} has no pods{wanted}"), &advice)
            }
        };
    }
    let sentence = format!("none of the {} pods of {thing} was measured", pods.len());
    let mut reason = Reason::new("nothing_to_sum", sentence, "ask why for one of its pods");
    for pod in pods.iter().take(SHOWN) {
        let cause = pod::unmeasured(pod, known).or_else(|| target_reason(&pod.node, known));
        let cause = cause.map_or_else(|| "not reported".to_owned(), |cause| cause.sentence);
        reason = reason.seen(format!("{}: {cause}", pod.name));
    }
    reason
}

/// A volume's numbers are in its kubelet's summary, for the kinds of volumes that have any.
pub(super) fn volume_missing(question: &Question, known: &Known<'_>) -> Reason {
    let inventory = known.inventory;
    let Some(pod) = inventory.pod(&question.namespace, &question.pod) else {
        let count = inventory.pod_count();
        let mut asked = question.clone();
        (asked.kind, asked.name) = (model::EntityKind::Pod, question.pod.clone());
        return no_such(&asked, known, count, "pods");
    };
    if let Some(reason) = pod::unmeasured(pod, known) {
        return reason;
    }
    let thing = question.thing();
    let name = question.volume();
    let Some((_, claim)) = pod.claims.iter().find(|(volume, _)| **volume == *name) else {
        let sentence = format!(
            "{thing} comes from no claim, and kubelets measure only what has a filesystem of its own"
        );
        return Reason::new(
            "not_reported",
            sentence,
            "check the name; emptyDir, configMap and the like are part of the pod's own usage",
        );
    };
    match inventory.shelf::<Claim>().get(&question.namespace, claim) {
        Some(stated) if &*stated.phase != "Bound" => {
            let advice = format!(
                "`kubectl -n {} describe pvc {claim}` says what it waits for",
                question.namespace
            );
            Reason::new(
                "pending",
                format!("{thing}: its claim {claim} is {}", stated.phase),
                &advice,
            )
        }
        _ => Reason::new(
            "not_reported",
            format!("node {} did not report {thing} (claim {claim})", pod.node),
            "its driver may not tell usage (NodeGetVolumeStats), or the volume is a raw block device",
        ),
    }
}
