//! Events: append-only segments of checksummed records with an index in memory.
//!
//! Knows no metrics. An event that happens again is written again under the same uid; only its
//! newest version is found. Layout: docs/FORMAT.md, "Event segment".

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Event, Timestamp};

use crate::error::{Damage, Error};
use crate::record::{self, Found};
use crate::vfs::{self, File, Vfs};
use crate::wire::{self, Malformed, Parsed, Reader};
use crate::{FORMAT, telemetry};

mod newest;
mod search;

use newest::Newest;
pub use search::EventQuery;

const MAGIC: &[u8; 8] = b"TAFFEVT\0";
/// Magic, version, number, checksum.
pub(crate) const HEADER: usize = 8 + 4 + 8 + 4;
/// A segment of this size is full.
const SEGMENT_BYTES: u64 = 4 << 20;
/// So is one whose first event was stored so long before.
const SEGMENT_MS: i64 = 86_400_000;
/// Longest text of one field that is kept.
const MAX_TEXT: usize = 4096;

/// Where an event is, with what a search looks at first.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Hash of the event's uid.
    uid: u64,
    /// Milliseconds since the epoch.
    first_seen: i64,
    last_seen: i64,
    /// Offset of its record in the segment.
    at: u32,
    count: u32,
}

struct Segment {
    number: u64,
    path: PathBuf,
    file: Arc<dyn File>,
    len: u64,
    /// When its first event was stored; its oldest event's time after opening.
    begun: i64,
    entries: Vec<Entry>,
}

impl Segment {
    fn newest(&self) -> i64 {
        self.entries.iter().map(|entry| entry.last_seen).max().unwrap_or(i64::MIN)
    }
}

/// The events of a store.
pub(crate) struct Events {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    /// By number.
    segments: Vec<Segment>,
    newest: Newest,
    /// Whether the last segment takes more.
    growing: bool,
    /// Records that were not synced yet; written again when a sync fails.
    unsynced: Vec<u8>,
    next_number: u64,
}

fn file_name(number: u64) -> String {
    format!("{number:010}.evt")
}

impl Events {
    pub(crate) fn open(
        vfs: Arc<dyn Vfs>,
        dir: PathBuf,
        damage: &mut Vec<Damage>,
    ) -> Result<Self, Error> {
        let mut events = Self {
            vfs,
            dir,
            segments: Vec::new(),
            newest: Newest::default(),
            growing: false,
            unsynced: Vec::new(),
            next_number: 1,
        };
        let files = events.vfs.list(&events.dir);
        for file in files.map_err(|error| Error::io("list", &events.dir, error))? {
            let number = file.name.strip_suffix(".evt").and_then(|number| number.parse().ok());
            let Some(number) = number else { continue };
            events.next_number = events.next_number.max(number + 1);
            events.load(number, damage)?;
        }
        Ok(events)
    }

    /// Stores what is new among `events`. Answers how many were.
    pub(crate) fn append(&mut self, events: &[Event], now: Timestamp) -> Result<usize, Error> {
        let mut bytes = Vec::new();
        let mut stored = 0;
        for event in events {
            let uid = uid_of(event);
            let known = self.newest.get(&self.segments, uid);
            if known.is_some_and(|known| {
                event.count <= known.count && event.last_seen.millis() <= known.last_seen
            }) {
                continue;
            }
            record::put(&mut bytes, |out| put(event, out));
            stored += 1;
        }
        if stored > 0 {
            self.write(&bytes, now)?;
            metrics::counter!(telemetry::EVENTS).increment(stored);
        }
        Ok(usize::try_from(stored).unwrap_or(usize::MAX))
    }

    /// Makes every stored event survive a power cut.
    pub(crate) fn sync(&mut self) -> Result<(), Error> {
        if self.unsynced.is_empty() {
            return Ok(());
        }
        let Some(segment) = self.segments.last().filter(|_| self.growing) else {
            return self.write(&[], Timestamp::NEVER).and_then(|()| self.sync());
        };
        if let Err(error) = segment.file.sync() {
            // Never trust this file's pages again: the next write repeats them in a new one.
            self.growing = false;
            return Err(Error::io("sync", &segment.path, error));
        }
        self.unsynced.clear();
        Ok(())
    }

    /// Unlinks segments whose events are all older than `oldest`, and the oldest ones while all
    /// take more than `limit` bytes. Answers how many.
    pub(crate) fn retain(&mut self, oldest: Timestamp, limit: u64) -> Result<usize, Error> {
        let mut gone = 0;
        while let Some(first) = self.segments.first() {
            let bytes: u64 = self.segments.iter().map(|segment| segment.len).sum();
            let is_growing = self.growing && self.segments.len() == 1;
            if is_growing || (first.newest() >= oldest.millis() && bytes <= limit) {
                break;
            }
            self.vfs
                .remove(&first.path)
                .and_then(|()| self.vfs.sync_dir(&self.dir))
                .map_err(|error| Error::io("remove", &first.path, error))?;
            let number = first.number;
            self.newest.forget(number);
            self.segments.remove(0);
            gone += 1;
        }
        Ok(gone)
    }

    /// Number of events (newest versions), and bytes of all segments.
    pub(crate) fn size(&self) -> (usize, u64) {
        (self.newest.len(), self.segments.iter().map(|segment| segment.len).sum())
    }

    /// Reads every record again.
    pub(crate) fn verify(&self) -> Result<Vec<Damage>, Error> {
        let mut damage = Vec::new();
        for segment in &self.segments {
            let bytes = vfs::read_all(&*segment.file)
                .map_err(|error| Error::io("read", &segment.path, error))?;
            for found in record::scan(&bytes, HEADER) {
                let at = match found {
                    Found::Record { body, .. } if read(body).is_ok() => continue,
                    Found::Torn { .. } => continue,
                    Found::Record { at, .. } | Found::Damage { at } => at as u64,
                };
                let what = "a record with a right checksum";
                damage.push(Damage { file: segment.path.clone(), offset: at, what });
            }
        }
        Ok(damage)
    }

    fn write(&mut self, bytes: &[u8], now: Timestamp) -> Result<(), Error> {
        let full = self.segments.last().is_none_or(|segment| {
            segment.len >= SEGMENT_BYTES || now.millis() - segment.begun >= SEGMENT_MS
        });
        if full && self.growing {
            self.sync()?;
        }
        let mut pending = Vec::new();
        if full || !self.growing {
            self.begin(now)?;
            // What the segment before could not make safe.
            pending.append(&mut self.unsynced);
        }
        pending.extend_from_slice(bytes);
        let Some(segment) = self.segments.last() else { return Ok(()) };
        let written = segment.file.append(&pending);
        self.unsynced.extend_from_slice(&pending);
        if let Err(error) = written {
            self.growing = false;
            self.unsynced.truncate(self.unsynced.len() - bytes.len());
            return Err(Error::io("write", &segment.path, error));
        }
        let start = segment.len;
        self.learn(start, &pending);
        Ok(())
    }

    fn begin(&mut self, now: Timestamp) -> Result<(), Error> {
        let number = self.next_number;
        let path = self.dir.join(file_name(number));
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&FORMAT.to_le_bytes());
        header.extend_from_slice(&number.to_le_bytes());
        header.extend_from_slice(&wire::checksum(&header).to_le_bytes());
        let create = || {
            let file = self.vfs.create(&path)?;
            file.append(&header)?;
            file.sync()?;
            self.vfs.sync_dir(&self.dir)?;
            Ok(file)
        };
        let file = create().map_err(|error| Error::io("create", &path, error))?;
        let (len, begun) = (HEADER as u64, now.millis());
        self.segments.push(Segment { number, path, file, len, begun, entries: Vec::new() });
        self.next_number += 1;
        self.growing = true;
        Ok(())
    }

    /// Indexes the records `bytes` that stand at `start` of the last segment.
    fn learn(&mut self, start: u64, bytes: &[u8]) {
        let Some(segment) = self.segments.last_mut() else { return };
        segment.len = start + bytes.len() as u64;
        for found in record::scan(bytes, 0) {
            let Found::Record { at, body } = found else { continue };
            let Ok(event) = read(body) else { continue };
            // A segment is full long before.
            let Ok(at) = u32::try_from(start + at as u64) else { continue };
            let entry = Entry {
                uid: uid_of(&event),
                first_seen: event.first_seen.millis(),
                last_seen: event.last_seen.millis(),
                at,
                count: event.count,
            };
            if let Some(segment) = self.segments.last_mut() {
                segment.entries.push(entry);
            }
            self.newest.learn(&self.segments);
        }
    }

    /// Reads the segment `number` into the index. A damaged header loses no records.
    fn load(&mut self, number: u64, damage: &mut Vec<Damage>) -> Result<(), Error> {
        let path = self.dir.join(file_name(number));
        let wrap = |error| Error::io("read", &path, error);
        let file = self.vfs.open(&path).map_err(wrap)?;
        file.sync().map_err(|error| Error::io("sync", &path, error))?;
        let bytes = vfs::read_all(&*file).map_err(wrap)?;
        match read_header(&bytes) {
            Ok(version) if version > FORMAT => {
                return Err(Error::Version { file: path, found: version, known: FORMAT });
            }
            Ok(_) => {}
            Err(Malformed) if bytes.len() <= HEADER => {
                // Its creation was cut short.
                return self.vfs.remove(&path).map_err(|error| Error::io("remove", &path, error));
            }
            Err(Malformed) => note(damage, &path, 0, "the header of an event segment"),
        }
        for found in record::scan(&bytes, HEADER) {
            if let Found::Damage { at } = found {
                note(damage, &path, at, "a record with a right checksum");
            }
        }
        let segment = Segment { number, path, file, len: 0, begun: 0, entries: Vec::new() };
        self.segments.push(segment);
        let records = bytes.get(HEADER..).unwrap_or_default();
        self.learn(HEADER as u64, records);
        Ok(())
    }
}

fn note(damage: &mut Vec<Damage>, path: &Path, at: usize, what: &'static str) {
    tracing::warn!(file = %path.display(), at, what, "damaged event segment");
    metrics::counter!(telemetry::DAMAGED).increment(1);
    damage.push(Damage { file: path.to_owned(), offset: at as u64, what });
}

fn read_header(bytes: &[u8]) -> Parsed<u32> {
    let header = bytes.get(..HEADER).ok_or(Malformed)?;
    let (fields, sum) = header.split_last_chunk::<4>().ok_or(Malformed)?;
    let mut reader = Reader::new(fields);
    if reader.bytes(8)? != MAGIC || wire::checksum(fields) != u32::from_le_bytes(*sum) {
        return Err(Malformed);
    }
    reader.fixed_u32()
}

/// Hash of the event's uid; of what it says when it has none. Kept in memory only.
fn uid_of(event: &Event) -> u64 {
    let mut hasher = foldhash::quality::FixedState::default().build_hasher();
    if event.uid.is_empty() {
        let object = (&event.namespace, &event.object_kind, &event.object_name);
        (object, &event.reason, &event.message, event.first_seen).hash(&mut hasher);
    } else {
        event.uid.hash(&mut hasher);
    }
    hasher.finish()
}

fn put(event: &Event, out: &mut Vec<u8>) {
    for text in [
        &event.uid,
        &event.namespace,
        &event.object_kind,
        &event.object_name,
        &event.object_uid,
        &event.reason,
        &event.event_type,
        &event.message,
        &event.source,
    ] {
        let end = text.floor_char_boundary(MAX_TEXT.min(text.len()));
        wire::put_str(out, text.get(..end).unwrap_or_default());
    }
    wire::put_u64(out, u64::from(event.count));
    wire::put_i64(out, event.first_seen.millis());
    wire::put_i64(out, event.last_seen.millis());
}

pub(crate) fn read(body: &[u8]) -> Parsed<Event> {
    let mut reader = Reader::new(body);
    let mut text = || reader.str().map(Box::<str>::from);
    let mut event = Event {
        uid: text()?,
        namespace: text()?,
        object_kind: text()?,
        object_name: text()?,
        object_uid: text()?,
        reason: text()?,
        event_type: text()?,
        message: text()?,
        source: text()?,
        ..Event::default()
    };
    event.count = reader.u32()?;
    event.first_seen = Timestamp::from_millis(reader.i64()?);
    event.last_seen = Timestamp::from_millis(reader.i64()?);
    if reader.is_empty() { Ok(event) } else { Err(Malformed) }
}
