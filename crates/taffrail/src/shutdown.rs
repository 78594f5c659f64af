//! The signals that end the process: once to finish in order, twice to end at once.

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
