//! The write-ahead log: one file per window, records with checksums, replayed when the store opens.
//!
//! A record that was cut short at the end (torn) is told apart from damage before good records.
//! Layout: docs/FORMAT.md, "Log".

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::EntityKind;

use crate::catalog::Catalog;
use crate::error::{Damage, Error};
use crate::frame::Frame;
use crate::record::{self, Found};
use crate::scale::MetricDef;
use crate::vfs::{self, File, Vfs};
use crate::window::Window;
use crate::wire::{self, Malformed, Parsed, Reader};
use crate::{FORMAT, Labels};

const MAGIC: &[u8; 8] = b"TAFFWAL\0";
/// Magic, version, window, start, end, checksum.
pub(crate) const HEADER: usize = 8 + 4 + 8 + 8 + 8 + 4;
/// Entities of one record; damage to it loses no more than these.
const ENTITIES_PER_RECORD: usize = 256;

/// Pending records of this many bytes are written before more are made.
const PIECE: usize = 1 << 20;

const METRICS: u8 = 1;
const ENTITIES: u8 = 2;
pub(crate) const FRAME: u8 = 3;

/// Name of the log of window `id`.
pub(crate) fn file_name(id: u64) -> String {
    format!("{id:010}.wal")
}

/// The window of a log's name.
pub(crate) fn window_of(name: &str) -> Option<u64> {
    name.strip_suffix(".wal")?.parse().ok()
}

/// The log of the window that is being filled.
pub(crate) struct Log {
    file: Arc<dyn File>,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Bytes written that [`Log::write`] has not answered yet.
    early: u64,
    /// Bytes written since the last sync.
    pub(crate) unsynced: u64,
    /// Bytes in the file.
    pub(crate) len: u64,
}

impl Log {
    /// Creates the log of `window`, and makes its name and header survive.
    pub(crate) fn create(vfs: &dyn Vfs, dir: &Path, window: &Window) -> Result<Self, Error> {
        let path = dir.join(file_name(window.id));
        let wrap = |error| Error::io("create", &path, error);
        let header = header(window.id, window.start, window.end);
        let file = vfs.create(&path).map_err(wrap)?;
        file.append(&header).map_err(wrap)?;
        file.sync().map_err(wrap)?;
        vfs.sync_dir(dir).map_err(wrap)?;
        Ok(Self { file, path, buffer: Vec::new(), early: 0, unsynced: 0, len: HEADER as u64 })
    }

    /// Goes on with a log that was replayed without damage, cut to `len` bytes.
    pub(crate) fn reopen(vfs: &dyn Vfs, path: PathBuf, len: u64) -> Result<Self, Error> {
        let wrap = |error| Error::io("reopen", &path, error);
        let file = vfs.open(&path).map_err(wrap)?;
        if file.len().map_err(wrap)? > len {
            file.truncate(len).map_err(wrap)?;
            file.sync().map_err(wrap)?;
        }
        Ok(Self { file, path, buffer: Vec::new(), early: 0, unsynced: 0, len })
    }

    /// Adds metrics whose first gets the number `first` to the pending records.
    pub(crate) fn metrics(&mut self, first: usize, metrics: &[MetricDef]) {
        record::put(&mut self.buffer, |out| {
            out.push(METRICS);
            wire::put_len(out, first);
            wire::put_len(out, metrics.len());
            for metric in metrics {
                metric.put(out);
            }
        });
    }

    /// Adds entities, by their numbers in `catalog`, whose first gets the slot `first` to the
    /// pending records, of which many are written at once: without a frame after them they mean
    /// nothing.
    pub(crate) fn entities(
        &mut self,
        kind: EntityKind,
        first: u32,
        ids: &[u32],
        catalog: &Catalog,
    ) -> Result<(), Error> {
        let mut slot = u64::from(first);
        for part in ids.chunks(ENTITIES_PER_RECORD) {
            record::put(&mut self.buffer, |out| {
                out.push(ENTITIES);
                out.push(wire::kind_code(kind));
                wire::put_u64(out, slot);
                wire::put_len(out, part.len());
                let mut previous = None;
                for id in part {
                    catalog.put(*id, previous, out);
                    previous = Some(*id);
                }
            });
            slot += part.len() as u64;
            if self.buffer.len() >= PIECE {
                self.write_pending()?;
            }
        }
        Ok(())
    }

    /// Adds a frame, whose body `fill` writes, to the pending records.
    pub(crate) fn frame(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        record::put(&mut self.buffer, |out| {
            out.push(FRAME);
            fill(out);
        });
    }

    /// Writes the pending records. They survive the process, and a power cut after
    /// [`Log::sync`]. Answers the size of all since the last time.
    pub(crate) fn write(&mut self) -> Result<u64, Error> {
        self.write_pending()?;
        self.buffer.shrink_to(PIECE);
        Ok(std::mem::take(&mut self.early))
    }

    fn write_pending(&mut self) -> Result<(), Error> {
        let written = self.file.append(&self.buffer);
        let bytes = self.buffer.len() as u64;
        self.buffer.clear();
        written.map_err(|error| Error::io("write", &self.path, error))?;
        self.early += bytes;
        self.unsynced += bytes;
        self.len += bytes;
        Ok(())
    }

    /// Makes everything written survive a power cut.
    pub(crate) fn sync(&mut self) -> Result<(), Error> {
        if self.unsynced > 0 {
            self.file.sync().map_err(|error| Error::io("sync", &self.path, error))?;
            self.unsynced = 0;
        }
        Ok(())
    }
}

/// What a replay found.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) window: Window,
    /// Where the good part ends, when the log does not end there.
    pub(crate) torn_at: Option<u64>,
    /// Places before good records that could not be read.
    pub(crate) damage: Vec<Damage>,
    /// Frames that could not be used because of damage before them.
    pub(crate) lost_frames: u64,
    pub(crate) len: u64,
}

/// The header of the log of the window `id`.
pub(crate) fn header(id: u64, start: i64, end: i64) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&FORMAT.to_le_bytes());
    header.extend_from_slice(&id.to_le_bytes());
    header.extend_from_slice(&start.to_le_bytes());
    header.extend_from_slice(&end.to_le_bytes());
    header.extend_from_slice(&wire::checksum(&header).to_le_bytes());
    header
}

/// Reads the log at `path` into a window. Fails when its header is damaged or too new, or it
/// cannot be read.
pub(crate) fn replay(vfs: &dyn Vfs, path: &Path, catalog: &mut Catalog) -> Result<Replay, Error> {
    let wrap = |error| Error::io("read", path, error);
    let file = vfs.open(path).map_err(wrap)?;
    // What a process before this one wrote may not be safe yet, and is about to be built upon.
    file.sync().map_err(|error| Error::io("sync", path, error))?;
    let bytes = vfs::read_all(&*file).map_err(wrap)?;
    replay_bytes(&bytes, path, catalog)
}

pub(crate) fn replay_bytes(
    bytes: &[u8],
    path: &Path,
    catalog: &mut Catalog,
) -> Result<Replay, Error> {
    let window = read_header(bytes, path)?;
    let len = bytes.len() as u64;
    let mut replay = Replay { window, torn_at: None, damage: Vec::new(), lost_frames: 0, len };
    for found in record::scan(bytes, HEADER) {
        match found {
            Found::Record { at, body } => {
                if replay.take(body, catalog).is_err() {
                    replay.note(path, at, "a record that follows the format");
                }
            }
            Found::Damage { at } => replay.note(path, at, "a record with a right checksum"),
            Found::Torn { at } => replay.torn_at = Some(at as u64),
        }
    }
    Ok(replay)
}

fn read_header(bytes: &[u8], path: &Path) -> Result<Window, Error> {
    let damaged = |_| Error::corrupt(path, 0, "the header of a log");
    let parse = || -> Parsed<(u32, Window)> {
        let header = bytes.get(..HEADER).ok_or(Malformed)?;
        let (fields, sum) = header.split_last_chunk::<4>().ok_or(Malformed)?;
        let mut reader = Reader::new(fields);
        if reader.bytes(8)? != MAGIC || wire::checksum(fields) != u32::from_le_bytes(*sum) {
            return Err(Malformed);
        }
        let version = reader.fixed_u32()?;
        let id = reader.fixed_u64()?;
        let (start, end) = (reader.fixed_u64()?, reader.fixed_u64()?);
        Ok((version, Window::new(id, start.cast_signed(), end.cast_signed())))
    };
    let (version, window) = parse().map_err(damaged)?;
    if version > FORMAT {
        return Err(Error::Version { file: path.to_owned(), found: version, known: FORMAT });
    }
    Ok(window)
}

impl Replay {
    fn note(&mut self, path: &Path, at: usize, what: &'static str) {
        self.damage.push(Damage { file: path.to_owned(), offset: at as u64, what });
    }

    fn take(&mut self, body: &[u8], catalog: &mut Catalog) -> Parsed<()> {
        let mut reader = Reader::new(body);
        match reader.u8()? {
            METRICS => {
                let first = reader.at_most(usize::from(u16::MAX))?;
                let count = reader.count()?;
                let known = self.window.metrics.len();
                if first < known {
                    return Err(Malformed);
                }
                let metrics =
                    (0..count).map(|_| MetricDef::read(&mut reader)).collect::<Parsed<Vec<_>>>()?;
                if let Some(filler) = metrics.first() {
                    // Metrics lost to damage: nothing can refer to them by name.
                    let nameless = MetricDef { name: "".into(), ..filler.clone() };
                    self.window.metrics.resize(first, nameless);
                }
                self.window.metrics.extend(metrics);
            }
            ENTITIES => {
                let kind = wire::kind_of(reader.u8()?)?;
                let first = u32::try_from(reader.at_most(1 << 24)?).map_err(|_| Malformed)?;
                let mut ids = Vec::new();
                let mut previous = None;
                for _ in 0..reader.count()? {
                    let labels = Labels::read(kind, previous.as_ref(), &mut reader)?;
                    ids.push(catalog.intern(kind, labels.iter()));
                    previous = Some(labels);
                }
                if !self.window.kinds[kind.index()].define(first, &ids) {
                    return Err(Malformed);
                }
            }
            FRAME => self.take_frame(&Frame::read(&mut reader)?)?,
            _ => return Err(Malformed),
        }
        if reader.is_empty() || body[0] == FRAME { Ok(()) } else { Err(Malformed) }
    }

    fn take_frame(&mut self, frame: &Frame) -> Parsed<()> {
        let follows = frame.number == self.window.next_frame;
        let newest = self.window.ticks.last();
        if frame.number < self.window.next_frame || newest.is_some_and(|last| frame.time <= *last) {
            return Err(Malformed);
        }
        if !frame.key && !follows {
            // Differences to values that were lost.
            self.lost_frames += 1;
            return Ok(());
        }
        self.window.apply(frame);
        Ok(())
    }
}

/// Whether the log at `path` never held a record: the header is synced before the first one is
/// written, so a bad header alone is a creation that was cut short.
pub(crate) fn is_stillborn(vfs: &dyn Vfs, path: &Path) -> Result<bool, Error> {
    let wrap = |error| Error::io("read", path, error);
    let bytes = vfs::read_all(&*vfs.open(path).map_err(wrap)?).map_err(wrap)?;
    Ok(bytes.len() <= HEADER)
}
