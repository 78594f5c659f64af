//! Outages of what vendors ran, or run: no registry has a server of theirs. `tests/servers` has
//! their protocols; those of TCP alone are in `vendors.py`. Here too the first write is taken
//! without an answer and the second is not taken.

use std::fs;
use std::path::{Path, PathBuf};

use super::protocols::{held, store};
use super::{Points, outage};
use crate::python::Python;
use crate::real::free;

/// An outage of a server that keeps twice what comes twice, as the write without an answer does.
fn repeated(kind: &str, address: &str, settings: &[(&str, &str)], start: impl FnOnce() -> Python) {
    let read = |server: &mut Python| {
        let mut points = held(server);
        let all = points.len();
        points.dedup();
        assert!(all <= points.len() + 1, "more than the unanswered write came twice");
        points
    };
    outage(kind, address, settings, start, read);
}

#[test]
fn riemann() {
    let address = free();
    let start = || Python::start("vendors.py", &["riemann", &address]);
    repeated("riemann", &format!("http://{address}"), &[("host", "h")], start);
}

#[test]
fn wavefront() {
    let address = free();
    let start = || Python::start("vendors.py", &["wavefront", &address]);
    outage("wavefront", &address, &[], start, held);
}

#[test]
fn hawkular() {
    store("hawkular", "hawkular", &[("tenant", "k8s")]);
}

#[test]
fn honeycomb() {
    let address = free();
    let start = || Python::start("stores.py", &["honeycomb", &address]);
    let api = format!("http://{address}");
    repeated("honeycomb", "", &[("writekey", "right"), ("apihost", &api)], start);
}

#[test]
fn librato() {
    let address = free();
    let start = || Python::start("stores.py", &["librato", &address]);
    let api = format!("http://{address}");
    repeated("librato", "", &[("username", "me"), ("token", "right"), ("api", &api)], start);
}

/// Files end in `folder`, in the order of their names.
fn files_in(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_in(&path, found) } else { found.push(path) }
    }
    found.sort_unstable();
}

/// The disk is away: a file stands where the folder should be.
#[test]
fn files() {
    let disk = tempfile::tempdir().unwrap();
    let folder = disk.path().join("metrics");
    fs::write(&folder, "").unwrap();
    let start = || {
        fs::remove_file(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
    };
    let read = |(): &mut ()| {
        let mut found = Vec::new();
        files_in(&folder, &mut found);
        let text: String = found.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        let lines = text.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let time: jiff::Timestamp = line["time"].as_str().unwrap().parse().unwrap();
            (time.as_second() / 60, line["metrics"]["cpu/usage_rate"].as_i64().unwrap())
        });
        lines.collect::<Points>()
    };
    let settings = [("compress", "none"), ("batch_time", "1s"), ("batch_bytes", "1")];
    outage("files", folder.to_str().unwrap(), &settings, start, read);
}
