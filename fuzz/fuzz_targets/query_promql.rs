//! `cargo xtask fuzz query_promql`: see `query::promql::fuzz_promql`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| query::promql::fuzz_promql(bytes));
