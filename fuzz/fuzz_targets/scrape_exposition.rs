//! `cargo xtask fuzz scrape_exposition`: see `scrape::fuzz_exposition`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| scrape::fuzz_exposition(bytes));
