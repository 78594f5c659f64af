//! The historical API of a real process over its own history.

use serde_json::Value;

use crate::killed::{Stream, now, simulated};
use crate::outage::{Values, drained, newest, queued};
use crate::real::{free, influxd};
use crate::served::Served;

const RANGE: &str = "start=2020-01-01T00:00:00Z&end=2200-01-01T00:00:00Z";

fn names(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

#[test]
fn what_was_kept_is_answered_by_name() {
    let demo = Served::start(&["demo", "--nodes=2", "--pods-per-node=3"]);
    let get = |path: &str| demo.get(&format!("/api/v1/historical/{path}"));
    while get("namespaces").as_array().is_none_or(Vec::is_empty) {
        std::thread::yield_now();
    }
    let nodes = get("nodes/");
    assert_eq!(names(&nodes).len(), 2);
    let node = names(&nodes)[0];
    let metrics = get(&format!("nodes/{node}/metrics"));
    assert!(names(&metrics).contains(&"memory/working_set"), "{metrics}");
    assert!(!names(&metrics).contains(&"pods"), "ours are not listed: {metrics}");
    let values = get(&format!("nodes/{node}/metrics/memory/working_set?{RANGE}"));
    let first = &values["metrics"][0];
    assert!(first["value"].as_u64().unwrap() > 0, "{values}");
    let path = format!("nodes/{node}/metrics-aggregated/count,min,max/memory/working_set?{RANGE}");
    let aggregated = get(&path);
    let bucket = &aggregated["buckets"][0];
    assert!(bucket["count"].as_u64().unwrap() >= 1, "{aggregated}");
    let least = bucket["minimum"]["intValue"].as_u64().unwrap();
    assert!(least <= first["value"].as_u64().unwrap(), "{aggregated}");
    let namespaces = get("namespaces");
    let namespace = names(&namespaces)[0];
    let pods = get(&format!("namespaces/{namespace}/pods"));
    let pod = names(&pods)[0];
    let containers = get(&format!("namespaces/{namespace}/pods/{pod}/containers"));
    let container = names(&containers)[0];
    let path = format!(
        "namespaces/{namespace}/pods/{pod}/containers/{container}/metrics/memory/working_set"
    );
    let values = get(&format!("{path}?{RANGE}"));
    assert!(!values["metrics"].as_array().unwrap().is_empty(), "{values}");
    let list = get(&format!("namespaces/{namespace}/pod-list/{pod}/metrics/uptime?{RANGE}"));
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[test]
fn only_influxdb_can_be_asked_for_the_past() {
    let refused = std::process::Command::new(env!("CARGO_BIN_EXE_taffrail"))
        .args(["serve", "--source=host", "--no-history", "--listen=127.0.0.1:0"])
        .arg("--historical-source=graphite:tcp://h:1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(78), "{said}");
    let expected = "--historical-source=graphite:tcp://h:1: graphite cannot be asked for the past";
    assert!(said.contains(expected), "{said}");
}

/// Every aggregation that Heapster had.
const AGGREGATIONS: [&str; 8] =
    ["average", "max", "min", "median", "count", "50-perc", "95-perc", "99-perc"];

/// The first name of a list.
fn listed(server: &Served, path: &str) -> String {
    let names = server.get(&format!("/api/v1/historical/{path}"));
    assert!(names[0].is_string(), "{path}: {names}");
    names[0].as_str().unwrap().to_owned()
}

/// Every path below one entity: values, all aggregations at once and each alone, in buckets.
fn asked_of(prefix: &str, metric: &str, range: &str, paths: &mut Vec<String>) {
    paths.push(format!("{prefix}metrics/{metric}?{range}"));
    let all = AGGREGATIONS.join(",");
    for aggregations in AGGREGATIONS.into_iter().chain([&*all]) {
        let path = format!("{prefix}metrics-aggregated/{aggregations}/{metric}?{range}");
        paths.push(format!("{path}&bucket=10s"));
        paths.push(path);
    }
}

/// Names of metrics; `InfluxDB` lists those of filesystems too, which have labels of their own.
fn metrics(server: &Served, path: &str) -> Vec<String> {
    let listed = server.get(&format!("/api/v1/historical/{path}"));
    let labeled =
        |name: &str| ["filesystem/", "disk/", "accelerator/"].iter().any(|b| name.starts_with(b));
    names(&listed).into_iter().filter(|name| !labeled(name)).map(str::to_owned).collect()
}

/// A pod of every batch, as others come and go: namespace, name, id, one of its containers.
fn lasting_pod(own: &Served, held: &Values) -> [String; 4] {
    let count = |entity: &str| held.keys().filter(|(other, _)| other == entity).count();
    let mut pods = held.keys().filter_map(|(entity, _)| entity.strip_prefix("pod "));
    let pod = pods.find(|pod| count(&format!("pod {pod}")) == count("cluster")).unwrap();
    let namespaces = own.get("/api/v1/historical/namespaces/");
    let has_it = |namespace: &&str| {
        let pods = own.get(&format!("/api/v1/historical/namespaces/{namespace}/pods/"));
        names(&pods).contains(&pod)
    };
    let namespace = names(&namespaces).into_iter().find(has_it).unwrap();
    let exported = own.get("/api/v1/metric-export");
    let mut sets = exported.as_array().unwrap().iter();
    let set = sets.find(|set| set["labels"]["pod_name"] == pod).unwrap();
    let id = set["labels"]["pod_id"].as_str().unwrap();
    let container = listed(own, &format!("namespaces/{namespace}/pods/{pod}/containers"));
    [namespace.to_owned(), pod.to_owned(), id.to_owned(), container]
}

/// Both answer the same, and not nothing.
fn same(own: &Served, influx: &Served, path: &str) {
    let path = format!("/api/v1/historical/{path}");
    let (mine, theirs) = (own.text(&path), influx.text(&path));
    assert_eq!(mine, theirs, "{path}");
    let answer: Value = serde_json::from_str(&mine).unwrap();
    let items = &answer["items"][0];
    let answer = if items.is_object() { items } else { &answer };
    let (list, metrics, buckets) = (answer, &answer["metrics"], &answer["buckets"]);
    let length = [list, metrics, buckets].iter().find_map(|found| Some(found.as_array()?.len()));
    let least = if metrics.is_array() { 3 } else { 1 };
    assert!(length.is_some_and(|length| length >= least), "{path}: {mine}");
}

/// A real `InfluxDB`, filled by the sink, and our own history of the same batches are asked the same.
#[test]
fn influxdb_and_our_history_give_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (_simulated, source) = simulated(folder.path());
    let address = free();
    let _influxd = influxd(&address);
    let kept = format!("--data-dir={}", folder.path().join("data").display());
    let sink = format!("--sink=influxdb:http://{address}");
    let own = Served::start(&["serve", &source, "--metric-resolution=5s", &kept, &sink]);
    let asking = format!("--historical-source=influxdb:http://{address}");
    let influx = Served::start(&["serve", &source, "--no-history", &asking]);
    let from = now(&own) - 60_000;
    let mut stream = Stream::open(&own);
    (0..3).for_each(|_| stream.batch());
    let held = queued(&own, from, &["InfluxDB Sink"]);
    drained(&own, 1);
    let rfc3339 = |millis| jiff::Timestamp::from_millisecond(millis).unwrap().to_string();
    let range = format!("start={}&end={}", rfc3339(from), rfc3339(newest(&held) + 1000));
    let node = listed(&own, "nodes/");
    let system = listed(&own, &format!("nodes/{node}/freecontainers/"));
    let [namespace, pod, id, container] = lasting_pod(&own, &held);
    let pods = format!("namespaces/{namespace}/pods");
    for path in ["metrics/", &format!("nodes/{node}/metrics/"), &format!("{pods}/{pod}/metrics")] {
        assert_eq!(metrics(&own, path), metrics(&influx, path), "{path}");
    }
    let mut paths = vec![
        "nodes/".to_owned(),
        "namespaces/".to_owned(),
        format!("{pods}/"),
        format!("{pods}/{pod}/containers"),
        format!("nodes/{node}/freecontainers/"),
    ];
    for prefix in [
        format!("nodes/{node}/"),
        format!("nodes/{node}/freecontainers/{system}/"),
        format!("{pods}/{pod}/"),
        format!("{pods}/{pod}/containers/{container}/"),
        format!("namespaces/{namespace}/pod-list/{pod}/"),
        format!("pod-id/{id}/"),
        format!("pod-id/{id}/containers/{container}/"),
        format!("pod-id-list/{id}/"),
    ] {
        asked_of(&prefix, "memory/working_set", &range, &mut paths);
    }
    // Heapster summed less of the cluster and of namespaces.
    asked_of("", "memory/usage", &range, &mut paths);
    asked_of(&format!("namespaces/{namespace}/"), "memory/usage", &range, &mut paths);
    for path in &paths {
        same(&own, &influx, path);
    }
}
