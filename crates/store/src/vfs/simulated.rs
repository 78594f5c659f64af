//! A disk in memory that loses power, fills up and fails syncs on command.
//!
//! After a power cut only what `sync` and `sync_dir` promised is sure to be there; of what was
//! not synced, a part chosen by the seed survives, as on a real disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{File, Listed, LockError, LockGuard, Vfs};

/// What goes wrong at a chosen operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The power goes: this and every later operation fails until [`Simulated::power_cycle`].
    PowerCut,
    /// This operation, if it writes, finds the disk full; so do later ones until
    /// [`Simulated::heal`].
    Full,
    /// This operation, if it is a sync, fails once.
    SyncError,
}

#[derive(Debug, Clone, Default)]
struct Inode {
    /// What programs see.
    content: Vec<u8>,
    /// What a power cut leaves for sure.
    synced: Vec<u8>,
}

#[derive(Debug, Default)]
struct Disk {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    locks: BTreeMap<PathBuf, String>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    off: bool,
    full: bool,
    written: u64,
    seed: u64,
}

/// A simulated disk. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Simulated {
    disk: Arc<Mutex<Disk>>,
}

fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}

impl Disk {
    /// Counts an operation that changes the disk, and lets its fault happen.
    fn step(&mut self, writes: bool, syncs: bool) -> io::Result<()> {
        if self.off {
            return Err(off());
        }
        self.operations += 1;
        if let Some((at, fault)) = self.fault
            && self.operations >= at
        {
            match fault {
                Fault::PowerCut => {
                    self.off = true;
                    return Err(off());
                }
                Fault::Full => {
                    self.full = true;
                    self.fault = None;
                }
                Fault::SyncError if syncs => {
                    self.fault = None;
                    return Err(io::Error::other("simulated failure of sync"));
                }
                Fault::SyncError => {}
            }
        }
        if self.full && writes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Simulated {
    /// An empty disk whose random choices follow `seed`.
    pub fn new(seed: u64) -> Self {
        Self { disk: Arc::new(Mutex::new(Disk { seed, ..Disk::default() })) }
    }

    /// Lets `fault` happen at the `after`-th changing operation from now (1 = the next).
    pub fn inject(&self, after: u64, fault: Fault) {
        let mut disk = lock(&self.disk);
        disk.fault = Some((disk.operations + after, fault));
    }

    /// Ends [`Fault::Full`] and forgets a fault that has not happened yet.
    pub fn heal(&self) {
        let mut disk = lock(&self.disk);
        disk.full = false;
        disk.fault = None;
    }

    /// Cuts the power now (if it is not off yet), drops what was not synced, turns it on again.
    /// Files opened before must not be used afterwards.
    pub fn power_cycle(&self) {
        let mut disk = lock(&self.disk);
        disk.off = false;
        disk.fault = None;
        disk.locks.clear();
        // Unsynced names: each change may or may not have reached the disk.
        let paths: BTreeSet<PathBuf> =
            disk.names.keys().chain(disk.synced_names.keys()).cloned().collect();
        let mut names = disk.synced_names.clone();
        for path in paths {
            if disk.names.get(&path) != disk.synced_names.get(&path)
                && disk.random().is_multiple_of(4)
            {
                match disk.names.get(&path).copied() {
                    Some(inode) => names.insert(path, inode),
                    None => names.remove(&path),
                };
            }
        }
        disk.names = names.clone();
        disk.synced_names = names;
        for at in 0..disk.inodes.len() {
            let survives = disk.random();
            let inode = &mut disk.inodes[at];
            let mut content = inode.synced.clone();
            if inode.content.starts_with(&content) {
                let unsynced = &inode.content[content.len()..];
                let kept = usize::try_from(survives).unwrap_or(usize::MAX) % (unsynced.len() + 1);
                content.extend_from_slice(&unsynced[..kept]);
                // A torn page: length reached the disk, content did not.
                if survives.is_multiple_of(8) {
                    content.resize(inode.content.len(), 0);
                }
            }
            inode.content.clone_from(&content);
            inode.synced = content;
        }
    }

    /// How many changing operations there were.
    pub fn operations(&self) -> u64 {
        lock(&self.disk).operations
    }

    /// How many bytes were written.
    pub fn bytes_written(&self) -> u64 {
        lock(&self.disk).written
    }

    /// Every file with its content.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let disk = lock(&self.disk);
        disk.names
            .iter()
            .map(|(path, inode)| (path.clone(), disk.inodes[*inode].content.clone()))
            .collect()
    }

    /// Puts a file there, synced.
    pub fn put(&self, path: &Path, content: Vec<u8>) {
        let mut disk = lock(&self.disk);
        let inode = disk.inodes.len();
        disk.inodes.push(Inode { synced: content.clone(), content });
        disk.names.insert(path.to_owned(), inode);
        disk.synced_names.insert(path.to_owned(), inode);
    }
}

struct SimulatedFile {
    disk: Arc<Mutex<Disk>>,
    inode: usize,
}

impl File for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        let disk = lock(&self.disk);
        if disk.off {
            return Err(off());
        }
        Ok(disk.inodes[self.inode].content.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let disk = lock(&self.disk);
        if disk.off {
            return Err(off());
        }
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let found = start
            .checked_add(buffer.len())
            .and_then(|end| disk.inodes[self.inode].content.get(start..end));
        match found {
            Some(bytes) => buffer.copy_from_slice(bytes),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        match disk.step(true, false) {
            Ok(()) => {}
            Err(error) => {
                // A full disk or a power cut may leave a part behind.
                let kept = usize::try_from(disk.random()).unwrap_or(0) % (bytes.len() + 1);
                disk.inodes[self.inode].content.extend_from_slice(&bytes[..kept]);
                return Err(error);
            }
        }
        disk.written += bytes.len() as u64;
        disk.inodes[self.inode].content.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        disk.step(false, true)?;
        let inode = &mut disk.inodes[self.inode];
        inode.synced.clone_from(&inode.content);
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        disk.step(false, false)?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        disk.inodes[self.inode].content.truncate(len);
        Ok(())
    }
}

struct SimulatedLock {
    disk: Arc<Mutex<Disk>>,
    path: PathBuf,
}

impl LockGuard for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        lock(&self.disk).locks.remove(&self.path);
    }
}

impl Vfs for Simulated {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut disk = lock(&self.disk);
        disk.step(true, false)?;
        let inode = disk.inodes.len();
        disk.inodes.push(Inode::default());
        disk.names.insert(path.to_owned(), inode);
        Ok(Arc::new(SimulatedFile { disk: Arc::clone(&self.disk), inode }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let disk = lock(&self.disk);
        if disk.off {
            return Err(off());
        }
        let inode = disk.find(path)?;
        Ok(Arc::new(SimulatedFile { disk: Arc::clone(&self.disk), inode }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>> {
        let disk = lock(&self.disk);
        if disk.off {
            return Err(off());
        }
        let mut found = Vec::new();
        for (path, inode) in &disk.names {
            if path.parent() == Some(dir)
                && let Some(name) = path.file_name().and_then(|name| name.to_str())
            {
                let bytes = disk.inodes[*inode].content.len() as u64;
                found.push(Listed { name: name.to_owned(), bytes });
            }
        }
        Ok(found)
    }

    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        lock(&self.disk).step(false, false)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        disk.step(false, false)?;
        let inode = disk.find(from)?;
        disk.names.remove(from);
        disk.names.insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        disk.step(false, false)?;
        disk.find(path)?;
        disk.names.remove(path);
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        disk.step(true, false)?;
        let inode = disk.find(from)?;
        disk.names.insert(to.to_owned(), inode);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        disk.step(false, true)?;
        let names = disk.names.clone();
        disk.synced_names.retain(|path, _| path.parent() != Some(dir));
        disk.synced_names.extend(names.into_iter().filter(|(path, _)| path.parent() == Some(dir)));
        Ok(())
    }

    fn lock(&self, path: &Path, holder: &str) -> Result<Box<dyn LockGuard>, LockError> {
        let mut disk = lock(&self.disk);
        if disk.off {
            return Err(LockError::Io(off()));
        }
        if let Some(held) = disk.locks.get(path) {
            return Err(LockError::Held(held.clone()));
        }
        disk.locks.insert(path.to_owned(), holder.to_owned());
        Ok(Box::new(SimulatedLock { disk: Arc::clone(&self.disk), path: path.to_owned() }))
    }
}
