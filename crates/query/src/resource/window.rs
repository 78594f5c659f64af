//! One node's windows: its own and its containers', made of an answer and the window before it.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
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
#[derive(Debug, Clone, Copy)]
pub struct PodUsage<'a> {
    /// When it was measured.
    pub at: Timestamp,
    /// How long the window is.
    pub window: Duration,
    node: &'a NodeWindow,
    pod: &'a PodWindow,
}

/// What is known of one node: four pieces of memory, however many pods it has.
#[derive(Debug)]
pub struct NodeWindow {
    taken: Timestamp,
    own: Option<Pair>,
    /// Of each pod's namespace and name: a search touches little else.
    tags: Box<[u16]>,
    /// In the order of `tags`.
    pods: Box<[PodWindow]>,
    containers: Box<[ContainerWindow]>,
    /// Every name, one after the other.
    text: Box<str>,
    old_rules: bool,
}

#[derive(Debug)]
struct PodWindow {
    namespace: Text,
    name: Text,
    containers: Range<u32>,
}

#[derive(Debug)]
struct ContainerWindow {
    name: Text,
    held: Held,
}

/// A piece of a node's text.
type Text = Range<u32>;

/// The newest sample, and the one that a rate counts from.
#[derive(Debug, Clone, Copy)]
struct Pair {
    last: Sample,
    before: Option<Before>,
}

/// A pair as it is held: a large cluster has hundreds of thousands.
#[derive(Debug, Clone, Copy)]
struct Held {
    at: Timestamp,
    started: Timestamp,
    /// [`ABSENT`] where there is none, as is the memory.
    cpu_nanos: i64,
    memory_bytes: i64,
    /// Its time is [`NOTHING`] where there is none.
    before: Before,
}

const ABSENT: i64 = i64::MIN;
const NOTHING: Timestamp = Timestamp::from_nanos(i64::MIN);

impl From<Pair> for Held {
    fn from(Pair { last, before }: Pair) -> Self {
        let nothing = Before { at: NOTHING, started: NOTHING, cpu_nanos: ABSENT };
        Self {
            at: last.at,
            started: last.started,
            cpu_nanos: last.cpu_nanos.unwrap_or(ABSENT),
            memory_bytes: last.memory_bytes.unwrap_or(ABSENT),
            before: before.unwrap_or(nothing),
        }
    }
}

impl Held {
    fn pair(&self) -> Pair {
        let present = |number: i64| Some(number).filter(|number| *number != ABSENT);
        let last = Sample {
            at: self.at,
            started: self.started,
            cpu_nanos: present(self.cpu_nanos),
            memory_bytes: present(self.memory_bytes),
        };
        Pair { last, before: self.before() }
    }

    fn before(&self) -> Option<Before> {
        Some(self.before).filter(|before| before.at != NOTHING)
    }
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
        let mut building = Building::default();
        for pod in samples.pods {
            building.pod(pod, before, options);
        }
        Self {
            taken,
            own,
            tags: building.tags.into(),
            pods: building.pods.into(),
            containers: building.containers.into(),
            text: building.text.into(),
            old_rules: options.old_rules,
        }
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
        self.usage_of(self.find(Self::tag(pod), &pod.namespace, &pod.name)?, pod)
    }

    /// What [`Self::first`] looks for.
    pub(super) fn tag(pod: &Pod) -> u16 {
        tag_of(&pod.namespace, &pod.name)
    }

    /// The first place with that tag: nearly always that of the pod.
    pub(super) fn first(&self, tag: u16) -> Option<usize> {
        self.tags.iter().position(|one| *one == tag)
    }

    /// Whether `pod` is at that place.
    pub(super) fn is_at(&self, place: usize, pod: &Pod) -> bool {
        self.pods.get(place).is_some_and(|window| self.is(window, &pod.namespace, &pod.name))
    }

    /// The usage of `pod`, which is at that place.
    pub(super) fn usage_at(&self, place: usize, pod: &Pod) -> Option<PodUsage<'_>> {
        self.usage_of(self.pods.get(place)?, pod)
    }

    fn usage_of<'w>(&'w self, window: &'w PodWindow, pod: &Pod) -> Option<PodUsage<'w>> {
        let mut earliest: Option<Usage> = None;
        for container in self.containers(window) {
            if container.held.before().is_none() {
                if self.old_rules || runs(pod, self.text(&container.name)) {
                    return None;
                }
                continue;
            }
            // A counter that fell says nothing; the others still count.
            let Some(usage) = container.held.pair().usage() else { continue };
            if earliest.is_none_or(|earliest| usage.at < earliest.at) {
                earliest = Some(usage);
            }
        }
        let Usage { at, window: length, .. } = earliest?;
        Some(PodUsage { at, window: length, node: self, pod: window })
    }

    pub(super) fn has_node(&self) -> bool {
        self.own.is_some_and(|own| own.before.is_some())
    }

    pub(super) fn has_container(&self) -> bool {
        self.containers.iter().any(|container| container.held.before().is_some())
    }

    /// How many nodes and containers it holds.
    pub(super) fn points(&self) -> (u32, u32) {
        let containers = u32::try_from(self.containers.len()).unwrap_or(u32::MAX);
        (u32::from(self.own.is_some()), containers)
    }

    fn find(&self, tag: u16, namespace: &str, name: &str) -> Option<&PodWindow> {
        let tagged = self.tags.iter().zip(&self.pods).filter(|(one, _)| **one == tag);
        tagged.map(|(_, pod)| pod).find(|pod| self.is(pod, namespace, name))
    }

    fn is(&self, window: &PodWindow, namespace: &str, name: &str) -> bool {
        self.text(&window.name) == name && self.text(&window.namespace) == namespace
    }

    fn containers(&self, pod: &PodWindow) -> &[ContainerWindow] {
        let (from, to) = (index(pod.containers.start), index(pod.containers.end));
        self.containers.get(from..to).unwrap_or_default()
    }

    fn text(&self, text: &Text) -> &str {
        self.text.get(index(text.start)..index(text.end)).unwrap_or_default()
    }
}

impl<'a> PodUsage<'a> {
    /// Its containers; never none.
    pub fn containers(self) -> impl Iterator<Item = ContainerUsage<'a>> {
        let node = self.node;
        node.containers(self.pod).iter().filter_map(|container| {
            let usage = container.held.pair().usage()?;
            let Usage { cpu_nanocores, memory_bytes, .. } = usage;
            Some(ContainerUsage { name: node.text(&container.name), cpu_nanocores, memory_bytes })
        })
    }
}

/// The pieces of a node's window.
#[derive(Default)]
struct Building {
    tags: Vec<u16>,
    pods: Vec<PodWindow>,
    containers: Vec<ContainerWindow>,
    text: String,
}

impl Building {
    /// Adds a pod, unless it cannot be told from what its kubelet said.
    fn pod(&mut self, samples: PodSamples, node: Option<&NodeWindow>, options: &ResourceOptions) {
        let PodSamples { namespace, name, containers } = samples;
        if options.old_rules
            && containers.iter().any(|(_, sample)| !sample.is_empty() && !is_positive(sample))
        {
            return;
        }
        let tag = tag_of(&namespace, &name);
        let before = node.and_then(|node| Some((node, node.find(tag, &namespace, &name)?)));
        let (namespace, name) = (self.keep(&namespace), self.keep(&name));
        let first = count(self.containers.len());
        for (name, sample) in containers {
            // Without memory it has exited; it says nothing, and hides nobody.
            if sample.is_empty() || sample.memory_bytes.unwrap_or(0) <= 0 {
                continue;
            }
            let pair = before.and_then(|(node, pod)| {
                let mut all = node.containers(pod).iter();
                all.find(|old| *node.text(&old.name) == *name).map(|old| old.held.pair())
            });
            let pair = Pair::follow(sample, pair, options);
            let name = self.keep(&name);
            self.containers.push(ContainerWindow { name, held: pair.into() });
        }
        let containers = first..count(self.containers.len());
        if containers.is_empty() {
            self.text.truncate(index(namespace.start));
            return;
        }
        self.tags.push(tag);
        self.pods.push(PodWindow { namespace, name, containers });
    }

    fn keep(&mut self, text: &str) -> Text {
        let from = count(self.text.len());
        self.text.push_str(text);
        from..count(self.text.len())
    }
}

/// A kubelet's answer is bounded far below what a place in it may count to.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn index(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

/// Equal for equal names: a few bits of a hash, so that a node's fit one line of a cache. Names with
/// equal tags are told apart by their text.
fn tag_of(namespace: &str, name: &str) -> u16 {
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    hasher.write(namespace.as_bytes());
    hasher.write_u8(b'/');
    hasher.write(name.as_bytes());
    let [low, high, ..] = hasher.finish().to_le_bytes();
    u16::from_le_bytes([low, high])
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
        let grown = cpu - before.cpu_nanos;
        let rate = if let Some(scaled) = grown.checked_mul(1_000_000_000) {
            scaled / nanos
        } else {
            // More than nine seconds of CPU: the slow division.
            let rate = i128::from(grown) * 1_000_000_000 / i128::from(nanos);
            i64::try_from(rate).unwrap_or(i64::MAX)
        };
        Some(Usage {
            at: self.last.at,
            window: self.last.at.since(before.at),
            cpu_nanocores: rate,
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
