//! `cargo xtask fuzz store_chunk`: see `store::fuzz::chunk`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| store::fuzz::chunk(bytes));
