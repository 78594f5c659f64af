//! Outages of servers that no registry has, or none without Java: `tests/servers` has their
//! protocols, with what the real ones refuse. The first write is taken without an answer, the second
//! is refused for a moment: what comes again must be the same to them.

use super::{Engine, Points, outage};
use crate::any::write_key;
use crate::pki::Pki;
use crate::python::Python;
use crate::real::free;

/// What the server says that it holds, as (minute, value).
pub(super) fn held(server: &mut Python) -> Points {
    let points: Vec<(i64, f64)> = serde_json::from_value(server.ask("list")).unwrap();
    #[expect(clippy::cast_possible_truncation, reason = "small whole numbers")]
    let whole = |value: f64| value.round() as i64;
    points.into_iter().map(|(seconds, value)| (seconds / 60, whole(value))).collect()
}

pub(super) fn store(kind: &str, server: &str, settings: &[(&str, &str)]) {
    let address = free();
    let start = || Python::start("stores.py", &[server, &address]);
    outage(kind, &format!("http://{address}"), settings, start, held);
}

#[test]
fn loki() {
    store("loki", "loki", &[]);
}

#[test]
fn influxdb_3() {
    store("influxdb3", "influxdb3", &[("token", "right")]);
}

#[test]
fn elasticsearch_8() {
    store("elasticsearch", "elasticsearch", &[("ver", "8"), ("bulkWorkers", "1")]);
}

#[test]
fn otlp_over_http() {
    store("otlp", "otlp", &[]);
}

#[test]
fn otlp_over_grpc() {
    let address = free();
    let start = || Python::start("otlp_grpc.py", &[&address]);
    outage("otlp", &format!("http://{address}"), &[("protocol", "grpc")], start, held);
}

#[test]
fn webhook() {
    store("webhook", "webhook", &[("secret", "key")]);
}

fn google(kind: &str) {
    let folder = tempfile::tempdir().unwrap();
    let address = free();
    let (credentials, api) = (write_key(folder.path(), &address), format!("http://{address}"));
    let settings =
        [("credentials", &*credentials), ("api", &api), ("zone", "z"), ("cluster_name", "c")];
    // Given, or this machine is asked whether it is one of Google's.
    let place = [("cluster_location", "z")];
    let settings = match kind {
        "stackdriver" => [&settings[..], &place].concat(),
        _ => settings[..2].to_vec(),
    };
    let pem = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/google-test-key.pem");
    let start = || Python::start("stores.py", &["google", &address, pem]);
    outage(kind, "", &settings, start, held);
}

#[test]
fn google_monitoring() {
    google("gcm");
}

#[test]
fn google_monitoring_of_clusters() {
    google("stackdriver");
}

#[test]
fn google_logging() {
    google("gcl");
}

/// moto is S3 with its checks of signatures: objects of five minutes each.
#[test]
fn s3() {
    let address = free();
    let settings = [
        ("access_key", "AKIAIOSFODNN7EXAMPLE"),
        ("secret_key", "right"),
        ("region", "us-east-1"),
        ("batch_time", "1s"),
        ("batch_bytes", "1"),
    ];
    let start = || Python::start("s3.py", &[&address]);
    outage("s3", &format!("http://{address}/metrics/k8s"), &settings, start, held);
}

/// What moto says to a wrong key shows that it looks.
#[test]
fn s3_refuses_a_wrong_signature() {
    let address = free();
    let _server = Python::start("s3.py", &[&address]);
    let settings = [
        ("access_key", "AKIAIOSFODNN7EXAMPLE"),
        ("secret_key", "wrong"),
        ("region", "us-east-1"),
        ("batch_bytes", "1"),
    ];
    let mut engine = Engine::start("s3", &format!("http://{address}/metrics"), &settings);
    engine.export(1, 1);
    let said = engine.ask("fail");
    assert!(said.contains("SignatureDoesNotMatch"), "{said}");
    engine.kill();
}

#[test]
fn email() {
    let (address, pki) = (free(), Pki::new());
    let (certificate, key) = (pki.path("server.pem"), pki.path("server.key"));
    let ca = pki.path("ca.pem");
    let settings = [
        ("cacert", &*ca),
        ("from", "taffrail@example.com"),
        ("to", "oncall@example.com"),
        ("user", "me"),
        ("pw", "secret"),
    ];
    let start = || Python::start("smtp.py", &[&certificate, &key, &address]);
    let mut seen = Points::new();
    let read = |server: &mut Python| {
        if seen.is_empty() {
            let line = |text: &str, name: &str| {
                let rest = text.lines().find_map(|line| line.strip_prefix(name));
                rest.unwrap().trim().to_owned()
            };
            for message in server.take(12) {
                let text = message["text"].as_str().unwrap();
                let time: jiff::Timestamp = line(text, "last seen: ").parse().unwrap();
                seen.push((time.as_second() / 60, line(text, "count: ").parse().unwrap()));
            }
        }
        seen.clone()
    };
    outage("email", &format!("smtp://{address}"), &settings, start, read);
}
