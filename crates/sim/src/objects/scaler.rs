//! Horizontal pod autoscalers at a time: what their controller measures and makes of it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::spec::millicores;
use super::workload::{counts, labels};
use super::{Metadata, time};
use crate::plan::{Plan, Scaled, Sec, Workload};

/// Seconds from a workload's creation to its autoscaler's.
const LATER: Sec = 60;
/// Seconds until the controller has looked at a new one.
const FIRST_LOOK: Sec = 15;

/// Where an autoscaler aims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Aim {
    min: u32,
    max: u32,
    /// Percent of the requested CPU.
    target: u32,
}

fn aim(workload: &Workload) -> Option<Aim> {
    let there = workload.slots.end - workload.slots.start;
    match workload.template.scaled {
        Scaled::No => None,
        Scaled::Fewest(target) => Some(Aim { min: there, max: there * 3, target }),
        Scaled::Most(target) => Some(Aim { min: (there / 3).max(1), max: there, target }),
    }
}

/// Whether a workload has one.
pub(crate) fn is_scaled(workload: &Workload) -> bool {
    workload.template.scaled != Scaled::No
}

/// What the ready pods of a workload use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Measured {
    pods: u64,
    /// Of what they request.
    percent: u64,
    /// Of each.
    millicores: u64,
}

/// `None` while none is ready.
fn measured(plan: &Plan, workload: &Workload, t: Sec) -> Option<Measured> {
    let (mut pods, mut nanocores, mut requested) = (0, 0, 0);
    for slot in workload.slots.clone() {
        for pod in plan.pods(slot, t).iter().filter(|pod| plan.is_ready(pod, t)) {
            pods += 1;
            for index in 0..plan.containers {
                let life = plan.container(pod, index, t);
                let cpu = plan.container_cpu(pod, index, &life, t);
                nanocores += cpu.map_or(0, |cpu| cpu.nanocores);
                requested += u64::from(plan.resources(slot, index).cpu_request);
            }
        }
    }
    let percent = (nanocores / 10_000).checked_div(requested)?;
    Some(Measured { pods, percent, millicores: nanocores / 1_000_000 / pods })
}

impl Measured {
    /// How many replicas the formula asks for: none other than `there` within a tenth.
    fn recommended(&self, target: u32, there: u64) -> u64 {
        let target = u64::from(target.max(1));
        if (target * 9..=target * 11).contains(&(self.percent * 10)) {
            return there;
        }
        (self.pods * self.percent).div_ceil(target)
    }
}

pub(super) fn metadata(plan: &Plan, index: u32) -> Metadata {
    let workload = &plan.workloads[index as usize];
    let namespace = Arc::clone(plan.namespace(workload.namespace));
    Metadata {
        name: workload.name.to_string(),
        uid: plan.uid("HorizontalPodAutoscaler", &format!("{namespace}/{}", workload.name)),
        namespace: Some(namespace),
        created: workload.created + LATER,
        labels: labels(workload),
        ..Metadata::default()
    }
}

pub(super) fn body(plan: &Plan, index: u32, at: Sec) -> Value {
    let workload = &plan.workloads[index as usize];
    let Some(Aim { min, max, target }) = aim(workload) else { return json!({}) };
    let counts = counts(plan, workload, None, at);
    let measured = measured(plan, workload, at);
    let mut status = json!({
        "currentReplicas": counts.replicas, "desiredReplicas": counts.wanted,
        "conditions": conditions(workload, measured, (min, max, target), counts.replicas),
        "currentMetrics": null,
    });
    if let Some(Measured { percent, millicores: each, .. }) = measured {
        let each = millicores(u32::try_from(each).unwrap_or(u32::MAX));
        status["currentMetrics"] = json!([{ "type": "Resource", "resource": {
            "name": "cpu", "current": { "averageUtilization": percent, "averageValue": each },
        } }]);
    }
    json!({
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "apps/v1", "kind": "Deployment", "name": *workload.name,
            },
            "minReplicas": min,
            "maxReplicas": max,
            "metrics": [{ "type": "Resource", "resource": {
                "name": "cpu", "target": { "type": "Utilization", "averageUtilization": target },
            } }],
        },
        "status": status,
    })
}

fn conditions(
    workload: &Workload,
    measured: Option<Measured>,
    (min, max, target): (u32, u32, u32),
    there: u32,
) -> Value {
    let since = time(workload.created + LATER + FIRST_LOOK);
    let condition = |kind: &str, holds: bool, reason: &str, message: &str| {
        json!({
            "type": kind, "status": if holds { "True" } else { "False" },
            "lastTransitionTime": since, "reason": reason, "message": message,
        })
    };
    let able =
        condition("AbleToScale", true, "ReadyForNewScale", "recommended size matches current size");
    let Some(measured) = measured else {
        let message = "the HPA was unable to compute the replica count: failed to get cpu \
                       utilization: did not receive metrics for targeted pods (pods might be \
                       unready)";
        let active = condition("ScalingActive", false, "FailedGetResourceMetric", message);
        return json!([able, active]);
    };
    let active = condition(
        "ScalingActive",
        true,
        "ValidMetricFound",
        "the HPA was able to successfully calculate a replica count from cpu resource utilization \
         (percentage of request)",
    );
    let recommended = measured.recommended(target, there.into());
    let limited = if recommended < u64::from(min) {
        let message = "the desired replica count is less than the minimum replica count";
        condition("ScalingLimited", true, "TooFewReplicas", message)
    } else if recommended > u64::from(max) {
        let message = "the desired replica count is more than the maximum replica count";
        condition("ScalingLimited", true, "TooManyReplicas", message)
    } else {
        let message = "the desired count is within the acceptable range";
        condition("ScalingLimited", false, "DesiredWithinRange", message)
    };
    json!([able, active, limited])
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;
    use crate::config::WorldConfig;

    #[test]
    fn every_autoscaler_leaves_the_replicas_as_they_are() {
        let mut seen = 0;
        for (nodes, containers_per_pod) in [(1, 1), (2, 2), (10, 2), (10, 4)] {
            let start = Timestamp::from_secs(1_795_000_000);
            let config = WorldConfig { nodes, containers_per_pod, start, ..WorldConfig::default() };
            let plan = Plan::draw(&config);
            for workload in plan.workloads.iter().filter(|one| is_scaled(one)) {
                let Aim { min, max, target } = aim(workload).unwrap();
                for hour in 0..24 {
                    let at = plan.start + hour * 3600;
                    let wanted = counts(&plan, workload, None, at).wanted;
                    // While pods are replaced the others are as busy as before.
                    let Some(measured) = measured(&plan, workload, at) else { continue };
                    let measured = Measured { pods: wanted.into(), ..measured };
                    let next = measured.recommended(target, wanted.into());
                    let next = next.clamp(min.into(), max.into());
                    assert_eq!(next, u64::from(wanted), "{} {measured:?}", workload.name);
                    seen += 1;
                }
            }
        }
        assert!(seen > 200, "{seen}");
    }
}
