//! `cargo xtask fuzz api_read`: see `api::fuzz::read`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| api::fuzz::read(bytes));
