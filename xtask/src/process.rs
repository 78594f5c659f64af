//! Running other programs, loudly: the command is printed, a failure names it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The outcome of a verb: nothing, or one line that says what went wrong.
pub(crate) type Outcome = Result<(), String>;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Runs cargo in the repository's root.
pub(crate) fn cargo(arguments: &[&str]) -> Outcome {
    run(Command::new(env!("CARGO")).args(arguments).current_dir(root()))
}

/// Runs npm in `ui/`.
pub(crate) fn npm(arguments: &[&str]) -> Outcome {
    run(Command::new("npm").args(arguments).current_dir(root().join("ui")))
}

/// Runs `command` to its end; any status but success is an error.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let shown = show(command);
    println!("── {shown}");
    let begun = Instant::now();
    let status = command
        .status()
        .map_err(|error| format!("`{shown}` did not start: {error}; is it installed?"))?;
    println!("── {shown}: {status} after {:.1} s", begun.elapsed().as_secs_f64());
    if status.success() { Ok(()) } else { Err(format!("`{shown}` failed with {status}")) }
}

/// The command as a person would type it.
fn show(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
