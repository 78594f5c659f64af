//! The corpus of a fuzz target: files in a folder of the crate that mounts this; `crates/api` and
//! `crates/query` do too.

use std::fs;
use std::path::{Path, PathBuf};

/// The paths in a folder, by name.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fuzz").join(target)
}

/// The seeds are what was made; `UPDATE=1` writes them. `test` is which one to run for that.
pub(crate) fn check_seeds(target: &str, made: &[Vec<u8>], test: &str) {
    let folder = folder(target);
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(&folder).unwrap();
        for (at, bytes) in made.iter().enumerate() {
            fs::write(folder.join(format!("seed-{at:02}")), bytes).unwrap();
        }
    }
    let is_seed =
        |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("seed-");
    let kept: Vec<Vec<u8>> =
        files(&folder).iter().filter(is_seed).map(|path| fs::read(path).unwrap()).collect();
    let package = env!("CARGO_PKG_NAME");
    assert_eq!(kept, made, "{target}: UPDATE=1 cargo test -p {package} {test}");
}

/// Gives a reader every input; one that breaks it fails here, by its name. What was given.
pub(crate) fn run_all(target: &str, run: fn(&[u8])) -> Vec<Vec<u8>> {
    let check = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        let outcome = std::panic::catch_unwind(|| run(&bytes));
        assert!(outcome.is_ok(), "{target} breaks on {}", path.display());
        bytes
    };
    files(&folder(target)).iter().map(check).collect()
}
