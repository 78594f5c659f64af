//! Servers written in Python with their protocol's own libraries: `tests/servers/*.py`. Each prints
//! its address, then what it got, a line of JSON each, until its input ends.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A server; its process ends with it.
pub(crate) struct Python {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// What it printed first.
    pub(crate) address: String,
}

impl Python {
    pub(crate) fn start(script: &str, arguments: &[&str]) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python: PathBuf = here.join("../../target/tools/python/bin/python");
        let mut process = Command::new(&python)
            .arg(here.join("tests/servers").join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}: run cargo xtask tools", python.display()));
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = lines.next();
        let address = first.unwrap_or_else(|| panic!("{script} ends: run cargo xtask tools"));
        Self { process, lines, address: address.unwrap() }
    }

    /// The next thing that it got; waits for it.
    pub(crate) fn next(&mut self) -> Value {
        let line = self.lines.next().expect("the server runs").unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// What it answers to a line.
    pub(crate) fn ask(&mut self, line: &str) -> Value {
        writeln!(self.process.stdin.as_mut().unwrap(), "{line}").unwrap();
        self.next()
    }

    /// The next `count` things.
    pub(crate) fn take(&mut self, count: usize) -> Vec<Value> {
        (0..count).map(|_| self.next()).collect()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
