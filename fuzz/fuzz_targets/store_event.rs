//! `cargo xtask fuzz store_event`: see `store::fuzz::event`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| store::fuzz::event(bytes));
