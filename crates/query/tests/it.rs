//! What the crate answers, asked from outside.
#[path = "it/limits.rs"]
mod limits;
#[path = "it/script.rs"]
mod script;
