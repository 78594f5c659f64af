//! Jobs and `CronJobs` at a time.

use std::sync::Arc;

use serde_json::{Value, json};

use super::spec::pod_spec;
use super::{Metadata, Owner, time};
use crate::life::{KEPT, Phase};
use crate::plan::{Controller, Plan, Sec, Workload};

/// How far a Job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub active: u32,
    pub ready: u32,
    pub succeeded: u32,
    pub failed: u32,
    /// When its last pod ended, if all have.
    pub finished: Option<Sec>,
}

/// How far a task's run has come at `t`.
pub(crate) fn outcome(plan: &Plan, workload: &Workload, run: u32, t: Sec) -> Outcome {
    let mut outcome = Outcome { active: 0, ready: 0, succeeded: 0, failed: 0, finished: None };
    let pods = workload.slots.clone().filter_map(|slot| plan.pod(slot, run));
    for pod in pods.filter(|pod| pod.created <= t) {
        match plan.phase(&pod, t) {
            Phase::Succeeded => outcome.succeeded += 1,
            Phase::Failed => outcome.failed += 1,
            _ => {
                outcome.active += 1;
                outcome.ready += u32::from(plan.is_ready(&pod, t));
            }
        }
        if pod.finished.is_some_and(|finished| finished <= t) {
            outcome.finished = outcome.finished.max(pod.finished);
        }
    }
    let ended = outcome.succeeded + outcome.failed;
    if ended < workload.slots.end - workload.slots.start {
        outcome.finished = None;
    }
    outcome
}

pub(super) fn job_metadata(plan: &Plan, index: u32, run: u32) -> Metadata {
    let workload = &plan.workloads[index as usize];
    let began = plan.run_at(workload, run);
    let owned = matches!(workload.template.controller, Controller::Task { owned: true, .. });
    let name = workload.job_name(run);
    Metadata {
        namespace: Some(Arc::clone(plan.namespace(workload.namespace))),
        uid: workload.controller_uid(Some(run)),
        created: began,
        generation: Some(1),
        labels: vec![
            ("app", workload.template.name.into()),
            ("batch.kubernetes.io/job-name", name.clone().into()),
            ("job-name", name.clone().into()),
        ],
        annotations: if owned {
            vec![("batch.kubernetes.io/cronjob-scheduled-timestamp", time(began))]
        } else {
            Vec::new()
        },
        owner: owned.then(|| Owner {
            api_version: "batch/v1",
            kind: "CronJob",
            name: workload.name.to_string(),
            uid: workload.controller_uid(None),
        }),
        name,
        ..Metadata::default()
    }
}

/// `spec` of a Job, as `CronJobs` have it in their template too.
fn job_spec(plan: &Plan, workload: &Workload, job: Option<(&str, &str)>) -> Value {
    let parallel = workload.slots.end - workload.slots.start;
    let mut labels = json!({ "app": workload.template.name, "tier": workload.template.tier });
    if let Some((name, _)) = job {
        labels["job-name"] = name.into();
    }
    let mut spec = json!({
        "parallelism": parallel, "completions": parallel, "backoffLimit": 0,
        "template": {
            "metadata": { "creationTimestamp": null, "labels": labels },
            "spec": pod_spec(plan, workload, 0, None),
        },
        "completionMode": "NonIndexed", "suspend": false,
    });
    if let Some((_, uid)) = job {
        let key = "batch.kubernetes.io/controller-uid";
        spec["selector"] = json!({ "matchLabels": { key: uid } });
    }
    spec
}

pub(super) fn job(plan: &Plan, index: u32, run: u32, at: Sec) -> Value {
    let workload = &plan.workloads[index as usize];
    let (name, uid) = (workload.job_name(run), workload.controller_uid(Some(run)));
    let outcome = outcome(plan, workload, run, at);
    let began = plan.run_at(workload, run);
    let mut status = json!({ "startTime": time(began), "ready": outcome.ready, "terminating": 0 });
    for (key, value) in
        [("active", outcome.active), ("succeeded", outcome.succeeded), ("failed", outcome.failed)]
    {
        if value > 0 {
            status[key] = value.into();
        }
    }
    status["uncountedTerminatedPods"] = json!({});
    if let Some(finished) = outcome.finished {
        let (kind, reason, message) = if outcome.failed > 0 {
            ("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
        } else {
            status["completionTime"] = time(finished).into();
            ("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
        };
        status["conditions"] = json!([{
            "type": kind, "status": "True", "reason": reason, "message": message,
            "lastProbeTime": time(finished), "lastTransitionTime": time(finished),
        }]);
    }
    json!({ "spec": job_spec(plan, workload, Some((&name, &uid))), "status": status })
}

pub(super) fn cron_job(plan: &Plan, index: u32, at: Sec) -> Value {
    let workload = &plan.workloads[index as usize];
    let Controller::Task { period, .. } = workload.template.controller else { return json!({}) };
    let runs = workload.runs(at);
    let active: Vec<Value> = runs
        .clone()
        .filter(|run| outcome(plan, workload, *run, at).finished.is_none())
        .map(|run| {
            json!({
                "kind": "Job", "apiVersion": "batch/v1",
                "namespace": **plan.namespace(workload.namespace),
                "name": workload.job_name(run),
                "uid": workload.controller_uid(Some(run)),
            })
        })
        .collect();
    let succeeded = runs
        .clone()
        .filter_map(|run| {
            let outcome = outcome(plan, workload, run, at);
            outcome.finished.filter(|_| outcome.failed == 0)
        })
        .max();
    let mut status = json!({ "lastScheduleTime": time(plan.run_at(workload, *runs.end())) });
    if !active.is_empty() {
        status["active"] = active.into();
    }
    if let Some(succeeded) = succeeded {
        status["lastSuccessfulTime"] = time(succeeded).into();
    }
    json!({
        "spec": {
            "schedule": schedule(period), "concurrencyPolicy": "Forbid", "suspend": false,
            "jobTemplate": {
                "metadata": { "creationTimestamp": null },
                "spec": job_spec(plan, workload, None),
            },
            "successfulJobsHistoryLimit": KEPT, "failedJobsHistoryLimit": KEPT,
        },
        "status": status,
    })
}

/// A period in cron's words.
pub(crate) fn schedule(period: Sec) -> String {
    match period / 60 {
        0 | 1 => "* * * * *".to_owned(),
        minutes => format!("*/{minutes} * * * *"),
    }
}
