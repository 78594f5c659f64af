//! What ends the process: signals, once to finish in order, twice to end at once; for a process
//! that another one keeps, the end of its input.

use std::io;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Failure;

/// Code of a process that a second signal ended: 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// A token that SIGINT or SIGTERM cancels. Must be called inside a runtime.
pub(crate) fn on_signal() -> Result<CancellationToken, Failure> {
    let token = CancellationToken::new();
    let stop = token.clone();
    let handler = |kind| signal(kind).map_err(|e| anyhow::anyhow!("install signal handler: {e}"));
    let (mut interrupt, mut terminate) =
        (handler(SignalKind::interrupt())?, handler(SignalKind::terminate())?);
    tokio::spawn(async move {
        let first = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        };
        tracing::info!(signal = first, "stopping; once more ends at once");
        stop.cancel();
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        std::process::exit(INTERRUPTED);
    });
    Ok(token)
}

/// Cancels `stop` at the end of standard input: whoever holds its other end says so, or is gone.
pub(crate) fn at_end_of_input(stop: &CancellationToken) -> Result<(), Failure> {
    let stop = stop.clone();
    let watch = move || {
        // What comes before the end says nothing, and neither does how it ended.
        io::copy(&mut io::stdin().lock(), &mut io::sink()).ok();
        stop.cancel();
    };
    let watching = thread::Builder::new().name("end-of-input".to_owned()).spawn(watch);
    watching.map_err(|error| anyhow::anyhow!("watch standard input: {error}"))?;
    Ok(())
}
