//! The crate's integration tests.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

#[path = "it/log.rs"]
mod log;
