//! `taffrail serve` without a source: in a pod, with a kubeconfig, and with neither.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::served::Served;
use crate::simulated::{Cluster, sized};

const PATIENCE: Duration = Duration::from_mins(2);
const TICK: &str = "--metric-resolution=5s";

/// The status once every node has answered.
fn measured(served: &Served) -> Value {
    let begun = Instant::now();
    loop {
        let status = served.get("/api/taffrail/v1/status");
        if status["targets"]["up"] == 2 {
            return status;
        }
        assert!(begun.elapsed() < PATIENCE, "{status:#}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// What a pod's folder holds.
fn account(folder: &Path, cluster: &Cluster) {
    std::fs::write(folder.join("token"), &cluster.token).unwrap();
    std::fs::write(folder.join("ca.crt"), &cluster.ca).unwrap();
    std::fs::write(folder.join("namespace"), "observe").unwrap();
}

fn in_a_pod(cluster: &Cluster) {
    let (host, port) = cluster.url.strip_prefix("https://").unwrap().split_once(':').unwrap();
    let folder = tempfile::tempdir().unwrap();
    account(folder.path(), cluster);
    let place = folder.path().display().to_string();
    let variables = [
        ("HOME", &*place),
        ("KUBERNETES_SERVICE_HOST", host),
        ("KUBERNETES_SERVICE_PORT", port),
        ("TAFFRAIL_SERVICE_ACCOUNT", &place),
    ];
    let served = Served::in_environment(&variables, &["serve", TICK]);
    assert!(served.greeting.contains("source kubernetes.summary_api"), "{}", served.greeting);
    let status = measured(&served);
    assert_eq!(status["cluster"]["name"], "in-cluster");
    assert_eq!(status["kubelets"]["way"], "direct");
    let why = status["kubelets"]["why"].as_str().unwrap();
    assert!(why.contains("the node proxy is never used there"), "{why}");
    // History is kept in the home's data folder, told in the greeting.
    assert!(served.greeting.contains(&place), "{}", served.greeting);
    // A pod with a token and no authority: the file is named, and nothing else is tried.
    std::fs::remove_file(folder.path().join("ca.crt")).unwrap();
    check(&variables, 78, &["ca.crt cannot be read", "it must hold certificates in PEM"]);
}

fn with_a_kubeconfig(cluster: &Cluster) {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".kube")).unwrap();
    std::fs::write(home.path().join(".kube/config"), &cluster.text).unwrap();
    let place = home.path().display().to_string();
    let served = Served::in_environment(&[("HOME", &place)], &["serve", TICK]);
    let status = measured(&served);
    assert_eq!(status["cluster"]["name"], "sim");
    let why = status["kubelets"]["why"].as_str().unwrap();
    assert_eq!(why, "kubelets are reached at their own addresses from here");
    drop(served);
    // KUBECONFIG leads before the home, and one that is broken is not passed over.
    let broken = home.path().join("broken");
    std::fs::write(&broken, "{").unwrap();
    let broken = broken.display().to_string();
    let variables = [("HOME", &*place), ("KUBECONFIG", &broken)];
    check(&variables, 78, &[&broken, "kubectl config view"]);
}

/// An API server by its URL, with an authority and a token in files.
fn with_files(cluster: &Cluster) {
    let (folder, url) = (tempfile::tempdir().unwrap(), &cluster.url);
    account(folder.path(), cluster);
    let place = folder.path().display().to_string();
    let source = format!(
        "--source=kubernetes.summary_api:{url}?inClusterConfig=false&ca={place}/ca.crt&tokenFile={place}/token"
    );
    let served = Served::in_environment(&[("HOME", &place)], &["serve", TICK, &source]);
    let status = measured(&served);
    assert_eq!(status["cluster"]["url"], *url);
    assert_eq!(status["problems"], Value::Array(Vec::new()), "{status:#}");
}

/// Ends at once with this code, and says these things.
fn check(variables: &[(&str, &str)], code: i32, said: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taffrail"));
    command.args(["serve", "--listen=127.0.0.1:0"]).env_clear();
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in said {
        assert!(text.contains(part), "it does not say `{part}`: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_measures_the_cluster_that_is_there() {
    let cluster = Cluster::of(sized(2, 3)).await;
    let tried = spawn_blocking(move || {
        in_a_pod(&cluster);
        with_a_kubeconfig(&cluster);
        with_files(&cluster);
    });
    tried.await.unwrap();
}

#[test]
fn without_any_it_names_the_choice() {
    let choice = [
        "there is no kubeconfig, and this is not a pod with a service account",
        "KUBECONFIG",
        "`taffrail demo` shows a simulated one",
        "`taffrail serve --source=host` measures this machine",
    ];
    check(&[("HOME", "/nonexistent")], 78, &choice);
    check(&[], 78, &choice);
    // The variables of a pod without its token are no pod.
    let pod = [("KUBERNETES_SERVICE_HOST", "127.0.0.1"), ("KUBERNETES_SERVICE_PORT", "1")];
    check(&pod, 78, &choice);
}
