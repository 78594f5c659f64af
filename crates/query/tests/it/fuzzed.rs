//! The corpus of the fuzz target: expressions to begin with, and every input that once broke the
//! evaluator.
//!
//! `cargo xtask fuzz query_promql` begins with these files; what it finds is kept here as
//! `crash-*`.

use query::promql::fuzz_promql;

use super::differential::expressions;

#[path = "../../../store/tests/it/fuzzed/corpus.rs"]
mod corpus;

/// Of how many listed expressions one becomes an input.
const EVERY: usize = 60;

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

#[test]
fn expressions_are_inputs() {
    let all = expressions::all(40);
    let made: Vec<Vec<u8>> =
        all.iter().step_by(EVERY).map(|text| renamed(text).into_bytes()).collect();
    corpus::check_seeds("promql", &made, "expressions_are_inputs");
}

/// An evaluator that panics on one of them fails here, by its name.
#[test]
fn no_input_of_the_corpus_breaks_the_evaluator() {
    corpus::run_all("promql", fuzz_promql);
}
