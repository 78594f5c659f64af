//! Long tests: the gate runs a few rounds of them, these verbs as many as are asked for.

use std::process::Command;

use crate::bench::number;
use crate::process::{Outcome, root, run};

/// `soak kill`: kills a process that ingests with -9, opens what it left, and goes on with it:
/// first the store alone as fast as it can, then `taffrail serve` under `taffrail simulate`.
pub(crate) fn kill(options: &[&str]) -> Outcome {
    let rounds = number(options, "--rounds", 1000)?;
    let served = number(options, "--serve-rounds", rounds)?;
    let lanes = number(options, "--lanes", 16)?;
    if rounds > 0 {
        run(Command::new(env!("CARGO"))
            .args(["test", "--release", "--package", "store", "--test", "it", "--locked", "--"])
            .args(["--exact", "killed::what_was_acknowledged_survives_kill_9", "--nocapture"])
            .env("TAFFRAIL_KILL_ROUNDS", rounds.to_string())
            .current_dir(root()))?;
    }
    if served == 0 {
        return Ok(());
    }
    run(Command::new(env!("CARGO"))
        .args(["test", "--package", "taffrail", "--test", "it", "--locked", "--"])
        .args(["--exact", "killed::what_a_server_answered_survives_kill_9", "--nocapture"])
        .env("TAFFRAIL_SERVE_KILL_ROUNDS", served.to_string())
        .env("TAFFRAIL_SERVE_KILL_LANES", lanes.to_string())
        .current_dir(root()))
}
