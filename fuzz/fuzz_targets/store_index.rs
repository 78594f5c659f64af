//! `cargo xtask fuzz store_index`: see `store::fuzz::index`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| store::fuzz::index(bytes));
