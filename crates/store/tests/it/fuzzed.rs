//! The corpus of the fuzz targets: inputs to begin with, and every input that once broke a reader.
//!
//! `cargo xtask fuzz` begins with these files; what it finds is kept here as `crash-*`.

use std::fs;
use std::path::{Path, PathBuf};

use store::fuzz::{TARGETS, seeds};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Cuts the database of the format's first version into inputs; `UPDATE=1` writes them.
#[test]
fn parts_of_a_database_are_inputs() {
    for (target, _) in TARGETS {
        let mut made = Vec::new();
        for part in ["wal", "blocks", "events"] {
            for path in files(&fixtures().join("v1").join(part)) {
                let name = path.file_name().unwrap().to_str().unwrap();
                let parts = seeds(name, &fs::read(&path).unwrap());
                let own = parts.into_iter().filter(|(of, _)| of == target);
                made.extend(own.map(|(_, bytes)| bytes));
            }
        }
        made.sort();
        made.dedup();
        assert!(!made.is_empty(), "no input for {target}");
        let folder = fixtures().join("fuzz").join(target);
        if std::env::var_os("UPDATE").is_some() {
            fs::create_dir_all(&folder).unwrap();
            for (at, bytes) in made.iter().enumerate() {
                fs::write(folder.join(format!("seed-{at:02}")), bytes).unwrap();
            }
        }
        let is_seed =
            |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("seed-");
        let kept = files(&folder)
            .iter()
            .filter(is_seed)
            .map(|path| fs::read(path).unwrap())
            .collect::<Vec<_>>();
        assert_eq!(kept, made, "{target}: UPDATE=1 cargo test -p store parts_of_a_database");
    }
}

/// A reader that panics on one of them fails here, by its name.
#[test]
fn no_input_of_the_corpus_breaks_a_reader() {
    for (target, run) in TARGETS {
        for path in files(&fixtures().join("fuzz").join(target)) {
            let bytes = fs::read(&path).unwrap();
            let outcome = std::panic::catch_unwind(|| run(&bytes));
            assert!(outcome.is_ok(), "{target} breaks on {}", path.display());
            // Cut anywhere, too.
            for len in 0..bytes.len().min(512) {
                run(&bytes[..len]);
            }
        }
    }
}
