//! The historical API of a real process over its own history.

use serde_json::Value;

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
