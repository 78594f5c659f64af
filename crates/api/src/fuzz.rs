//! Entry points for fuzzing: what others send, as any bytes, is refused or read within its bounds.

use crate::intake::{otlp, remote_write};
use crate::prometheus::{read, wire};

/// Takes any bytes.
pub type Target = fn(&[u8]);

/// Targets by name, as in `fuzz/fuzz_targets/api_*.rs`.
pub const TARGETS: &[(&str, Target)] = &[
    ("snappy", snappy),
    ("write1", write1),
    ("write2", write2),
    ("otlp", otlp),
    ("otlpjson", otlpjson),
    ("read", read),
];

/// Most bytes of a block once it is decompressed.
const MAX_PLAIN: usize = 1 << 20;

/// Decompresses `bytes` as a block of snappy's.
pub fn snappy(bytes: &[u8]) {
    let Ok(plain) = wire::unsnap(bytes, MAX_PLAIN) else { return };
    assert!(plain.len() <= MAX_PLAIN, "larger than allowed");
    let again = wire::unsnap(&wire::snap(&plain), MAX_PLAIN);
    assert_eq!(again.as_ref(), Ok(&plain), "what is packed comes back");
}

/// Reads `bytes` as a message of remote write 1.0.
pub fn write1(bytes: &[u8]) {
    drop(remote_write::read(bytes, false));
}

/// Reads `bytes` as a message of remote write 2.0.
pub fn write2(bytes: &[u8]) {
    drop(remote_write::read(bytes, true));
}

/// Reads `bytes` as OTLP's metrics in protocol buffers.
pub fn otlp(bytes: &[u8]) {
    drop(otlp::read(bytes, false));
}

/// Reads `bytes` as OTLP's metrics in JSON.
pub fn otlpjson(bytes: &[u8]) {
    drop(otlp::read(bytes, true));
}

/// Reads `bytes` as a request of remote read.
pub fn read(bytes: &[u8]) {
    read::fuzz(bytes);
}
