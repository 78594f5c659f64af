//! The corpus of the fuzz target: expressions to begin with, and every input that once broke the
//! evaluator.
//!
//! `cargo xtask fuzz query_promql` begins with these files; what it finds is kept here as
//! `crash-*`.

use std::fs;
use std::path::{Path, PathBuf};

use query::promql::fuzz_promql;

use super::differential::expressions;

/// Of how many listed expressions one becomes an input.
const EVERY: usize = 60;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fuzz/promql")
}

fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The expression with its metrics called as the target's.
fn renamed(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = String::new();
    for part in text.split_inclusive(|c: char| !is_word(c)) {
        let word = part.trim_end_matches(|c: char| !is_word(c));
        out.push_str(match word {
            "g" | "c" | "k" | "u" | "t" | "one" | "info" => "a",
            "gap" | "odd" => "b",
            "h_bucket" => "h",
            other => other,
        });
        out.push_str(part.strip_prefix(word).unwrap());
    }
    out
}

/// `UPDATE=1` writes them.
#[test]
fn expressions_are_inputs() {
    let made: Vec<String> =
        expressions::all(40).iter().step_by(EVERY).map(|text| renamed(text)).collect();
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(folder()).unwrap();
        for (at, text) in made.iter().enumerate() {
            fs::write(folder().join(format!("seed-{at:02}")), text).unwrap();
        }
    }
    let is_seed =
        |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("seed-");
    let kept: Vec<String> =
        files().iter().filter(is_seed).map(|path| fs::read_to_string(path).unwrap()).collect();
    assert_eq!(kept, made, "UPDATE=1 cargo test -p query expressions_are_inputs");
}

/// An evaluator that panics on one of them fails here, by its name.
#[test]
fn no_input_of_the_corpus_breaks_the_evaluator() {
    for path in files() {
        let bytes = fs::read(&path).unwrap();
        let outcome = std::panic::catch_unwind(|| fuzz_promql(&bytes));
        assert!(outcome.is_ok(), "it breaks on {}", path.display());
    }
}
