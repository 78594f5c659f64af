//! Fuzz targets under libFuzzer, each for a limited time; what breaks a reader ends the verb.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::bench::number;
use crate::process::{Outcome, cargo, root, run};

/// What drives libFuzzer.
const CARGO_FUZZ: &str = "cargo-fuzz";
const CARGO_FUZZ_VERSION: &str = "0.13.2";
/// Memory at which an input counts as a failure.
const MIB: u32 = 2048;
/// Where inputs to begin with are kept, by the first word of a target's name.
const CORPORA: &[(&str, &str)] = &[
    ("api", "crates/api/tests/fixtures/fuzz"),
    ("query", "crates/query/tests/fixtures/fuzz"),
    ("store", "crates/store/tests/fixtures/fuzz"),
];

/// `fuzz [TARGET…] [--seconds N]`: all targets without a name.
pub(crate) fn run_targets(options: &[&str]) -> Outcome {
    let seconds = number(options, "--seconds", 60)?;
    let wanted: Vec<&str> =
        options.iter().copied().take_while(|word| !word.starts_with('-')).collect();
    let all = targets()?;
    if let Some(unknown) = wanted.iter().find(|name| !all.iter().any(|known| known == *name)) {
        return Err(format!("no target `{unknown}`; there are {}", all.join(", ")));
    }
    let program = installed()?;
    let cargo_fuzz = |verb: &str| {
        let mut command = Command::new(&program);
        // Its flags are unstable ones; the toolchain is the project's. No sanitizer: ours is
        // safe Rust, what is looked for are panics, endless loops and memory without bound.
        command.args(["fuzz", verb, "--sanitizer", "none"]).env("RUSTC_BOOTSTRAP", "1");
        command.current_dir(root());
        command
    };
    run(&mut cargo_fuzz("build"))?;
    for target in all.iter().filter(|name| wanted.is_empty() || wanted.contains(&name.as_str())) {
        let corpus = root().join("fuzz/corpus").join(target);
        fs::create_dir_all(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
        let mut command = cargo_fuzz("run");
        command.arg(target).arg(&corpus);
        command.args(kept(target));
        command.arg("--").arg(format!("-max_total_time={seconds}"));
        command.args([&format!("-rss_limit_mb={MIB}"), "-timeout=10", "-print_final_stats=1"]);
        run(&mut command).map_err(|error| {
            format!(
                "{error}; the input is in fuzz/artifacts/{target}: keep it as crash-… in {}",
                kept(target).unwrap_or(corpus).display()
            )
        })?;
    }
    Ok(())
}

/// Names of all targets: the files in `fuzz/fuzz_targets`.
fn targets() -> Result<Vec<String>, String> {
    let folder = root().join("fuzz/fuzz_targets");
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// The folder of inputs that belong to the project.
fn kept(target: &str) -> Option<PathBuf> {
    let (owner, name) = target.split_once('_')?;
    let (_, folder) = CORPORA.iter().find(|(of, _)| *of == owner)?;
    Some(root().join(folder).join(name)).filter(|path| path.is_dir())
}

/// cargo-fuzz from the path, or installed below `target/tools`.
fn installed() -> Result<PathBuf, String> {
    let on_path = Command::new(CARGO_FUZZ).arg("--version").output();
    if on_path.is_ok_and(|output| output.status.success()) {
        return Ok(PathBuf::from(CARGO_FUZZ));
    }
    let folder = root().join("target/tools/cargo-fuzz");
    let program = folder.join("bin").join(CARGO_FUZZ);
    if !program.exists() {
        let folder = folder.display().to_string();
        cargo(&[
            "install",
            CARGO_FUZZ,
            "--version",
            CARGO_FUZZ_VERSION,
            "--locked",
            "--root",
            &folder,
        ])?;
    }
    Ok(program)
}
