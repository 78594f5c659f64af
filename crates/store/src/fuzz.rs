//! Entry points for fuzzing: each takes any bytes and must end, without a panic.

use std::path::Path;

use crate::catalog::Catalog;
use crate::frame::Frame;
use crate::wire::Reader;
use crate::{block, chunk, events, wal};

/// Reads `bytes` as the body of a log's frame.
pub fn frame(bytes: &[u8]) {
    drop(Frame::read(&mut Reader::new(bytes)));
}

/// Replays `bytes` as a whole log.
pub fn log(bytes: &[u8]) {
    drop(wal::replay_bytes(bytes, Path::new("fuzz.wal"), &mut Catalog::default()));
}

/// Reads `bytes` as a chunk of a block, checksum left out.
pub fn chunk(bytes: &[u8]) {
    chunk::fuzz(bytes);
}

/// Reads `bytes` as a block's index, checksum left out.
pub fn index(bytes: &[u8]) {
    block::fuzz_index(bytes);
}

/// Reads `bytes` as the body of an event's record.
pub fn event(bytes: &[u8]) {
    drop(events::read(bytes));
}
