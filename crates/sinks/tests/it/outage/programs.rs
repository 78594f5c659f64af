//! Outages of servers that a registry has.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use super::{Points, outage};
use crate::python::Python;
use crate::real::{
    Program, alertmanager, carbon, exported, free, get, influxd, port, prometheus,
    victoria_metrics, whispered,
};

/// `[[time, value], …]` behind `marker`: times in seconds times `unit`, values times `scale`.
fn pairs(text: &str, marker: &str, unit: f64, scale: f64) -> Points {
    let Some((_, rest)) = text.split_once(marker) else { return Points::new() };
    let json: Vec<(f64, serde_json::Value)> =
        serde_json::Deserializer::from_str(rest).into_iter().next().unwrap().unwrap();
    json.into_iter()
        .map(|(time, value)| (whole(time / unit / 60.0), whole(number(&value) * scale)))
        .collect()
}

fn number(value: &serde_json::Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

#[expect(clippy::cast_possible_truncation, reason = "small whole numbers")]
fn whole(number: f64) -> i64 {
    number.round() as i64
}

#[test]
fn influxdb_1() {
    let address = free();
    let query = "/query?db=k8s&epoch=s&q=SELECT%20value%20FROM%20%22cpu/usage_rate%22";
    let read = |_: &mut Program| pairs(&get(&address, query), "\"values\":", 1.0, 1.0);
    outage("influxdb", &format!("http://{address}"), &[], || influxd(&address), read);
}

#[test]
fn prometheus_by_remote_write() {
    let address = free();
    let query = "/api/v1/query?query=taffrail_node_cpu_usage_rate_cores%5B1h%5D";
    let read = |_: &mut Program| pairs(&get(&address, query), "\"values\":", 1.0, 1000.0);
    let start = || prometheus(&address, "global: {}\n");
    outage("remotewrite", &format!("http://{address}"), &[], start, read);
}

/// An outage of VictoriaMetrics; `scale` makes thousandths of what it holds.
fn victoria(kind: &str, address: impl Fn([&str; 3]) -> String, name: &str, scale: f64) {
    let [http, graphite, opentsdb] = [free(), free(), free()];
    let address = address([&http, &graphite, &opentsdb]);
    let settings: &[(&str, &str)] = if kind == "influxdb2" { &[("org", "o")] } else { &[] };
    let read = |_: &mut Program| {
        let exported = exported(&http, name).into_iter();
        let mut points: Points =
            exported.map(|(_, time, value)| (time / 60_000, whole(value * scale))).collect();
        points.sort_unstable();
        // What was sent twice is there twice until a query or a merge drops it.
        points.dedup();
        points
    };
    let start = || victoria_metrics(&http, &graphite, &opentsdb);
    outage(kind, &address, settings, start, read);
}

#[test]
fn victoria_metrics_by_remote_write() {
    let name = "taffrail_node_cpu_usage_rate_cores";
    victoria("remotewrite", |[http, ..]| format!("http://{http}"), name, 1000.0);
}

#[test]
fn victoria_metrics_by_import() {
    let name = "taffrail_node_cpu_usage_rate_cores";
    victoria("victoriametrics", |[http, ..]| format!("http://{http}"), name, 1000.0);
}

#[test]
fn victoria_metrics_by_influxdb_2() {
    let name = "%7B__name__=%22cpu/usage_rate_value%22%7D";
    victoria("influxdb2", |[http, ..]| format!("http://{http}"), name, 1.0);
}

#[test]
fn victoria_metrics_by_graphite() {
    let name = "%7B__name__=%22kubernetes.nodes.n1.cpu.usage_rate%22%7D";
    victoria("graphite", |[_, graphite, _]| format!("tcp://{graphite}"), name, 1.0);
}

#[test]
fn victoria_metrics_by_opentsdb() {
    let name = "cpu_usage_rate_gauge";
    victoria("opentsdb", |[.., opentsdb]| format!("http://{opentsdb}"), name, 1.0);
}

/// An alert is its labels; the server lists them in an order of its own.
#[test]
fn alertmanager_by_alerts() {
    let address = free();
    let read = |_: &mut Program| {
        let alerts: Vec<serde_json::Value> =
            serde_json::from_str(&get(&address, "/api/v2/alerts")).unwrap();
        let point = |alert: &serde_json::Value| {
            let began: jiff::Timestamp = alert["startsAt"].as_str().unwrap().parse().unwrap();
            let value = alert["annotations"]["value"].as_str().unwrap();
            (began.as_second() / 60, value.parse().unwrap())
        };
        let mut points: Points = alerts.iter().map(point).collect();
        points.sort_unstable();
        points
    };
    let start = || alertmanager(&address);
    outage("alertmanager", &format!("http://{address}"), &[], start, read);
}

/// Graphite's own store.
#[test]
fn carbon_by_graphite() {
    let address = free();
    let read = |carbon: &mut Program| {
        let held = whispered(carbon, "nodes/n1/cpu/usage_rate").into_iter();
        held.map(|(time, value)| (time / 60, whole(value))).collect()
    };
    outage("graphite", &format!("tcp://{address}"), &[], || carbon(&address, "60s:1d"), read);
}

/// What is promised for datagrams: they wait while the port is known to be closed, each is sent
/// once, in order. A gauge holds the last one.
#[test]
fn statsd_has_the_last_value() {
    let (address, door) = (free(), free());
    let start = || {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "{{port: {}, mgmt_port: {}, address: '127.0.0.1', mgmt_address: '127.0.0.1', \
             backends: [], dumpMessages: true}}",
            port(&address),
            port(&door)
        );
        fs::write(folder.path().join("conf.js"), config).unwrap();
        let package = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/node/node_modules");
        let statsd = format!("{package}/statsd/stats.js");
        assert!(Path::new(&statsd).exists(), "{statsd} is missing: run cargo xtask tools");
        let arguments = ["node".into(), statsd, "conf.js".into()];
        Program::start("/usr/bin/env", folder, &arguments, &door)
    };
    let logged = |statsd: &Program| -> Vec<i64> {
        let log = fs::read_to_string(statsd.folder.path().join("log")).unwrap();
        let lines = log.lines();
        lines
            .filter_map(|line| line.split_once("node.n1.cpu/usage_rate:")?.1.strip_suffix("|g"))
            .map(|value| value.parse().unwrap())
            .collect()
    };
    let gauges = || {
        let mut stream = TcpStream::connect(&door).unwrap();
        stream.write_all(b"gauges").unwrap();
        let mut said = String::new();
        let mut piece = [0; 1024];
        while !said.contains("END") {
            let length = stream.read(&mut piece).unwrap();
            said.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        }
        said
    };
    let read = |statsd: &mut Program| {
        // Nothing may come between the two, or they are of different times.
        let (values, said) = loop {
            let (before, said) = (logged(statsd), gauges());
            if logged(statsd) == before {
                break (before, said);
            }
        };
        let gauge = format!("'node.n1.cpu-usage_rate': {}", values.last().unwrap_or(&0));
        let held = said.contains(&gauge) || values.is_empty();
        assert!(held, "{gauge} in {said}");
        // The protocol has no times: those of the batches, by their values.
        let first = super::this_minute(statsd.folder.path()) - 11;
        values.iter().map(|value| (first + value / 1000 - 1, *value)).collect()
    };
    outage("statsd", &format!("udp://{address}"), &[], start, read);
}

/// Each partition in order, and each message once.
#[test]
fn kafka() {
    let address = free();
    let start = || Python::start("kafka_mock.py", &["--listen", &address, "heapster-metrics"]);
    let mut seen = Points::new();
    let read = |cluster: &mut Python| {
        if seen.is_empty() {
            let mut partitions = std::collections::BTreeMap::<i64, Points>::new();
            for message in cluster.take(12) {
                let minute = message["time"].as_i64().unwrap() / 60_000;
                let value: serde_json::Value =
                    serde_json::from_str(message["value"].as_str().unwrap()).unwrap();
                let point = (minute, value["MetricsValue"]["value"].as_i64().unwrap());
                let partition = message["partition"].as_i64().unwrap();
                partitions.entry(partition).or_default().push(point);
            }
            assert!(partitions.values().all(|points| points.is_sorted()), "{partitions:?}");
            seen = partitions.into_values().flatten().collect();
            seen.sort_unstable();
        }
        seen.clone()
    };
    outage("kafka", "", &[("brokers", &address)], start, read);
}
