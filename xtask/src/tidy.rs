//! The house rules as tests; each message says what to change.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::root;

/// What each crate may import of ours. The whole architecture, in one table.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("store", &["model"]),
    ("query", &["model"]),
    ("pipeline", &["model"]),
    ("cluster", &["model", "pipeline", "once"]),
    ("host", &["model", "pipeline", "once"]),
    ("manifests", &["cluster", "once"]),
    ("replicas", &["model", "pipeline", "cluster"]),
    ("sinks", &["model", "tls", "once"]),
    ("scrape", &["model", "pipeline", "tls", "once"]),
    ("web", &[]),
    ("top", &[]),
    ("sim", &["model", "tls", "once"]),
    ("yaml", &[]),
    ("once", &[]),
    ("tls", &[]),
    ("serde-saphyr", &["yaml"]),
    ("jsonpath-rust", &[]),
    ("rules", &["query", "yaml"]),
    ("api", &["model", "query", "rules", "web", "once"]),
    (
        "taffrail",
        &[
            "model",
            "store",
            "query",
            "pipeline",
            "cluster",
            "host",
            "sinks",
            "web",
            "sim",
            "api",
            "replicas",
            "manifests",
            "top",
            "rules",
            "scrape",
            "yaml",
            "once",
        ],
    ),
    ("xtask", &[]),
];

/// Lines of code that a file may hold, its tests left out.
const MAX_CODE_LINES: usize = 500;

/// Packages in Cargo.lock, other platforms' included. Lower it when you can; raise it with a
/// reason in the commit.
const MAX_LOCKED_PACKAGES: usize = 425;

/// Licences that may be in the binary.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Unicode-3.0",
    "Zlib",
    "CDLA-Permissive-2.0",
    "0BSD",
    "BSL-1.0",
    "MIT-0",
    "Unlicense",
    "CC0-1.0",
];

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

/// Folders with a manifest: every crate and xtask.
fn members() -> Vec<(String, PathBuf)> {
    let mut members: Vec<(String, PathBuf)> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .chain([root().join("xtask")])
        .filter(|path| path.join("Cargo.toml").exists())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path))
        .collect();
    members.sort();
    members
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("fixtures") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_rust_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (_, folder) in members() {
        rust_files(&folder, &mut found);
    }
    found.sort();
    found
}

#[test]
fn dependencies_point_down() {
    let members = members();
    let names: BTreeSet<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    for (name, folder) in &members {
        let allowed = MAY_IMPORT
            .iter()
            .find(|(member, _)| member == name)
            .unwrap_or_else(|| panic!("say in xtask/src/tidy.rs what {name} may import"))
            .1;
        let manifest = read(&folder.join("Cargo.toml"));
        let dependencies =
            manifest.split("\n[dependencies]").nth(1).unwrap_or("").split("\n[").next().unwrap();
        for line in dependencies.lines() {
            let used = line.split(['.', ' ', '=']).next().unwrap_or("");
            if names.contains(used) {
                assert!(allowed.contains(&used), "{name} must not use {used}");
            }
        }
    }
}

#[test]
fn files_say_what_they_are_and_stay_small() {
    let mut wrong = Vec::new();
    for path in all_rust_files() {
        let text = read(&path);
        let shown = path.strip_prefix(root()).unwrap().display().to_string();
        if !text.starts_with("//!") {
            wrong.push(format!("{shown}: begin with `//!` and one sentence"));
        }
        if path.ends_with("mod.rs") {
            wrong.push(format!("{shown}: name it after its folder instead"));
        }
        let is_test = shown.contains("/tests/") || shown.ends_with("tests.rs");
        let code = text.split("\n#[cfg(test)]").next().unwrap_or("").lines().count();
        if code > MAX_CODE_LINES && !is_test {
            wrong.push(format!("{shown}: {code} lines; split it ({MAX_CODE_LINES} at most)"));
        }
        if text.contains(concat!("TO", "DO")) && !shown.ends_with("tidy.rs") {
            wrong.push(format!("{shown}: finish it or file an issue"));
        }
        if text.contains(concat!("#[ig", "nore")) {
            wrong.push(format!("{shown}: an ignored test is no test"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn architecture_names_every_crate() {
    let text = read(&root().join("docs/ARCHITECTURE.md"));
    for (name, _) in members() {
        assert!(
            text.contains(&format!("### {name}")),
            "docs/ARCHITECTURE.md has no heading for {name}"
        );
    }
    for line in text.lines().filter_map(|line| line.strip_prefix("### ")) {
        assert!(
            members().iter().any(|(name, _)| name == line.trim()),
            "docs/ARCHITECTURE.md has a heading for {line}, which is no crate"
        );
    }
}

#[test]
fn decisions_are_listed() {
    let index = read(&root().join("docs/ARCHITECTURE.md"));
    for entry in fs::read_dir(root().join("docs/decisions")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(index.contains(&name), "list docs/decisions/{name} in docs/ARCHITECTURE.md");
    }
}

/// Sinks: those that have a file, those of the list, those with golden files, those of the page.
#[test]
fn every_sink_is_listed_tested_and_described() {
    let sinks = root().join("crates/sinks");
    let mut files = Vec::new();
    rust_files(&sinks.join("src"), &mut files);
    let mut with_file: Vec<String> = files
        .iter()
        .filter(|path| read(path).contains("pub(crate) const KIND: Kind = Kind {"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    with_file.sort();
    let lib = read(&sinks.join("src/lib.rs"));
    let list = lib.split("pub const ALL: &[Kind] = &[").nth(1).unwrap().split("];").next().unwrap();
    let mut listed: Vec<String> = list
        .split(',')
        .filter_map(|row| row.trim().strip_suffix("::KIND").map(str::to_owned))
        .collect();
    listed.sort();
    assert_eq!(listed, with_file, "sinks::ALL and the files with a KIND differ");
    let page = read(&root().join("docs/SINKS.md"));
    let mut described = page.lines().filter_map(|line| line.strip_prefix("## ")).skip(1).count();
    for path in files.iter().filter(|path| read(path).contains("const KIND: Kind = Kind {")) {
        let text = read(path);
        let key = text.split("key: \"").nth(1).unwrap().split('"').next().unwrap();
        let golden = sinks.join("tests/golden").join(key);
        assert!(golden.is_dir(), "{} is missing: cargo xtask golden", golden.display());
        assert!(page.contains(&format!("\n## {key}\n")), "docs/SINKS.md lacks {key}");
        described -= 1;
    }
    assert_eq!(described, 0, "docs/SINKS.md describes a sink that is gone");
}

#[test]
fn changelog_has_an_unreleased_head() {
    assert!(read(&root().join("CHANGELOG.md")).contains("## Unreleased"));
}

#[test]
fn the_lock_does_not_grow() {
    let packages = read(&root().join("Cargo.lock")).matches("[[package]]").count();
    assert!(
        packages <= MAX_LOCKED_PACKAGES,
        "Cargo.lock holds {packages} packages, {MAX_LOCKED_PACKAGES} at most"
    );
}

#[test]
fn one_crypto_provider_and_no_openssl() {
    let lock = read(&root().join("Cargo.lock"));
    for banned in ["aws-lc-rs", "openssl-sys", "native-tls"] {
        assert!(!lock.contains(&format!("name = \"{banned}\"")), "{banned} came in: rustls + ring");
    }
}

#[test]
fn licences_are_known() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut unknown = BTreeSet::new();
    for rest in text.split("\"license\":\"").skip(1) {
        let licence = rest.split('"').next().unwrap_or("");
        let known = licence.split(" OR ").flat_map(|choice| choice.split('/')).any(|choice| {
            choice.split(" AND ").all(|part| LICENCES.contains(&part.trim_matches(['(', ')', ' '])))
        });
        if !known {
            unknown.insert(licence.to_owned());
        }
    }
    assert!(unknown.is_empty(), "licences to look at: {unknown:?}");
}
