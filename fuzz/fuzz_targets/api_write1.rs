//! `cargo xtask fuzz api_write1`: see `api::fuzz::write1`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| api::fuzz::write1(bytes));
