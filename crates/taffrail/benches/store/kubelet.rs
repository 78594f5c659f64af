//! Batches like those of a cluster: made up, or recorded ones replayed with variation.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use model::{
    Batch, Context, Draft, Entity, EntityKind, Kind, MetricId, Node, Registry, Timestamp, Value,
    ValueType, descriptor, lookup, metric,
};

/// Pods on one node.
const PODS_PER_NODE: usize = 30;
/// Metrics of a made-up container.
pub(crate) const SYNTHETIC_METRICS: usize = 17;

/// A random number generator: same seed, same numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In 0..1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Around 0, mostly within ±1.
    fn normal(&mut self) -> f64 {
        (0..6).map(|_| self.unit()).sum::<f64>() * 1.414 - 4.243
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// How one series moves from tick to tick.
enum Motion {
    Constant,
    /// Milliseconds since the start, as the kubelet's scrape jitters.
    Uptime,
    /// A counter: mean and spread of a step.
    Counter {
        step: f64,
        spread: f64,
    },
    /// A gauge around a level: spread of a step, pull back, smallest step.
    Walk {
        level: f64,
        spread: f64,
        pull: f64,
        grain: f64,
    },
    /// The rate per second of the series before it.
    Rate {
        per_second: f64,
        whole: bool,
    },
    /// Recorded steps, or values, in random order, each changed by a tenth.
    Replay {
        numbers: Vec<Option<f64>>,
        counter: bool,
        grain: f64,
    },
}

struct Line {
    metric: MetricId,
    value: f64,
    last_step: f64,
    motion: Motion,
}

struct Member {
    entity: Arc<Entity>,
    node: Arc<Node>,
    lines: Vec<Line>,
}

/// A cluster whose every tick is a batch.
pub(crate) struct Cluster {
    registry: Registry,
    members: Vec<Member>,
    random: Random,
}

fn node(registry: &mut Registry, at: usize) -> (Arc<Entity>, Arc<Node>) {
    let name = format!("node-{at}");
    let entity = registry.node(&name);
    (entity, Arc::new(Node { name: name.into(), ..Node::default() }))
}

impl Cluster {
    /// Containers made up: three tenths idle, half medium, two tenths busy.
    pub(crate) fn synthetic(containers: usize) -> Self {
        let mut registry = Registry::default();
        let mut random = Random(42);
        let members = (0..containers)
            .map(|at| {
                let (_, node) = node(&mut registry, at / PODS_PER_NODE);
                let pod = registry.pod(&format!("namespace-{}", at % 20), &format!("pod-{at}"), "");
                let entity = registry.container(&pod, "main");
                let load = match at % 10 {
                    0..3 => 0.0,
                    3..8 => 0.05 + random.unit() * 0.2,
                    _ => 0.5 + random.unit() * 2.0,
                };
                Member { entity, node, lines: lines(load, &mut random) }
            })
            .collect();
        Self { registry, members, random }
    }

    /// `nodes` copies of the recorded node with everything on it.
    pub(crate) fn recorded(nodes: usize) -> Self {
        let series = read_recorded();
        let mut registry = Registry::default();
        let mut members = Vec::new();
        for at in 0..nodes {
            let (node_entity, node) = node(&mut registry, at);
            for (key, metrics) in &series {
                let Some(entity) = entity_of(&mut registry, &node_entity, key, at) else {
                    continue;
                };
                let lines = metrics.iter().map(|(id, values)| replay(*id, values)).collect();
                members.push(Member { entity, node: Arc::clone(&node), lines });
            }
        }
        Self { registry, members, random: Random(43) }
    }

    pub(crate) fn tick(&mut self, time: Timestamp) -> Arc<Batch> {
        let mut draft = Draft::new(time, std::mem::take(&mut self.registry));
        for member in &mut self.members {
            let row = draft.insert(&member.entity).row;
            let table = draft.table_mut(member.entity.kind());
            *table.context_mut(row) =
                Context { node: Some(Arc::clone(&member.node)), ..Context::default() };
            let jitter = self.random.normal();
            let mut step = None;
            for line in &mut member.lines {
                let Some(value) = line.advance(&mut self.random, jitter, step) else { continue };
                step = Some(line.last_step);
                let value = match descriptor(line.metric).value {
                    ValueType::Int => Value::Int(value as i64),
                    ValueType::Float => Value::Float(value),
                };
                table.column_mut(line.metric).set(row, value);
            }
        }
        let (batch, registry) = draft.freeze();
        self.registry = registry;
        batch
    }
}

impl Line {
    fn advance(&mut self, random: &mut Random, jitter: f64, before: Option<f64>) -> Option<f64> {
        let old = self.value;
        match &self.motion {
            Motion::Constant => {}
            // Ends of scrapes lie within about 50 ms.
            Motion::Uptime => self.value += 60_000.0,
            Motion::Counter { step, spread } => {
                let moved = step + spread * random.normal();
                self.value += moved.max(0.0).round();
            }
            Motion::Walk { level, spread, pull, grain } => {
                let moved = spread * random.normal() + (level - old) * pull;
                self.value = (old + (moved / grain).round() * grain).max(0.0);
            }
            Motion::Rate { per_second, whole } => {
                let rate = before? * per_second;
                self.value = if *whole { rate.round() } else { rate };
            }
            Motion::Replay { numbers, counter, grain } => {
                let number = numbers[random.below(numbers.len())]?;
                let changed = number * (1.0 + random.normal() / 10.0);
                let changed = (changed / grain).round() * grain;
                self.value = if *counter { old + changed.max(0.0) } else { changed };
            }
        }
        self.last_step = self.value - old;
        match self.motion {
            Motion::Uptime => Some(self.value + (jitter * 50.0).round()),
            _ => Some(self.value),
        }
    }
}

fn lines(load: f64, random: &mut Random) -> Vec<Line> {
    let page = 4096.0;
    let memory = (4.0 + random.unit() * 400.0).round() * page * 64.0;
    let noise = if load > 0.0 { 0.002 + load * 0.01 } else { 0.0 };
    let walk = |level: f64, spread: f64| Motion::Walk { level, spread, pull: 0.02, grain: page };
    let counter = |step: f64, spread: f64| Motion::Counter { step, spread };
    let cpu = load * 60e9 + 4e5;
    let faults = load * 300.0;
    let all: [(MetricId, f64, Motion); SYNTHETIC_METRICS] = [
        (metric::UPTIME, 1e9 * random.unit().round(), Motion::Uptime),
        (metric::CPU_USAGE, (1e14 * random.unit()).round(), counter(cpu, cpu * 0.1)),
        (metric::CPU_USAGE_RATE, 0.0, Motion::Rate { per_second: 1.0 / 60e6, whole: true }),
        (metric::CPU_REQUEST, 100.0, Motion::Constant),
        (metric::CPU_LIMIT, 0.0, Motion::Constant),
        (metric::MEMORY_USAGE, memory * 1.3, walk(memory * 1.3, memory * noise)),
        (metric::MEMORY_CACHE, memory * 0.2, walk(memory * 0.2, memory * noise * 0.3)),
        (metric::MEMORY_RSS, memory, walk(memory, memory * noise * 0.6)),
        (metric::MEMORY_WORKING_SET, memory * 1.1, walk(memory * 1.1, memory * noise)),
        (metric::MEMORY_PAGE_FAULTS, 1e4, counter(faults, faults * 0.4)),
        (
            metric::MEMORY_PAGE_FAULTS_RATE,
            0.0,
            Motion::Rate { per_second: 1.0 / 60.0, whole: false },
        ),
        (metric::MEMORY_MAJOR_PAGE_FAULTS, 3.0, counter(0.0, load * 0.2)),
        (
            metric::MEMORY_MAJOR_PAGE_FAULTS_RATE,
            0.0,
            Motion::Rate { per_second: 1.0 / 60.0, whole: false },
        ),
        (metric::MEMORY_REQUEST, 128.0 * 1_048_576.0, Motion::Constant),
        (metric::MEMORY_LIMIT, 512.0 * 1_048_576.0, Motion::Constant),
        (metric::EPHEMERAL_STORAGE_USAGE, 28_672.0, counter(load * 3.0, load * 4.0)),
        (metric::RESTART_COUNT, 0.0, Motion::Constant),
    ];
    all.into_iter()
        .map(|(metric, value, motion)| Line {
            metric,
            value: value.round(),
            last_step: 0.0,
            motion,
        })
        .collect()
}

type Recorded = BTreeMap<String, BTreeMap<MetricId, Vec<Option<f64>>>>;

/// The recorded batches as (entity, metric) → value by batch.
fn read_recorded() -> Recorded {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/tests/fixtures/recorded");
    let mut series = Recorded::new();
    for batch in 0..6 {
        let path = folder.join(format!("{:03}.batch.txt", batch + 1));
        let text = std::fs::read_to_string(&path).unwrap();
        let mut key = String::new();
        for line in text.lines() {
            if let Some(found) = line.strip_prefix("MetricSet: ") {
                found.clone_into(&mut key);
            }
            let Some((name, value)) = line.trim().split_once(" = ") else { continue };
            let (Some(id), Ok(value)) = (lookup(name), value.parse()) else { continue };
            if descriptor(id).entities.contains(EntityKind::Filesystem) {
                continue;
            }
            let values = series.entry(key.clone()).or_default().entry(id).or_insert(vec![None; 6]);
            values[batch] = Some(value);
        }
    }
    series
}

fn entity_of(
    registry: &mut Registry,
    node: &Arc<Entity>,
    key: &str,
    at: usize,
) -> Option<Arc<Entity>> {
    let parts: Vec<(&str, &str)> = key.split('/').filter_map(|part| part.split_once(':')).collect();
    match parts[..] {
        [("node", _)] => Some(Arc::clone(node)),
        [("node", _), ("container", name)] => Some(registry.system_container(node, name)),
        [("namespace", namespace), ("pod", pod)] => {
            Some(registry.pod(namespace, &format!("{pod}-{at}"), ""))
        }
        [("namespace", namespace), ("pod", pod), ("container", name)] => {
            let pod = registry.pod(namespace, &format!("{pod}-{at}"), "");
            Some(registry.container(&pod, name))
        }
        _ => None,
    }
}

fn replay(metric: MetricId, values: &[Option<f64>]) -> Line {
    let first = values.iter().flatten().next().copied().unwrap_or(0.0);
    let constant = values.iter().all(|value| *value == Some(first));
    let counter = descriptor(metric).kind == Kind::Counter;
    let grain = match metric {
        _ if values.iter().flatten().all(|value| value % 4096.0 == 0.0) => 4096.0,
        _ if descriptor(metric).value == ValueType::Int => 1.0,
        _ => 1e-6,
    };
    let motion = if constant {
        Motion::Constant
    } else if metric == metric::UPTIME {
        Motion::Uptime
    } else if counter {
        // Four recorded steps of 15 s make one of 60 s.
        let steps = values.windows(2).map(|pair| Some((pair[1]? - pair[0]?) * 4.0)).collect();
        Motion::Replay { numbers: steps, counter, grain }
    } else {
        Motion::Replay { numbers: values.to_vec(), counter, grain }
    };
    Line { metric, value: first, last_step: 0.0, motion }
}
