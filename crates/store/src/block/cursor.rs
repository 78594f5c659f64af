//! A cursor: reads one metric of a block, entity by entity, keeping the chunks it is in.

use std::ops::Range;
use std::sync::Arc;

use super::{Block, Decoded, Index};
use crate::chunk::{Chunk, Scratch};
use crate::error::Damage;
use crate::scale::MetricDef;

/// What a cursor knows of a chunk.
enum Held {
    Unread,
    /// Nothing is there, or it is damaged.
    Nothing,
    Chunk(Arc<Chunk>),
}

/// Reads one metric of one kind. Cheap when entities are asked in the order of the block.
pub(crate) struct Cursor {
    block: Arc<Block>,
    index: Arc<Index>,
    kind: usize,
    metric: usize,
    group: usize,
    /// By stretch.
    chunks: Vec<Held>,
    scratch: Scratch,
    /// Where chunks are held for others, too.
    decoded: Option<Arc<Decoded>>,
}

impl Cursor {
    pub(crate) fn new(block: Arc<Block>, index: Arc<Index>, kind: usize, metric: usize) -> Self {
        Self {
            block,
            index,
            kind,
            metric,
            group: usize::MAX,
            chunks: Vec::new(),
            scratch: Scratch::default(),
            decoded: None,
        }
    }

    /// Shares what it decodes with others.
    pub(crate) fn sharing(self, decoded: &Arc<Decoded>) -> Self {
        Self { decoded: Some(Arc::clone(decoded)), ..self }
    }

    pub(crate) fn metric(&self) -> &MetricDef {
        &self.index.kinds[self.kind].metrics[self.metric]
    }

    /// Calls `each(first tick, values)` for every run of values of the entity at `position`
    /// in chunks that touch the ticks `wanted`. Chunks that are damaged are left out and added
    /// to `damage`.
    pub(crate) fn read(
        &mut self,
        position: usize,
        wanted: &Range<u32>,
        damage: &mut Vec<Damage>,
        mut each: impl FnMut(u32, &[i64]),
    ) {
        let part = &self.index.kinds[self.kind];
        let group = position / part.group;
        if group != self.group {
            self.group = group;
            self.chunks.clear();
            self.chunks.resize_with(self.index.stretches(), || Held::Unread);
        }
        let coding = part.metrics[self.metric].coding;
        for stretch in 0..self.chunks.len() {
            let (from, to) = self.index.stretch_ticks(stretch);
            if to <= wanted.start || from >= wanted.end {
                continue;
            }
            if matches!(self.chunks[stretch], Held::Unread) {
                self.chunks[stretch] = match self.chunk(group, stretch) {
                    Ok(Some(chunk)) => Held::Chunk(chunk),
                    Ok(None) => Held::Nothing,
                    Err(found) => {
                        damage.push(found);
                        Held::Nothing
                    }
                };
            }
            let Held::Chunk(chunk) = &self.chunks[stretch] else { continue };
            let read = chunk.for_each_run(
                position % part.group,
                coding,
                &(wanted.start.saturating_sub(from)..wanted.end.min(to) - from),
                &mut self.scratch,
                |tick, values| {
                    each(from + tick, values);
                },
            );
            if read.is_err() {
                let offset = part.chunk_at(self.metric, group, self.index.stretches(), stretch).0;
                self.chunks[stretch] = Held::Nothing;
                damage.push(self.block.note(offset, "a chunk that can be decoded"));
            }
        }
    }

    fn chunk(&self, group: usize, stretch: usize) -> Result<Option<Arc<Chunk>>, Damage> {
        let (kind, metric) = (self.kind, self.metric);
        let read = || self.block.chunk(&self.index, kind, metric, group, stretch);
        let Some(decoded) = &self.decoded else { return Ok(read()?.map(Arc::new)) };
        let part = &self.index.kinds[kind];
        let place =
            (self.block.number, part.chunk_at(metric, group, self.index.stretches(), stretch).0);
        if let Some(chunk) = decoded.get(place) {
            return Ok(Some(chunk));
        }
        let chunk = read()?.map(Arc::new);
        if let Some(chunk) = &chunk {
            decoded.put(place, chunk);
        }
        Ok(chunk)
    }
}
