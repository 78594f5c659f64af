//! `kubectl top` through the aggregator, the raw resource metrics, the dashboard's tables and the
//! graphs: the same numbers of the same things in the same batch.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::aggregator::{Aggregated, programs, the_certificate_was_injected};

const PATIENCE: Duration = Duration::from_mins(3);
const API: &str = "/api/taffrail/v1";
const METRICS: &str = "/apis/metrics.k8s.io/v1beta1";

/// Everything that was answered between two looks at the same batch.
struct Moment {
    timestamp: i64,
    /// Nodes, pods.
    raw: [Value; 2],
    /// Nodes, pods, containers.
    tables: [Value; 3],
    /// `kubectl top` of nodes, pods, containers.
    top: [String; 3],
}

/// Names and times of measurement in a raw list.
fn stamps(list: &Value) -> Vec<(String, String)> {
    let items = list["items"].as_array().unwrap().iter();
    let stamp = |item: &Value| (key(&item["metadata"]), item["timestamp"].to_string());
    items.map(stamp).collect()
}

/// `namespace/name`, or the name alone.
fn key(named: &Value) -> String {
    let name = named["name"].as_str().unwrap();
    named["namespace"].as_str().map_or_else(|| name.to_owned(), |ns| format!("{ns}/{name}"))
}

fn moment(cluster: &Aggregated) -> Moment {
    let (program, port) = (&programs()[0], the_certificate_was_injected(cluster));
    let bearer = format!("Bearer {}", cluster.token);
    let raw = || {
        ["nodes", "pods"].map(|what| {
            let (_, list) = port.get(&format!("{METRICS}/{what}"), &[("authorization", &bearer)]);
            list
        })
    };
    let newest = || cluster.served.get(&format!("{API}/status"))["lastBatch"]["timestamp"].clone();
    let begun = Instant::now();
    loop {
        let (before, first) = (newest(), raw());
        let top = ["top nodes", "top pods -A", "top pods -A --containers"]
            .map(|words| cluster.run(program, words));
        let tables = ["nodes", "pods", "containers"]
            .map(|what| cluster.served.get(&format!("{API}/{what}?limit=1000")));
        let (second, after) = (raw(), newest());
        let same = first.each_ref().map(stamps) == second.each_ref().map(stamps)
            && before == after
            && tables.iter().all(|table| table["timestamp"] == after);
        if same && !second[1]["items"].as_array().unwrap().is_empty() {
            return Moment { timestamp: after.as_i64().unwrap(), raw: second, tables, top };
        }
        assert!(begun.elapsed() < PATIENCE, "no two looks within one batch");
    }
}

/// A quantity's value in billionths, rounded down.
fn billionths(quantity: &str) -> i128 {
    let end = quantity.find(|c: char| !c.is_ascii_digit()).unwrap_or(quantity.len());
    let (digits, suffix) = quantity.split_at(end);
    let unit: i128 = match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => 1_000_000_000,
        "k" => 1_000_000_000_000,
        "Ki" => 1_000_000_000 << 10,
        "Mi" => 1_000_000_000 << 20,
        "Gi" => 1_000_000_000 << 30,
        _ => 0,
    };
    assert!(unit > 0, "{quantity}");
    digits.parse::<i128>().unwrap() * unit
}

/// CPU in nanocores, memory in bytes.
type Used = (i128, i128);

fn used(usage: &Value) -> Used {
    let amount = |key: &str| billionths(usage[key].as_str().unwrap());
    (amount("cpu"), amount("memory") / 1_000_000_000)
}

/// Nodes and containers of raw lists, the latter as `namespace/pod/container`.
fn measured(list: &Value) -> BTreeMap<String, Used> {
    let mut all = BTreeMap::new();
    for item in list["items"].as_array().unwrap() {
        let name = key(&item["metadata"]);
        let Some(containers) = item["containers"].as_array() else {
            all.insert(name, used(&item["usage"]));
            continue;
        };
        for container in containers {
            let of = container["name"].as_str().unwrap();
            all.insert(format!("{name}/{of}"), used(&container["usage"]));
        }
    }
    all
}

/// What pods use, container by container.
fn by_pod(containers: &BTreeMap<String, Used>) -> BTreeMap<String, Used> {
    let mut pods: BTreeMap<String, Used> = BTreeMap::new();
    for (name, (cpu, memory)) in containers {
        let (pod, _) = name.rsplit_once('/').unwrap();
        let sum = pods.entry(pod.to_owned()).or_default();
        *sum = (sum.0 + cpu, sum.1 + memory);
    }
    pods
}

/// The lines of `kubectl top`: names, millicores, mebibytes.
fn columns(text: &str, names: usize) -> BTreeMap<String, Used> {
    let number = |word: &str, unit: &str| word.strip_suffix(unit).unwrap().parse().unwrap();
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // Nodes have shares between.
        let memory = if names == 1 { 3 } else { names + 1 };
        (words[..names].join("/"), (number(words[names], "m"), number(words[memory], "Mi")))
    };
    text.lines().skip(1).map(line).collect()
}

/// What kubectl shows of it: millicores rounded up, mebibytes rounded down.
fn shown(raw: &BTreeMap<String, Used>) -> BTreeMap<String, Used> {
    let one = |(name, (cpu, memory)): (&String, &Used)| {
        (name.clone(), ((cpu + 999_999) / 1_000_000, memory >> 20))
    };
    raw.iter().map(one).collect()
}

/// The points of the graphs of CPU and memory at that time.
fn graphed(cluster: &Aggregated, kind: &str, item: &Value, at: i64) -> (f64, f64) {
    let series = ["cpu/usage_rate", "memory/working_set"].map(|metric| {
        json!({
            "kind": kind, "name": item["name"], "namespace": item["namespace"],
            "pod": item["pod"], "metric": metric,
        })
    });
    let body = json!({ "start": at - 30_000, "end": at, "points": 4000, "series": series });
    let answer = cluster.served.post(&format!("{API}/query"), &body.to_string());
    let times = answer["timestamps"].as_array().unwrap();
    let place = times.iter().position(|time| *time == at).unwrap();
    let point = |n: usize| answer["series"][n]["avg"][place].as_f64().unwrap();
    (point(0), point(1))
}

/// A table's row: its name as `namespace/pod/container`, CPU and memory, which the graphs show too.
fn rows(cluster: &Aggregated, kind: &str, table: &Value, at: i64) -> BTreeMap<String, (f64, f64)> {
    let items = table["items"].as_array().unwrap().iter();
    let row = |item: &Value| {
        let (cpu, memory) = (&item["cpu"]["usage"], &item["memory"]["workingSet"]);
        let (Some(cpu), Some(memory)) = (cpu.as_f64(), memory.as_f64()) else { return None };
        let names = ["namespace", "pod", "name"].map(|key| item[key].as_str());
        let name = names.into_iter().flatten().collect::<Vec<_>>().join("/");
        assert_eq!(graphed(cluster, kind, item, at), (cpu, memory), "{kind} {name}");
        Some((name, (cpu, memory)))
    };
    items.filter_map(row).collect()
}

/// Containers that have just started: metrics.k8s.io counts from their start, as metrics-server does,
/// where the tables wait for another sample.
fn young(containers: &Value, now: i64) -> BTreeSet<String> {
    let items = containers["items"].as_array().unwrap().iter();
    let young = items.filter(|item| now - item["started"].as_i64().unwrap_or(now) < 60_000);
    let name = |item: &Value| {
        ["namespace", "pod", "name"].map(|key| item[key].as_str().unwrap().to_owned()).join("/")
    };
    young.map(name).collect()
}

fn check(cluster: &Aggregated) {
    let Moment { timestamp, raw: [nodes, pods], tables, top } = moment(cluster);
    let (nodes, containers) = (measured(&nodes), measured(&pods));
    let pods = by_pod(&containers);
    assert_eq!(columns(&top[0], 1), shown(&nodes));
    assert_eq!(columns(&top[1], 2), shown(&pods));
    assert_eq!(columns(&top[2], 3), shown(&containers));
    let young = young(&tables[2], timestamp);
    let table = |at: usize, kind: &str| rows(cluster, kind, &tables[at], timestamp);
    for (kind, raw, table) in
        [("node", &nodes, table(0, "node")), ("container", &containers, table(2, "container"))]
    {
        for (name, (nanocores, bytes)) in raw {
            let Some((cpu, memory)) = table.get(name).copied() else {
                assert!(young.contains(name), "{kind} {name} is in no table");
                continue;
            };
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            let (exact, whole) = (*nanocores as f64 / 1e6, *bytes as f64);
            assert!((memory - whole).abs() < 0.5, "{kind} {name}: {whole} and {memory} bytes");
            // The tables have whole millicores.
            let same = (exact - cpu).abs() < 1.0 || young.contains(name);
            assert!(same, "{kind} {name}: {exact} m, {cpu} m");
        }
    }
    // A pod is its own cgroup, with the pause container that kubectl leaves out.
    let table = table(1, "pod");
    for (name, (nanocores, bytes)) in &pods {
        let fresh = young.iter().any(|container| container.starts_with(&format!("{name}/")));
        let Some((cpu, memory)) = table.get(name).copied() else {
            assert!(fresh, "pod {name} is in no table");
            continue;
        };
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let (exact, whole) = (*nanocores as f64 / 1e6, *bytes as f64);
        let more = memory - whole;
        assert!((0.0..2e6).contains(&more), "pod {name}: {whole} and {memory} bytes");
        assert!((exact - cpu).abs() < 3.0 || fresh, "pod {name}: {exact} m, {cpu} m");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_shows_the_same_numbers() {
    // Long enough for kubectl to be asked three times between two ticks of a busy machine.
    let cluster = Aggregated::ticking("15s").await;
    spawn_blocking(move || {
        cluster.until(&programs()[0], "top pods -A", |text| text.lines().count() > 10);
        check(&cluster);
    })
    .await
    .unwrap();
}
