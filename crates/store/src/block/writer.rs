//! Writing a block: chunk by chunk from any source of series, then index, footer, name.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use model::EntityKind;

use super::{Block, FOOTER, HEADER, MAGIC, Meta, put_ticks};
use crate::catalog::Catalog;
use crate::chunk::{self, MAX_TICKS, Points, TARGET_VALUES};
use crate::error::Error;
use crate::scale::MetricDef;
use crate::vfs::{File, Vfs};
use crate::{FORMAT, wire};

/// Most entities in one chunk.
const MAX_GROUP: usize = 1024;
/// Bytes collected before they are written.
const WRITE_BYTES: usize = 1 << 20;

/// The entities of one kind that a block will hold.
pub(crate) struct KindPlan {
    pub(crate) kind: EntityKind,
    /// Catalog numbers in the order of their labels. They stay in use while the block is written:
    /// who forgets entities keeps those of windows and waits for maintenance to end.
    pub(crate) entities: Vec<u32>,
    pub(crate) metrics: Vec<MetricDef>,
}

/// Where a block's content comes from.
pub(crate) trait Source {
    /// Times of the ticks, growing.
    fn ticks(&self) -> &[i64];

    /// What there is.
    fn kinds(&self) -> &[KindPlan];

    /// Who knows the labels of the plans' numbers.
    fn catalog(&self) -> &RwLock<Catalog>;

    /// At about how many ticks an entity of a kind has values.
    fn ticks_of_an_entity(&self, _kind: usize) -> usize {
        self.ticks().len()
    }

    /// Fills `out` with the values of one series; asked metric by metric, entities in order.
    fn series(
        &mut self,
        kind: usize,
        metric: usize,
        entity: usize,
        out: &mut Points,
    ) -> Result<(), Error>;
}

struct Output<'a> {
    file: Arc<dyn File>,
    path: &'a Path,
    pending: Vec<u8>,
    len: u64,
}

impl Output<'_> {
    fn flush(&mut self) -> Result<(), Error> {
        let written = self.file.append(&self.pending);
        self.len += self.pending.len() as u64;
        self.pending.clear();
        written.map_err(|error| Error::io("write", self.path, error))
    }
}

/// Writes the block `name` into `dir` so that it is there whole or not at all, and survives.
/// `meta` needs its times, samples and series filled in by nobody: they are counted here.
pub(crate) fn write(
    vfs: &dyn Vfs,
    dir: &Path,
    name: &str,
    meta: Meta,
    level: usize,
    source: &mut dyn Source,
) -> Result<Block, Error> {
    let temporary = dir.join(format!("{name}.tmp"));
    let written = write_file(vfs, &temporary, meta, level, source);
    if let Err(error) = written {
        // Best effort: what is left is removed when the store opens.
        drop(vfs.remove(&temporary));
        return Err(error);
    }
    let path = dir.join(name);
    vfs.rename(&temporary, &path).map_err(|error| Error::io("rename", &path, error))?;
    vfs.sync_dir(dir).map_err(|error| Error::io("sync", dir, error))?;
    let block = Block::open(vfs, dir, name)?;
    metrics::counter!(crate::telemetry::BLOCK_BYTES).increment(block.bytes);
    Ok(block)
}

fn write_file(
    vfs: &dyn Vfs,
    path: &Path,
    mut meta: Meta,
    level: usize,
    source: &mut dyn Source,
) -> Result<(), Error> {
    let file = vfs.create(path).map_err(|error| Error::io("create", path, error))?;
    let mut output = Output { file, path, pending: header(), len: 0 };
    let ticks = source.ticks().to_vec();
    meta.first = ticks.first().copied().unwrap_or(0);
    meta.last = ticks.last().copied().unwrap_or(0);
    let len = u32::try_from(ticks.len()).unwrap_or(u32::MAX);
    let stretch = len.div_ceil(len.div_ceil(MAX_TICKS).max(1)).max(1);
    let mut index = Vec::new();
    put_ticks(&ticks, &mut index);
    wire::put_u64(&mut index, u64::from(stretch));
    wire::put_len(&mut index, source.kinds().len());
    for kind in 0..source.kinds().len() {
        write_kind(&mut output, kind, (len, stretch), level, source, &mut meta, &mut index)?;
    }
    let data_end = output.len + output.pending.len() as u64;
    let mut head = Vec::new();
    meta.put(&mut head);
    let sum = wire::checksum_of(&[&head, &index]);
    let footer = footer(data_end, (head.len() + index.len()) as u64, sum);
    output.pending.append(&mut head);
    output.flush()?;
    // As it is: it names every entity, and a copy would be as large.
    output.pending = index;
    output.pending.extend_from_slice(&footer);
    output.flush()?;
    output.file.sync().map_err(|error| Error::io("sync", path, error))
}

fn write_kind(
    output: &mut Output<'_>,
    at: usize,
    (ticks, stretch): (u32, u32),
    level: usize,
    source: &mut dyn Source,
    meta: &mut Meta,
    index: &mut Vec<u8>,
) -> Result<(), Error> {
    let plan = &source.kinds()[at];
    let (entities, metrics) = (plan.entities.len(), plan.metrics.clone());
    // Of entities that come and go more fit into a chunk.
    let length = source.ticks_of_an_entity(at).min(stretch as usize).max(1);
    let group = (TARGET_VALUES / length).clamp(1, MAX_GROUP);
    index.push(wire::kind_code(plan.kind));
    wire::put_len(index, entities);
    wire::put_len(index, group);
    put_entities(plan, source.catalog(), index);
    wire::put_len(index, metrics.len());
    for metric in &metrics {
        metric.put(index);
    }
    let mut series = vec![Points::default(); group.min(entities)];
    for (metric, def) in metrics.iter().enumerate() {
        for first in (0..entities).step_by(group) {
            let count = group.min(entities - first);
            for (offset, points) in series[..count].iter_mut().enumerate() {
                points.clear();
                source.series(at, metric, first + offset, points)?;
                meta.samples += points.ticks.len() as u64;
                meta.series += u64::from(!points.ticks.is_empty());
            }
            for from in (0..ticks).step_by(stretch as usize) {
                let before = output.pending.len();
                let range = (from, (from + stretch).min(ticks));
                chunk::put(&series[..count], range, def.coding, level, &mut output.pending);
                wire::put_len(index, output.pending.len() - before);
            }
            if output.pending.len() >= WRITE_BYTES {
                output.flush()?;
            }
        }
    }
    Ok(())
}

/// Writes labels as differences, some at a time: what learns new ones waits for no more.
fn put_entities(plan: &KindPlan, catalog: &RwLock<Catalog>, index: &mut Vec<u8>) {
    let mut previous = None;
    for ids in plan.entities.chunks(MAX_GROUP) {
        let catalog = catalog.read().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            catalog.put(*id, previous, index);
            previous = Some(*id);
        }
    }
}

fn header() -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(&wire::checksum(&out).to_le_bytes());
    out
}

fn footer(index_at: u64, index_len: u64, index_sum: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(FOOTER);
    out.extend_from_slice(&index_at.to_le_bytes());
    out.extend_from_slice(&index_len.to_le_bytes());
    out.extend_from_slice(&index_sum.to_le_bytes());
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&wire::checksum(&out).to_le_bytes());
    out
}
