//! `taffrail manifests`, applied by the real kubectl to the simulated API server as a dry run.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use sim::{Config, Sim, WorldConfig};
use tokio::task::spawn_blocking;

/// What the program prints.
fn manifests(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_taffrail"))
        .arg("manifests")
        .args(words)
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A cluster that is served until the test ends.
async fn cluster() -> tempfile::NamedTempFile {
    let world = WorldConfig { nodes: 2, pods_per_node: 4, ..WorldConfig::default() };
    let start = world.start;
    let sim = Sim::start(Config::new(world, move || start)).await.unwrap();
    let kubeconfig = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(kubeconfig.path(), sim.kubeconfig()).unwrap();
    tokio::spawn(async move { sim.run(std::future::pending()).await });
    kubeconfig
}

async fn apply(kubeconfig: &tempfile::NamedTempFile, words: &[&str], text: String) -> Output {
    let kubectl = "/usr/bin/kubectl";
    assert!(std::path::Path::new(kubectl).exists(), "run `cargo xtask tools`");
    let mut command = Command::new(kubectl);
    command.args(["apply", "-f", "-", "--request-timeout=20s"]).args(words).env_clear();
    command.env("HOME", "/nonexistent").env("KUBECONFIG", kubeconfig.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = move || {
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    spawn_blocking(run).await.unwrap()
}

#[tokio::test]
async fn kubectl_applies_every_variant_as_a_dry_run() {
    let kubeconfig = cluster().await;
    for (variant, kinds) in [
        ("taffrail", 7),
        ("heapster", 8),
        ("replicas", 10),
        ("metrics-server", 11),
        ("custom-metrics", 16),
        ("dashboard", 9),
    ] {
        let text = manifests(&["--variant", variant, "--namespace=kube-system", "--push"]);
        let output = apply(&kubeconfig, &["--dry-run=server"], text).await;
        let (said, errors) = (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        );
        assert!(output.status.success(), "{variant}: {said}{errors}");
        let created = said.lines().filter(|line| line.ends_with("created (server dry run)"));
        assert_eq!((created.count(), &*errors), (kinds, ""), "{variant}: {said}");
    }
}

#[tokio::test]
async fn the_server_refuses_what_is_wrong() {
    let kubeconfig = cluster().await;
    let text = manifests(&["--namespace=kube-system"]);
    let check = async |text: String, words: &[&str], parts: &[&str]| {
        let output = apply(&kubeconfig, words, text).await;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        for part in parts {
            assert!(errors.contains(part), "`{part}` is not in {errors}");
        }
    };
    let misspelt = text.replace("readinessProbe", "readynessProbe");
    check(misspelt, &["--dry-run=server"], &["strict decoding error", "readynessProbe"]).await;
    let nowhere = manifests(&["--namespace=observe"]);
    check(nowhere, &["--dry-run=server"], &["namespaces \"observe\" not found"]).await;
    check(text, &[], &["takes dry runs only"]).await;
}

#[test]
fn a_namespace_must_be_one() {
    let output = Command::new(env!("CARGO_BIN_EXE_taffrail"))
        .args(["manifests", "--namespace=Not_One"])
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("lower case letters"));
}
