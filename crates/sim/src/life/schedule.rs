//! When workloads roll out new versions and when tasks run.

use crate::plan::{Controller, Plan, Sec, Trouble, Workload};
use crate::seed::{below, mix};

/// The versions of a workload over time. Version 0 is the one it was created with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rollout {
    /// When version 0 would have been asked for had it been rolled out.
    first: Sec,
    period: Sec,
    /// Seconds between one pod's replacement and the next.
    stagger: Sec,
}

impl Rollout {
    pub(super) fn of(plan: &Plan, workload: &Workload) -> Option<Self> {
        let Trouble::Rollouts(period) = workload.template.trouble else { return None };
        let replicas = Sec::from(workload.slots.end - workload.slots.start);
        // The next version comes one to five minutes after the start.
        let next = plan.start + 60 + below(mix(workload.seed, 0x0726), period.min(240));
        let stagger = (period / 2 / replicas.max(1)).clamp(1, 6);
        Some(Self { first: next - 3 * period, period, stagger })
    }

    /// When a version is asked for.
    pub(super) fn begins(&self, version: u32) -> Sec {
        self.first + Sec::from(version) * self.period
    }

    /// The version asked for at `t`.
    pub(super) fn asked(&self, t: Sec) -> u32 {
        u32::try_from((t - self.first).div_euclid(self.period)).unwrap_or(0)
    }

    /// When the pod at `ordinal` is replaced by one of `version`.
    pub(super) fn switch(&self, ordinal: u32, version: u32) -> Sec {
        self.begins(version) + self.stagger * (Sec::from(ordinal) + 1)
    }

    /// The version of the pod at `ordinal` at `t`.
    pub(super) fn version(&self, ordinal: u32, t: Sec) -> u32 {
        self.asked(t - self.stagger * (Sec::from(ordinal) + 1))
    }
}

/// When a task's run begins; runs are numbered from the epoch, and owned ones keep to the minute.
pub(super) fn run_at(workload: &Workload, run: u32) -> Option<Sec> {
    let Controller::Task { period, owned, .. } = workload.template.controller else { return None };
    let shift = if owned { 0 } else { below(workload.seed, period) };
    Some(Sec::from(run) * period + shift)
}

/// The last run that has begun at `t`.
pub(super) fn run_before(workload: &Workload, t: Sec) -> u32 {
    let Controller::Task { period, owned, .. } = workload.template.controller else { return 0 };
    let shift = if owned { 0 } else { below(workload.seed, period) };
    u32::try_from((t - shift).div_euclid(period)).unwrap_or(0)
}
