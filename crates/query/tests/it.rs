//! What the crate answers, asked from outside.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

#[path = "it/differential.rs"]
mod differential;
#[path = "it/fuzzed.rs"]
mod fuzzed;
#[path = "it/limits.rs"]
mod limits;
#[path = "it/script.rs"]
mod script;
#[path = "it/views.rs"]
mod views;
