//! The binary: reads the command line, runs one command, ends with an exit code that tells how.
#![forbid(unsafe_code)]

mod cli;
mod compat;
mod config;

fn main() {}
