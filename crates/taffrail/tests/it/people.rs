//! Whose rights count where nobody signs in.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use sim::Certificates;
use tokio::task::spawn_blocking;

use crate::doctor::Cluster;
use crate::served::Served;

/// The status of a GET by somebody who says that they ask this machine for itself.
fn asked_as_localhost(served: &Served, path: &str) -> String {
    let (_, port) = served.address.rsplit_once(':').unwrap();
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubeconfig_serves_this_machine_only() {
    let cluster = Cluster::with("", Certificates::default()).await;
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
