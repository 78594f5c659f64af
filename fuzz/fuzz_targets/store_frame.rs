//! `cargo xtask fuzz store_frame`: see `store::fuzz::frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| store::fuzz::frame(bytes));
