//! A configuration file with several clusters: a process for each, kept while the first one runs.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::thread::sleep;
use std::time::Instant;

use serde_json::Value;

use crate::real::{SOON, STEP, get};
use crate::served::Served;
use crate::simulated::simulate;

/// Two simulated clusters of that many nodes each, and the file that names them.
fn file(folder: &Path) -> (Vec<Served>, String) {
    let mut text = format!(
        "metric_resolution: 5s\ndata_dir: {0}/data/{{cluster}}\nsinks:\n  - kind: files\n    \
         address: {0}/files/{{cluster}}\n    compress: none\n    batch_time: 1s\n    \
         batch_bytes: 1\nclusters:\n",
        folder.display()
    );
    let mut simulated = Vec::new();
    for (name, nodes) in [("east", 1), ("west", 2)] {
        let (cluster, source) = simulate(&folder.join(name), nodes, 1);
        writeln!(text, "  - name: {name}\n    listen: 127.0.0.1:0\n    source: {source}").unwrap();
        simulated.push(cluster);
    }
    let path = folder.join("taffrail.yaml");
    fs::write(&path, text).unwrap();
    (simulated, path.display().to_string())
}

/// Waits until `found` is.
fn until<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < SOON, "it never came");
        sleep(STEP);
    }
}

/// Which cluster a line is of, and where it serves.
fn greeted(line: &str) -> (String, String) {
    let (name, rest) = line.split_once(": Taffrail serves http://").unwrap();
    (name.to_owned(), rest.split('/').next().unwrap().to_owned())
}

fn is_open(address: &str) -> bool {
    TcpStream::connect(address).is_ok()
}

/// `kill -9` to the server of a cluster of that file.
fn kill_server(file: &str, cluster: &str) {
    let cluster = format!("--cluster={cluster}");
    let of_process = |process: &fs::DirEntry| -> Option<i32> {
        let line = fs::read(process.path().join("cmdline")).ok()?;
        let words: Vec<&str> = line
            .split(|byte| *byte == 0)
            .filter_map(|word| std::str::from_utf8(word).ok())
            .collect();
        let is_it = words.contains(&&*cluster) && words.contains(&file);
        is_it.then(|| process.file_name().to_str()?.parse().ok())?
    };
    let mut processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let id = processes.find_map(|process| of_process(&process)).unwrap();
    let process = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
}

/// Lines of the files below a folder.
fn lines(folder: &Path) -> Vec<Value> {
    let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "ndjson") {
                let text = fs::read_to_string(path).unwrap();
                found.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
            }
        }
    }
    found
}

#[test]
fn each_cluster_of_a_file_has_a_server_while_the_first_process_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (_simulated, path) = file(folder.path());
    let checked = std::process::Command::new(env!("CARGO_BIN_EXE_taffrail"))
        .args(["config", "check", &path])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(said.contains("nothing wrong"), "{said}{}", String::from_utf8_lossy(&checked.stderr));
    let mut keeper = Served::start(&["serve", "--config", &path]);
    let mut servers = [greeted(&keeper.greeting), greeted(&keeper.line())];
    servers.sort_unstable();
    for ((name, address), nodes) in servers.iter().zip([1, 2]) {
        let status: Value = serde_json::from_str(&get(address, "/api/taffrail/v1/status")).unwrap();
        assert_eq!(status["cluster"]["name"], **name, "{status:#}");
        let (folder, name) = (folder.path().join("files").join(name), &**name);
        let node = until(|| {
            let lines = lines(&folder);
            let mut of_nodes = lines.into_iter().filter(|line| line["kind"] == "node");
            of_nodes.clone().nth(nodes - 1).and_then(|_| of_nodes.next())
        });
        assert_eq!(node["labels"]["cluster"], *name, "{node:#}");
    }
    // What ends is started again, the others go on.
    kill_server(&path, "west");
    let (again, address) = greeted(&keeper.line());
    assert_eq!(again, "west");
    assert!(is_open(&servers[0].1) && is_open(&address));
    // A signal ends all of them.
    assert!(keeper.stop().success());
    assert!(!is_open(&servers[0].1) && !is_open(&address));
}

#[test]
fn servers_of_a_keeper_that_was_killed_end_too() {
    let folder = tempfile::tempdir().unwrap();
    let (_simulated, path) = file(folder.path());
    let mut keeper = Served::start(&["serve", "--config", &path]);
    let servers = [greeted(&keeper.greeting), greeted(&keeper.line())];
    drop(keeper); // kill -9
    until(|| servers.iter().all(|(_, address)| !is_open(address)).then_some(()));
}

#[test]
fn one_cluster_of_a_file_runs_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (_simulated, path) = file(folder.path());
    let server = Served::start(&["serve", "--config", &path, "--cluster=west"]);
    assert!(server.greeting.starts_with("Taffrail serves"), "{}", server.greeting);
    assert_eq!(server.get("/api/taffrail/v1/status")["cluster"]["name"], "west");
}
