//! Real senders of metrics to a running server, and what PromQL finds of theirs afterwards:
//! Prometheus and vmagent by remote write, OpenTelemetry's SDK by OTLP, our own sinks by both.
//!
//! No registry of packages has a foreign sender of remote write 2.0; our own sink is the sender.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::beside::{eventually, python};
use crate::real::{Program, free, get, prometheus};
use crate::served::{Served, encoded};

const SERVE: [&str; 4] = ["serve", "--source=host", "--metric-resolution=5s", "--no-history"];

fn serve(more: &[&str]) -> Served {
    Served::start(&[&SERVE[..], more].concat())
}

/// Series and values of an instant query.
fn asked(answer: &Value) -> BTreeMap<String, String> {
    assert_eq!(answer["status"], "success", "{answer}");
    let result = answer["data"]["result"].as_array().unwrap();
    let pair = |one: &Value| (one["metric"].to_string(), one["value"][1].to_string());
    result.iter().map(pair).collect()
}

fn query(server: &Served, text: &str) -> BTreeMap<String, String> {
    asked(&server.get(&format!("/api/v1/query?query={}", encoded(text))))
}

/// The one value that a query has.
fn value(server: &Served, text: &str) -> Result<f64, String> {
    let found = query(server, text);
    match found.values().collect::<Vec<_>>()[..] {
        [one] => Ok(one.trim_matches('"').parse().unwrap()),
        _ => Err(format!("{text}: {found:?}")),
    }
}

/// What any server on this machine answers in JSON.
fn answer(address: &str, path: &str) -> Result<Value, String> {
    serde_json::from_str(&get(address, path)).map_err(|error| error.to_string())
}

/// Waits for two queries' answers at one time to be alike: what was sent last may be under way.
fn alike(address: &str, server: &Served, text: &str) {
    eventually(&format!("both answer {text} alike"), || {
        let newest = value(server, "max(timestamp(up{job=\"self\"}))")? - 2.0;
        let path = format!("/api/v1/query?query={}&time={newest}", encoded(text));
        let (mine, theirs) = (asked(&server.get(&path)), asked(&answer(address, &path)?));
        if theirs.len() < 100 {
            return Err(format!("only {} series", theirs.len()));
        }
        let differs = theirs.iter().find(|(labels, value)| mine.get(*labels) != Some(value));
        match differs {
            None if mine.len() == theirs.len() => Ok(()),
            other => Err(format!("{} series, they {}; {other:?}", mine.len(), theirs.len())),
        }
    });
}

#[test]
fn prometheus_writes_and_reads_remotely() {
    let server = serve(&[]);
    let now = value(&server, "vector(time())").unwrap();
    let point = json!({ "timeUnixNano": format!("{:.0}", now * 1e9), "asDouble": 7 });
    let attribute = json!({ "key": "service.name", "value": { "stringValue": "pushed" } });
    let pushed = json!({ "resourceMetrics": [{
        "resource": { "attributes": [attribute] },
        "scopeMetrics": [{ "metrics": [{ "name": "far", "gauge": { "dataPoints": [point] } }] }],
    }]});
    assert_eq!(server.post("/v1/metrics", &pushed.to_string()), json!({ "partialSuccess": {} }));
    let (address, ours) = (free(), &server.address);
    let config = format!(
        "global: {{scrape_interval: 1s}}\n\
         scrape_configs:\n- job_name: self\n  static_configs: [{{targets: ['{address}']}}]\n\
         remote_write:\n- url: http://{ours}/api/v1/write\n  metadata_config: {{send_interval: 1s}}\n\
         remote_read:\n- url: http://{ours}/api/v1/read\n  read_recent: true\n  required_matchers: {{job: pushed}}\n"
    );
    let _prometheus = prometheus(&address, &config);
    alike(&address, &server, "{job=\"self\"}");
    eventually("its metadata came", || {
        let told = server.get("/api/v1/metadata?metric=prometheus_tsdb_head_series");
        let kind = told["data"]["prometheus_tsdb_head_series"][0]["type"].clone();
        if kind == "gauge" { Ok(()) } else { Err(told) }
    });
    let path = format!("/api/v1/query?query={}", encoded("far{job=\"pushed\"}"));
    let read = eventually("it reads what only we hold", || match answer(&address, &path)? {
        found if asked(&found).is_empty() => Err(found.to_string()),
        found => Ok(asked(&found)),
    });
    assert_eq!(read, query(&server, "far{job=\"pushed\"}"));
}

#[test]
fn vmagent_writes_remotely_with_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "hush\n").unwrap();
    let server = serve(&[&format!("--push-token-file={}", token.display())]);
    let address = free();
    let scrape = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: agent\n  static_configs: [{{targets: ['{address}']}}]\n"
    );
    let agent = |token: &str, address: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("scrape.yml"), &scrape).unwrap();
        let arguments = [
            "-promscrape.config=scrape.yml".to_owned(),
            format!("-remoteWrite.url=http://{}/api/v1/write", server.address),
            format!("-remoteWrite.bearerToken={token}"),
            "-remoteWrite.tmpDataPath=data".to_owned(),
            format!("-httpListenAddr={address}"),
        ];
        Program::start("/usr/bin/vmagent", folder, &arguments, address)
    };
    let stranger = agent("guess", &free());
    let refused = "taffrail_pushed_samples_total{outcome=\"forbidden\"}";
    eventually("a stranger is refused", || match server.text("/metrics") {
        text if text.contains(refused) => Ok(()),
        _ => Err(()),
    });
    assert_eq!(query(&server, "{job=\"agent\"}"), BTreeMap::new());
    drop(stranger);
    let _agent = agent("hush", &address);
    let rows = "sum(rate(vm_promscrape_scrapes_total{job=\"agent\"}[1m]))";
    let rate = eventually("its counters came", || match value(&server, rows) {
        Ok(rate) if rate > 0.0 => Ok(rate),
        other => Err(other),
    });
    assert!(rate < 10.0, "{rate}");
    let up = value(&server, &format!("up{{job=\"agent\",instance=\"{address}\"}}"));
    assert_eq!(up, Ok(1.0));
}

/// What the SDK measured, under Prometheus' names.
fn check_sdk(server: &Served, protocol: &str) {
    let job = format!("job=\"shop/orders-{protocol}\",instance=\"one\"");
    for (text, expected) in [
        (format!("orders_total{{{job},kind=\"book\"}}"), 10.0),
        (format!("orders_total{{{job},kind=\"toy\"}}"), 4.0),
        (format!("orders_open{{{job}}}"), 4.0),
        (format!("room_temperature_celsius{{{job},room_name=\"hall\"}}"), 21.5),
        (format!("request_duration_seconds_bucket{{{job},le=\"1\"}}"), 4.0),
        (format!("request_duration_seconds_bucket{{{job},le=\"+Inf\"}}"), 8.0),
        (format!("request_duration_seconds_sum{{{job}}}"), 111.1),
        (format!("histogram_quantile(0.5, request_duration_seconds_bucket{{{job}}})"), 1.0),
        (format!("target_info{{{job},k8s_pod_name=\"orders-1\"}}"), 1.0),
    ] {
        let found = value(server, &text).unwrap();
        assert!((found - expected).abs() < 1e-9, "{text}: {found} instead of {expected}");
    }
    let told = server.get("/api/v1/metadata?metric=orders_total");
    let expected = json!({ "help": "Orders taken.", "type": "counter", "unit": "" });
    assert_eq!(told["data"]["orders_total"][0], expected);
}

fn script(words: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/senders/otel.py");
    let ended = Command::new(python()).arg(script).args(words).output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{words:?}: {told}");
    assert!(!told.contains("ERROR") && !told.contains("Failed"), "{words:?}: {told}");
    String::from_utf8(ended.stdout).unwrap()
}

/// Where a server takes OTLP over gRPC, as it says itself.
fn grpc_address(server: &mut Served) -> String {
    let line = server.line();
    line.trim().strip_prefix("OTLP over gRPC: ").unwrap().to_owned()
}

#[test]
fn opentelemetry_sends_over_http_and_grpc() {
    let mut server = serve(&["--otlp-grpc-listen=127.0.0.1:0"]);
    let grpc = grpc_address(&mut server);
    let http = server.address.clone();
    for (protocol, endpoint) in [("http", &http), ("grpc", &grpc)] {
        script(&["send", protocol, endpoint, "gzip"]);
        check_sdk(&server, protocol);
    }
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "hush").unwrap();
    let token = format!("--push-token-file={}", token.display());
    let mut guarded = serve(&["--otlp-grpc-listen=127.0.0.1:0", &token]);
    let grpc = grpc_address(&mut guarded);
    script(&["send", "grpc", &grpc, "hush"]);
    check_sdk(&guarded, "grpc");
    let refused: Value = serde_json::from_str(&script(&["misuse", &grpc])).unwrap();
    assert_eq!(refused["nothing"], "UNAUTHENTICATED: a bearer token is needed");
}

#[test]
fn misuse_of_grpc_is_refused_by_name() {
    let mut server = serve(&["--otlp-grpc-listen=127.0.0.1:0"]);
    let grpc = grpc_address(&mut server);
    let found: Value = serde_json::from_str(&script(&["misuse", &grpc])).unwrap();
    for (what, code, part) in [
        ("nothing", "OK", ""),
        ("traces", "UNIMPLEMENTED", "only metrics are taken here"),
        ("garbage", "INVALID_ARGUMENT", "no protocol buffer"),
        ("large", "RESOURCE_EXHAUSTED", "larger than 16 MiB"),
        ("bomb", "INVALID_ARGUMENT", "becomes larger than 67108864 bytes"),
        ("deflate", "UNIMPLEMENTED", "send gzip or plain messages"),
        ("nothing after all", "OK", ""),
    ] {
        let told = found[what].as_str().unwrap();
        assert!(told.starts_with(code) && told.contains(part), "{what}: {told}");
    }
    let text = server.text("/metrics");
    for limit in ["push_body", "push_gzip"] {
        let counted = format!("taffrail_http_limits_hit_total{{limit=\"{limit}\"}} 1");
        assert!(text.contains(&counted), "{counted}");
    }
}

#[test]
fn our_own_sinks_send_both_versions_and_both_protocols() {
    let mut server = serve(&["--otlp-grpc-listen=127.0.0.1:0"]);
    let (grpc, http) = (grpc_address(&mut server), server.address.clone());
    let sinks = [
        format!("--sink=remotewrite:http://{http}/api/v1/write?version=1&cluster=first"),
        format!("--sink=remotewrite:http://{http}/api/v1/write?version=2&cluster=second"),
        format!("--sink=otlp:http://{grpc}?protocol=grpc&cluster=third"),
    ];
    let sender = serve(&[&sinks[0], &sinks[1], &sinks[2]]);
    let kept = |query: &str| {
        eventually("what was sent is there", || match value(&server, query) {
            Ok(count) if count > 0.0 => Ok(count),
            other => Err(other),
        })
    };
    let first = kept("count({cluster=\"first\"})");
    let second = kept("count({cluster=\"second\"})");
    assert!(first > 5.0 && second > 5.0, "{first}, {second}");
    let memory = |cluster: &str| {
        format!("count({{cluster=\"{cluster}\",__name__=~\".*memory_working_set_bytes\"}})")
    };
    kept(&memory("first"));
    kept(&memory("second"));
    kept("count(target_info{k8s_cluster_name=\"third\"})");
    for sink in sender.get("/api/taffrail/v1/sinks")["items"].as_array().unwrap() {
        assert_eq!((&sink["failure"], &sink["dropped"]), (&Value::Null, &json!({})), "{sink}");
    }
}
