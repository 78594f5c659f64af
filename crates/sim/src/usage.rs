//! What containers, pods and nodes use: counters and gauges as functions of time. Knows nothing
//! of JSON; units are core-seconds, bytes and whole seconds.

use crate::life::{Container, Pod};
use crate::load::{Layer, Load, Shape};
use crate::plan::{Controller, Pattern, Plan, SIDECARS, Sec};
use crate::seed::{between, mix, unit};

/// Seconds over which a present rate is measured.
const RATE_WINDOW: Sec = 10;
/// Size at which a container's log file is rotated, and the rotated files kept.
const LOG_FILE: f64 = 10.0 * MIB;
const LOG_FILES: f64 = 4.0;
/// What a pod costs beside its containers (its sandbox).
const SANDBOX_BYTES: u64 = 600 * 1024;

const MIB: f64 = 1024.0 * 1024.0;
const GIB: f64 = 1024.0 * MIB;

/// Requests and limits of a container; 0 is none. Millicores and MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resources {
    pub cpu_request: u32,
    pub cpu_limit: u32,
    pub memory_request: u32,
    pub memory_limit: u32,
}

/// CPU of something since it started.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cpu {
    pub nanoseconds: u64,
    pub nanocores: u64,
}

/// Memory of something now, bytes; faults since it started.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    pub usage: u64,
    pub working_set: u64,
    pub rss: u64,
    /// `None` without a limit.
    pub available: Option<u64>,
    pub page_faults: u64,
    pub major_page_faults: u64,
}

/// Bytes since the start.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Network {
    pub received: u64,
    pub sent: u64,
}

/// A filesystem's bytes and inodes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Disk {
    pub capacity: u64,
    pub used: u64,
    pub inodes: u64,
    pub inodes_used: u64,
}

/// Periods and time in which a container wanted more CPU than its limit gave.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Throttling {
    pub periods: u64,
    pub throttled_periods: u64,
    pub seconds: f64,
}

/// Parts of a node that are no pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    Kubelet,
    Runtime,
    Misc,
}

/// A non-negative amount as a whole number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped at zero")]
pub(crate) fn whole(amount: f64) -> u64 {
    amount.max(0.0) as u64
}

#[expect(clippy::cast_precision_loss, reason = "amounts stay far below 2^52")]
pub(crate) fn float(amount: u64) -> f64 {
    amount as f64
}

#[expect(clippy::cast_precision_loss, reason = "seconds stay far below 2^52")]
fn seconds(t: Sec) -> f64 {
    t as f64
}

impl Plan {
    /// Requests and limits of the slot's `index`-th container.
    pub(crate) fn resources(&self, slot: u32, index: u32) -> Resources {
        let template = self.workload_of(slot).template;
        if template.best_effort {
            return Resources { cpu_request: 0, cpu_limit: 0, memory_request: 0, memory_limit: 0 };
        }
        if index > 0 {
            let sidecar = &SIDECARS[(index as usize - 1) % SIDECARS.len()];
            return Resources {
                cpu_request: sidecar.cpu,
                cpu_limit: sidecar.cpu_limit,
                memory_request: sidecar.memory,
                memory_limit: sidecar.memory_limit,
            };
        }
        Resources {
            cpu_request: template.cpu,
            cpu_limit: template.cpu_limit,
            memory_request: template.memory,
            memory_limit: template.memory_limit,
        }
    }

    /// Millicores, MiB and pattern that the container really has.
    fn nature(&self, slot: u32, index: u32) -> (f64, f64, Pattern) {
        let template = self.workload_of(slot).template;
        if index == 0 {
            return (f64::from(template.cpu), f64::from(template.memory), template.pattern);
        }
        let sidecar = &SIDECARS[(index as usize - 1) % SIDECARS.len()];
        (f64::from(sidecar.cpu), f64::from(sidecar.memory), sidecar.pattern)
    }

    fn container_seed(&self, slot: u32, index: u32) -> u64 {
        let place = self.slots[slot as usize];
        mix(self.workload_of(slot).seed, (u64::from(place.ordinal) << 8) | u64::from(index))
    }

    /// Whether the container's usage follows its age rather than the clock.
    fn follows_age(&self, slot: u32, index: u32) -> bool {
        let template = self.workload_of(slot).template;
        matches!(template.controller, Controller::Task { .. })
            || (index == 0 && Self::follows_pattern(template.pattern))
    }

    fn follows_pattern(pattern: Pattern) -> bool {
        matches!(pattern, Pattern::Leaking | Pattern::Crashing | Pattern::Working)
    }

    /// The container's CPU usage, cores.
    fn cpu_load(&self, slot: u32, index: u32) -> Load {
        let seed = self.container_seed(slot, index);
        let (millicores, _, pattern) = self.nature(slot, index);
        let q = millicores / 1000.0 * between(seed, 0.75, 1.25);
        let limit = f64::from(self.resources(slot, index).cpu_limit) / 1000.0;
        let layer = |shape, period, part: f64, n| Layer::new(shape, period, part * q, mix(seed, n));
        let load = match pattern {
            Pattern::Daily => Load::new(
                0.12 * q,
                &[
                    layer(Shape::Daily, 86_400.0, 0.55, 1),
                    layer(Shape::Noise, 240.0, 0.3, 2),
                    layer(Shape::Noise, 41.0, 0.12, 3),
                ],
            ),
            Pattern::Bursty => Load::new(
                0.08 * q,
                &[layer(Shape::Bursts, 260.0, 1.1, 1), layer(Shape::Noise, 75.0, 0.12, 2)],
            ),
            Pattern::Steady => Load::new(
                0.35 * q,
                &[layer(Shape::Noise, 300.0, 0.2, 1), layer(Shape::Noise, 47.0, 0.1, 2)],
            ),
            Pattern::Idle => Load::new(0.03 * q, &[layer(Shape::Noise, 180.0, 0.05, 1)]),
            Pattern::Throttled => {
                return Load::new(0.0, &[saturated(Shape::Saturated, limit, seed)]);
            }
            Pattern::Leaking => Load::new(0.2 * q, &[layer(Shape::Noise, 90.0, 0.3, 1)]),
            Pattern::Crashing => Load::new(0.5 * q, &[layer(Shape::Noise, 20.0, 0.4, 1)]),
            Pattern::Working => Load::new(
                0.6 * q,
                &[layer(Shape::Bursts, 45.0, 0.5, 1), layer(Shape::Noise, 13.0, 0.2, 2)],
            ),
        };
        if limit > 0.0 { load.capped(limit) } else { load }
    }

    /// CPU-seconds of one running instance between its start and `t`.
    fn instance_cpu(&self, slot: u32, index: u32, since: Sec, t: Sec) -> f64 {
        let load = self.cpu_load(slot, index);
        if self.follows_age(slot, index) {
            return load.between(0.0, seconds(t - since));
        }
        load.between(seconds(since - self.origin), seconds(t - self.origin))
    }

    /// CPU of the running instance of a container; `None` when it is not running.
    pub(crate) fn container_cpu(
        &self,
        pod: &Pod,
        index: u32,
        life: &Container,
        t: Sec,
    ) -> Option<Cpu> {
        let since = life.running_since()?;
        let total = self.instance_cpu(pod.slot, index, since, t);
        let before = (t - RATE_WINDOW).max(since);
        let rate = total - self.instance_cpu(pod.slot, index, since, before);
        Some(cpu(total, rate, t - before))
    }

    /// How often the running instance was held back.
    pub(crate) fn throttling(
        &self,
        pod: &Pod,
        index: u32,
        since: Sec,
        t: Sec,
    ) -> Option<Throttling> {
        let limit = f64::from(self.resources(pod.slot, index).cpu_limit) / 1000.0;
        if limit == 0.0 {
            return None;
        }
        let age = seconds(t - since);
        let periods = whole(age * 10.0);
        if self.nature(pod.slot, index).2 != Pattern::Throttled {
            let seconds = age * 0.0004;
            return Some(Throttling { periods, throttled_periods: whole(age * 0.05), seconds });
        }
        let excess = saturated(Shape::Excess, limit, self.container_seed(pod.slot, index));
        let load = Load::new(0.0, &[excess]);
        let held = load.between(seconds(since - self.origin), seconds(t - self.origin));
        let throttled_periods = whole(held * 14.0 / limit).min(periods);
        Some(Throttling { periods, throttled_periods, seconds: held / limit })
    }

    /// CPU-seconds of a pod since its start, earlier instances of its containers included.
    fn pod_core_seconds(&self, pod: &Pod, t: Sec) -> f64 {
        let Some(started) = pod.started.filter(|started| *started <= t) else { return 0.0 };
        let end = pod.finished.map_or(t, |finished| finished.min(t));
        (0..self.containers)
            .map(|index| match self.cycle(pod, index) {
                Some(cycle) => {
                    let age = end - started;
                    let runs = cycle.number(age);
                    let into = (age - cycle.start(runs)).min(cycle.run);
                    let load = self.cpu_load(pod.slot, index);
                    f64::from(runs) * load.between(0.0, seconds(cycle.run))
                        + load.between(0.0, seconds(into))
                }
                None => self.instance_cpu(pod.slot, index, started, end),
            })
            .sum()
    }

    /// CPU of a pod.
    pub(crate) fn pod_cpu(&self, pod: &Pod, t: Sec) -> Cpu {
        let total = self.pod_core_seconds(pod, t);
        let before = (t - RATE_WINDOW).max(pod.started.unwrap_or(t));
        cpu(total, total - self.pod_core_seconds(pod, before), t - before)
    }

    /// CPU-seconds of all pods that ever lived in a slot since its node booted. Between two of
    /// them the slot counts on as if one were there, which keeps the node's sum closed-form.
    fn slot_core_seconds(&self, slot: u32, booted: Sec, t: Sec) -> f64 {
        let template = self.workload_of(slot).template;
        if let Controller::Task { period, duration, .. } = template.controller {
            let latest = self.pods(slot, t).pop();
            let now = latest.map_or(0.0, |pod| self.pod_core_seconds(&pod, t));
            let Some(latest) = latest else { return 0.0 };
            let earlier = (latest.created - booted).div_euclid(period);
            let one: f64 = (0..self.containers)
                .map(|index| self.cpu_load(slot, index).between(0.0, seconds(duration)))
                .sum();
            return seconds(earlier) * one + now;
        }
        if Self::follows_pattern(template.pattern) {
            return self.pod(slot, 0).map_or(0.0, |pod| self.pod_core_seconds(&pod, t));
        }
        (0..self.containers).map(|index| self.instance_cpu(slot, index, booted, t)).sum()
    }

    /// CPU of all pods of a node since it booted.
    pub(crate) fn pods_cpu(&self, node: u32, t: Sec) -> Cpu {
        let booted = self.nodes[node as usize].booted;
        let slots = &self.by_node[node as usize];
        let sum =
            |t| slots.iter().map(|slot| self.slot_core_seconds(*slot, booted, t)).sum::<f64>();
        let total = sum(t);
        cpu(total, total - sum(t - RATE_WINDOW), RATE_WINDOW)
    }

    /// CPU of a part of the node's system since it booted.
    pub(crate) fn system_cpu(&self, node: u32, part: System, t: Sec) -> Cpu {
        let machine = &self.nodes[node as usize];
        let seed = mix(machine.seed, part as u64);
        let base = match part {
            System::Kubelet => 0.055,
            System::Runtime => 0.035,
            System::Misc => 0.05,
        };
        let load = Load::new(
            base,
            &[
                Layer::new(Shape::Noise, 120.0, base * 0.6, mix(seed, 1)),
                Layer::new(Shape::Noise, 33.0, base * 0.3, mix(seed, 2)),
            ],
        );
        let at =
            |t: Sec| load.between(seconds(machine.booted - self.origin), seconds(t - self.origin));
        let total = at(t);
        cpu(total, total - at(t - RATE_WINDOW), RATE_WINDOW)
    }

    /// Memory of a running container.
    pub(crate) fn container_memory(&self, pod: &Pod, index: u32, since: Sec, t: Sec) -> Memory {
        let seed = self.container_seed(pod.slot, index);
        let (_, mib, pattern) = self.nature(pod.slot, index);
        let m = mib * MIB * between(mix(seed, 8), 0.8, 1.05);
        let limit = f64::from(self.resources(pod.slot, index).memory_limit) * MIB;
        let age = seconds(t - since);
        let noise = |period, part: f64, n| Layer::new(Shape::Noise, period, part * m, mix(seed, n));
        let working_set = match pattern {
            Pattern::Leaking => {
                let run = self.cycle(pod, index).map_or(age.max(1.0), |cycle| seconds(cycle.run));
                0.4 * m + (limit - 0.4 * m) * (age / run).min(1.0).powf(1.05)
            }
            Pattern::Working | Pattern::Crashing => 0.3 * m + 0.5 * m * (1.0 - (-age / 10.0).exp()),
            _ => {
                let load = Load::new(
                    0.4 * m,
                    &[
                        noise(900.0, 0.22, 9),
                        noise(70.0, 0.05, 10),
                        Layer::new(Shape::Daily, 86_400.0, 0.15 * m, mix(seed, 11)),
                    ],
                );
                load.rate(seconds(t - self.origin)) * (1.0 - 0.6 * (-age / 12.0).exp())
            }
        };
        let cache = 0.22 * m * (1.0 - (-age / 900.0).exp()) + 128.0 * 1024.0;
        let highest = if limit > 0.0 { limit } else { f64::INFINITY };
        let working_set = working_set.min(highest);
        let cpu = self.instance_cpu(pod.slot, index, since, t);
        Memory {
            usage: pages((working_set + cache).min(highest)),
            working_set: pages(working_set),
            rss: pages(working_set * 0.88),
            available: (limit > 0.0).then(|| whole(limit).saturating_sub(pages(working_set))),
            page_faults: 700 + whole(cpu * 260.0 + age * 0.3),
            major_page_faults: whole(age / 7200.0),
        }
    }

    /// Memory of a pod: that of its running containers and its sandbox.
    pub(crate) fn pod_memory(containers: &[Memory]) -> Memory {
        let sandbox = Memory {
            usage: SANDBOX_BYTES,
            working_set: SANDBOX_BYTES,
            rss: SANDBOX_BYTES / 3,
            available: Some(0),
            ..Memory::default()
        };
        containers.iter().fold(sandbox, |sum, one| Memory {
            usage: sum.usage + one.usage,
            working_set: sum.working_set + one.working_set,
            rss: sum.rss + one.rss,
            available: sum.available.zip(one.available).map(|(a, b)| a + b),
            page_faults: sum.page_faults + one.page_faults,
            major_page_faults: sum.major_page_faults + one.major_page_faults,
        })
    }

    /// Memory of a part of the node's system.
    pub(crate) fn system_memory(&self, node: u32, part: System, t: Sec) -> Memory {
        let machine = &self.nodes[node as usize];
        let seed = mix(machine.seed, 16 + part as u64);
        let base = MIB
            * match part {
                System::Kubelet => 96.0,
                System::Runtime => 140.0,
                System::Misc => 260.0,
            };
        let load = Load::new(base, &[Layer::new(Shape::Noise, 600.0, base * 0.25, seed)]);
        let working_set = load.rate(seconds(t - self.origin));
        let age = seconds(t - machine.booted);
        Memory {
            usage: pages(working_set * 1.7),
            working_set: pages(working_set),
            rss: pages(working_set * 0.7),
            available: None,
            page_faults: whole(age * 2.5),
            major_page_faults: whole(age / 3600.0),
        }
    }

    /// Bytes a pod has received and sent.
    pub(crate) fn pod_network(&self, pod: &Pod, t: Sec) -> Network {
        let age = seconds(t - pod.started.unwrap_or(t)).max(0.0);
        self.network(pod.slot, self.pod_core_seconds(pod, t), age)
    }

    fn network(&self, slot: u32, core_seconds: f64, age: f64) -> Network {
        let template = self.workload_of(slot).template;
        let received = core_seconds * f64::from(template.traffic) * 1024.0 + age * 140.0;
        let ratio = between(mix(self.container_seed(slot, 0), 12), 0.6, 1.6);
        Network { received: whole(received), sent: whole(received * ratio + age * 35.0) }
    }

    /// Bytes a node has received and sent since it booted, its pods' among them.
    pub(crate) fn node_network(&self, node: u32, t: Sec) -> Network {
        let booted = self.nodes[node as usize].booted;
        let age = seconds(t - booted);
        let own = Network { received: whole(age * 2600.0), sent: whole(age * 3900.0) };
        self.by_node[node as usize].iter().fold(own, |sum, slot| {
            let one = self.network(*slot, self.slot_core_seconds(*slot, booted, t), age);
            Network { received: sum.received + one.received, sent: sum.sent + one.sent }
        })
    }

    /// The node's disk.
    pub(crate) fn node_disk(&self, node: u32, t: Sec) -> Disk {
        let machine = &self.nodes[node as usize];
        let capacity = 25.0 * GIB * f64::from(machine.cores.max(4));
        let images = capacity * between(mix(machine.seed, 20), 0.18, 0.42);
        // Logs and scratch files grow until they are cleaned up.
        let growth = 90_000.0 * between(mix(machine.seed, 21), 0.5, 1.5);
        let scratch = (seconds(t - machine.booted) * growth) % (capacity * 0.08);
        let inodes = whole(capacity / 16384.0);
        Disk {
            capacity: whole(capacity),
            used: pages(images + scratch),
            inodes,
            inodes_used: inodes / 40 + whole(scratch / 60_000.0),
        }
    }

    /// The part of the node's disk that holds images.
    pub(crate) fn image_disk(&self, node: u32, t: Sec) -> Disk {
        let disk = self.node_disk(node, t);
        Disk { used: disk.used / 5 * 2, inodes_used: disk.inodes_used / 2, ..disk }
    }

    /// What a container wrote to its root filesystem, and to its log.
    pub(crate) fn container_disk(&self, pod: &Pod, index: u32, since: Sec, t: Sec) -> (u64, u64) {
        let seed = self.container_seed(pod.slot, index);
        let age = seconds(t - since);
        let written = between(mix(seed, 13), 24.0, 4096.0) * 1024.0;
        let root = written + MIB * 4.0 * (1.0 - (-age / 1800.0).exp()) * unit(mix(seed, 14));
        let logged = age * between(mix(seed, 15), 15.0, 420.0);
        let rotated = (logged / LOG_FILE).floor().min(LOG_FILES) * LOG_FILE / 9.0;
        (pages(root), pages(rotated + logged % LOG_FILE))
    }

    /// The pod's persistent volume.
    pub(crate) fn volume(&self, slot: u32, t: Sec) -> Option<Disk> {
        let template = self.workload_of(slot).template;
        let seed = mix(self.container_seed(slot, 0), 17);
        let capacity = (template.volume > 0).then(|| f64::from(template.volume) * GIB * 0.984)?;
        let growth = seconds(t - self.origin) * between(mix(seed, 1), 8_000.0, 120_000.0);
        let used = capacity * between(seed, 0.2, 0.55) + growth % (capacity * 0.25);
        let inodes = whole(capacity / 16384.0);
        let inodes_used = 11 + whole(used / 4_000_000.0);
        Some(Disk { capacity: whole(capacity), used: pages(used), inodes, inodes_used })
    }
}

/// Bytes as whole pages.
fn pages(bytes: f64) -> u64 {
    whole(bytes) / 4096 * 4096
}

/// Both curves of a saturated container share period and phase, so that one is the other's rest.
fn saturated(shape: Shape, limit: f64, seed: u64) -> Layer {
    Layer::new(shape, 280.0, limit, mix(seed, 5))
}

fn cpu(total: f64, rate: f64, over: Sec) -> Cpu {
    let nanocores = if over > 0 { whole(rate * 1e9 / seconds(over)) } else { 0 };
    Cpu { nanoseconds: whole(total * 1e9), nanocores }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WorldConfig;

    fn plan() -> Plan {
        Plan::draw(&WorldConfig { nodes: 10, pods_per_node: 30, ..WorldConfig::default() })
    }

    /// The sum of all containers that run on a node at `t`, core-seconds per second.
    fn pods_rate(plan: &Plan, node: u32, t: Sec) -> u64 {
        let slots = plan.by_node[node as usize].iter();
        let pods = slots.flat_map(|slot| plan.pods(*slot, t));
        pods.filter(|pod| pod.lives(t)).map(|pod| plan.pod_cpu(&pod, t).nanocores).sum()
    }

    #[test]
    fn nodes_use_at_least_what_their_pods_use_and_no_more_than_they_have() {
        let plan = plan();
        for node in 0..10 {
            for t in (plan.start..plan.start + 1800).step_by(97) {
                let all = plan.pods_cpu(node, t).nanocores;
                let listed = pods_rate(&plan, node, t);
                // Each pod's rate is rounded down; pods younger than the window weigh more.
                assert!(all + 300_000_000 >= listed, "node {node} at {t}: {all} < {listed}");
                let cores = u64::from(plan.nodes[node as usize].cores);
                assert!(all < cores * 900_000_000, "node {node} at {t}: {all} of {cores}");
            }
        }
    }

    #[test]
    fn counters_never_fall_while_a_container_runs() {
        let plan = plan();
        let mut checked = 0;
        for slot in (0..300).step_by(3) {
            let mut seen: Option<(u32, Sec, u64, u64)> = None;
            for t in (plan.start..plan.start + 900).step_by(5) {
                let Some(pod) = plan.pods(slot, t).pop().filter(|pod| pod.lives(t)) else {
                    continue;
                };
                let life = plan.container(&pod, 0, t);
                let Some(since) = life.running_since() else { continue };
                let cpu = plan.container_cpu(&pod, 0, &life, t).unwrap().nanoseconds;
                let pod_cpu = plan.pod_cpu(&pod, t).nanoseconds;
                if let Some((generation, earlier, container, whole_pod)) = seen {
                    if (generation, earlier) == (pod.generation, since) {
                        assert!(cpu >= container, "slot {slot} at {t}");
                        checked += 1;
                    }
                    assert!(generation != pod.generation || pod_cpu >= whole_pod);
                }
                seen = Some((pod.generation, since, cpu, pod_cpu));
            }
        }
        assert!(checked > 1000);
    }

    #[test]
    fn node_counters_never_fall() {
        let plan = plan();
        for node in 0..10 {
            let mut before = (0, 0);
            for t in plan.start..plan.start + 400 {
                let now = (plan.pods_cpu(node, t).nanoseconds, plan.node_network(node, t).sent);
                assert!(now.0 > before.0 && now.1 > before.1, "node {node} at {t}");
                before = now;
            }
        }
    }

    #[test]
    fn limits_hold() {
        let plan = plan();
        for slot in 0..300 {
            for t in (plan.start..plan.start + 600).step_by(29) {
                for pod in plan.pods(slot, t).into_iter().filter(|pod| pod.lives(t)) {
                    let life = plan.container(&pod, 0, t);
                    let Some(since) = life.running_since() else { continue };
                    let limits = plan.resources(slot, 0);
                    let cpu = plan.container_cpu(&pod, 0, &life, t).unwrap().nanocores;
                    let memory = plan.container_memory(&pod, 0, since, t);
                    let (most_cpu, most) = (limits.cpu_limit, limits.memory_limit);
                    assert!(most_cpu == 0 || cpu <= u64::from(most_cpu) * 1_000_000 + 1000);
                    assert!(most == 0 || memory.usage <= u64::from(most) << 20);
                    assert!(memory.rss <= memory.working_set && memory.working_set <= memory.usage);
                }
            }
        }
    }
}
