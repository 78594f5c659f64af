//! What the server says of itself, asked by PromQL.

use std::time::{Duration, Instant};

use pipeline::Clock;
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::served::{Served, encoded};
use crate::simulated::{Cluster, sized};

/// How long a condition may take to hold.
const PATIENCE: Duration = Duration::from_mins(2);

fn query(server: &Served, expression: &str) -> Vec<Value> {
    let answer = server.get(&format!("/api/v1/query?query={}", encoded(expression)));
    assert_eq!(answer["status"], "success", "{expression}: {answer}");
    answer["data"]["result"].as_array().unwrap().clone()
}

fn value(series: &Value) -> f64 {
    series["value"][1].as_str().unwrap().parse().unwrap()
}

/// Waits until the server has measured so many ticks.
fn ticked(server: &Served, ticks: f64) {
    let begin = Instant::now();
    let counted = || -> Option<f64> {
        let text = server.text("/metrics");
        text.lines().find_map(|line| line.strip_prefix("taffrail_ticks_total "))?.parse().ok()
    };
    while counted().is_none_or(|count| count < ticks) {
        assert!(begin.elapsed() < PATIENCE, "no {ticks} ticks");
        std::thread::yield_now();
    }
}

/// Waits until a sample tells of so many ticks.
fn kept(server: &Served, ticks: u32) -> Vec<Value> {
    let begin = Instant::now();
    loop {
        let expression = format!("taffrail_ticks_total{{job=\"taffrail\"}} >= {ticks}");
        let found = query(server, &expression);
        if !found.is_empty() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "{ticks} ticks are not kept");
        std::thread::yield_now();
    }
}

fn stored(server: &Served) {
    let ticks = kept(server, 2);
    assert_eq!(ticks.len(), 1, "{ticks:?}");
    assert_eq!(ticks[0]["metric"]["instance"], *server.address, "{ticks:?}");
    let started = query(server, "time() - process_start_time_seconds{job=\"taffrail\"}");
    assert!((5.0..600.0).contains(&value(&started[0])), "{started:?}");
    let resident = query(server, "process_resident_memory_bytes{job=\"taffrail\"}");
    assert!((1e6..1e10).contains(&value(&resident[0])), "{resident:?}");
    // What is kept is what is shown.
    let shown = server.text("/metrics");
    let names: Vec<&str> = shown
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.strip_suffix(" counter").or_else(|| line.strip_suffix(" gauge")))
        .collect();
    assert!(names.len() > 10, "{names:?}");
    let known = server.get("/api/v1/label/__name__/values?match[]={job=%22taffrail%22}");
    let known = known["data"].as_array().unwrap();
    let missing: Vec<_> = names.iter().filter(|name| !known.contains(&(**name).into())).collect();
    // A counter may have come up since.
    assert!(missing.len() < 4, "{missing:?}");
    let told = server.get("/api/v1/metadata?metric=process_cpu_seconds_total");
    assert_eq!(told["data"]["process_cpu_seconds_total"][0]["type"], "counter", "{told}");
}

fn in_ranges(server: &Served) {
    // Two samples before this second.
    kept(server, 3);
    let end = Clock::system().now().secs();
    let expression = encoded("rate(process_cpu_seconds_total{job=\"taffrail\"}[20s])");
    let start = end - 60;
    let path = format!("/api/v1/query_range?query={expression}&start={start}&end={end}&step=1");
    let answer = server.get(&path);
    let result = answer["data"]["result"].as_array().unwrap();
    assert_eq!(result.len(), 1, "{answer}");
    let values = result[0]["values"].as_array().unwrap();
    assert!(values.len() > 1, "{answer}");
}

/// Own series are of no pod, and nothing but PromQL shows them.
fn of_no_object(server: &Served) {
    for label in ["namespace", "pod", "node", "container"] {
        let found = query(server, &format!("count({{job=\"taffrail\",{label}!=\"\"}})"));
        assert!(found.is_empty(), "{label}: {found:?}");
    }
    let found = server.get("/api/taffrail/v1/pods?search=taffrail");
    assert_eq!(found["total"], 0, "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn own_metrics_are_series_unless_left_out() {
    let cluster = Cluster::of(sized(1, 4)).await;
    let asked = spawn_blocking(move || {
        let port = cluster.kubelet_port;
        let source = format!(
            "{}&inClusterConfig=false&kubeletHttps=true&kubeletPort={port}",
            cluster.source()
        );
        let words = ["serve", &source, "--metric-resolution=5s", "--no-history"];
        let server = Served::start(&words);
        let without = Served::start(&[&words[..], &["--no-self-scrape"]].concat());
        stored(&server);
        in_ranges(&server);
        of_no_object(&server);
        ticked(&without, 3.0);
        let found = query(&without, "count({job=\"taffrail\"})");
        assert!(found.is_empty(), "{found:?}");
        assert!(without.text("/metrics").contains("\nprocess_resident_memory_bytes "));
    });
    asked.await.unwrap();
}
