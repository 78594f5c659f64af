//! Entry points for fuzzing: each takes any bytes and must end, without a panic.

use std::path::Path;

use crate::catalog::Catalog;
use crate::frame::Frame;
use crate::record::Found;
use crate::wire::Reader;
use crate::{block, chunk, events, record, wal};

/// Takes any bytes.
pub type Target = fn(&[u8]);

/// Targets by name, as in `fuzz/fuzz_targets/store_*.rs`.
pub const TARGETS: &[(&str, Target)] = &[
    ("frame", frame),
    ("log", log),
    ("records", records),
    ("chunk", chunk),
    ("index", index),
    ("event", event),
];

/// Reads `bytes` as the body of a log's frame.
pub fn frame(bytes: &[u8]) {
    drop(Frame::read(&mut Reader::new(bytes)));
}

/// Replays `bytes` as a whole log.
pub fn log(bytes: &[u8]) {
    drop(wal::replay_bytes(bytes, Path::new("fuzz.wal"), &mut Catalog::default()));
}

/// Replays a log of records with right checksums: `bytes` are their bodies, each after its length
/// in two bytes, lowest first.
pub fn records(mut bytes: &[u8]) {
    let mut whole = wal::header(1, 0, i64::MAX);
    while let Some((len, rest)) = bytes.split_first_chunk::<2>() {
        let (body, rest) = rest.split_at(usize::from(u16::from_le_bytes(*len)).min(rest.len()));
        record::put(&mut whole, |out| out.extend_from_slice(body));
        bytes = rest;
    }
    log(&whole);
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

/// The parts of a file of the store as inputs to begin with: (target, input).
pub fn seeds(name: &str, file: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    match name.rsplit_once('.') {
        Some((_, "wal")) => {
            let bodies = bodies(file, wal::HEADER);
            let mut records = Vec::new();
            for body in &bodies {
                let len = u16::try_from(body.len()).unwrap_or(u16::MAX);
                records.extend_from_slice(&len.to_le_bytes());
                records.extend_from_slice(body.get(..usize::from(len)).unwrap_or_default());
            }
            let frames = bodies.iter().filter(|body| body.first() == Some(&wal::FRAME));
            let frames = frames.map(|body| ("frame", body.get(1..).unwrap_or_default().to_vec()));
            let whole = [("log", file.to_vec()), ("records", records)];
            whole.into_iter().chain(frames).collect()
        }
        Some((_, "evt")) => {
            let bodies = bodies(file, events::HEADER);
            bodies.iter().map(|body| ("event", body.to_vec())).collect()
        }
        _ => match block::fuzz_parts(file) {
            Some((index, chunks)) => {
                let chunks = chunks.into_iter().map(|chunk| ("chunk", chunk));
                std::iter::once(("index", index)).chain(chunks).collect()
            }
            None => Vec::new(),
        },
    }
}

fn bodies(file: &[u8], header: usize) -> Vec<&[u8]> {
    let body = |found| match found {
        Found::Record { body, .. } => Some(body),
        Found::Damage { .. } | Found::Torn { .. } => None,
    };
    record::scan(file, header).filter_map(body).collect()
}
