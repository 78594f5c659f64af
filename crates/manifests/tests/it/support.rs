//! Programs that the tests ask, and objects without what tells two ways of writing them apart.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use manifests::{Options, documents};
use serde_json::Value;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs `tests/tools.py`.
pub(crate) fn tools(words: &[&str], input: &str) -> Value {
    let python = root().join("target/tools/python/bin/python");
    assert!(python.exists(), "{} is missing: run `cargo xtask tools`", python.display());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools.py");
    let mut command = Command::new(python);
    command.arg(script).args(words);
    serde_json::from_str(&answer(command, input)).unwrap()
}

/// Standard output of a program that must succeed.
pub(crate) fn answer(mut command: Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn objects(options: &Options) -> Vec<Value> {
    documents(options).into_iter().map(|document| document.object).collect()
}

/// In one order, so that two lists of the same objects are equal.
pub(crate) fn sorted(mut objects: Vec<Value>) -> Vec<Value> {
    let key = |object: &Value| format!("{} {}", object["kind"], object["metadata"]["name"]);
    objects.sort_by_key(key);
    objects
}

pub(crate) fn same(left: Vec<Value>, right: Vec<Value>) {
    let (left, right) = (sorted(left), sorted(right));
    for (left, right) in left.iter().zip(&right) {
        assert!(left == right, "{left:#}\nis not\n{right:#}");
    }
    assert_eq!(left.len(), right.len());
}

pub(crate) fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list,
        other => panic!("{other} is no list"),
    }
}
