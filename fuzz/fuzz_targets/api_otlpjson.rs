//! `cargo xtask fuzz api_otlpjson`: see `api::fuzz::otlpjson`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| api::fuzz::otlpjson(bytes));
