//! `taffrail serve` measures a simulated cluster and sends to real servers that are away, is killed
//! with -9 twice meanwhile, and starts again: what arrives, once they are there, is what its own
//! history holds, each value once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Instant;

use serde_json::Value;

use crate::killed::{Stream, now, simulated};
use crate::real::{
    Program, SOON, STEP, carbon, exported, free, get, influxd, prometheus, victoria_metrics,
    whispered,
};
use crate::served::Served;

/// Self-metrics' names of the sinks.
const SINKS: [&str; 5] =
    ["InfluxDB Sink", "Remote Write Sink", "VictoriaMetrics Sink", "Graphite Sink", "Files Sink"];
/// Percent-encoded: `{__name__=~"(container|taffrail_cluster)_memory_working_set_bytes"}`
const SERIES: &str =
    "%7B__name__%3D~%22(container%7Ctaffrail_cluster)_memory_working_set_bytes%22%7D";
/// A batch younger than this was the last one for a while, milliseconds: one comes every 5 s.
const YOUNG_MS: i64 = 3000;

/// (entity, milliseconds) → working set in bytes
pub(crate) type Values = BTreeMap<(String, i64), i64>;

/// Puts a value that must not be there yet.
fn put(values: &mut Values, entity: &str, time: i64, value: f64) {
    #[expect(clippy::cast_possible_truncation, reason = "bytes of memory are whole")]
    let before = values.insert((entity.to_owned(), time), value.round() as i64);
    assert_eq!(before, None, "{entity} at {time} is there twice");
}

/// A pod, a node or the cluster by its labels; a pod has its node's too, the cluster has none.
fn named(labels: &Value) -> Option<String> {
    let label = |name: &str| labels[name].as_str();
    match (label("container"), label("pod"), label("id"), label("node")) {
        (None, Some(pod), ..) => Some(format!("pod {pod}")),
        (None, None, None | Some("/"), Some(node)) => Some(format!("node {node}")),
        (None, None, None, None) => Some("cluster".to_owned()),
        _ => None,
    }
}

/// What history holds of the cluster, its nodes and pods.
fn history(server: &Served, from: i64) -> Values {
    let select = ["cluster", "node", "pod"]
        .map(|kind| format!(r#"{{"kind":"{kind}","metric":"memory/working_set"}}"#))
        .join(",");
    let until = now(server) + 60_000;
    let body = format!(r#"{{"start":{from},"end":{until},"points":4000,"select":[{select}]}}"#);
    let answer = server.post("/api/taffrail/v1/query", &body);
    let mut values = Values::new();
    for series in answer["series"].as_array().unwrap() {
        let of = &series["of"];
        let entity = match of["name"].as_str() {
            Some(name) => format!("{} {name}", of["kind"].as_str().unwrap()),
            None => "cluster".to_owned(),
        };
        let times = answer["timestamps"].as_array().unwrap();
        for (time, value) in times.iter().zip(series["avg"].as_array().unwrap()) {
            if let (Some(time), Some(value)) = (time.as_i64(), value.as_f64()) {
                put(&mut values, &entity, time, value);
            }
        }
    }
    values
}

/// When the newest values are of.
pub(crate) fn newest(values: &Values) -> i64 {
    values.keys().map(|(_, time)| *time).max().unwrap_or(0)
}

/// Whether the sink has ended an export after `time`.
fn has_exported(metrics: &str, sink: &str, time: i64) -> bool {
    let begin = format!("heapster_exporter_last_time_seconds{{exporter=\"{sink}\"}} ");
    let last = metrics.lines().find_map(|line| line.strip_prefix(&begin));
    #[expect(clippy::cast_precision_loss, reason = "a time of this century")]
    last.is_some_and(|last| last.parse::<f64>().unwrap() * 1000.0 > time as f64)
}

/// Waits until every sink has queued what history holds, at a moment when no batch is near.
pub(crate) fn queued(server: &Served, from: i64, sinks: &[&str]) -> Values {
    let begun = Instant::now();
    loop {
        let held = history(server, from);
        let (time, metrics) = (newest(&held), server.text("/metrics"));
        let all = sinks.iter().all(|sink| has_exported(&metrics, sink, time));
        if time > 0 && all && now(server) - time < YOUNG_MS {
            return held;
        }
        assert!(begun.elapsed() < SOON, "{metrics}");
        sleep(STEP);
    }
}

/// Waits until nothing waits any more.
pub(crate) fn drained(server: &Served, count: usize) {
    let begun = Instant::now();
    loop {
        let sinks = server.get("/api/taffrail/v1/sinks");
        let items = sinks["items"].as_array().unwrap();
        assert_eq!(items.len(), count, "{sinks:#}");
        if items.iter().all(|sink| sink["waitingPoints"] == 0) {
            assert!(items.iter().all(|sink| sink["dropped"] == serde_json::json!({})), "{sinks:#}");
            return;
        }
        assert!(begun.elapsed() < SOON, "{sinks:#}");
        sleep(STEP);
    }
}

/// The servers while they are there.
struct Stores {
    addresses: [String; 5],
    _running: [Program; 3],
    carbon: Program,
    files: std::path::PathBuf,
}

impl Stores {
    fn start(addresses: [String; 5], files: &Path) -> Self {
        let [influx, prom, victoria, graphite, opentsdb] = &addresses;
        // Carbon listens where VictoriaMetrics' own graphite port does not.
        let unused = free();
        let running = [
            influxd(influx),
            prometheus(prom, "global: {}\n"),
            victoria_metrics(victoria, &unused, opentsdb),
        ];
        let carbon = carbon(graphite, "1s:15m");
        fs::remove_file(files).unwrap();
        Self { _running: running, carbon, files: files.to_owned(), addresses }
    }

    fn influxdb(&self) -> Values {
        let query = "/query?db=k8s&epoch=ms&q=SELECT%20value,type,nodename,pod_name%20FROM%20%22memory/working_set%22";
        let answer: Value = serde_json::from_str(&get(&self.addresses[0], query)).unwrap();
        let mut values = Values::new();
        for row in answer["results"][0]["series"][0]["values"].as_array().into_iter().flatten() {
            let entity = match row[2].as_str().unwrap() {
                "cluster" => "cluster".to_owned(),
                "node" => format!("node {}", row[3].as_str().unwrap()),
                "pod" => format!("pod {}", row[4].as_str().unwrap()),
                _ => continue,
            };
            put(&mut values, &entity, row[0].as_i64().unwrap(), row[1].as_f64().unwrap());
        }
        values
    }

    fn prometheus(&self) -> Values {
        let answer = get(&self.addresses[1], &format!("/api/v1/query?query={SERIES}%5B1h%5D"));
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let mut values = Values::new();
        for series in answer["data"]["result"].as_array().unwrap() {
            let Some(entity) = named(&series["metric"]) else { continue };
            for pair in series["values"].as_array().unwrap() {
                #[expect(clippy::cast_possible_truncation, reason = "a time of this century")]
                let time = (pair[0].as_f64().unwrap() * 1000.0).round() as i64;
                put(&mut values, &entity, time, pair[1].as_str().unwrap().parse().unwrap());
            }
        }
        values
    }

    fn victoria_metrics(&self) -> Values {
        let mut points = exported(&self.addresses[2], SERIES);
        // What was sent twice is there twice until a query or a merge drops it.
        points.sort_by_key(|(labels, time, _)| (labels.to_string(), *time));
        points.dedup();
        let mut values = Values::new();
        for (labels, time, value) in points {
            if let Some(entity) = named(&labels) {
                put(&mut values, &entity, time, value);
            }
        }
        values
    }

    /// Of the cluster and its nodes: whisper-fetch reads one file at a time.
    fn carbon(&self, expected: &Values) -> Values {
        let mut values = Values::new();
        let mut entities: Vec<&str> = expected.keys().map(|(entity, _)| &**entity).collect();
        entities.dedup();
        for entity in entities {
            let path = match entity.strip_prefix("node ") {
                None => "cluster/memory/working_set".to_owned(),
                Some(node) => format!("nodes/{}/memory/working_set", node.replace('.', "_")),
            };
            for (time, value) in whispered(&self.carbon, &path) {
                put(&mut values, entity, time * 1000, value);
            }
        }
        values
    }

    fn files(&self) -> Values {
        let mut values = Values::new();
        let mut folders = vec![self.files.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    read_lines(&fs::read_to_string(path).unwrap(), &mut values);
                }
            }
        }
        values
    }
}

fn read_lines(text: &str, values: &mut Values) {
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let Some(value) = line["metrics"]["memory/working_set"].as_f64() else { continue };
        if ["cluster", "node", "pod"].contains(&line["kind"].as_str().unwrap()) {
            let time: jiff::Timestamp = line["time"].as_str().unwrap().parse().unwrap();
            put(values, &named(&line["labels"]).unwrap(), time.as_millisecond(), value);
        }
    }
}

/// Waits until a store holds exactly what is expected; what is newer does not count.
fn arrived(store: &str, expected: &Values, read: impl Fn() -> Values) {
    let (begun, until) = (Instant::now(), newest(expected));
    loop {
        let mut found = read();
        found.retain(|(_, time), _| *time <= until);
        if found == *expected {
            return;
        }
        let only = |these: &Values, those: &Values| -> Values {
            let left = these.iter().filter(|(key, value)| those.get(key) != Some(value));
            left.map(|(key, value)| (key.clone(), *value)).collect()
        };
        let (lacking, more) = (only(expected, &found), only(&found, expected));
        assert!(begun.elapsed() < SOON, "{store} lacks {lacking:?} and has {more:?}");
        sleep(STEP);
    }
}

#[test]
fn what_history_holds_has_arrived_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (_simulated, source) = simulated(folder.path());
    let addresses = [free(), free(), free(), free(), free()];
    let [influx, prom, victoria, graphite, _] = &addresses;
    let files = folder.path().join("files");
    // A file stands where the folder should be.
    fs::write(&files, "").unwrap();
    let queue = format!("queue={}", path("queue"));
    let words = [
        "serve".to_owned(),
        source,
        "--metric-resolution=5s".to_owned(),
        format!("--data-dir={}", path("data")),
        format!("--sink=influxdb:http://{influx}?metrics=all&{queue}"),
        format!("--sink=remotewrite:http://{prom}/api/v1/write?{queue}"),
        format!("--sink=victoriametrics:http://{victoria}?{queue}"),
        format!("--sink=graphite:tcp://{graphite}?metrics=all&{queue}"),
        format!(
            "--sink=files:{}?compress=none&batch_time=1s&batch_bytes=1&{queue}",
            files.display()
        ),
    ];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut from = 0;
    let mut killed = Values::new();
    for _ in 0..2 {
        let server = Served::start(&words);
        if from == 0 {
            from = now(&server) - 60_000;
        }
        let mut stream = Stream::open(&server);
        stream.batch();
        stream.batch();
        killed = queued(&server, from, &SINKS);
        drop(server); // kill -9
    }
    let server = Served::start(&words);
    let mut stream = Stream::open(&server);
    stream.batch();
    let sinks = server.get("/api/taffrail/v1/sinks");
    for sink in sinks["items"].as_array().unwrap() {
        assert!(sink["retried"].as_u64().unwrap() > 0 && sink["sent"] == 0, "{sink:#}");
        assert_eq!(sink["onDisk"], true, "{sink:#}");
    }
    let stores = Stores::start(addresses, &files);
    let expected = queued(&server, from, &SINKS);
    drained(&server, SINKS.len());
    for key in killed.keys() {
        assert!(expected.contains_key(key), "history has lost {key:?}");
    }
    let batches = expected.keys().filter(|(entity, _)| entity == "cluster").count();
    assert!(batches >= 5, "{batches} batches");
    arrived("InfluxDB", &expected, || stores.influxdb());
    arrived("Prometheus", &expected, || stores.prometheus());
    arrived("VictoriaMetrics", &expected, || stores.victoria_metrics());
    arrived("files", &expected, || stores.files());
    let mut nodes = expected;
    nodes.retain(|(entity, _), _| !entity.starts_with("pod "));
    arrived("carbon", &nodes, || stores.carbon(&nodes));
}

#[test]
fn sinks_of_events_and_alerts_stand_beside_those_of_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let (_simulated, source) = simulated(folder.path());
    let away = free();
    let words = [
        "serve".to_owned(),
        source,
        "--no-history".to_owned(),
        format!("--sink=graphite:tcp://{away}"),
        format!("--event-sink=webhook:http://{away}"),
        format!("--alert-sink=webhook:http://{away}/alerts"),
    ];
    let server = Served::start(&words.each_ref().map(String::as_str));
    let sinks = server.get("/api/taffrail/v1/sinks");
    let items = sinks["items"].as_array().unwrap().iter();
    let found: Vec<_> = items.map(|sink| sink["name"].as_str().unwrap()).collect();
    assert_eq!(found, ["Graphite Sink", "Webhook Sink (events)", "Webhook Sink (alerts)"]);
    let metrics = server.text("/metrics");
    let counted = format!("sink=\"Webhook Sink\",to=\"http://{away}/\",takes=\"events\"");
    assert!(metrics.contains(&counted), "{counted} in\n{metrics}");
}
