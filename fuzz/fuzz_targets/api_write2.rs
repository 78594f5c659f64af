//! `cargo xtask fuzz api_write2`: see `api::fuzz::write2`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| api::fuzz::write2(bytes));
