//! `cargo xtask fuzz api_otlp`: see `api::fuzz::otlp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| api::fuzz::otlp(bytes));
