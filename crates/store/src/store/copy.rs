//! Copies of a store that another process owns, without its help.
//!
//! Works because of the order in which the owner writes: a log goes only after its block is
//! there, window blocks only after their day is. So logs are copied before blocks are linked,
//! and a file that went meanwhile means: once more.

use std::io::ErrorKind;
use std::path::Path;

use super::{BLOCKS, EVENTS, Store, WAL};
use crate::error::Error;
use crate::vfs::{Vfs, read_all};

/// How often a copy is begun again because files went meanwhile.
const TRIES: usize = 10;

impl Store {
    /// Whether `dir` holds a store.
    pub fn is_in(vfs: &dyn Vfs, dir: &Path) -> bool {
        vfs.list(&dir.join(BLOCKS)).is_ok() && vfs.list(&dir.join(WAL)).is_ok()
    }

    /// Makes a copy in `to` that can be opened as a store, of the one in `from` that another
    /// process may own and write. Blocks are linked where `to` is on the same disk. A batch that
    /// is written at this moment is there whole or not at all.
    pub fn copy_running(vfs: &dyn Vfs, from: &Path, to: &Path) -> Result<(), Error> {
        for part in ["", WAL, BLOCKS, EVENTS] {
            let dir = to.join(part);
            vfs.create_dir(&dir).map_err(|error| Error::io("create", &dir, error))?;
        }
        let mut tries = 0;
        loop {
            tries += 1;
            match attempt(vfs, from, to) {
                Err(Error::Io { source, .. })
                    if source.kind() == ErrorKind::NotFound && tries < TRIES => {}
                ended => return ended,
            }
            for part in [WAL, BLOCKS, EVENTS] {
                clear(vfs, &to.join(part))?;
            }
        }
    }
}

fn attempt(vfs: &dyn Vfs, from: &Path, to: &Path) -> Result<(), Error> {
    for part in [WAL, BLOCKS, EVENTS] {
        let (from, to) = (from.join(part), to.join(part));
        for file in vfs.list(&from).map_err(|error| Error::io("list", &from, error))? {
            let (old, new) = (from.join(&file.name), to.join(&file.name));
            if part == BLOCKS && file.name.strip_suffix(".blk").is_none() {
                continue;
            }
            if part == BLOCKS {
                vfs.link(&old, &new).map_err(|error| Error::io("link", &old, error))?;
            } else {
                let bytes = vfs.open(&old).and_then(|file| read_all(&*file));
                let bytes = bytes.map_err(|error| Error::io("read", &old, error))?;
                vfs.create(&new)
                    .and_then(|file| file.append(&bytes))
                    .map_err(|error| Error::io("write", &new, error))?;
            }
        }
    }
    Ok(())
}

fn clear(vfs: &dyn Vfs, dir: &Path) -> Result<(), Error> {
    for file in vfs.list(dir).map_err(|error| Error::io("list", dir, error))? {
        let path = dir.join(&file.name);
        vfs.remove(&path).map_err(|error| Error::io("remove", &path, error))?;
    }
    Ok(())
}
