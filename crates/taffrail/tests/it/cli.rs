//! The binary as a process: exit codes and messages.

use std::process::{Command, Output};

fn taffrail(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_taffrail"))
        .args(words)
        .env_clear()
        .env("HOME", "/nonexistent")
        .output()
        .unwrap()
}

fn check(words: &[&str], code: i32, said: &[&str]) {
    let output = taffrail(words);
    let text = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {text}");
    for part in said {
        assert!(text.contains(part), "{words:?} did not say `{part}`: {text}");
    }
}

#[test]
fn help_and_version_are_no_failure() {
    check(&["--help"], 0, &["taffrail demo", "Exit codes"]);
    check(&["--version"], 0, &["taffrail 0.1.0"]);
    check(&["completions", "bash"], 0, &["complete -F"]);
}

#[test]
fn bad_usage_is_64_and_says_what_is_known() {
    check(&["serve", "--sorce=x"], 64, &["--source"]);
    check(&["serve", "--metric-resolution=1s"], 64, &["at least 5s"]);
    check(&["serve", "--log=a=b=c"], 64, &["--log=a=b=c", "give a level"]);
    check(&["serve", "--tls-cert=/x"], 64, &["--tls-key"]);
}

#[test]
fn bad_configuration_is_78_and_names_the_change() {
    check(&["serve", "--source=docker"], 78, &["kubernetes.summary_api", "host"]);
    check(&["serve", "--source=kubernetes:?kubeletport=1"], 78, &["did you mean \"kubeletPort\""]);
    check(&["serve", "--source=host:x"], 78, &["no options"]);
    check(&["serve"], 78, &["taffrail demo", "--source=host"]);
    check(
        &["serve", "--source=host", "--listen=127.0.0.1:0", "--sink=nosuch"],
        78,
        &["sink not recognized", "no available sink"],
    );
    check(
        &["serve", "--source=host", "--listen=127.0.0.1:0", "--tls-cert=/nope", "--tls-key=/nope"],
        78,
        &["cannot read /nope"],
    );
}

#[test]
fn a_taken_port_is_69_and_says_how_to_choose_another() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("--listen={}", taken.local_addr().unwrap());
    check(&["serve", "--source=host", &listen], 69, &["cannot listen on", "--listen"]);
}

#[test]
fn a_configuration_file_is_checked_with_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("taffrail.yaml");
    let shown = path.to_str().unwrap();
    std::fs::write(&path, taffrail(&["config", "print-default"]).stdout).unwrap();
    check(&["config", "check", shown], 0, &["nothing wrong"]);
    std::fs::write(&path, "listen: x\nsinks:\n  - kind: s3\n    region: y\n").unwrap();
    let told = [&*format!("{shown}:1: listen: "), &*format!("{shown}:3: sinks[0]: ")];
    check(&["config", "check", shown], 78, &told);
    check(&["serve", "--config", shown], 78, &told);
}
