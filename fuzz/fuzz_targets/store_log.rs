//! `cargo xtask fuzz store_log`: see `store::fuzz::log`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| store::fuzz::log(bytes));
