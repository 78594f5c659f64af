//! Behaviour of the store through its public interface; knows no file layout but by damage.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests, helpers included")]

#[path = "it/damage.rs"]
mod damage;
#[path = "it/events.rs"]
mod events;
#[path = "it/format.rs"]
mod format;
#[path = "it/fuzzed.rs"]
mod fuzzed;
#[path = "it/history.rs"]
mod history;
#[path = "it/killed.rs"]
mod killed;
#[path = "it/model.rs"]
mod model_test;
#[path = "it/recovery.rs"]
mod recovery;
#[path = "it/select.rs"]
mod select;
#[path = "it/support.rs"]
mod support;
