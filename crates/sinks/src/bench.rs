//! What the crate's benchmarks and golden tests measure: encoding alone, without delivery.

use model::{Batch, LabelOptions};

use crate::chunks::{Chunk, Chunks, Framing, datagrams};
use crate::plan::Encode;
use crate::{Error, Kind};

/// An encoder with its way to cut chunks.
pub struct Encoder {
    encode: Box<dyn Encode>,
    framing: Framing,
}

impl Encoder {
    /// The encoder that `kind` makes of `settings`.
    pub fn new(kind: &Kind, settings: &[(&str, &str)]) -> Result<Self, Error> {
        let pairs = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let (plan, _) = kind.plan(pairs.collect(), LabelOptions::default())?;
        Ok(Self { encode: plan.encode, framing: plan.framing })
    }

    /// Calls `each` with the bytes of every request, connection or datagram that `batch` becomes.
    /// The number of points.
    pub fn encode(&mut self, batch: &Batch, mut each: impl FnMut(&[u8])) -> u64 {
        let mut points = 0;
        let in_datagrams = self.framing.datagrams.is_some();
        let mut take = |chunk: Chunk| {
            points += u64::from(chunk.points);
            if in_datagrams {
                datagrams(&chunk.bytes).for_each(&mut each);
            } else {
                each(&chunk.bytes);
            }
        };
        let mut chunks = Chunks::new(&self.framing, &mut take);
        self.encode.encode(batch, &mut chunks);
        chunks.finish();
        points
    }
}
