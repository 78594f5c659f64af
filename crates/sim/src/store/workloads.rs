//! How controllers follow their pods: new versions, new runs, and changed counts.

use std::sync::Arc;

use super::initial::controllers;
use super::{Key, Kind, State};
use crate::objects::{Counts, Object, Outcome, counts, outcome, quota, slice, versions};
use crate::plan::{Controller, Sec, Workload};

/// Seconds between two looks of the autoscalers' controller.
pub(super) const SYNC: Sec = 15;

impl State {
    /// The controller looks at an autoscaler and says what it found.
    pub(super) fn look(&mut self, index: u32, at: Sec) {
        let cluster = Arc::clone(&self.cluster);
        let workload = &cluster.plan.workloads[index as usize];
        let key = (workload.namespace, Arc::clone(&workload.name));
        if self.maps[Kind::Scalers as usize].contains_key(&key) {
            self.put(Kind::Scalers, key, Object::Scaler(index), at);
        }
    }

    /// Rewrites a namespace's quota, where it has one.
    pub(super) fn refresh_quota(&mut self, namespace: u32, at: Sec) {
        let cluster = Arc::clone(&self.cluster);
        let plan = &cluster.plan;
        let Some(name) = quota::name(plan, namespace) else { return };
        self.put(Kind::Quotas, (namespace, name.into()), Object::Quota(namespace), at);
    }

    /// A workload is created, or begins a new version or run.
    pub(super) fn begin(&mut self, index: u32, at: Sec) {
        let cluster = Arc::clone(&self.cluster);
        let workload = &cluster.plan.workloads[index as usize];
        if workload.created == at {
            for (kind, key, object) in controllers(&cluster.plan, index, at) {
                self.put(kind, key, object, at);
            }
            self.recounted.insert(workload.namespace);
        }
    }

    /// Rewrites what changed of a workload in this second.
    pub(super) fn refresh_workload(&mut self, index: u32, at: Sec) {
        let cluster = Arc::clone(&self.cluster);
        let plan = &cluster.plan;
        let workload = &plan.workloads[index as usize];
        if workload.created >= at {
            return;
        }
        let own = (workload.namespace, Arc::clone(&workload.name));
        if workload.template.port > 0
            && slice::endpoints(plan, workload, at - 1) != slice::endpoints(plan, workload, at)
        {
            let key = (workload.namespace, slice::name(workload).into());
            self.put(Kind::EndpointSlices, key, Object::Slice(index), at);
        }
        let changed = || counts(plan, workload, None, at - 1) != counts(plan, workload, None, at);
        match workload.template.controller {
            Controller::Deployment => {
                self.refresh_replica_sets(index, at);
                if changed() || plan.version(workload, at - 1) != plan.version(workload, at) {
                    self.put(Kind::Deployments, own, Object::Deployment(index), at);
                }
            }
            Controller::StatefulSet if changed() => {
                self.put(Kind::StatefulSets, own, Object::StatefulSet(index), at);
            }
            Controller::DaemonSet if changed() => {
                self.put(Kind::DaemonSets, own, Object::DaemonSet(index), at);
            }
            Controller::Task { owned, .. } => self.refresh_jobs(index, owned.then_some(own), at),
            _ => {}
        }
    }

    fn refresh_replica_sets(&mut self, index: u32, at: Sec) {
        let cluster = Arc::clone(&self.cluster);
        let plan = &cluster.plan;
        let workload = &plan.workloads[index as usize];
        let (before, after) = (versions(plan, workload, at - 1), versions(plan, workload, at));
        for version in *before.start()..=*after.end() {
            let key = replica_set_key(workload, version);
            let object = Object::ReplicaSet { workload: index, version };
            if !after.contains(&version) {
                self.delete(Kind::ReplicaSets, &key, at);
                continue;
            }
            let was = counts(plan, workload, Some(version), at - 1);
            let is = counts(plan, workload, Some(version), at);
            if !before.contains(&version) || was != is {
                self.put(Kind::ReplicaSets, key, object, at);
            }
            self.tell_scaling(workload, version, was, is, at);
        }
    }

    fn tell_scaling(
        &mut self,
        workload: &Workload,
        version: u32,
        was: Counts,
        is: Counts,
        at: Sec,
    ) {
        if was.replicas == is.replicas {
            return;
        }
        let direction = if is.replicas > was.replicas { "up" } else { "down" };
        let message = format!(
            "Scaled {direction} replica set {}-{} from {} to {}",
            workload.name,
            workload.template_hash(version),
            was.replicas,
            is.replicas
        );
        self.tell_workload(workload, None, "ScalingReplicaSet", message, false, at);
    }

    fn refresh_jobs(&mut self, index: u32, cron_job: Option<Key>, at: Sec) {
        let cluster = Arc::clone(&self.cluster);
        let plan = &cluster.plan;
        let workload = &plan.workloads[index as usize];
        let (before, after) = (workload.runs(at - 1), workload.runs(at));
        let mut scheduled = false;
        for run in *before.start()..=*after.end() {
            let name = workload.job_name(run);
            let key: Key = (workload.namespace, name.as_str().into());
            if !after.contains(&run) {
                self.delete(Kind::Jobs, &key, at);
                continue;
            }
            let is = outcome(plan, workload, run, at);
            let object = Object::Job { workload: index, run };
            if !before.contains(&run) {
                self.put(Kind::Jobs, key, object, at);
                if cron_job.is_some() {
                    let message = format!("Created job {name}");
                    self.tell_workload(workload, None, "SuccessfulCreate", message, false, at);
                }
                scheduled = true;
            } else if outcome(plan, workload, run, at - 1) != is {
                self.put(Kind::Jobs, key, object, at);
                if is.finished == Some(at) {
                    self.tell_finished(workload, run, is, cron_job.is_some(), at);
                    scheduled = true;
                }
            }
        }
        if let Some(key) = cron_job.filter(|_| scheduled) {
            self.put(Kind::CronJobs, key, Object::CronJob(index), at);
        }
    }

    fn tell_finished(&mut self, workload: &Workload, run: u32, is: Outcome, owned: bool, at: Sec) {
        let name = workload.job_name(run);
        let failed = is.failed > 0;
        let (reason, message, status) = if failed {
            ("BackoffLimitExceeded", "Job has reached the specified backoff limit", "Failed")
        } else {
            ("Completed", "Job completed", "Complete")
        };
        self.tell_workload(workload, Some(run), reason, message.to_owned(), failed, at);
        if owned {
            let message = format!("Saw completed job: {name}, condition: {status}");
            self.tell_workload(workload, None, "SawCompletedJob", message, false, at);
        }
    }
}

fn replica_set_key(workload: &Workload, version: u32) -> Key {
    let hash = workload.template_hash(version);
    (workload.namespace, format!("{}-{hash}", workload.name).into())
}
