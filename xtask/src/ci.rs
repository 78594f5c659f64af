//! The gate: the same steps on a developer's machine and in CI.

use std::process::Command;
use std::thread;

use crate::child::Running;
use crate::process::{Outcome, cargo, npm, root, run};
use crate::tools;

/// Everything, in the order in which a mistake is cheapest to see.
pub(crate) fn gate() -> Outcome {
    tools::install()?;
    cargo(&["fmt", "--all", "--check"])?;
    ui()?;
    cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    cargo(&["test", "--workspace", "--locked"])?;
    end_to_end()?;
    run(Command::new(env!("CARGO"))
        .args(["doc", "--workspace", "--no-deps", "--locked"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .current_dir(root()))
}

/// Applies every fixer.
pub(crate) fn fix() -> Outcome {
    cargo(&["clippy", "--workspace", "--all-targets", "--fix", "--allow-dirty"])?;
    cargo(&["fmt", "--all"])
}

/// Rewrites golden files.
pub(crate) fn golden() -> Outcome {
    run(Command::new(env!("CARGO"))
        .args(["test", "--workspace"])
        .env("UPDATE", "1")
        .current_dir(root()))
}

/// Checks, tests and builds the dashboard.
pub(crate) fn ui() -> Outcome {
    npm(&["ci", "--no-audit", "--no-fund"])?;
    npm(&["run", "check"])?;
    npm(&["test"])?;
    npm(&["run", "build"])
}

/// Long ranges and a full disk in headless Chromium, against a server with thirty days behind it.
fn history() -> Outcome {
    let built = root().join("target/debug");
    run(Command::new("npm")
        .args(["run", "history"])
        .env("TAFFRAIL", built.join("taffrail"))
        .env("TAFFRAIL_HISTORY", built.join("examples/history"))
        .current_dir(root().join("ui")))
}

/// The dashboard in headless Chromium against the demo.
pub(crate) fn end_to_end() -> Outcome {
    let programs = ["--bins", "--example", "history"];
    cargo(&[&["build", "--package", "taffrail", "--locked"], &programs[..]].concat())?;
    history()?;
    let demo = Running::start(
        Command::new(root().join("target/debug/taffrail"))
            .args(["demo", "--seed", "1", "--listen", "127.0.0.1:0"])
            .current_dir(root()),
        "http://",
    )?;
    let url = demo.said().split_whitespace().find(|word| word.starts_with("http://"));
    let url = url.ok_or("the demo printed no address")?;
    // They wait more than they work: two at once take half the time. `bench` and `first` are left
    // out: they measure, and beside a build they would tell of that.
    let lanes = [["states", "holdings", "people"], ["e2e", "pages", "objects"]];
    let suite = |name: &str| {
        let mut npm = Command::new("npm");
        run(npm.args(["run", name]).env("TAFFRAIL_URL", url).current_dir(root().join("ui")))
    };
    thread::scope(|scope| {
        let running = lanes.map(|lane| {
            let suite = &suite;
            scope.spawn(move || lane.into_iter().try_for_each(suite))
        });
        for lane in running {
            lane.join().map_err(|_| "a lane of suites ended")??;
        }
        Ok(())
    })
}
