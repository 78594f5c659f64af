//! `cargo xtask fuzz api_snappy`: see `api::fuzz::snappy`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| api::fuzz::snappy(bytes));
