//! Outages of servers that a registry has.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Instant;

use tempfile::TempDir;

use super::{Points, SOON, STEP, free, outage};
use crate::python::Python;

/// A real server with a folder of its own; both end with it.
struct Program {
    process: Child,
    folder: TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Program {
    /// Starts `binary` and waits until it listens on `address`.
    fn start(binary: &str, folder: TempDir, arguments: &[String], address: &str) -> Self {
        assert!(Path::new(binary).exists(), "{binary} is missing: run cargo xtask tools");
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new(binary)
            .args(arguments)
            .current_dir(folder.path())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut program = Self { process, folder };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = program.process.try_wait().unwrap();
            let log = || fs::read_to_string(program.folder.path().join("log")).unwrap();
            assert!(ended.is_none() && begun.elapsed() < SOON, "{binary}: {}", log());
            sleep(STEP);
        }
        program
    }
}

/// The answer's body.
fn get(address: &str, target: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {target} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
}

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
    let start = || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let config = format!(
            "reporting-enabled = false\nbind-address = \"127.0.0.1:0\"\n[meta]\ndir = \"{path}/m\"\n\
             [data]\ndir = \"{path}/d\"\nwal-dir = \"{path}/w\"\n[monitor]\nstore-enabled = false\n\
             [http]\nbind-address = \"{address}\"\n"
        );
        fs::write(folder.path().join("conf"), config).unwrap();
        Program::start("/usr/bin/influxd", folder, &["-config".into(), "conf".into()], &address)
    };
    let query = "/query?db=k8s&epoch=s&q=SELECT%20value%20FROM%20%22cpu/usage_rate%22";
    let read = |_: &mut Program| pairs(&get(&address, query), "\"values\":", 1.0, 1.0);
    outage("influxdb", &format!("http://{address}"), &[], start, read);
}

#[test]
fn prometheus_by_remote_write() {
    let address = free();
    let start = || {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("conf.yml"), "global: {}\n").unwrap();
        let arguments = [
            "--config.file=conf.yml".to_owned(),
            "--storage.tsdb.path=data".to_owned(),
            format!("--web.listen-address={address}"),
            "--web.enable-remote-write-receiver".to_owned(),
        ];
        Program::start("/usr/bin/prometheus", folder, &arguments, &address)
    };
    let query = "/api/v1/query?query=taffrail_node_cpu_usage_rate_cores%5B1h%5D";
    let read = |_: &mut Program| pairs(&get(&address, query), "\"values\":", 1.0, 1000.0);
    outage("remotewrite", &format!("http://{address}"), &[], start, read);
}

/// A server and how to read the series that matches.
fn victoria_metrics(http: &str, graphite: &str, opentsdb: &str) -> Program {
    let arguments = [
        "-storageDataPath=data".to_owned(),
        format!("-httpListenAddr={http}"),
        format!("-graphiteListenAddr={graphite}"),
        format!("-opentsdbHTTPListenAddr={opentsdb}"),
        "-dedup.minScrapeInterval=1ms".to_owned(),
        "-memory.allowedBytes=128MB".to_owned(),
    ];
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start("/usr/bin/victoria-metrics", folder, &arguments, http);
    for address in [graphite, opentsdb] {
        while TcpStream::connect(address).is_err() {
            sleep(STEP);
        }
    }
    program
}

/// An outage of VictoriaMetrics; `scale` makes thousandths of what it holds.
fn victoria(kind: &str, address: impl Fn([&str; 3]) -> String, name: &str, scale: f64) {
    let [http, graphite, opentsdb] = [free(), free(), free()];
    let address = address([&http, &graphite, &opentsdb]);
    let settings: &[(&str, &str)] = if kind == "influxdb2" { &[("org", "o")] } else { &[] };
    let read = |_: &mut Program| {
        get(&http, "/internal/force_flush");
        let text = get(&http, &format!("/api/v1/export?reduce_mem_usage=1&match[]={name}"));
        let mut points = Points::new();
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let list = |name: &str| line[name].as_array().unwrap().clone();
            for (time, value) in list("timestamps").iter().zip(list("values")) {
                points.push((whole(number(time) / 60_000.0), whole(number(&value) * scale)));
            }
        }
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

/// Graphite's own store.
#[test]
fn carbon() {
    let address = free();
    let start = || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let (host, port) = address.split_once(':').unwrap();
        let config = format!(
            "[cache]\nSTORAGE_DIR = {path}\nLOCAL_DATA_DIR = {path}/whisper\nCONF_DIR = {path}\n\
             LOG_DIR = {path}\nPID_DIR = {path}\nLINE_RECEIVER_INTERFACE = {host}\n\
             LINE_RECEIVER_PORT = {port}\nPICKLE_RECEIVER_PORT = 0\nCACHE_QUERY_PORT = 0\n\
             MAX_UPDATES_PER_SECOND = inf\nMAX_CREATES_PER_MINUTE = inf\nENABLE_TAGS = False\n\
             CARBON_METRIC_INTERVAL = 0\n"
        );
        fs::write(folder.path().join("carbon.conf"), config).unwrap();
        let schemas = "[all]\npattern = .*\nretentions = 60s:1d\n";
        fs::write(folder.path().join("storage-schemas.conf"), schemas).unwrap();
        let config = format!("--config={path}/carbon.conf");
        let arguments = [config, "--nodaemon".into(), "start".into()];
        Program::start("/usr/bin/carbon-cache", folder, &arguments, &address)
    };
    let read = |carbon: &mut Program| {
        let file = carbon.folder.path().join("whisper/kubernetes/nodes/n1/cpu/usage_rate.wsp");
        let output = Command::new("/usr/bin/whisper-fetch").arg(file).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let pairs = text.lines().filter_map(|line| line.split_once('\t'));
        // A slot of a minute that nothing came for has no value.
        let known = pairs.filter(|(_, value)| *value != "None");
        known
            .map(|(time, value)| {
                (time.parse::<i64>().unwrap() / 60, whole(value.parse::<f64>().unwrap()))
            })
            .collect()
    };
    outage("graphite", &format!("tcp://{address}"), &[], start, read);
}

/// What is promised for datagrams: they wait while the port is known to be closed, each is sent
/// once, in order. A gauge holds the last one.
#[test]
fn statsd_has_the_last_value() {
    let (address, door) = (free(), free());
    let start = || {
        let folder = tempfile::tempdir().unwrap();
        let port = |address: &str| address.rsplit_once(':').unwrap().1.to_owned();
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
    let read = |statsd: &mut Program| {
        let log = fs::read_to_string(statsd.folder.path().join("log")).unwrap();
        let values: Vec<i64> = log
            .lines()
            .filter_map(|line| line.split_once("node.n1.cpu/usage_rate:")?.1.strip_suffix("|g"))
            .map(|value| value.parse().unwrap())
            .collect();
        let mut stream = TcpStream::connect(&door).unwrap();
        stream.write_all(b"gauges").unwrap();
        let mut said = String::new();
        let mut piece = [0; 1024];
        while !said.contains("END") {
            let length = stream.read(&mut piece).unwrap();
            said.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        }
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
