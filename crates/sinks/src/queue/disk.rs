//! A queue in a folder: survives restarts and `kill -9`.
//!
//! Segment files hold the records, named by their first id; `cursor` holds the first id that has
//! not arrived yet; `name` what tells its ids from those of any other queue; `lock` keeps a second
//! process out.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use model::Timestamp;
use once::Order as _;

use super::segment::{self, HEADER_BYTES, MAX_PAYLOAD_BYTES, RECORD_BYTES, Scan};
use super::{Caps, Entry, Loss, Reason, Slots, Waiting, lose, points_of, random_name, too_old};
use crate::Error;
use crate::chunks::Chunk;

/// A segment is closed when it would get larger.
const SEGMENT_BYTES: u64 = 16 << 20;
/// A queue has at least that many segments, because room is made a segment at a time.
const LEAST_SEGMENTS: u64 = 8;
/// Bytes of one of the cursor's two places, written in turn: id and checksum.
const CURSOR_BYTES: usize = 12;

#[derive(Debug)]
pub(crate) struct DiskQueue {
    folder: PathBuf,
    pub(super) caps: Caps,
    /// Oldest first; the last one is written to while `active` is there.
    segments: VecDeque<Segment>,
    active: Option<Arc<File>>,
    /// Whether the folder has a file that may not survive a loss of power.
    new_file: bool,
    cursor: File,
    next_id: u64,
    pub(super) name: u64,
    waiting: Waiting,
    /// Reused for writing.
    buffer: Vec<u8>,
    pub(super) losses: Vec<Loss>,
    /// Holds the lock.
    _lock: File,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    bytes: u64,
    /// What has not arrived yet.
    slots: Slots,
    file: Arc<File>,
}

impl DiskQueue {
    /// Opens the queue of `folder`, which is made when it is missing.
    pub(crate) fn open(folder: &Path, caps: Caps) -> Result<Self, Error> {
        let failed = |source| Error::Queue { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let lock = open(&folder.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::QueueInUse { path: folder.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let cursor = open(&folder.join("cursor")).map_err(failed)?;
        let done = read_cursor(&cursor).map_err(failed)?;
        let mut queue = Self {
            folder: folder.to_owned(),
            caps,
            segments: VecDeque::new(),
            active: None,
            new_file: false,
            cursor,
            next_id: done.max(1),
            name: name(folder).map_err(failed)?,
            waiting: Waiting::default(),
            buffer: Vec::new(),
            losses: Vec::new(),
            _lock: lock,
        };
        queue.load(done).map_err(failed)?;
        Ok(queue)
    }

    fn load(&mut self, done: u64) -> io::Result<()> {
        let mut paths: Vec<PathBuf> = fs::read_dir(&self.folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<_>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
        paths.order();
        let count = paths.len();
        for (at, path) in paths.into_iter().enumerate() {
            let file = open(&path)?;
            let bytes = fs::read(&path)?;
            if let Some(version) = segment::foreign_version(&bytes) {
                let name = path.display();
                return Err(io::Error::other(format!("{name} is of version {version}")));
            }
            let Scan { slots, whole, damaged } = segment::scan(&bytes, at + 1 == count);
            if damaged > 0 {
                tracing::error!(path = %path.display(), damaged, "part of a queue is damaged");
                lose(&mut self.losses, Reason::Damaged, damaged, 0);
            } else if whole < bytes.len() as u64 {
                let torn = bytes.len() as u64 - whole;
                tracing::info!(path = %path.display(), torn, "unfinished end of a queue cut off");
                file.set_len(whole)?;
            }
            if let Some(last) = slots.last() {
                self.next_id = self.next_id.max(last.id + 1);
            }
            let slots: Slots = slots.into_iter().filter(|slot| slot.id >= done).collect();
            if slots.is_empty() {
                fs::remove_file(&path)?;
                continue;
            }
            self.waiting.chunks += slots.len();
            self.waiting.points += points_of(slots.iter());
            self.waiting.bytes += whole;
            self.segments.push_back(Segment { path, bytes: whole, slots, file: Arc::new(file) });
        }
        Ok(())
    }

    pub(super) fn push(&mut self, time: Timestamp, chunk: &Chunk) {
        self.expire(time);
        let bytes = (chunk.bytes.len() + RECORD_BYTES) as u64;
        let too_large = chunk.bytes.len() > MAX_PAYLOAD_BYTES;
        if too_large || bytes + HEADER_BYTES as u64 > self.caps.bytes {
            return lose(&mut self.losses, Reason::Full, 1, chunk.points.into());
        }
        while self.waiting.bytes + bytes + HEADER_BYTES as u64 > self.caps.bytes
            && !self.segments.is_empty()
        {
            self.drop_oldest_segment();
        }
        if let Err(error) = self.append(time, chunk) {
            tracing::error!(folder = %self.folder.display(), %error, "queue not written");
            lose(&mut self.losses, Reason::Disk, 1, chunk.points.into());
        }
    }

    fn append(&mut self, time: Timestamp, chunk: &Chunk) -> io::Result<()> {
        let id = self.next_id;
        self.buffer.clear();
        segment::record(&mut self.buffer, id, time, chunk.points, &chunk.bytes);
        let length = self.buffer.len() as u64;
        let most = SEGMENT_BYTES.min(self.caps.bytes / LEAST_SEGMENTS);
        if self.active.is_some()
            && self.segments.back().is_some_and(|segment| segment.bytes + length > most)
        {
            self.active = None;
        }
        if self.active.is_none() {
            self.begin_segment(id)?;
        }
        let Some(segment) = self.segments.back_mut() else { return Ok(()) };
        if let Err(error) = segment.file.write_all_at(&self.buffer, segment.bytes) {
            // Whatever part was written is cut off, or left behind in a closed segment.
            if segment.file.set_len(segment.bytes).is_err() {
                self.active = None;
            }
            return Err(error);
        }
        let offset = segment.bytes;
        segment.bytes += length;
        segment.slots.push_back(segment::Slot { id, time, points: chunk.points, offset, length });
        self.next_id += 1;
        self.waiting.chunks += 1;
        self.waiting.points += u64::from(chunk.points);
        self.waiting.bytes += length;
        Ok(())
    }

    fn begin_segment(&mut self, first: u64) -> io::Result<()> {
        let path = self.folder.join(format!("{first:016x}.seg"));
        let mut file = open(&path)?;
        file.set_len(0)?;
        file.write_all(&segment::header(first))?;
        let file = Arc::new(file);
        self.active = Some(Arc::clone(&file));
        self.new_file = true;
        let (bytes, slots) = (HEADER_BYTES as u64, Slots::new());
        self.segments.push_back(Segment { path, bytes, slots, file });
        self.waiting.bytes += HEADER_BYTES as u64;
        Ok(())
    }

    /// The file that was last written to, and the folder if that has a new file: for making them
    /// durable without holding the queue.
    pub(crate) fn written(&mut self) -> io::Result<Vec<Arc<File>>> {
        let mut files: Vec<_> = self.active.iter().map(Arc::clone).collect();
        if std::mem::take(&mut self.new_file) {
            files.push(Arc::new(File::open(&self.folder)?));
        }
        Ok(files)
    }

    pub(super) fn peek(&mut self, most: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut damaged = Vec::new();
        for segment in &self.segments {
            for slot in &segment.slots {
                if entries.len() >= most {
                    break;
                }
                match read_entry(&segment.file, slot) {
                    Some(entry) => entries.push(entry),
                    None => damaged.push(*slot),
                }
            }
        }
        for slot in damaged {
            tracing::error!(folder = %self.folder.display(), id = slot.id, "queued chunk damaged");
            for segment in &mut self.segments {
                segment.slots.retain(|other| other.id != slot.id);
            }
            self.waiting.chunks -= 1;
            self.waiting.points -= u64::from(slot.points);
            lose(&mut self.losses, Reason::Damaged, 1, slot.points.into());
        }
        entries
    }

    pub(super) fn remove_through(&mut self, id: u64) {
        self.remove_while(|slot| slot.id <= id);
        // A cursor that cannot be written costs a repetition after a restart, no more.
        if let Err(error) = write_cursor(&self.cursor, id + 1) {
            tracing::warn!(folder = %self.folder.display(), %error, "cursor not written");
        }
    }

    /// Removes the oldest slots that `done` holds for, and the files that are then empty. How
    /// many chunks and points that were.
    fn remove_while(&mut self, done: impl Fn(&segment::Slot) -> bool) -> (u64, u64) {
        let (mut chunks, mut points) = (0, 0);
        while let Some(segment) = self.segments.front_mut() {
            while segment.slots.front().is_some_and(&done) {
                if let Some(slot) = segment.slots.pop_front() {
                    chunks += 1;
                    points += u64::from(slot.points);
                }
            }
            if !segment.slots.is_empty() {
                break;
            }
            self.remove_oldest_file();
        }
        self.waiting.chunks -= usize::try_from(chunks).unwrap_or(0);
        self.waiting.points -= points;
        (chunks, points)
    }

    fn expire(&mut self, newest: Timestamp) {
        let caps = self.caps;
        let old = |slot: &segment::Slot| too_old(caps, slot.time, newest);
        if self.segments.front().is_some_and(|segment| segment.slots.front().is_some_and(old)) {
            let (chunks, points) = self.remove_while(old);
            lose(&mut self.losses, Reason::Age, chunks, points);
        }
    }

    fn drop_oldest_segment(&mut self) {
        let Some(last) = self.segments.front().and_then(|segment| segment.slots.back()) else {
            return self.remove_oldest_file();
        };
        let last = last.id;
        let (chunks, points) = self.remove_while(|slot| slot.id <= last);
        lose(&mut self.losses, Reason::Full, chunks, points);
    }

    fn remove_oldest_file(&mut self) {
        let Some(segment) = self.segments.pop_front() else { return };
        self.waiting.bytes -= segment.bytes;
        if self.segments.is_empty() {
            self.active = None;
        }
        if let Err(error) = fs::remove_file(&segment.path) {
            tracing::warn!(path = %segment.path.display(), %error, "segment not removed");
        }
    }

    pub(super) fn waiting(&self) -> Waiting {
        self.waiting
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// The name in the folder's file, made with the folder. One that cannot be read is made anew: what
/// waits is then sent under another name, no more.
fn name(folder: &Path) -> io::Result<u64> {
    let path = folder.join("name");
    let text = fs::read_to_string(&path).unwrap_or_default();
    if let (16, Ok(name)) = (text.len(), u64::from_str_radix(&text, 16)) {
        return Ok(name);
    }
    let name = random_name();
    let mut file = File::create(&path)?;
    file.write_all(format!("{name:016x}").as_bytes())?;
    file.sync_all()?;
    Ok(name)
}

fn read_entry(file: &File, slot: &segment::Slot) -> Option<Entry> {
    let mut bytes = vec![0; usize::try_from(slot.length).ok()?];
    file.read_exact_at(&mut bytes, slot.offset).ok()?;
    let (read, _) = segment::read(&bytes, slot.offset)?;
    let bytes = Bytes::from(bytes).slice(RECORD_BYTES..);
    (read == *slot).then_some(Entry { id: slot.id, time: slot.time, points: slot.points, bytes })
}

/// The first id that has not arrived: the larger of the places whose checksum fits.
fn read_cursor(file: &File) -> io::Result<u64> {
    let mut places = [0; 2 * CURSOR_BYTES];
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(0).min(places.len());
    file.read_exact_at(&mut places[..length], 0)?;
    let ids = places.chunks_exact(CURSOR_BYTES).filter_map(|place| {
        let (id, checksum) = place.split_at(8);
        let fits = crc32c::crc32c(id).to_le_bytes() == checksum;
        fits.then(|| id.try_into().map_or(0, u64::from_le_bytes))
    });
    Ok(ids.max().unwrap_or(0))
}

fn write_cursor(file: &File, id: u64) -> io::Result<()> {
    let mut place = [0; CURSOR_BYTES];
    place[..8].copy_from_slice(&id.to_le_bytes());
    place[8..].copy_from_slice(&crc32c::crc32c(&id.to_le_bytes()).to_le_bytes());
    file.write_all_at(&place, (id % 2) * CURSOR_BYTES as u64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const CAPS: Caps = Caps { bytes: 1 << 20, age: Duration::from_hours(1) };

    fn push(queue: &mut DiskQueue, second: i64, text: &str) {
        let chunk = Chunk { bytes: text.into(), points: 2 };
        queue.push(Timestamp::from_secs(second), &chunk);
    }

    fn texts(queue: &mut DiskQueue) -> Vec<(u64, String)> {
        let entries = queue.peek(usize::MAX).into_iter();
        entries.map(|entry| (entry.id, String::from_utf8(entry.bytes.to_vec()).unwrap())).collect()
    }

    fn segments(folder: &Path) -> Vec<PathBuf> {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> =
            paths.filter(|path| path.extension().is_some_and(|e| e == "seg")).collect();
        paths.sort();
        paths
    }

    #[test]
    fn what_has_not_arrived_is_there_after_a_restart_with_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let mut queue = DiskQueue::open(folder.path(), CAPS).unwrap();
        for (second, text) in [(1, "one"), (2, "two"), (3, "three")] {
            push(&mut queue, second, text);
        }
        queue.remove_through(1);
        assert!(matches!(DiskQueue::open(folder.path(), CAPS), Err(Error::QueueInUse { .. })));
        drop(queue);
        let mut queue = DiskQueue::open(folder.path(), CAPS).unwrap();
        assert_eq!(texts(&mut queue), [(2, "two".into()), (3, "three".into())]);
        assert_eq!((queue.waiting().chunks, queue.waiting().points), (2, 4));
        push(&mut queue, 4, "four");
        queue.remove_through(4);
        assert_eq!(queue.waiting(), Waiting::default());
        assert_eq!(segments(folder.path()), Vec::<PathBuf>::new());
        drop(queue);
        let mut queue = DiskQueue::open(folder.path(), CAPS).unwrap();
        push(&mut queue, 5, "five");
        assert_eq!(texts(&mut queue), [(5, "five".into())], "ids go on");
        assert_eq!(queue.losses, []);
    }

    #[test]
    fn a_torn_tail_is_cut_off_and_damage_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let mut queue = DiskQueue::open(folder.path(), CAPS).unwrap();
        for text in ["one", "two", "three"] {
            push(&mut queue, 1, text);
        }
        drop(queue);
        let path = segments(folder.path()).remove(0);
        let file = open(&path).unwrap();
        file.set_len(file.metadata().unwrap().len() - 2).unwrap();
        let mut queue = DiskQueue::open(folder.path(), CAPS).unwrap();
        assert_eq!(texts(&mut queue), [(1, "one".into()), (2, "two".into())]);
        assert_eq!(queue.losses, [], "a torn tail is no damage");
        file.write_all_at(b"X", (HEADER_BYTES + RECORD_BYTES) as u64).unwrap();
        assert_eq!(texts(&mut queue), [(2, "two".into())]);
        assert_eq!(queue.losses, [Loss { reason: Reason::Damaged, chunks: 1, points: 2 }]);
        drop(queue);
        let mut queue = DiskQueue::open(folder.path(), CAPS).unwrap();
        assert_eq!(texts(&mut queue), [(2, "two".into())]);
        assert_eq!(queue.losses, [Loss { reason: Reason::Damaged, chunks: 1, points: 0 }]);
    }

    #[test]
    fn a_full_queue_drops_its_oldest_segment_and_an_old_entry_expires() {
        let folder = tempfile::tempdir().unwrap();
        let caps = Caps { bytes: 16 * 1024, ..CAPS };
        let mut queue = DiskQueue::open(folder.path(), caps).unwrap();
        let text = "x".repeat(1000 - RECORD_BYTES);
        for second in 0..40 {
            push(&mut queue, second, &text);
            let on_disk: u64 =
                segments(folder.path()).iter().map(|path| path.metadata().unwrap().len()).sum();
            assert!(on_disk <= caps.bytes, "{on_disk}");
            assert_eq!(on_disk, queue.waiting().bytes);
        }
        let left = texts(&mut queue);
        assert!(left.len() >= 13 && left.last().unwrap().0 == 40, "{}", left.len());
        let lost = queue.losses[0];
        assert_eq!((lost.reason, lost.chunks), (Reason::Full, 40 - left.len() as u64));
        assert_eq!(lost.points, 2 * lost.chunks);
        push(&mut queue, 4000, "new");
        assert_eq!(texts(&mut queue), [(41, "new".into())]);
        assert_eq!(queue.losses[1].reason, Reason::Age);
    }

    #[test]
    fn a_torn_cursor_repeats_rather_than_loses() {
        let folder = tempfile::tempdir().unwrap();
        let file = open(&folder.path().join("cursor")).unwrap();
        for id in 1..=9 {
            write_cursor(&file, id).unwrap();
        }
        assert_eq!(read_cursor(&file).unwrap(), 9);
        file.write_all_at(b"torn", CURSOR_BYTES as u64).unwrap();
        assert_eq!(read_cursor(&file).unwrap(), 8);
        file.set_len(3).unwrap();
        assert_eq!(read_cursor(&file).unwrap(), 0);
    }
}
