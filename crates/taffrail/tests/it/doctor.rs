//! `taffrail doctor` as a process, against simulated clusters over real sockets.

use std::process::{Command, Output};

use serde_json::Value;
use sim::{Certificates, Faults};
use tokio::task::spawn_blocking;

use crate::served::Served;
use crate::simulated::{Cluster, sized};

impl Cluster {
    async fn with(faults: &str, certificates: Certificates) -> Self {
        let mut config = sized(3, 3);
        config.faults = Faults::parse(faults).unwrap();
        config.certificates = certificates;
        Self::of(config).await
    }

    async fn doctor(&self, options: &str, words: &[&str]) -> Output {
        let source = format!("{}&{options}", self.source());
        let words = [&["doctor", &source], words].concat();
        let output = doctor(words).await;
        let said = [&*output.stdout, &*output.stderr].concat();
        assert!(!String::from_utf8_lossy(&said).contains(&self.token), "the token was shown");
        output
    }

    /// The diagnosis and the exit code.
    async fn json(&self, options: &str) -> (Value, Option<i32>) {
        let output = self.doctor(options, &["--all-nodes", "--output=json"]).await;
        (serde_json::from_slice(&output.stdout).unwrap(), output.status.code())
    }
}

async fn doctor<T: AsRef<str>>(words: Vec<T>) -> Output {
    let words: Vec<String> = words.iter().map(|word| word.as_ref().to_owned()).collect();
    let run = move || {
        Command::new(env!("CARGO_BIN_EXE_taffrail"))
            .args(words)
            .env_clear()
            .env("HOME", "/nonexistent")
            .output()
            .unwrap()
    };
    spawn_blocking(run).await.unwrap()
}

/// `outcome: evidence -> change` of the check `name` on `about`.
fn found(diagnosis: &Value, about: &str, name: &str) -> String {
    let checks = diagnosis["checks"].as_array().unwrap();
    let is = |check: &&Value| {
        check["name"] == name && check["about"].as_str().unwrap().starts_with(about)
    };
    let check = checks.iter().find(is).ok_or_else(|| format!("{about} {name}: {diagnosis:#}"));
    let check = check.unwrap();
    let text = |field: &str| check[field].as_str().unwrap().to_owned();
    format!("{}: {} -> {}", text("outcome"), text("evidence"), text("change"))
}

fn check(diagnosis: &Value, about: &str, name: &str, parts: &[&str]) {
    let found = found(diagnosis, about, name);
    for part in parts {
        assert!(found.contains(part), "{about} {name} did not say `{part}`: {found}");
    }
}

#[tokio::test]
async fn a_healthy_cluster_passes_everywhere() {
    let cluster = Cluster::with("", Certificates::Signed).await;
    let (diagnosis, code) = cluster.json("").await;
    assert_eq!((code, &diagnosis["outcome"]), (Some(0), &Value::from("pass")), "{diagnosis:#}");
    assert_eq!(diagnosis["firstChange"], Value::Null);
    let checks = diagnosis["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["outcome"] == "pass"), "{diagnosis:#}");
    assert_eq!(checks.len(), 7 + 17 + 1 + 3 * 8);
    check(&diagnosis, "API server", "authentication", &["a token", "sim-admin"]);
    check(&diagnosis, "API server", "tls", &["issued by taffrail-sim-ca", "until 2099"]);
    check(&diagnosis, "node-2", "tls", &["for node-2, 127.1.0.2", "verified by the address"]);
    let text = cluster.doctor("", &[]).await;
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("  ✓ summary         /stats/summary: "), "{text}");
    assert!(text.ends_with("0 failed, 0 warned, 49 passed, 0 skipped.\n"), "{text}");
    assert!(!text.contains('\u{1b}'), "colour without a terminal: {text}");
}

#[tokio::test]
async fn kubelet_certificates_are_judged_as_the_source_does() {
    let cluster = Cluster::with("", Certificates::WithoutAddress).await;
    let (diagnosis, code) = cluster.json("kubeletVia=direct").await;
    assert_eq!(code, Some(0), "{diagnosis:#}");
    check(&diagnosis, "node-1", "tls", &["pass: ", "verified by the node's name"]);
    let cluster = Cluster::with("", Certificates::SelfSigned).await;
    let (diagnosis, code) = cluster.json("kubeletVia=direct").await;
    assert_eq!(code, Some(1));
    let parts = [
        "fail: ",
        "not trusted",
        "self-signed, valid until 2099",
        "serverTLSBootstrap",
        "kubeletCA",
    ];
    check(&diagnosis, "node-1", "tls", &parts);
    check(&diagnosis, "node-1", "summary", &["skip: after tls failed"]);
    let (diagnosis, code) = cluster.json("kubeletInsecure=true").await;
    assert_eq!(code, Some(0));
    check(&diagnosis, "node-1", "tls", &["warn: not verified", "kubeletCA=FILE"]);
    // Outside the cluster the API server's proxy stands in.
    let (diagnosis, code) = cluster.json("").await;
    assert_eq!(code, Some(0), "{diagnosis:#}");
    check(&diagnosis, "node-1", "tls", &["warn: ", "not trusted"]);
    check(&diagnosis, "node-1", "proxy", &["pass: "]);
    check(&diagnosis, "node-1", "summary", &["pass: "]);
}

#[tokio::test]
async fn every_fault_is_told_by_its_hop() {
    for (faults, expected) in [
        (
            "node-1=401,node-2=403,node-3=500",
            [
                ("authentication", "fail: /stats/summary: the kubelet does not know us (401"),
                ("authorization", "verbs: [\"get\"]"),
                ("summary", "fail: /stats/summary: the kubelet answers 500"),
            ],
        ),
        (
            "node-1=garbage,node-2=truncated,node-3=skew:-2h",
            [
                ("summary", "fail: /stats/summary cannot be read"),
                ("summary", "fail: /stats/summary: the other end closed the connection"),
                ("clock", "fail: the newest sample is 2 h behind our clock"),
            ],
        ),
        (
            "node-1=hang,node-2=down,node-3=slow:10ms",
            [
                ("summary", "fail: /stats/summary: no whole answer within 1s"),
                ("tls", "the other end"),
                ("summary", "pass: "),
            ],
        ),
    ] {
        let cluster = Cluster::with(faults, Certificates::Signed).await;
        let (diagnosis, code) = cluster.json("kubeletVia=direct&kubeletTimeout=1s").await;
        assert_eq!(code, Some(1), "{faults}");
        for (node, (name, part)) in ["node-1", "node-2", "node-3"].iter().zip(expected) {
            check(&diagnosis, node, name, &[part]);
        }
    }
}

#[tokio::test]
async fn a_broken_way_to_the_api_server_ends_there() {
    let cluster = Cluster::with("", Certificates::Signed).await;
    let other = Cluster::with("", Certificates::Signed).await;
    let write = |text: String| std::fs::write(cluster.path(), text).unwrap();
    write(cluster.text.replace(&cluster.token, "another"));
    let (diagnosis, code) = cluster.json("").await;
    assert_eq!(code, Some(1));
    check(&diagnosis, "API server", "authentication", &["fail: ", "(401)", "kubectl create token"]);
    check(&diagnosis, "kubelets", "connect", &["skip: "]);
    // Its own authority's certificate is not the other's.
    write(cluster.text.replace(&cluster.url, &other.url));
    let (diagnosis, code) = cluster.json("").await;
    assert_eq!(code, Some(1));
    check(&diagnosis, "API server", "tls", &["fail: ", "not trusted; it shows kube-apiserver"]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    write(cluster.text.replace(&cluster.url, &format!("https://{free}")));
    let output = cluster.doctor("", &[]).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("✗ connect") && text.contains("connection refused"), "{text}");
    assert!(text.contains("To do first, for API server"), "{text}");
}

#[tokio::test]
async fn what_cannot_begin_ends_with_its_own_code() {
    let nothing = doctor(vec!["doctor"]).await;
    assert_eq!(nothing.status.code(), Some(78));
    let text = String::from_utf8_lossy(&nothing.stdout).into_owned();
    assert!(text.contains("✗ configuration") && text.contains("KUBECONFIG"), "{text}");
    let unknown = doctor(vec!["doctor", "--source=docker"]).await;
    assert_eq!(unknown.status.code(), Some(78));
    assert_eq!(doctor(vec!["doctor", "--output=xml"]).await.status.code(), Some(64));
}

#[tokio::test]
async fn this_machine_can_be_diagnosed() {
    let output = doctor(vec!["doctor", "--source=host", "--output=json"]).await;
    let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
    check(&diagnosis, "", "proc", &["pass: /proc read in"]);
    assert_eq!(output.status.code(), Some(0), "{diagnosis:#}");
}

/// Answers every request with this status.
fn answering(status: &'static str) -> std::net::SocketAddr {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            // Whoever only connects asks nothing.
            if stream.read(&mut request).is_ok_and(|read| read > 0) {
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                drop(stream.write_all(answer.as_bytes()));
            }
        }
    });
    address
}

#[tokio::test]
async fn sinks_and_disk_are_tried_and_sent_nothing() {
    let (well, stranger) = (answering("405 Method Not Allowed"), answering("401 Unauthorized"));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "no folder").unwrap();
    let sinks = [
        format!("--sink=influxdb:http://{well}"),
        format!("--sink=influxdb:http://{stranger}?user=me&pw=sesame"),
        format!("--sink=graphite:tcp://{closed}"),
        "--sink=statsd:udp://127.0.0.1:1".to_owned(),
        "--sink=nothing".to_owned(),
        format!("--data-dir={}", folder.path().join("new").display()),
    ];
    let mut words = vec!["doctor".to_owned(), "--source=host".to_owned()];
    words.push("--output=json".to_owned());
    words.extend(sinks);
    let output = doctor(words.clone()).await;
    assert_eq!(output.status.code(), Some(1));
    let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(!diagnosis.to_string().contains("sesame"), "{diagnosis:#}");
    let told = |part: &str| {
        let checks = diagnosis["checks"].as_array().unwrap();
        let found = checks.iter().find(|check| check.to_string().contains(part));
        let found = found.unwrap_or_else(|| panic!("{part}: {diagnosis:#}"));
        format!("{}: {} -> {}", found["outcome"], found["evidence"], found["change"])
    };
    assert!(told(&well.to_string()).contains("it answers 405"), "{diagnosis:#}");
    let refused = told(&stranger.to_string());
    assert!(refused.contains("does not accept who we are: it answers 401"), "{refused}");
    assert!(refused.contains("user, password, token or key"), "{refused}");
    let away = told(&closed.to_string());
    assert!(away.contains("is not reached: Connection refused"), "{away}");
    assert!(told("datagrams").contains("skip"), "{diagnosis:#}");
    assert!(told("sink not recognized").contains("docs/SINKS.md"), "{diagnosis:#}");
    assert!(told("it will be made").contains("are free"), "{diagnosis:#}");
    let last = words.len() - 1;
    words[last] = format!("--data-dir={}", file.join("below").display());
    let output = doctor(words).await;
    let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
    let disk = found(&diagnosis, &folder.path().display().to_string(), "disk");
    assert!(disk.starts_with("fail: ") && disk.contains("chown -R"), "{disk}");
}

#[tokio::test]
async fn a_running_server_diagnoses_itself() {
    let cluster = Cluster::with("node-2=403", Certificates::Signed).await;
    let source = cluster.source();
    let asked = spawn_blocking(move || {
        let served = Served::start(&["serve", &source, "--no-history"]);
        let prefix = "/api/taffrail/v1";
        let diagnosis = served.get(&format!("{prefix}/diagnosis"));
        let why = served.get(&format!("{prefix}/why?kind=node&name=node-2&metric=cpu/limit"));
        let there = format!("--server=http://{}", served.address);
        let run = |words: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_taffrail"));
            command.arg("why").args(words).arg(&there).env_clear().output().unwrap()
        };
        let asked = run(&["node", "node-2", "--metric=cpu/limit"]);
        assert_eq!(asked.status.code(), Some(1), "{asked:?}");
        let text = String::from_utf8_lossy(&asked.stdout).into_owned();
        assert!(text.contains("newest batch: ") || text.contains("measured"), "{text}");
        let asked = run(&["pod", "none/none", "--output=json"]);
        let answer: Value = serde_json::from_slice(&asked.stdout).unwrap();
        assert_eq!((asked.status.code(), &answer["value"]), (Some(1), &Value::Null), "{answer}");
        assert_eq!(run(&["pod", "none"]).status.code(), Some(64));
        (diagnosis, why)
    });
    let (diagnosis, why) = asked.await.unwrap();
    check(&diagnosis, "node-1", "summary", &["pass: "]);
    check(&diagnosis, "node-2", "authorization", &["fail: ", "nodes/stats"]);
    check(&diagnosis, "", "watch", &["kinds listed"]);
    assert!(diagnosis["firstChange"].as_str().unwrap().contains("nodes/stats"), "{diagnosis:#}");
    assert_eq!(why["value"], Value::Null, "{why:#}");
    assert!(!diagnosis.to_string().contains(&cluster.token));
}
