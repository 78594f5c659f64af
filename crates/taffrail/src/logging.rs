//! Log lines go to standard error; colour only on a terminal that wants it.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::cli::{LogArgs, LogFormat};
use crate::exit::Failure;

/// Libraries whose complaints we tell ourselves, with hop and advice. A filter may name them.
const QUIET: &str = "kube_client=off,kube_runtime=off,tower=off";

/// Installs the log for the process.
pub(crate) fn install(args: &LogArgs) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", args.log)).map_err(|error| {
        Failure::usage(format!(
            "--log={}: {error}; give a level such as debug, or a filter such as info,cluster=debug",
            args.log
        ))
    })?;
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(colour)
        // It would be told on standard error, whose failing ends the thread: a log on a full disk
        // must not stop what works.
        .log_internal_errors(false)
        .with_target(true);
    let installed = match args.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    installed.map_err(|error| Failure { code: crate::exit::FAILURE, message: error.to_string() })
}
