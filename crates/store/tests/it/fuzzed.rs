//! The corpus of the fuzz targets: inputs to begin with, and every input that once broke a reader.
//!
//! `cargo xtask fuzz` begins with these files; what it finds is kept here as `crash-*`.

use std::fs;
use std::path::Path;

use store::fuzz::{TARGETS, seeds};

#[path = "fuzzed/corpus.rs"]
mod corpus;

/// Cuts the database of the format's first version into inputs.
#[test]
fn parts_of_a_database_are_inputs() {
    let database = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1");
    for (target, _) in TARGETS {
        let mut made = Vec::new();
        for part in ["wal", "blocks", "events"] {
            for path in corpus::files(&database.join(part)) {
                let name = path.file_name().unwrap().to_str().unwrap();
                let parts = seeds(name, &fs::read(&path).unwrap());
                let own = parts.into_iter().filter(|(of, _)| of == target);
                made.extend(own.map(|(_, bytes)| bytes));
            }
        }
        made.sort();
        made.dedup();
        assert!(!made.is_empty(), "no input for {target}");
        corpus::check_seeds(target, &made, "parts_of_a_database");
    }
}

#[test]
fn no_input_of_the_corpus_breaks_a_reader() {
    for (target, run) in TARGETS {
        for bytes in corpus::run_all(target, *run) {
            // Cut anywhere, too.
            for len in 0..bytes.len().min(512) {
                run(&bytes[..len]);
            }
        }
    }
}
