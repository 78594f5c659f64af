//! One node's windows: its own and its containers', made of an answer and the window before it.

use std::time::Duration;

use model::{ContainerState, NodeSamples, Pod, PodSamples, Timestamp};

use super::ResourceOptions;
use super::rates::{Held, Pair, Usage, is_positive};
use super::sheet::{ContainerAnswer, Cpu, Draft, PodAnswer, PodKey, Sheet};

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
    answer: PodAnswer,
}

/// What is known of one node: two pieces of memory, however many pods it has.
#[derive(Debug)]
pub struct NodeWindow {
    taken: Timestamp,
    own: Option<Pair>,
    /// What is answered.
    pub(super) sheet: Sheet,
    /// What the next windows of the sheet's containers count from.
    held: Box<[Held]>,
    old_rules: bool,
}

impl NodeWindow {
    pub(super) fn new(
        samples: &NodeSamples,
        before: Option<&Self>,
        taken: Timestamp,
        options: &ResourceOptions,
    ) -> Self {
        let own = Some(samples.own)
            .filter(|own| !own.at.is_never() && is_positive(own))
            .map(|own| Pair::follow(own, before.and_then(|before| before.own), options));
        let mut building = Building::new(before);
        for pod in &samples.pods {
            building.pod(pod, options);
        }
        let (sheet, held) = (building.sheet.done(), building.held.into());
        Self { taken, own, sheet, held, old_rules: options.old_rules }
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
        self.usage_of(self.answer(PodKey::of(&pod.namespace, &pod.name))?, pod)
    }

    fn answer(&self, key: PodKey) -> Option<PodAnswer> {
        self.sheet.at(self.sheet.find(key)?, key)
    }

    /// The usage of `pod`, whose answer that is.
    pub(super) fn usage_of(&self, answer: PodAnswer, pod: &Pod) -> Option<PodUsage<'_>> {
        let missing = |one: ContainerAnswer<'_>| {
            one.cpu == Cpu::Waits && (self.old_rules || runs(pod, one.name))
        };
        if self.sheet.of(answer).any(missing) {
            return None;
        }
        let (at, window) = answer.measured?;
        Some(PodUsage { at, window, node: self, answer })
    }

    pub(super) fn has_node(&self) -> bool {
        self.own.is_some_and(|own| own.before.is_some())
    }

    pub(super) fn has_container(&self) -> bool {
        self.held.iter().any(Held::has_before)
    }

    /// How many nodes and containers it holds.
    pub(super) fn points(&self) -> (u32, u32) {
        let containers = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
        (u32::from(self.own.is_some()), containers)
    }

    /// What the next window of a container of that pod counts from.
    fn held(&self, pod: PodAnswer, container: &str) -> Option<Pair> {
        let place = self.sheet.of(pod).position(|one| one.name == container)?;
        self.held.get(pod.before + place).map(Held::pair)
    }
}

impl<'a> PodUsage<'a> {
    /// Its containers; never none.
    pub fn containers(self) -> impl Iterator<Item = ContainerUsage<'a>> {
        let node = self.node;
        node.sheet.of(self.answer).filter_map(|one| match one.cpu {
            Cpu::Nanocores(cpu_nanocores) => {
                let ContainerAnswer { name, memory_bytes, .. } = one;
                Some(ContainerUsage { name, cpu_nanocores, memory_bytes })
            }
            Cpu::Waits | Cpu::Fell => None,
        })
    }
}

/// The pieces of a node's window, and those of the one before it.
struct Building<'b> {
    sheet: Draft,
    held: Vec<Held>,
    before: Option<&'b NodeWindow>,
}

impl<'b> Building<'b> {
    fn new(before: Option<&'b NodeWindow>) -> Self {
        Self { sheet: Draft::default(), held: Vec::new(), before }
    }

    /// Adds a pod, unless it cannot be told from what its kubelet said.
    fn pod(&mut self, samples: &PodSamples, options: &ResourceOptions) {
        let PodSamples { namespace, name, containers } = samples;
        if options.old_rules
            && containers.iter().any(|(_, sample)| !sample.is_empty() && !is_positive(sample))
        {
            return;
        }
        let key = PodKey::of(namespace, name);
        let before = self.before.and_then(|node| Some((node, node.answer(key)?)));
        let (mut answers, mut earliest) = (Vec::with_capacity(containers.len()), None::<Usage>);
        for (name, sample) in containers {
            // Without memory it has exited; it says nothing, and hides nobody.
            if sample.is_empty() || sample.memory_bytes.unwrap_or(0) <= 0 {
                continue;
            }
            let pair = before.and_then(|(node, pod)| node.held(pod, name));
            let pair = Pair::follow(*sample, pair, options);
            let usage = pair.usage();
            answers.push(answer(name, pair, usage));
            self.held.push(pair.into());
            earliest = earliest.into_iter().chain(usage).min_by_key(|usage| usage.at);
        }
        if !answers.is_empty() {
            let measured = earliest.map(|usage| (usage.at, usage.window));
            self.sheet.pod(key, measured, answers.into_iter());
        }
    }
}

fn answer(name: &str, pair: Pair, usage: Option<Usage>) -> ContainerAnswer<'_> {
    let cpu = match usage {
        Some(usage) => Cpu::Nanocores(usage.cpu_nanocores),
        // A counter that fell says nothing; the others still count.
        None if pair.before.is_some() => Cpu::Fell,
        None => Cpu::Waits,
    };
    ContainerAnswer { name, cpu, memory_bytes: pair.last.memory_bytes.unwrap_or(0) }
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
