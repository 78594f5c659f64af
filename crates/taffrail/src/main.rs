//! The binary: reads the command line, runs one command, ends with an exit code that tells how.
#![deny(unsafe_code)]

mod adapters;
mod app;
mod cli;
mod commands;
mod compat;
mod config;
mod diagnosis;
mod eventer;
mod exit;
mod facts;
mod file;
mod heap;
mod input;
mod logging;
mod outputs;
mod remote;
mod rule_files;
mod runtimes;
mod shutdown;
mod simulation;
mod telemetry;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use metrics_exporter_prometheus::PrometheusHandle;

use cli::{Cli, Command, LogArgs, LogFormat};
use compat::HeapsterArgs;
use config::Config;
use eventer::EventerArgs;
use exit::Failure;
use file::Expanded;

fn main() -> ExitCode {
    heap::settle();
    let words: Vec<OsString> = std::env::args_os().collect();
    let (outcome, usage) = if invoked_as(&words, "heapster") {
        (heapster(words), exit::HEAPSTER_USAGE)
    } else if invoked_as(&words, "eventer") {
        (eventer(words), exit::HEAPSTER_USAGE)
    } else {
        (taffrail(words), exit::USAGE)
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ended::ByParser(error)) => by_parser(&error, usage),
        Err(Ended::Failed(failure)) => {
            complain(&format!("taffrail: {}", failure.message));
            failure.exit_code()
        }
    }
}

/// Why a command line did not run to a good end.
enum Ended {
    /// Help, version or a mistake in the words.
    ByParser(clap::Error),
    /// Anything later.
    Failed(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

fn taffrail(words: Vec<OsString>) -> Result<(), Ended> {
    let words = match file::expanded(words).map_err(Failure::config)? {
        Expanded::One(words) => words,
        Expanded::Many(words, clusters) => {
            let cli = Cli::try_parse_from(&words).map_err(Ended::ByParser)?;
            logging::install(&cli.log)?;
            let runtime = runtimes::one(1)?;
            return Ok(runtime.block_on(commands::fleet::run(words, cli.log, clusters))?);
        }
    };
    let cli = Cli::try_parse_from(words).map_err(Ended::ByParser)?;
    if let Command::Completions { shell } = cli.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "taffrail", &mut script);
        return Ok(say(String::from_utf8_lossy(&script).trim_end())?);
    }
    if let Command::Manifests(args) = cli.command {
        return Ok(say(commands::manifests::text(args).trim_end())?);
    }
    if let Command::Config(args) = cli.command {
        return Ok(say(commands::config::run(&args)?.trim_end())?);
    }
    if let Command::Rules(args) = cli.command {
        return Ok(say(commands::rules::run(&args)?.trim_end())?);
    }
    let log = match &cli.command {
        Command::Top(args) => commands::top::log(args, cli.log),
        _ => cli.log,
    };
    logging::install(&log)?;
    let self_metrics = prepare()?;
    let outcome = match cli.command {
        Command::Serve(args) => {
            let config = Config::from_serve(*args).map_err(Failure::usage)?;
            let (measuring, answering) = runtimes::two(0)?;
            measuring.block_on(commands::serve::run(config, self_metrics, answering.handle()))
        }
        Command::Demo(args) => {
            let (measuring, answering) = runtimes::two(0)?;
            measuring.block_on(commands::demo::run(args, self_metrics, answering.handle()))
        }
        command => on_one_runtime(command, self_metrics),
    };
    Ok(outcome?)
}

/// Commands that serve nobody.
fn on_one_runtime(command: Command, self_metrics: PrometheusHandle) -> Result<(), Failure> {
    let runtime = runtimes::one(0)?;
    match command {
        Command::Top(args) => runtime.block_on(commands::top::run(args, self_metrics)),
        Command::Query(args) => runtime.block_on(commands::query::run(&args)),
        Command::Why(args) => runtime.block_on(commands::why::run(&args)),
        Command::Doctor(args) => runtime.block_on(commands::doctor::run(args)),
        Command::Store(args) => commands::store::run(args),
        Command::Simulate(args) => runtime.block_on(commands::simulate::run(args)),
        Command::Serve(_)
        | Command::Demo(_)
        | Command::Config(_)
        | Command::Manifests(_)
        | Command::Rules(_)
        | Command::Completions { .. } => Ok(()),
    }
}

/// As Heapster's programs print it.
fn version() -> String {
    let commit = option_env!("TAFFRAIL_COMMIT").unwrap_or("unknown");
    format!("version: {} (Taffrail)\ncommit: {commit}", env!("CARGO_PKG_VERSION"))
}

/// Logs as glog's `-v` asks.
fn log_at(v: u8) -> Result<(), Failure> {
    let filter = match v {
        0 => "info",
        1..=3 => "debug",
        _ => "trace",
    };
    logging::install(&LogArgs { log: filter.to_owned(), log_format: LogFormat::Text })
}

fn eventer(words: Vec<OsString>) -> Result<(), Ended> {
    let args = EventerArgs::parse_words(words.into_iter()).map_err(Ended::ByParser)?;
    if args.version {
        return Ok(say(&version())?);
    }
    log_at(args.v)?;
    let self_metrics = prepare()?;
    let runtime = runtimes::one(args.max_procs)?;
    Ok(runtime.block_on(eventer::run(args, self_metrics))?)
}

fn heapster(words: Vec<OsString>) -> Result<(), Ended> {
    let args = HeapsterArgs::parse_words(words.into_iter()).map_err(Ended::ByParser)?;
    if args.version {
        return Ok(say(&version())?);
    }
    log_at(args.v)?;
    for unmet in args.unmet() {
        tracing::warn!(unmet, "asked for and not there");
    }
    let self_metrics = prepare()?;
    let threads = args.max_procs;
    let config = args.config().map_err(Failure::config)?;
    let (measuring, answering) = runtimes::two(threads)?;
    Ok(measuring.block_on(commands::serve::run(config, self_metrics, answering.handle()))?)
}

/// Sets up what a process has once: open files, the crypto provider, the self-metrics' recorder.
fn prepare() -> Result<PrometheusHandle, Failure> {
    raise_file_limit();
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a crypto provider was there already");
    }
    let recorder = api::telemetry::recorder().map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(recorder
        .install_recorder()
        .map_err(|error| anyhow::anyhow!("install the self-metrics' recorder: {error}"))?)
}

/// Every scraped node keeps a connection: takes as many open files as the system allows.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, current = limit.current, "the limit of open files stays as it is");
    }
}

fn invoked_as(words: &[OsString], name: &str) -> bool {
    words.first().and_then(|word| Path::new(word).file_stem()).is_some_and(|stem| stem == name)
}

/// Prints what the parser has to say: help and version are no failure.
fn by_parser(error: &clap::Error, usage: u8) -> ExitCode {
    if error.print().is_err() {
        return ExitCode::from(exit::FAILURE);
    }
    if error.use_stderr() { ExitCode::from(usage) } else { ExitCode::SUCCESS }
}

/// A line for people on standard output. Ends the process in silence when nobody reads on, as
/// `taffrail top pods | head` does.
fn say(line: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    match writeln!(output, "{line}").and_then(|()| output.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            std::process::exit(exit::PIPE)
        }
        Err(error) => Err(anyhow::anyhow!("write to standard output: {error}").into()),
    }
}

fn complain(line: &str) {
    // Nothing is left to tell anybody when standard error is gone.
    drop(writeln!(std::io::stderr(), "{line}"));
}
