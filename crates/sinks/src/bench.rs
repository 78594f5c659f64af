//! What the crate's benchmarks and golden tests measure: encoding alone, without delivery.

use model::{AlertBatch, Batch, EventBatch, LabelOptions};

use crate::chunks::{Chunk, Chunks, Framing, datagrams};
use crate::plan::{Encode, EncodeAlerts, EncodeEvents};
use crate::{Error, Kind};

/// An encoder with its way to cut chunks.
pub struct Encoder {
    encode: Box<dyn Encode>,
    framing: Framing,
}

impl Encoder {
    /// The encoder that `kind` makes of `settings`.
    pub fn new(kind: &Kind, settings: &[(&str, &str)]) -> Result<Self, Error> {
        let (plan, _) = kind.plan(owned(settings), LabelOptions::default())?;
        Ok(Self { encode: plan.encode, framing: plan.framing })
    }

    /// Calls `each` with the bytes of every request, connection or datagram that `batch` becomes.
    /// The number of points.
    pub fn encode(&mut self, batch: &Batch, each: impl FnMut(&[u8])) -> u64 {
        cut(&self.framing, |chunks| self.encode.encode(batch, chunks), each)
    }
}

/// The same for events.
pub struct EventEncoder {
    encode: Box<dyn EncodeEvents>,
    framing: Framing,
}

impl EventEncoder {
    /// The encoder that `kind` makes of `settings`.
    pub fn new(kind: &Kind, settings: &[(&str, &str)]) -> Result<Self, Error> {
        let (plan, _, _) = kind.event_plan(owned(settings))?;
        Ok(Self { encode: plan.encode, framing: plan.framing })
    }

    /// As [`Encoder::encode`], for every event of `batch`.
    pub fn encode(&mut self, batch: &EventBatch, each: impl FnMut(&[u8])) -> u64 {
        let encode = |chunks: &mut Chunks<'_>| {
            self.encode.begin(batch.timestamp, chunks);
            for event in &batch.events {
                self.encode.event(batch.timestamp, event, chunks);
            }
        };
        cut(&self.framing, encode, each)
    }
}

/// The same for alerts.
pub struct AlertEncoder {
    encode: Box<dyn EncodeAlerts>,
    framing: Framing,
}

impl AlertEncoder {
    /// The encoder that `kind` makes of `settings`.
    pub fn new(kind: &Kind, settings: &[(&str, &str)]) -> Result<Self, Error> {
        let (plan, _) = kind.alert_plan(owned(settings))?;
        Ok(Self { encode: plan.encode, framing: plan.framing })
    }

    /// As [`Encoder::encode`], for every alert of `batch`.
    pub fn encode(&mut self, batch: &AlertBatch, each: impl FnMut(&[u8])) -> u64 {
        let encode = |chunks: &mut Chunks<'_>| {
            for alert in &batch.alerts {
                self.encode.alert(batch.timestamp, alert, chunks);
            }
        };
        cut(&self.framing, encode, each)
    }
}

fn owned(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn cut(
    framing: &Framing,
    encode: impl FnOnce(&mut Chunks<'_>),
    mut each: impl FnMut(&[u8]),
) -> u64 {
    let mut points = 0;
    let in_datagrams = framing.datagrams.is_some();
    let mut take = |chunk: Chunk| {
        points += u64::from(chunk.points);
        if in_datagrams {
            datagrams(&chunk.bytes).for_each(&mut each);
        } else {
            each(&chunk.bytes);
        }
    };
    let mut chunks = Chunks::new(framing, &mut take);
    encode(&mut chunks);
    chunks.finish();
    points
}
