//! Six scrapes of a real cluster by a real Heapster: the kubelet's bytes in, the log sink's text
//! out, line by line. What differs on purpose is named here and in docs/COMPAT.md.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};

use cluster::decode::Decoder;
use cluster::wire::object;
use model::{Draft, Inventory, LabelOptions, Node, Registry, SharedInventory, Timestamp};
use pipeline::{PodSum, ProcessorOptions, Processors, RateOptions};
use serde::Deserialize;
use serde::de::DeserializeOwned;

fn fixture(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/heapster-pairs");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[derive(Deserialize)]
struct List<T> {
    items: Vec<T>,
}

fn items<T: DeserializeOwned>(name: &str) -> Vec<T> {
    serde_json::from_str::<List<T>>(&fixture(name)).unwrap().items
}

fn inventory() -> SharedInventory {
    let mut inventory = Inventory::default();
    for node in items::<object::Node>("api_nodes.json") {
        inventory.put_node(Arc::new(cluster::inventory::node(node, "")));
    }
    for pod in items::<object::Pod>("api_pods.json") {
        inventory.put_pod(Arc::new(cluster::inventory::pod(pod)));
    }
    for namespace in items::<object::Namespace>("api_namespaces.json") {
        inventory.put_namespace(Arc::new(cluster::inventory::namespace(namespace)));
    }
    Arc::new(RwLock::new(inventory))
}

/// The time that Heapster's clock showed: the node's start and its uptime say so.
fn clock_of(batch: &str) -> Timestamp {
    let node = batch.split("MetricSet: node:node1\n").nth(1).unwrap();
    let field = |name: &str| {
        let line = node.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse::<i64>().unwrap()
    };
    Timestamp::from_nanos(field("Create time:") + field("uptime =") * 1_000_000)
}

fn timestamp_of(batch: &str) -> Timestamp {
    let text = batch.lines().next().unwrap().split("Timestamp: ").nth(1).unwrap();
    let text = text.replace(" +0000 UTC", "Z").replace(' ', "T");
    Timestamp::parse_rfc3339(&text).unwrap()
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Every line with the set it belongs to, so that a difference names its place. The labels of a
/// labeled metric stand with the metric's line.
fn lines(batch: &str) -> BTreeSet<String> {
    let (mut set, mut labeled) = ("", String::new());
    let mut found = BTreeSet::new();
    for line in batch.lines().skip(1).filter(|line| !line.trim().is_empty()) {
        if let Some(key) = line.strip_prefix("MetricSet: ") {
            set = key;
        }
        if line.starts_with("         ") {
            found.insert(format!("{set} | {labeled} {}", line.trim()));
        } else {
            line.trim().clone_into(&mut labeled);
            found.insert(format!("{set} | {line}"));
        }
    }
    found
}

struct Replay {
    decoder: Decoder,
    processors: Processors,
    inventory: SharedInventory,
    registry: Registry,
    node: Arc<Node>,
}

impl Replay {
    fn new() -> Self {
        let inventory = inventory();
        let node = Arc::clone(inventory.read().unwrap().node("node1").unwrap());
        // As Heapster did it: a repeated sample has no rate.
        let rates = RateOptions { carry: false, ..RateOptions::default() };
        let processors = Processors::new(ProcessorOptions { rates, pod_sum: PodSum::Missing });
        let (decoder, registry) = (Decoder::default(), Registry::default());
        Self { decoder, processors, inventory, registry, node }
    }

    fn batch(&mut self, raw: &str, timestamp: Timestamp, now: Timestamp) -> String {
        let mut draft = Draft::new(timestamp, std::mem::take(&mut self.registry));
        self.decoder.summary(raw.as_bytes(), &self.node, now, &mut draft).unwrap();
        self.processors.run(&mut draft, &self.inventory);
        let (batch, registry) = draft.freeze();
        self.registry = registry;
        let text = Text::default();
        let setup = sinks::Setup {
            settings: Vec::new(),
            labels: LabelOptions::default(),
            output: Box::new(text.clone()),
            clock: sinks::Clock::default(),
        };
        sinks::find("log").unwrap().build(setup).unwrap().export(&batch).unwrap();
        let bytes = text.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }
}

/// Rates of pods' CPU, and their sums. Heapster divided the growth of CPU by the growth of the
/// network's time, and shows 20 to 74 millicores for containers that their limit holds at 50 each.
fn is_pod_cpu_rate(line: &str) -> bool {
    let set = line.split(" | ").next().unwrap_or("");
    let summed =
        set == "cluster" || (set.starts_with("namespace:") && !set.contains("/container:"));
    summed && line.contains("cpu/usage_rate = ")
}

/// A utilization before usage is known: Heapster says 0, we say nothing.
fn is_unknown_utilization(line: &str) -> bool {
    line.contains("node_utilization = 0.000000")
}

#[test]
fn the_same_bytes_make_the_same_batches() {
    let mut replay = Replay::new();
    let mut compared = 0;
    let mut differences = Vec::new();
    for number in 1..=6 {
        let raw = fixture(&format!("00{number}.raw.json"));
        let expected = fixture(&format!("00{number}.batch.txt"));
        let answered = replay.batch(&raw, timestamp_of(&expected), clock_of(&expected));
        assert!(answered.contains(expected.lines().next().unwrap()), "{answered}");
        let (expected, answered) = (lines(&expected), lines(&answered));
        compared += expected.intersection(&answered).count();
        for line in expected.difference(&answered) {
            if !(is_pod_cpu_rate(line) || number == 1 && is_unknown_utilization(line)) {
                differences.push(format!("{number} - {line}"));
            }
        }
        for line in answered.difference(&expected).filter(|line| !is_pod_cpu_rate(line)) {
            differences.push(format!("{number} + {line}"));
        }
    }
    assert!(compared > 3000, "{compared} lines");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_container_at_its_limit_shows_its_limit() {
    let mut replay = Replay::new();
    let mut shown = 0;
    for number in 1..=6 {
        let raw = fixture(&format!("00{number}.raw.json"));
        let expected = fixture(&format!("00{number}.batch.txt"));
        let answered = replay.batch(&raw, timestamp_of(&expected), clock_of(&expected));
        for line in lines(&answered).iter().filter(|line| line.contains("/pod:burner")) {
            if let Some((_, rate)) = line.split_once("cpu/usage_rate = ") {
                let rate: i64 = rate.parse().unwrap();
                assert!((45..=55).contains(&rate), "{number}: {line}");
                shown += 1;
            }
        }
    }
    assert!(shown >= 12, "{shown} rates");
}
