//! A block: an immutable file with the values of a stretch of time, found by a footer index.
//!
//! Layout: docs/FORMAT.md, "Block". Reading verifies every checksum; a damaged chunk reads as a
//! gap and is noted, a damaged index makes the whole file unusable.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use model::EntityKind;
use roaring::RoaringBitmap;

use crate::catalog::Catalog;
use crate::chunk::{Chunk, MAX_TICKS};
use crate::error::{Damage, Error};
use crate::scale::MetricDef;
use crate::vfs::{File, Vfs};
use crate::wire::{self, Malformed, Parsed, Reader};
use crate::{FORMAT, Labels};

mod cursor;
mod decoded;
mod writer;

pub(crate) use cursor::Cursor;
pub(crate) use decoded::Decoded;
pub(crate) use writer::{KindPlan, Source, write};

const MAGIC: &[u8; 8] = b"TAFFBLK\0";
/// Magic, version, checksum.
const HEADER: usize = 8 + 4 + 4;
/// Index offset, index length, index checksum, version, magic, checksum.
const FOOTER: usize = 8 + 8 + 4 + 4 + 8 + 4;
/// Most ticks of a block: a day at one a second, with room.
const MAX_BLOCK_TICKS: usize = 1 << 20;

/// What a block says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Meta {
    /// Milliseconds per bucket; 0 for raw values.
    pub(crate) resolution: i64,
    /// Time of the first tick, milliseconds since the epoch.
    pub(crate) first: i64,
    /// Time of the last tick.
    pub(crate) last: i64,
    /// The windows whose own blocks this one replaces; one number for such a block itself.
    pub(crate) windows: Vec<u64>,
    /// Whether it holds a day that was compacted.
    pub(crate) compacted: bool,
    /// Values held.
    pub(crate) samples: u64,
    /// (entity, metric) pairs with values.
    pub(crate) series: u64,
}

impl Meta {
    fn put(&self, out: &mut Vec<u8>) {
        wire::put_i64(out, self.resolution);
        wire::put_i64(out, self.first);
        wire::put_i64(out, self.last);
        out.push(u8::from(self.compacted));
        wire::put_u64(out, self.samples);
        wire::put_u64(out, self.series);
        wire::put_len(out, self.windows.len());
        let mut previous = 0;
        for window in &self.windows {
            wire::put_u64(out, window - previous);
            previous = *window;
        }
    }

    fn read(reader: &mut Reader<'_>) -> Parsed<Self> {
        let (resolution, first, last) = (reader.i64()?, reader.i64()?, reader.i64()?);
        let compacted = reader.u8()? != 0;
        let (samples, series) = (reader.u64()?, reader.u64()?);
        let mut previous = 0_u64;
        let windows = (0..reader.count()?)
            .map(|_| {
                previous = previous.checked_add(reader.u64()?).ok_or(Malformed)?;
                Ok(previous)
            })
            .collect::<Parsed<_>>()?;
        if resolution < 0 || first > last {
            return Err(Malformed);
        }
        Ok(Self { resolution, first, last, windows, compacted, samples, series })
    }
}

/// The part of the index about one entity kind.
#[derive(Debug)]
pub(crate) struct KindIndex {
    pub(crate) kind: EntityKind,
    /// Catalog numbers in the order of the block.
    pub(crate) ids: Vec<u32>,
    /// Positions in the order of their catalog numbers.
    by_id: Vec<u32>,
    pub(crate) metrics: Vec<MetricDef>,
    /// Entities per chunk.
    group: usize,
    /// Where each chunk begins, and the end of the last: by metric, group, stretch.
    offsets: Vec<u64>,
}

impl KindIndex {
    /// Where a chunk begins and ends in the file.
    fn chunk_at(
        &self,
        metric: usize,
        group: usize,
        stretches: usize,
        stretch: usize,
    ) -> (u64, u64) {
        let groups = self.ids.len().div_ceil(self.group);
        let at = (metric * groups + group) * stretches + stretch;
        match (self.offsets.get(at), self.offsets.get(at + 1)) {
            (Some(start), Some(end)) => (*start, *end),
            _ => (0, 0),
        }
    }

    /// The position of a catalog number.
    pub(crate) fn position(&self, id: u32) -> Option<usize> {
        let found = self.by_id.binary_search_by_key(&id, |at| self.ids[*at as usize]).ok()?;
        Some(self.by_id[found] as usize)
    }

    /// Whether any entity has any of the columns.
    pub(crate) fn holds(&self, columns: &[impl AsRef<str>]) -> bool {
        let is_asked = |def: &MetricDef| columns.iter().any(|one| *one.as_ref() == *def.name);
        self.metrics.iter().any(is_asked)
    }

    /// Calls `each(catalog number, position)` for the wanted entities, in the order of the block.
    pub(crate) fn each_wanted(&self, wanted: &RoaringBitmap, mut each: impl FnMut(u32, usize)) {
        if wanted.len() * 16 >= self.ids.len() as u64 {
            let held = self.ids.iter().enumerate().filter(|(_, id)| wanted.contains(**id));
            return held.for_each(|(position, id)| each(*id, position));
        }
        let mut few: Vec<(usize, u32)> =
            wanted.iter().filter_map(|id| Some((self.position(id)?, id))).collect();
        few.sort_unstable();
        for (position, id) in few {
            each(id, position);
        }
    }
}

/// A block's index, in memory.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) ticks: Arc<[i64]>,
    /// Ticks per chunk.
    stretch: u32,
    pub(crate) kinds: Vec<KindIndex>,
}

impl Index {
    pub(crate) fn kind(&self, kind: EntityKind) -> Option<(usize, &KindIndex)> {
        self.kinds.iter().enumerate().find(|(_, index)| index.kind == kind)
    }

    fn stretches(&self) -> usize {
        self.ticks.len().div_ceil(self.stretch as usize)
    }

    /// The ticks of a stretch: first and end.
    fn stretch_ticks(&self, stretch: usize) -> (u32, u32) {
        let len = u32::try_from(self.ticks.len()).unwrap_or(u32::MAX);
        let from = u32::try_from(stretch).unwrap_or(u32::MAX).saturating_mul(self.stretch);
        (from, from.saturating_add(self.stretch).min(len))
    }

    fn read(reader: &mut Reader<'_>, data_end: u64, catalog: &mut Catalog) -> Parsed<Self> {
        let ticks = read_ticks(reader)?;
        let stretch = reader.u32()?;
        if stretch == 0 || stretch > MAX_TICKS {
            return Err(Malformed);
        }
        let stretches = ticks.len().div_ceil(stretch as usize);
        let mut offset = HEADER as u64;
        let mut kinds = Vec::new();
        for _ in 0..reader.count()? {
            kinds.push(read_kind(reader, stretches, &mut offset, catalog)?);
        }
        if offset == data_end && reader.is_empty() {
            Ok(Self { ticks: ticks.into(), stretch, kinds })
        } else {
            Err(Malformed)
        }
    }

    /// Heap bytes held, names of metrics left out.
    pub(crate) fn heap_bytes(&self) -> u64 {
        let kind = |kind: &KindIndex| {
            (kind.ids.capacity() + kind.by_id.capacity()) * 4 + kind.offsets.capacity() * 8
        };
        let kinds: usize = self.kinds.iter().map(kind).sum();
        (kinds + self.ticks.len() * 8) as u64
    }

    /// The catalog numbers it uses.
    pub(crate) fn ids(&self) -> RoaringBitmap {
        self.kinds.iter().flat_map(|kind| kind.ids.iter().copied()).collect()
    }
}

fn read_kind(
    reader: &mut Reader<'_>,
    stretches: usize,
    offset: &mut u64,
    catalog: &mut Catalog,
) -> Parsed<KindIndex> {
    let kind = wire::kind_of(reader.u8()?)?;
    let count = reader.count()?;
    let group = reader.len()?;
    if group == 0 {
        return Err(Malformed);
    }
    let mut ids = Vec::with_capacity(count);
    let mut previous = None;
    for _ in 0..count {
        let labels = Labels::read(kind, previous.as_ref(), reader)?;
        ids.push(catalog.intern(kind, labels.iter()));
        previous = Some(labels);
    }
    let mut by_id: Vec<u32> = (0..u32::try_from(count).map_err(|_| Malformed)?).collect();
    by_id.sort_unstable_by_key(|at| ids[*at as usize]);
    let metrics =
        (0..reader.count()?).map(|_| MetricDef::read(reader)).collect::<Parsed<Vec<_>>>()?;
    let chunks = metrics
        .len()
        .checked_mul(count.div_ceil(group))
        .and_then(|chunks| chunks.checked_mul(stretches))
        .filter(|chunks| *chunks <= reader.rest().len())
        .ok_or(Malformed)?;
    let mut offsets = Vec::with_capacity(chunks + 1);
    offsets.push(*offset);
    for _ in 0..chunks {
        *offset = offset.checked_add(reader.u64()?).ok_or(Malformed)?;
        offsets.push(*offset);
    }
    Ok(KindIndex { kind, ids, by_id, metrics, group, offsets })
}

/// Times as runs of equal distances: (distance, how often).
fn put_ticks(ticks: &[i64], out: &mut Vec<u8>) {
    wire::put_i64(out, ticks.first().copied().unwrap_or(0));
    let distances: Vec<i64> = ticks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let runs = || distances.chunk_by(|left, right| left == right);
    wire::put_len(out, runs().count());
    for run in runs() {
        wire::put_u64(out, run[0].cast_unsigned());
        wire::put_len(out, run.len());
    }
}

fn read_ticks(reader: &mut Reader<'_>) -> Parsed<Vec<i64>> {
    let mut ticks = vec![reader.i64()?];
    for _ in 0..reader.count()? {
        let distance = i64::try_from(reader.u64()?).map_err(|_| Malformed)?;
        let times = reader.at_most(MAX_BLOCK_TICKS - ticks.len())?;
        for _ in 0..times {
            let next = ticks[ticks.len() - 1].checked_add(distance).ok_or(Malformed)?;
            ticks.push(next);
        }
        if distance == 0 || ticks.len() >= MAX_BLOCK_TICKS {
            return Err(Malformed);
        }
    }
    Ok(ticks)
}

/// The windows whose own blocks these are or replace.
pub(crate) fn windows_of<'a>(blocks: impl IntoIterator<Item = &'a Arc<Block>>) -> BTreeSet<u64> {
    blocks.into_iter().flat_map(|block| block.meta.windows.iter().copied()).collect()
}

/// The number of the next block that is opened.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// A block's file.
pub(crate) struct Block {
    /// No other block of this process has it.
    number: u64,
    /// Its name in the folder of blocks.
    pub(crate) name: String,
    path: PathBuf,
    file: Arc<dyn File>,
    pub(crate) bytes: u64,
    pub(crate) meta: Meta,
    index_at: u64,
    index_bytes: u64,
    index: RwLock<Option<Arc<Index>>>,
    /// The number of the last query that wanted the index.
    used: AtomicU64,
    /// Damaged chunks found so far, by offset.
    damage: Mutex<BTreeMap<u64, Damage>>,
}

impl Block {
    /// Opens the block `name` in `dir` and verifies header, footer and index.
    pub(crate) fn open(vfs: &dyn Vfs, dir: &Path, name: &str) -> Result<Self, Error> {
        let path = dir.join(name);
        let wrap = |error| Error::io("read", &path, error);
        let file = vfs.open(&path).map_err(wrap)?;
        let bytes = file.len().map_err(wrap)?;
        let damaged = |offset, what| Error::corrupt(&path, offset, what);
        if bytes < (HEADER + FOOTER) as u64 {
            return Err(damaged(bytes, "header and footer of a block"));
        }
        let mut header = [0; HEADER];
        file.read_at(0, &mut header).map_err(wrap)?;
        let version = read_header(&header).map_err(|_| damaged(0, "the header of a block"))?;
        if version > FORMAT {
            return Err(Error::Version { file: path.clone(), found: version, known: FORMAT });
        }
        let mut footer = [0; FOOTER];
        let footer_at = bytes - FOOTER as u64;
        file.read_at(footer_at, &mut footer).map_err(wrap)?;
        let (index_at, index_bytes, index_sum) =
            read_footer(&footer).map_err(|_| damaged(footer_at, "the footer of a block"))?;
        if index_at.checked_add(index_bytes) != Some(footer_at) {
            return Err(damaged(footer_at, "a footer that fits the file"));
        }
        let mut index = vec![0; usize::try_from(index_bytes).unwrap_or(usize::MAX)];
        file.read_at(index_at, &mut index).map_err(wrap)?;
        if wire::checksum(&index) != index_sum {
            return Err(damaged(index_at, "an index with a right checksum"));
        }
        let meta = Meta::read(&mut Reader::new(&index))
            .map_err(|_| damaged(index_at, "an index that follows the format"))?;
        Ok(Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            name: name.to_owned(),
            path,
            file,
            bytes,
            meta,
            index_at,
            index_bytes,
            index: RwLock::default(),
            used: AtomicU64::new(0),
            damage: Mutex::default(),
        })
    }

    /// Its index, read on first use; the catalog learns its entities then.
    pub(crate) fn index(&self, catalog: &mut Catalog) -> Result<Arc<Index>, Error> {
        if let Some(index) = self.loaded() {
            return Ok(index);
        }
        let mut bytes = vec![0; usize::try_from(self.index_bytes).unwrap_or(usize::MAX)];
        self.file
            .read_at(self.index_at, &mut bytes)
            .map_err(|error| Error::io("read", &self.path, error))?;
        let mut reader = Reader::new(&bytes);
        let read = Meta::read(&mut reader)
            .and_then(|_| Index::read(&mut reader, self.index_at, catalog))
            .map_err(|_| Error::corrupt(&self.path, self.index_at, "an index that can be read"))?;
        let read = Arc::new(read);
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&read));
        Ok(read)
    }

    /// Its index, if it is in memory.
    pub(crate) fn loaded(&self) -> Option<Arc<Index>> {
        self.index.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets its index; who holds it goes on with it.
    pub(crate) fn unload(&self) {
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Notes that the query of this number wants the index.
    pub(crate) fn wanted_by(&self, query: u64) {
        self.used.store(query, Ordering::Relaxed);
    }

    /// The number of the last query that wanted the index.
    pub(crate) fn last_wanted(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Damaged chunks found so far.
    pub(crate) fn damage(&self) -> Vec<Damage> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Reads every value. Answers how many there are, and what is damaged.
    pub(crate) fn verify(block: &Arc<Self>, index: &Arc<Index>) -> (u64, Vec<Damage>) {
        let (mut samples, mut damage) = (0, Vec::new());
        for (kind, part) in index.kinds.iter().enumerate() {
            for metric in 0..part.metrics.len() {
                let mut cursor = Cursor::new(Arc::clone(block), Arc::clone(index), kind, metric);
                for position in 0..part.ids.len() {
                    cursor.read(position, &(0..u32::MAX), &mut damage, |_, values| {
                        samples += values.len() as u64;
                    });
                }
            }
        }
        (samples, damage)
    }

    /// A chunk: `Ok(None)` when it holds nothing, `Err` when it is damaged.
    fn chunk(
        &self,
        index: &Index,
        kind: usize,
        metric: usize,
        group: usize,
        stretch: usize,
    ) -> Result<Option<Chunk>, Damage> {
        let part = &index.kinds[kind];
        let (start, end) = part.chunk_at(metric, group, index.stretches(), stretch);
        if start == end {
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(end - start).unwrap_or(usize::MAX)];
        let (from, to) = index.stretch_ticks(stretch);
        let entities = part.group.min(part.ids.len() - group * part.group);
        let read = self.file.read_at(start, &mut bytes).map_err(|_| Malformed);
        let chunk = read.and_then(|()| Chunk::read(&bytes, to - from));
        chunk
            .ok()
            .filter(|chunk| chunk.len() == entities)
            .map(Some)
            .ok_or_else(|| self.note(start, "a chunk with a right checksum"))
    }

    fn note(&self, offset: u64, what: &'static str) -> Damage {
        let damage = Damage { file: self.path.clone(), offset, what };
        let mut known = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        if known.insert(offset, damage.clone()).is_none() {
            tracing::warn!(file = %self.path.display(), offset, what, "damaged chunk left out");
            metrics::counter!(crate::telemetry::DAMAGED).increment(1);
        }
        damage
    }
}

fn read_header(bytes: &[u8; HEADER]) -> Parsed<u32> {
    let (fields, sum) = bytes.split_last_chunk::<4>().ok_or(Malformed)?;
    let mut reader = Reader::new(fields);
    if reader.bytes(8)? != MAGIC || wire::checksum(fields) != u32::from_le_bytes(*sum) {
        return Err(Malformed);
    }
    reader.fixed_u32()
}

fn read_footer(bytes: &[u8; FOOTER]) -> Parsed<(u64, u64, u32)> {
    let (fields, sum) = bytes.split_last_chunk::<4>().ok_or(Malformed)?;
    let mut reader = Reader::new(fields);
    let found = (reader.fixed_u64()?, reader.fixed_u64()?, reader.fixed_u32()?);
    let _version = reader.fixed_u32()?;
    if reader.bytes(8)? != MAGIC || wire::checksum(fields) != u32::from_le_bytes(*sum) {
        return Err(Malformed);
    }
    Ok(found)
}

/// Reads `bytes` as an index without its checksum: whatever they are, it ends.
pub(crate) fn fuzz_index(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    if Meta::read(&mut reader).is_ok() {
        drop(Index::read(&mut reader, HEADER as u64, &mut Catalog::default()));
    }
}

/// A block's index and its chunks without their checksums, as inputs to begin with.
pub(crate) fn fuzz_parts(file: &[u8]) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let (_, footer) = file.split_last_chunk::<FOOTER>()?;
    let (at, len, _) = read_footer(footer).ok()?;
    let (at, len) = (usize::try_from(at).ok()?, usize::try_from(len).ok()?);
    let bytes = file.get(at..at.checked_add(len)?)?;
    let mut reader = Reader::new(bytes);
    Meta::read(&mut reader).ok()?;
    let index = Index::read(&mut reader, at as u64, &mut Catalog::default()).ok()?;
    let ends = index.kinds.iter().flat_map(|kind| kind.offsets.windows(2));
    let chunk = |ends: &[u64]| {
        let [start, end] = *ends else { return None };
        let bytes = file.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)?;
        bytes.split_last_chunk::<4>().map(|(body, _)| body.to_vec())
    };
    Some((bytes.to_vec(), ends.filter_map(chunk).collect()))
}
