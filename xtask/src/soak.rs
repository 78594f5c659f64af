//! Long tests: the gate runs a few rounds of them, these verbs as many as are asked for.

use std::process::Command;

use crate::bench::number;
use crate::process::{Outcome, root, run};

/// `soak kill`: kills a process that ingests with -9, opens what it left, and goes on with it.
pub(crate) fn kill(options: &[&str]) -> Outcome {
    let rounds = number(options, "--rounds", 1000)?;
    run(Command::new(env!("CARGO"))
        .args(["test", "--release", "--package", "store", "--test", "it", "--locked", "--"])
        .args(["--exact", "killed::what_was_acknowledged_survives_kill_9", "--nocapture"])
        .env("TAFFRAIL_KILL_ROUNDS", rounds.to_string())
        .current_dir(root()))
}
