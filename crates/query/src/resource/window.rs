//! One node's windows: its own and its containers', made of an answer and the window before it.

use std::time::Duration;

use model::{ContainerState, NodeSamples, Pod, PodSamples, Sample, Timestamp};

use super::{MAX_WINDOW, ResourceOptions};

/// A container younger than this gets no window from its start alone.
const YOUNGEST: Duration = Duration::from_secs(10);

/// CPU and memory over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// When the newest sample was measured.
    pub at: Timestamp,
    /// How long before that the other one was.
    pub window: Duration,
    /// CPU in billionths of a core, truncated.
    pub cpu_nanocores: i64,
    /// Working set in bytes.
    pub memory_bytes: i64,
}

/// A container's usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainerUsage<'a> {
    /// Its name.
    pub name: &'a str,
    /// CPU in billionths of a core, truncated.
    pub cpu_nanocores: i64,
    /// Working set in bytes.
    pub memory_bytes: i64,
}

/// A pod's usage: time and window of the container that was measured first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodUsage<'a> {
    /// When it was measured.
    pub at: Timestamp,
    /// How long the window is.
    pub window: Duration,
    /// Its containers; never empty.
    pub containers: Vec<ContainerUsage<'a>>,
}

/// What is known of one node.
#[derive(Debug)]
pub struct NodeWindow {
    taken: Timestamp,
    own: Option<Pair>,
    /// Sorted by namespace and name.
    pods: Box<[PodWindow]>,
    old_rules: bool,
}

#[derive(Debug)]
struct PodWindow {
    namespace: Box<str>,
    name: Box<str>,
    containers: Box<[(Box<str>, Pair)]>,
}

/// The newest sample, and the one that a rate counts from.
#[derive(Debug, Clone, Copy)]
struct Pair {
    last: Sample,
    before: Option<Before>,
}

#[derive(Debug, Clone, Copy)]
struct Before {
    at: Timestamp,
    started: Timestamp,
    cpu_nanos: i64,
}

impl NodeWindow {
    pub(super) fn new(
        samples: NodeSamples,
        before: Option<&Self>,
        taken: Timestamp,
        options: &ResourceOptions,
    ) -> Self {
        let own = Some(samples.own)
            .filter(|own| !own.at.is_never() && is_positive(own))
            .map(|own| Pair::follow(own, before.and_then(|before| before.own), options));
        let mut pods: Vec<PodWindow> = samples
            .pods
            .into_iter()
            .filter_map(|pod| PodWindow::new(pod, before, options))
            .collect();
        pods.sort_unstable_by(|left, right| left.key().cmp(&right.key()));
        Self { taken, own, pods: pods.into(), old_rules: options.old_rules }
    }

    /// When its kubelet answered.
    pub fn taken(&self) -> Timestamp {
        self.taken
    }

    /// The node's own usage.
    pub fn usage(&self) -> Option<Usage> {
        self.own.and_then(Pair::usage)
    }

    /// The usage of `pod`; `None` when nothing, or not everything that counts, is known of it.
    pub fn pod(&self, pod: &Pod) -> Option<PodUsage<'_>> {
        let window = self.find(&pod.namespace, &pod.name)?;
        let mut containers = Vec::with_capacity(window.containers.len());
        let mut earliest: Option<Usage> = None;
        for (name, pair) in &window.containers {
            if pair.before.is_none() {
                if self.old_rules || runs(pod, name) {
                    return None;
                }
                continue;
            }
            // A counter that fell says nothing; the others still count.
            let Some(usage) = pair.usage() else { continue };
            containers.push(ContainerUsage {
                name,
                cpu_nanocores: usage.cpu_nanocores,
                memory_bytes: usage.memory_bytes,
            });
            if earliest.is_none_or(|earliest| usage.at < earliest.at) {
                earliest = Some(usage);
            }
        }
        let Usage { at, window, .. } = earliest?;
        Some(PodUsage { at, window, containers })
    }

    pub(super) fn has_node(&self) -> bool {
        self.own.is_some_and(|own| own.before.is_some())
    }

    pub(super) fn has_container(&self) -> bool {
        self.pods.iter().flat_map(|pod| &pod.containers).any(|(_, pair)| pair.before.is_some())
    }

    /// How many nodes and containers it holds.
    pub(super) fn points(&self) -> (u32, u32) {
        let containers = self.pods.iter().map(|pod| pod.containers.len()).sum::<usize>();
        (u32::from(self.own.is_some()), u32::try_from(containers).unwrap_or(u32::MAX))
    }

    fn find(&self, namespace: &str, name: &str) -> Option<&PodWindow> {
        let at = self.pods.binary_search_by(|pod| pod.key().cmp(&(namespace, name))).ok()?;
        self.pods.get(at)
    }
}

impl PodWindow {
    /// `None` when the pod cannot be told from what its kubelet said.
    fn new(
        samples: PodSamples,
        before: Option<&NodeWindow>,
        options: &ResourceOptions,
    ) -> Option<Self> {
        let PodSamples { namespace, name, containers } = samples;
        let before = before.and_then(|before| before.find(&namespace, &name));
        let mut kept = Vec::with_capacity(containers.len());
        for (name, sample) in containers {
            if sample.is_empty() {
                continue;
            }
            if options.old_rules && !is_positive(&sample) {
                return None;
            }
            // Without memory it has exited; it says nothing, and hides nobody.
            if sample.memory_bytes.unwrap_or(0) <= 0 {
                continue;
            }
            let pair = before.and_then(|pod| pod.containers.iter().find(|(old, _)| *old == name));
            kept.push((name, Pair::follow(sample, pair.map(|(_, pair)| *pair), options)));
        }
        (!kept.is_empty()).then(|| Self { namespace, name, containers: kept.into() })
    }

    fn key(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}

impl Pair {
    /// `sample` behind what was known before.
    fn follow(sample: Sample, before: Option<Self>, options: &ResourceOptions) -> Self {
        Self { last: sample, before: counted_from(&sample, before, options) }
    }

    fn usage(self) -> Option<Usage> {
        let (before, cpu) = (self.before?, self.last.cpu_nanos?);
        if self.last.started < before.started || cpu < before.cpu_nanos {
            return None;
        }
        let nanos = self.last.at.nanos_since(before.at);
        if nanos <= 0 {
            return None;
        }
        let grown = i128::from(cpu - before.cpu_nanos) * 1_000_000_000 / i128::from(nanos);
        Some(Usage {
            at: self.last.at,
            window: self.last.at.since(before.at),
            cpu_nanocores: i64::try_from(grown).unwrap_or(i64::MAX),
            memory_bytes: self.last.memory_bytes.unwrap_or(0),
        })
    }
}

/// What the rate of `sample` counts from, if anything.
fn counted_from(
    sample: &Sample,
    before: Option<Pair>,
    options: &ResourceOptions,
) -> Option<Before> {
    sample.cpu_nanos?;
    let age = sample.at.since(sample.started);
    if sample.started < sample.at && age >= YOUNGEST && age < options.resolution {
        // So young that its start is as good as a sample: it used nothing before.
        return Some(Before { at: sample.started, started: sample.started, cpu_nanos: 0 });
    }
    let Pair { last, before } = before?;
    if sample.started >= last.at {
        // It restarted since.
        return None;
    }
    let found = if sample.at > last.at {
        let cpu_nanos = last.cpu_nanos?;
        Some(Before { at: last.at, started: last.started, cpu_nanos })
    } else {
        // The kubelet repeated itself, or went back.
        before.filter(|before| before.at < sample.at)
    };
    found.filter(|before| options.old_rules || sample.at.since(before.at) <= MAX_WINDOW)
}

fn is_positive(sample: &Sample) -> bool {
    sample.cpu_nanos.unwrap_or(0) > 0 && sample.memory_bytes.unwrap_or(0) > 0
}

/// Whether that container of `pod` should have a window: it is neither done nor only there to
/// initialize or to debug, so far as the API server says.
fn runs(pod: &Pod, container: &str) -> bool {
    match pod.statuses.iter().find(|status| *status.name == *container) {
        Some(status) => {
            !matches!(status.state, ContainerState::Waiting(_) | ContainerState::Terminated(_))
        }
        None => pod.containers.iter().any(|spec| *spec.name == *container),
    }
}
