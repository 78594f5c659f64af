//! `kube_deployment_*`, `kube_replicaset_*`, `kube_statefulset_*`, `kube_daemonset_*`, `kube_job_*`,
//! `kube_cronjob_*`.

use model::Workload;

use super::{Family, Made, Put, family, flag, number, seconds};

/// A number of a workload.
macro_rules! counted {
    ($name:literal $kind:literal $label:literal $help:literal $($field:ident).+) => {
        family($name, Made::Workload($kind, |workload, put| {
            if let Some(value) = workload.$($field).+ {
                put(&of(workload, $label), number(value));
            }
        }), false, $help)
    };
}

/// A moment of a workload.
macro_rules! moment {
    ($name:literal $kind:literal $label:literal $help:literal $field:ident) => {
        family(
            $name,
            Made::Workload($kind, |workload, put| {
                if let Some(at) = seconds(workload.counts.$field) {
                    put(&of(workload, $label), at);
                }
            }),
            false,
            $help,
        )
    };
}

/// Whether a job ended so: `condition` is the status of the condition of that name.
macro_rules! ended {
    ($name:literal $well:literal $help:literal) => {
        family(
            $name,
            Made::Workload("Job", |workload, put| {
                if workload.counts.complete == Some($well) {
                    let [namespace, own] = of(workload, "job_name");
                    for condition in ["true", "false", "unknown"] {
                        put(&[namespace, own, ("condition", condition)], flag(condition == "true"));
                    }
                }
            }),
            false,
            $help,
        )
    };
}

/// When a workload was created, and what it belongs to.
macro_rules! lasting {
    ($created:literal $owner:literal $kind:literal $label:literal) => {
        [
            family(
                $created,
                Made::Workload($kind, |workload, put| {
                    if let Some(at) = seconds(workload.created) {
                        put(&of(workload, $label), at);
                    }
                }),
                true,
                "When it was created",
            ),
            family(
                $owner,
                Made::Workload($kind, |workload, put| owner(workload, $label, put)),
                true,
                "What it belongs to",
            ),
        ]
    };
}

const REPLICA_SETS: [Family; 2] =
    lasting!("kube_replicaset_created" "kube_replicaset_owner" "ReplicaSet" "replicaset");
const JOBS: [Family; 2] = lasting!("kube_job_created" "kube_job_owner" "Job" "job_name");

pub(super) const FAMILIES: &[Family] = &[
    REPLICA_SETS[0],
    REPLICA_SETS[1],
    JOBS[0],
    JOBS[1],
    family(
        "kube_deployment_created",
        Made::Workload("Deployment", |workload, put| {
            if let Some(at) = seconds(workload.created) {
                put(&of(workload, "deployment"), at);
            }
        }),
        true,
        "When it was created",
    ),
    family(
        "kube_statefulset_created",
        Made::Workload("StatefulSet", |workload, put| {
            if let Some(at) = seconds(workload.created) {
                put(&of(workload, "statefulset"), at);
            }
        }),
        true,
        "When it was created",
    ),
    family(
        "kube_daemonset_created",
        Made::Workload("DaemonSet", |workload, put| {
            if let Some(at) = seconds(workload.created) {
                put(&of(workload, "daemonset"), at);
            }
        }),
        true,
        "When it was created",
    ),
    family(
        "kube_job_info",
        Made::Workload("Job", |workload, put| {
            put(&of(workload, "job_name"), 1.0);
        }),
        true,
        "Information about a job",
    ),
    family(
        "kube_cronjob_info",
        Made::Workload("CronJob", |workload, put| {
            put(&of(workload, "cronjob"), 1.0);
        }),
        true,
        "Information about a cron job",
    ),
    family(
        "kube_deployment_status_replicas_unavailable",
        Made::Workload("Deployment", |workload, put| {
            if let (Some(wanted), Some(available)) = (workload.desired, workload.counts.available) {
                put(&of(workload, "deployment"), number((wanted - available).max(0)));
            }
        }),
        false,
        "Replicas that are not available",
    ),
    family(
        "kube_daemonset_status_number_unavailable",
        Made::Workload("DaemonSet", |workload, put| {
            if let (Some(wanted), Some(available)) = (workload.desired, workload.counts.available) {
                put(&of(workload, "daemonset"), number((wanted - available).max(0)));
            }
        }),
        false,
        "Pods that are not available",
    ),
    family(
        "kube_cronjob_created",
        Made::Workload("CronJob", |workload, put| {
            if let Some(at) = seconds(workload.created) {
                put(&of(workload, "cronjob"), at);
            }
        }),
        true,
        "When it was created",
    ),
    family(
        "kube_cronjob_spec_suspend",
        Made::Workload("CronJob", |workload, put| {
            if let Some(suspended) = workload.counts.suspended {
                put(&of(workload, "cronjob"), flag(suspended));
            }
        }),
        false,
        "Whether it runs no jobs",
    ),
    moment!("kube_cronjob_status_last_schedule_time" "CronJob" "cronjob" "When it ran a job last" scheduled),
    moment!("kube_job_status_start_time" "Job" "job_name" "When the job began" started),
    moment!("kube_job_status_completion_time" "Job" "job_name" "When the job was complete" ended),
    ended!("kube_job_complete" true "The job ended well"),
    ended!("kube_job_failed" false "The job failed"),
    counted!("kube_cronjob_status_active" "CronJob" "cronjob" "Jobs that run" counts.active),
    counted!("kube_deployment_metadata_generation" "Deployment" "deployment" "How often it was changed" counts.generation),
    counted!("kube_deployment_status_observed_generation" "Deployment" "deployment" "The change that its controller has seen" counts.observed),
    counted!("kube_statefulset_metadata_generation" "StatefulSet" "statefulset" "How often it was changed" counts.generation),
    counted!("kube_statefulset_status_observed_generation" "StatefulSet" "statefulset" "The change that its controller has seen" counts.observed),
    counted!("kube_daemonset_metadata_generation" "DaemonSet" "daemonset" "How often it was changed" counts.generation),
    counted!("kube_daemonset_status_observed_generation" "DaemonSet" "daemonset" "The change that its controller has seen" counts.observed),
    counted!("kube_replicaset_metadata_generation" "ReplicaSet" "replicaset" "How often it was changed" counts.generation),
    counted!("kube_replicaset_status_observed_generation" "ReplicaSet" "replicaset" "The change that its controller has seen" counts.observed),
    counted!("kube_deployment_spec_replicas" "Deployment" "deployment" "Replicas wanted" desired),
    counted!("kube_deployment_status_replicas" "Deployment" "deployment" "Replicas there are" counts.current),
    counted!("kube_deployment_status_replicas_ready" "Deployment" "deployment" "Replicas that are ready" ready),
    counted!("kube_deployment_status_replicas_available" "Deployment" "deployment" "Replicas that are available" counts.available),
    counted!("kube_deployment_status_replicas_updated" "Deployment" "deployment" "Replicas of the newest template" counts.updated),
    counted!("kube_replicaset_spec_replicas" "ReplicaSet" "replicaset" "Replicas wanted" desired),
    counted!("kube_replicaset_status_replicas" "ReplicaSet" "replicaset" "Replicas there are" counts.current),
    counted!("kube_replicaset_status_ready_replicas" "ReplicaSet" "replicaset" "Replicas that are ready" ready),
    counted!("kube_statefulset_replicas" "StatefulSet" "statefulset" "Replicas wanted" desired),
    counted!("kube_statefulset_status_replicas" "StatefulSet" "statefulset" "Replicas there are" counts.current),
    counted!("kube_statefulset_status_replicas_ready" "StatefulSet" "statefulset" "Replicas that are ready" ready),
    counted!("kube_statefulset_status_replicas_available" "StatefulSet" "statefulset" "Replicas that are available" counts.available),
    counted!("kube_statefulset_status_replicas_updated" "StatefulSet" "statefulset" "Replicas of the newest template" counts.updated),
    counted!("kube_daemonset_status_desired_number_scheduled" "DaemonSet" "daemonset" "Pods wanted" desired),
    counted!("kube_daemonset_status_current_number_scheduled" "DaemonSet" "daemonset" "Pods there are" counts.current),
    counted!("kube_daemonset_status_number_ready" "DaemonSet" "daemonset" "Pods that are ready" ready),
    counted!("kube_daemonset_status_number_available" "DaemonSet" "daemonset" "Pods that are available" counts.available),
    counted!("kube_daemonset_status_number_misscheduled" "DaemonSet" "daemonset" "Pods where none should be" counts.misscheduled),
    counted!("kube_daemonset_status_updated_number_scheduled" "DaemonSet" "daemonset" "Pods of the newest template" counts.updated),
    counted!("kube_job_spec_parallelism" "Job" "job_name" "Pods that may run at once" desired),
    counted!("kube_job_spec_completions" "Job" "job_name" "Pods that must succeed" counts.completions),
    counted!("kube_job_status_active" "Job" "job_name" "Pods that run" counts.current),
    counted!("kube_job_status_succeeded" "Job" "job_name" "Pods that succeeded" counts.succeeded),
    counted!("kube_job_status_failed" "Job" "job_name" "Pods that failed" counts.failed),
];

fn of<'a>(workload: &'a Workload, label: &'a str) -> [(&'a str, &'a str); 2] {
    [("namespace", &workload.namespace), (label, &workload.name)]
}

fn owner(workload: &Workload, label: &str, put: &mut Put<'_>) {
    let (kind, name, controls) = match &workload.owner {
        Some(owner) => (&*owner.kind, &*owner.name, "true"),
        None => ("<none>", "<none>", "<none>"),
    };
    let [namespace, own] = of(workload, label);
    let more = [("owner_kind", kind), ("owner_name", name), ("owner_is_controller", controls)];
    put(&[namespace, own, more[0], more[1], more[2]], 1.0);
}
