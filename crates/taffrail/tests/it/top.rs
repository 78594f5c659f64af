//! `taffrail top` against a real server and straight against a cluster: the same numbers.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output};

use serde_json::Value;

use crate::served::Served;

fn top(words: &[&str], kubeconfig: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_taffrail"))
        .arg("top")
        .args(words)
        .env_clear()
        .env("KUBECONFIG", kubeconfig)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A demo that has measured rates.
fn demo(kubeconfig: &str) -> Served {
    let demo = Served::start(&["demo", "--seed=1", "--nodes=3", "--kubeconfig-out", kubeconfig]);
    while demo.get("/api/taffrail/v1/overview")["cpu"]["usage"].is_null() {
        std::thread::yield_now();
    }
    demo
}

#[test]
fn tables_show_what_the_api_answers_and_a_cluster_can_be_measured_directly() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let kubeconfig = kubeconfig.to_str().unwrap();
    let demo = demo(kubeconfig);
    let server = format!("http://{}", demo.address);
    let asked = |words: &[&str]| top(&[words, &["--server", &server]].concat(), kubeconfig);
    // A batch may come between two questions: the same one twice around them proves the table.
    let (list, table) = loop {
        let list = demo.get("/api/taffrail/v1/pods?limit=1000");
        let table = text(&asked(&["pods", "-o", "json"]));
        if demo.get("/api/taffrail/v1/pods?limit=1000")["timestamp"] == list["timestamp"] {
            break (list, table);
        }
    };
    let table: Value = serde_json::from_str(&table).unwrap();
    let rows = table["items"].as_array().unwrap();
    assert_eq!(table["timestamp"], list["timestamp"]);
    assert_eq!(rows.len(), usize::try_from(list["total"].as_u64().unwrap()).unwrap());
    for (row, item) in rows.iter().zip(list["items"].as_array().unwrap()) {
        assert_eq!((&row["namespace"], &row["name"]), (&item["namespace"], &item["name"]));
        assert_eq!(row["cpu"]["usage"].as_f64(), item["cpu"]["usage"].as_f64());
        assert_eq!(row["memory"]["usage"].as_f64(), item["memory"]["workingSet"].as_f64());
    }
    let nodes = text(&asked(&["nodes", "--sort-by=cpu"]));
    let lines: Vec<&str> = nodes.lines().collect();
    assert!(lines[0].starts_with("NAME "), "{nodes}");
    assert_eq!(lines.len(), 4, "{nodes}");
    for subject in ["containers", "namespaces", "workloads"] {
        assert!(text(&asked(&[subject])).lines().count() > 3, "{subject}");
    }
    let direct = text(&top(&["nodes", "--source=kubernetes.summary_api:"], kubeconfig));
    assert_eq!(direct.lines().count(), 4, "{direct}");
    assert!(!direct.contains("<unknown>"), "{direct}");
}

#[test]
fn what_cannot_be_shown_says_what_to_change() {
    let check = |words: &[&str], code: i32, said: &str| {
        let output = top(words, "/nonexistent");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {text}");
        assert!(text.contains(said), "{words:?} did not say `{said}`: {text}");
    };
    check(&["nodes", "--server=http://127.0.0.1:1"], 69, "is `taffrail serve` running there?");
    check(&["nodes", "--server=ftp://x"], 64, "not a URL like http://127.0.0.1:8082");
    check(&["--server=http://127.0.0.1:1"], 64, "needs a terminal");
    check(&["nodes", "-n", "web", "--server=http://127.0.0.1:1"], 64, "--namespace narrows");
    let token = ["nodes", "--server=http://127.0.0.1:1", "--token-file=/dev/null"];
    check(&token, 78, "--token-file=/dev/null: the file is empty");
}

#[test]
fn an_answer_that_ends_early_is_told_as_that() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 4096];
        assert!(stream.read(&mut asked).unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{").unwrap();
    });
    let output = top(&["nodes", &format!("--server=http://{address}")], "/nonexistent");
    server.join().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{text}");
    assert!(text.contains("the answer ended early"), "{text}");
}
