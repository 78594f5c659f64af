//! Chunks that were decoded lately: dashboards ask the same again and again.
//!
//! In two generations: what is asked for goes into the younger; when that is full it becomes the
//! older, and what was in that one and not asked for since is forgotten.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use metrics::counter;

use crate::chunk::Chunk;
use crate::telemetry::{CHUNKS_DECODED, CHUNKS_FORGOTTEN};

/// A block's number, and where in its file a chunk begins.
pub(crate) type Place = (u64, u64);

#[derive(Default)]
struct Generation {
    chunks: HashMap<Place, Arc<Chunk>>,
    bytes: usize,
}

/// The chunks, of all blocks of a store.
pub(crate) struct Decoded {
    /// Bytes of a generation.
    most: usize,
    /// Younger and older.
    generations: Mutex<[Generation; 2]>,
}

impl Decoded {
    /// Holds `bytes` at most.
    pub(crate) fn new(bytes: u64) -> Self {
        let most = usize::try_from(bytes / 2).unwrap_or(usize::MAX);
        Self { most, generations: Mutex::default() }
    }

    /// The chunk there, if it is held.
    pub(crate) fn get(&self, place: Place) -> Option<Arc<Chunk>> {
        let found = {
            let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
            let [younger, older] = &mut *generations;
            if let Some(chunk) = younger.chunks.get(&place) {
                return Some(Arc::clone(chunk));
            }
            let found = older.chunks.remove(&place)?;
            older.bytes -= found.heap_bytes();
            found
        };
        self.hold(place, &found);
        Some(found)
    }

    /// Holds a chunk that was decoded.
    pub(crate) fn put(&self, place: Place, chunk: &Arc<Chunk>) {
        counter!(CHUNKS_DECODED).increment(1);
        self.hold(place, chunk);
    }

    fn hold(&self, place: Place, chunk: &Arc<Chunk>) {
        let bytes = chunk.heap_bytes();
        if bytes > self.most {
            return;
        }
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let [younger, older] = &mut *generations;
        let mut forgotten = Generation::default();
        if younger.bytes + bytes > self.most {
            forgotten = std::mem::replace(older, std::mem::take(younger));
        }
        if younger.chunks.insert(place, Arc::clone(chunk)).is_none() {
            younger.bytes += bytes;
        }
        drop(generations);
        if !forgotten.chunks.is_empty() {
            counter!(CHUNKS_FORGOTTEN).increment(forgotten.chunks.len() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::{self, Points};
    use crate::scale::Coding;

    /// Of a hundred values.
    fn chunk(seed: i64) -> Arc<Chunk> {
        let value = |tick: u32| i64::from(tick * tick) * (seed + 3);
        let series = Points { ticks: (0..100).collect(), values: (0..100).map(value).collect() };
        let mut bytes = Vec::new();
        chunk::put(&[series], (0, 100), Coding::WHOLE, 8, &mut bytes);
        Arc::new(Chunk::read(&bytes, 100).unwrap())
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let one = chunk(0).heap_bytes() as u64;
        let decoded = Decoded::new(one * 20 + 1);
        let asked = chunk(0);
        decoded.put((0, 0), &asked);
        for at in 1..100 {
            decoded.put((0, at), &chunk(i64::try_from(at).unwrap()));
            assert!(Arc::ptr_eq(&decoded.get((0, 0)).unwrap(), &asked), "{at}");
            let generations = decoded.generations.lock().unwrap();
            let held: usize = generations.iter().map(|one| one.bytes).sum();
            assert!(held as u64 <= one * 20 + 1, "{held}");
            for one in &*generations {
                let bytes: usize = one.chunks.values().map(|chunk| chunk.heap_bytes()).sum();
                assert_eq!(bytes, one.bytes);
            }
        }
        assert!(decoded.get((0, 99)).is_some());
        assert!(decoded.get((1, 99)).is_none());
        assert!(decoded.get((0, 1)).is_none());
    }

    #[test]
    fn what_is_larger_than_all_that_may_be_held_is_not() {
        let decoded = Decoded::new(16);
        decoded.put((0, 0), &chunk(1));
        assert!(decoded.get((0, 0)).is_none());
    }
}
