//! The lives of pods as pure functions of time: which pods exist in a slot, what state their
//! containers are in, and when that next changes. Knows nothing of usage or of JSON.

mod container;
mod schedule;

pub(crate) use container::{Container, Ended, State};

use crate::plan::{Controller, Plan, Sec, Trouble, Workload};
use crate::seed::{below, mix};

/// Seconds from deletion to the containers' end.
const GRACE: Sec = 2;
/// Completed runs of a task that stay listed, and replica sets of past versions.
pub(crate) const KEPT: u32 = 3;
/// Seconds a flapping pod stays unready.
const FLAP: Sec = 25;
/// Seconds between two attempts to schedule a pod that fits nowhere.
const RETRY: Sec = 60;

/// One pod of a slot: the `generation`-th to live there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pod {
    pub slot: u32,
    /// Version of the workload, or number of the run.
    pub generation: u32,
    pub created: Sec,
    /// When its containers first start; `None` when it is never scheduled.
    pub started: Option<Sec>,
    /// When it first becomes ready.
    pub ready: Sec,
    /// When its deletion is asked for.
    pub deleted: Option<Sec>,
    /// When its containers end for good.
    pub finished: Option<Sec>,
    /// When it leaves the API server.
    pub gone: Option<Sec>,
    /// Whether its end is a failure.
    pub fails: bool,
}

/// `status.phase`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
}

impl Phase {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

impl Pod {
    pub(crate) fn exists(&self, t: Sec) -> bool {
        self.created <= t && self.gone.is_none_or(|gone| t < gone)
    }

    /// Whether its containers have been started and not ended for good.
    pub(crate) fn lives(&self, t: Sec) -> bool {
        self.started.is_some_and(|started| started <= t)
            && self.finished.is_none_or(|finished| t < finished)
    }
}

impl Plan {
    /// Pods of a slot that the API server lists at `t`, oldest first.
    pub(crate) fn pods(&self, slot: u32, t: Sec) -> Vec<Pod> {
        let latest = self.latest_generation(slot, t);
        let first = latest.saturating_sub(self.generations_kept(slot));
        (first..=latest)
            .filter_map(|generation| self.pod(slot, generation))
            .filter(|pod| pod.exists(t))
            .collect()
    }

    /// The `generation`-th pod of a slot.
    pub(crate) fn pod(&self, slot: u32, generation: u32) -> Option<Pod> {
        let workload = self.workload_of(slot);
        let seed = self.pod_seed(slot, generation);
        if let Controller::Task { duration, flaky, .. } = workload.template.controller {
            let began = schedule::run_at(workload, generation)?;
            let started = began + 2 + below(seed, 2);
            return Some(Pod {
                slot,
                generation,
                created: began + 1,
                started: Some(started),
                ready: started,
                deleted: None,
                finished: Some(started + duration),
                gone: schedule::run_at(workload, generation + KEPT).map(|next| next + 3),
                fails: flaky && mix(workload.seed, u64::from(generation)).is_multiple_of(6),
            });
        }
        let created = if generation == 0 {
            workload.created + below(seed, 3)
        } else {
            self.replaced_at(slot, generation)? + 1
        };
        let started = created + 3 + below(seed, 6);
        let deleted = self.replaced_at(slot, generation + 1);
        let never = workload.template.trouble == Trouble::Unschedulable;
        Some(Pod {
            slot,
            generation,
            created,
            started: (!never).then_some(started),
            ready: started + 2 + below(mix(seed, 1), 6),
            deleted,
            finished: deleted.map(|at| at + GRACE),
            gone: deleted.map(|at| at + GRACE + 1),
            fails: false,
        })
    }

    pub(crate) fn pod_seed(&self, slot: u32, generation: u32) -> u64 {
        let place = self.slots[slot as usize];
        let workload = &self.workloads[place.workload as usize];
        mix(workload.seed, (u64::from(place.ordinal) << 32) | u64::from(generation))
    }

    /// `status.phase` at `t`.
    pub(crate) fn phase(&self, pod: &Pod, t: Sec) -> Phase {
        let is_task =
            matches!(self.workload_of(pod.slot).template.controller, Controller::Task { .. });
        match (pod.started, pod.finished) {
            (None, _) => Phase::Pending,
            (Some(started), _) if t < started => Phase::Pending,
            (_, Some(finished)) if is_task && t >= finished => {
                if pod.fails {
                    Phase::Failed
                } else {
                    Phase::Succeeded
                }
            }
            _ => Phase::Running,
        }
    }

    /// Whether the pod's Ready condition is true at `t`.
    pub(crate) fn is_ready(&self, pod: &Pod, t: Sec) -> bool {
        t >= pod.ready
            && pod.lives(t)
            && self.flap(pod, t).is_none()
            && self.container(pod, 0, t).ready
    }

    /// Since when the Ready condition has its value.
    pub(crate) fn ready_since(&self, pod: &Pod, t: Sec) -> Sec {
        if let Some(since) = self.flap(pod, t) {
            return since;
        }
        if let Some(finished) = pod.finished.filter(|finished| t >= *finished) {
            return finished;
        }
        if t < pod.ready {
            return pod.created;
        }
        match self.container(pod, 0, t).state {
            State::Running { since } => (since + pod.ready - pod.started.unwrap_or(since)).min(t),
            State::Terminated(ended) => ended.finished,
            State::Waiting { since, .. } => since,
        }
    }

    /// When the present stretch of failing probes began, if one is on.
    pub(crate) fn flap(&self, pod: &Pod, t: Sec) -> Option<Sec> {
        let (period, phase) = self.flapping(pod)?;
        let into = (t - phase).rem_euclid(period);
        (into < FLAP && t > pod.ready + period).then_some(t - into)
    }

    fn flapping(&self, pod: &Pod) -> Option<(Sec, Sec)> {
        let workload = self.workload_of(pod.slot);
        let hash = mix(workload.seed, u64::from(self.slots[pod.slot as usize].ordinal));
        (workload.template.trouble == Trouble::Flapping)
            .then(|| (420 + below(hash, 300), below(mix(hash, 1), 720)))
    }

    /// The first time after `t` at which something about the slot's pods changes.
    pub(crate) fn next_change(&self, slot: u32, t: Sec) -> Option<Sec> {
        let mut next: Option<Sec> = None;
        let mut consider = |at: Option<Sec>| {
            if let Some(at) = at.filter(|at| *at > t) {
                next = Some(next.map_or(at, |sooner| sooner.min(at)));
            }
        };
        let latest = self.latest_generation(slot, t);
        let first = latest.saturating_sub(self.generations_kept(slot));
        for pod in (first..=latest + 1).filter_map(|generation| self.pod(slot, generation)) {
            if pod.gone.is_some_and(|gone| gone <= t) {
                continue;
            }
            consider(Some(pod.created));
            for at in [pod.started, Some(pod.ready), pod.deleted, pod.finished, pod.gone] {
                consider(at);
            }
            if pod.created > t {
                continue;
            }
            if pod.started.is_none() {
                consider(Some(pod.created + ((t - pod.created).div_euclid(RETRY) + 1) * RETRY));
            }
            if let Some((period, phase)) = self.flapping(&pod) {
                let into = (t - phase).rem_euclid(period);
                // Each failing probe is an event: three in one stretch.
                for edge in [0, 10, 20, FLAP, period] {
                    consider(Some(t - into + edge));
                }
            }
            for at in self.restarts(&pod, t).into_iter().flatten() {
                consider(Some(at));
            }
        }
        next
    }

    /// The newest generation of a slot that may exist at `t`.
    fn latest_generation(&self, slot: u32, t: Sec) -> u32 {
        let workload = self.workload_of(slot);
        if let Controller::Task { .. } = workload.template.controller {
            return schedule::run_before(workload, t);
        }
        let Some(rollout) = schedule::Rollout::of(self, workload) else { return 0 };
        rollout.version(self.slots[slot as usize].ordinal, t)
    }

    fn generations_kept(&self, slot: u32) -> u32 {
        match self.workload_of(slot).template.controller {
            Controller::Task { .. } => KEPT,
            _ => 1,
        }
    }

    /// When the slot's pod makes place for that of `generation`.
    fn replaced_at(&self, slot: u32, generation: u32) -> Option<Sec> {
        let rollout = schedule::Rollout::of(self, self.workload_of(slot))?;
        Some(rollout.switch(self.slots[slot as usize].ordinal, generation))
    }

    /// The version a workload's specification asks for at `t`.
    pub(crate) fn version(&self, workload: &Workload, t: Sec) -> u32 {
        schedule::Rollout::of(self, workload).map_or(0, |rollout| rollout.asked(t))
    }

    /// When a version was asked for.
    pub(crate) fn version_asked_at(&self, workload: &Workload, version: u32) -> Sec {
        match schedule::Rollout::of(self, workload) {
            Some(rollout) if version > 0 => rollout.begins(version),
            _ => workload.created,
        }
    }

    /// When a task's run begins.
    pub(crate) fn run_at(&self, workload: &Workload, run: u32) -> Sec {
        schedule::run_at(workload, run).unwrap_or(self.start)
    }

    /// The first time after `t` at which a workload itself changes: a new version or run.
    pub(crate) fn next_workload_change(&self, workload: &Workload, t: Sec) -> Option<Sec> {
        if let Controller::Task { .. } = workload.template.controller {
            let latest = schedule::run_before(workload, t);
            let cleaned = schedule::run_at(workload, latest).map(|at| at + 3).filter(|at| *at > t);
            return cleaned.or_else(|| schedule::run_at(workload, latest + 1));
        }
        let rollout = schedule::Rollout::of(self, workload)?;
        Some(rollout.begins(rollout.asked(t) + 1))
    }
}

impl Workload {
    /// The runs of a task whose Job is listed at `t`, oldest first.
    pub(crate) fn runs(&self, t: Sec) -> Range {
        let latest = schedule::run_before(self, t);
        let first = latest.saturating_sub(KEPT);
        let oldest_gone = schedule::run_at(self, first + KEPT).is_some_and(|at| t >= at + 3);
        (first + u32::from(oldest_gone))..=latest
    }
}

/// Runs, inclusive.
pub(crate) type Range = std::ops::RangeInclusive<u32>;
