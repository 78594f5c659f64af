//! How the process ends: one line on standard error and a code that tells the kind of failure.
//!
//! Codes follow BSD's sysexits(3).

use std::fmt;
use std::process::ExitCode;

/// Bad usage: an unknown flag, a malformed value.
pub(crate) const USAGE: u8 = 64;
/// Bad usage where we are called heapster, as pflag had it.
pub(crate) const HEAPSTER_USAGE: u8 = 2;
/// Something needed is not there: a port is taken, a cluster cannot be used at all.
pub(crate) const UNAVAILABLE: u8 = 69;
/// Bad configuration: a URI, a kubeconfig, a certificate file.
pub(crate) const CONFIG: u8 = 78;
/// Whoever read our output went away: 128 + SIGPIPE, as a shell has it.
pub(crate) const PIPE: i32 = 141;
/// Anything else.
pub(crate) const FAILURE: u8 = 1;

/// Why the process cannot go on, and with which code it ends.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) code: u8,
    /// What a person reads.
    pub(crate) message: String,
}

impl Failure {
    /// Bad configuration.
    pub(crate) fn config(message: impl fmt::Display) -> Self {
        Self { code: CONFIG, message: message.to_string() }
    }

    /// Bad usage.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { code: USAGE, message: message.to_string() }
    }

    /// Something needed is not there.
    pub(crate) fn unavailable(message: impl fmt::Display) -> Self {
        Self { code: UNAVAILABLE, message: message.to_string() }
    }

    /// The code to end with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { code: FAILURE, message: format!("{error:#}") }
    }
}
