//! The state of a container at a time: starts, crashes, out-of-memory kills and back-offs.

use super::Pod;
use crate::plan::{Controller, Pattern, Plan, Sec, Trouble};
use crate::seed::{below, mix};

/// Seconds between a leaking container's end and its restart.
const LEAK_PAUSE: Sec = 12;
/// Shortest and longest delay before a crashed container is started again (kubelet's back-off).
const BACKOFF_FIRST: Sec = 10;
const BACKOFF_LONGEST: Sec = 300;
/// Crashes until the delay has grown to its longest: 10, 20, 40, 80, 160 seconds, then 300.
const BACKOFF_STEPS: u32 = 5;

/// What a container is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Waiting { reason: &'static str, since: Sec },
    Running { since: Sec },
    Terminated(Ended),
}

/// A run that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    pub started: Sec,
    pub finished: Sec,
    pub exit_code: i32,
    pub reason: &'static str,
}

/// A container at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Container {
    pub state: State,
    pub last: Option<Ended>,
    pub restarts: u32,
    pub ready: bool,
}

impl Container {
    /// When the running instance started.
    pub(crate) fn running_since(&self) -> Option<Sec> {
        match self.state {
            State::Running { since } => Some(since),
            _ => None,
        }
    }
}

/// How a container dies again and again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cycle {
    /// Seconds each run lasts.
    pub run: Sec,
    /// `None` when the pauses grow as the kubelet's back-off does.
    pause: Option<Sec>,
    exit_code: i32,
    reason: &'static str,
}

impl Cycle {
    /// Seconds from the first start to the start of run `n`.
    pub(crate) fn start(&self, n: u32) -> Sec {
        let runs = Sec::from(n) * self.run;
        if let Some(pause) = self.pause {
            return runs + Sec::from(n) * pause;
        }
        let doubled = BACKOFF_FIRST * ((1 << n.min(BACKOFF_STEPS)) - 1);
        runs + doubled + Sec::from(n.saturating_sub(BACKOFF_STEPS)) * BACKOFF_LONGEST
    }

    /// The run under way, or last over, `age` seconds after the first start.
    pub(crate) fn number(&self, age: Sec) -> u32 {
        if let Some(pause) = self.pause {
            return u32::try_from(age / (self.run + pause)).unwrap_or(0);
        }
        let linear = self.start(BACKOFF_STEPS);
        if age >= linear {
            let more = (age - linear) / (self.run + BACKOFF_LONGEST);
            return BACKOFF_STEPS + u32::try_from(more).unwrap_or(0);
        }
        (0..BACKOFF_STEPS).rev().find(|n| self.start(*n) <= age).unwrap_or(0)
    }
}

impl Plan {
    /// How the pod's main container dies again and again, if it does.
    pub(crate) fn cycle(&self, pod: &Pod, index: u32) -> Option<Cycle> {
        let workload = self.workload_of(pod.slot);
        let hash = mix(self.pod_seed(pod.slot, pod.generation), 0xdead);
        match workload.template.pattern {
            _ if index > 0 => None,
            Pattern::Leaking => Some(Cycle {
                run: 200 + below(hash, 220),
                pause: Some(LEAK_PAUSE),
                exit_code: 137,
                reason: "OOMKilled",
            }),
            Pattern::Crashing => {
                Some(Cycle { run: 6 + below(hash, 8), pause: None, exit_code: 1, reason: "Error" })
            }
            _ => None,
        }
    }

    /// The state of the pod's `index`-th container at `t`.
    pub(crate) fn container(&self, pod: &Pod, index: u32, t: Sec) -> Container {
        let waiting = |reason, since| Container {
            state: State::Waiting { reason, since },
            last: None,
            restarts: 0,
            ready: false,
        };
        let Some(started) = pod.started else { return waiting("", pod.created) };
        if t < started {
            return waiting("ContainerCreating", pod.created);
        }
        let template = self.workload_of(pod.slot).template;
        if let Some(finished) = pod.finished.filter(|finished| t >= *finished) {
            let task = matches!(template.controller, Controller::Task { .. });
            let exit_code = i32::from(pod.fails && index == 0);
            let reason = if exit_code == 0 { "Completed" } else { "Error" };
            let since = if task { started } else { self.running_from(pod, index, finished - 1) };
            let ended = Ended { started: since, finished, exit_code, reason };
            return Container {
                state: State::Terminated(ended),
                last: None,
                restarts: 0,
                ready: false,
            };
        }
        let Some(cycle) = self.cycle(pod, index) else {
            let flapping =
                index == 0 && template.trouble == Trouble::Flapping && self.flap(pod, t).is_some();
            return Container {
                state: State::Running { since: started },
                last: None,
                restarts: 0,
                ready: t >= pod.ready && !flapping,
            };
        };
        cycling(cycle, started, pod.ready - started, t)
    }

    /// When the pod's container is next killed or started, looking forward from `t`.
    pub(super) fn restarts(&self, pod: &Pod, t: Sec) -> [Option<Sec>; 4] {
        let (Some(started), Some(cycle)) = (pod.started, self.cycle(pod, 0)) else {
            return [None; 4];
        };
        let n = cycle.number((t - started).max(0));
        let this = started + cycle.start(n);
        let next = started + cycle.start(n + 1);
        let warm = pod.ready - started;
        [Some(this + warm), Some(this + cycle.run), Some(this + cycle.run + 1), Some(next)]
    }

    fn running_from(&self, pod: &Pod, index: u32, t: Sec) -> Sec {
        self.container(pod, index, t).running_since().unwrap_or(t)
    }
}

fn cycling(cycle: Cycle, first: Sec, warm: Sec, t: Sec) -> Container {
    let n = cycle.number(t - first);
    let since = first + cycle.start(n);
    let ended = |n: u32| {
        let started = first + cycle.start(n);
        let (exit_code, reason) = (cycle.exit_code, cycle.reason);
        Ended { started, finished: started + cycle.run, exit_code, reason }
    };
    let last = n.checked_sub(1).map(ended);
    let over = since + cycle.run;
    if t < over {
        // A container that crashes never lives long enough to pass its probe.
        let ready = cycle.pause.is_some() && t >= since + warm;
        return Container { state: State::Running { since }, last, restarts: n, ready };
    }
    if t == over {
        let state = State::Terminated(ended(n));
        return Container { state, last, restarts: n, ready: false };
    }
    let state = State::Waiting { reason: "CrashLoopBackOff", since: over };
    Container { state, last: Some(ended(n)), restarts: n, ready: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_grows_to_five_minutes() {
        let cycle = Cycle { run: 5, pause: None, exit_code: 1, reason: "Error" };
        let starts: Vec<Sec> = (0..9).map(|n| cycle.start(n)).collect();
        assert_eq!(starts, [0, 15, 40, 85, 170, 335, 640, 945, 1250]);
        for age in 0..2000 {
            let n = cycle.number(age);
            assert!(cycle.start(n) <= age && age < cycle.start(n + 1), "{age}");
        }
    }

    #[test]
    fn a_killed_container_starts_again() {
        let cycle = Cycle { run: 100, pause: Some(12), exit_code: 137, reason: "OOMKilled" };
        let at = |t| cycling(cycle, 1000, 3, t);
        assert_eq!(at(1099).state, State::Running { since: 1000 });
        assert!(matches!(at(1100).state, State::Terminated(ended) if ended.reason == "OOMKilled"));
        assert!(matches!(at(1101).state, State::Waiting { reason: "CrashLoopBackOff", .. }));
        let again = at(1112);
        assert_eq!((again.state, again.restarts), (State::Running { since: 1112 }, 1));
        assert_eq!(again.last.map(|ended| ended.exit_code), Some(137));
    }
}
