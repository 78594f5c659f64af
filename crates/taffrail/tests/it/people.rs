//! Whose rights count where nobody signs in.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use tokio::task::spawn_blocking;

use crate::served::Served;
use crate::simulated::{Cluster, sized};

/// The status of a GET by somebody who says that they ask this machine for itself.
fn asked_as_localhost(served: &Served, path: &str) -> String {
    let (_, port) = served.address.rsplit_once(':').unwrap();
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

/// The status of a request with these lines of head and this body, and the whole answer.
fn asked(served: &Served, line: &str, head: &str, body: &str) -> (u16, String) {
    let (_, port) = served.address.rsplit_once(':').unwrap();
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let length = body.len();
    write!(
        stream,
        "{line} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{head}\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_loopback_everybody_signs_in_unless_told_otherwise() {
    let cluster = Cluster::of(sized(3, 3)).await;
    let (source, token) = (cluster.source(), cluster.token.clone());
    spawn_blocking(move || {
        let served = Served::start(&["serve", &source, "--no-history", "--listen=0.0.0.0:0"]);
        let status = |line: &str, head: &str| asked(&served, line, head, "").0;
        let closed = [
            "GET /api/taffrail/v1/status",
            "GET /api/taffrail/v1/pods",
            "GET /api/taffrail/v1/objects/kinds",
            "GET /metrics",
            "GET /api/v1/query?query=up",
            "GET /api/v1/model/metrics",
            "GET /api/v1/metric-export",
            "GET /federate?match[]=up",
            "GET /apis/metrics/v1alpha1/nodes",
            "POST /api/taffrail/v1/objects/apply",
            "POST /api/taffrail/v1/alerts/silences",
        ];
        for line in closed {
            assert_eq!(status(line, ""), 401, "{line}");
            assert_eq!(status(line, "Authorization: Bearer guessed\r\n"), 401, "{line}");
        }
        // The page and the probe hold no data; who has a token of the cluster is let in.
        assert_eq!(status("GET /", ""), 200);
        assert_ne!(status("GET /healthz", ""), 401);
        let own = format!("Authorization: Bearer {token}\r\n");
        assert_eq!(status("GET /api/taffrail/v1/status", &own), 200);
        let (_, session) = asked(&served, "GET /api/taffrail/v1/session", "", "");
        assert!(
            session.contains("\"login\":true") && session.contains("\"user\":null"),
            "{session}"
        );
        // Signed in by the page: the cookie lets in, and only where it is shown.
        let body = format!("{{\"token\":\"{token}\",\"path\":\"/\"}}");
        let (code, answer) = asked(&served, "POST /api/taffrail/v1/session", "", &body);
        assert_eq!(code, 200, "{answer}");
        let cookie = answer.split("set-cookie: ").nth(1).unwrap();
        for part in ["HttpOnly", "Secure", "SameSite=Strict"] {
            assert!(cookie.split("\r\n").next().unwrap().contains(part), "{cookie}");
        }
        let cookie = cookie.split(';').next().unwrap();
        assert_eq!(status("GET /api/taffrail/v1/pods", &format!("Cookie: {cookie}\r\n")), 200);
    })
    .await
    .unwrap();
}

#[test]
fn without_a_cluster_nobody_can_sign_in_so_that_beyond_loopback_it_does_not_start() {
    let words = ["serve", "--source=host", "--no-history", "--listen=0.0.0.0:0"];
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_taffrail"))
        .args(words)
        .env_clear()
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("--login") && said.contains("--login=off"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubeconfig_serves_this_machine_only() {
    let cluster = Cluster::of(sized(3, 3)).await;
    let source = cluster.source();
    spawn_blocking(move || {
        let objects = "/api/taffrail/v1/objects/kinds";
        let here = Served::start(&["serve", &source, "--no-history"]);
        assert_eq!(asked_as_localhost(&here, objects), "200");
        let open = ["serve", &source, "--no-history", "--login=off", "--listen=0.0.0.0:0"];
        let open = Served::start(&open);
        assert_eq!(asked_as_localhost(&open, objects), "401");
        assert_eq!(asked_as_localhost(&open, "/api/taffrail/v1/status"), "200");
    })
    .await
    .unwrap();
}
