//! The crate's integration tests.

#[path = "it/fixtures.rs"]
mod fixtures;
#[path = "it/machine.rs"]
mod machine;
#[path = "it/scrape.rs"]
mod scrape;
