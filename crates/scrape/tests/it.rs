//! Scraping over sockets: programs that answer well and badly, and a real Prometheus beside.
#![expect(clippy::unwrap_used, reason = "a test may")]

#[path = "it/differential.rs"]
mod differential;
#[path = "it/kept.rs"]
mod kept;
#[path = "it/program.rs"]
mod program;
#[path = "it/scraping.rs"]
mod scraping;
